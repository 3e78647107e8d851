"""A cluster of processes on this machine, for the demonstration and the measurements beside this file."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MOVIE_SET = {"train": 8000, "validation": 1000, "test": 1000}


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def sampling(train, validation, test, seed=0):
    """Options that sample about so many prompts of the movie set."""
    return ["--protocol", "tallrec", "--fraction", str(train / MOVIE_SET["train"]),
            "--validation-fraction", str(validation / MOVIE_SET["validation"]),
            "--test-fraction", str(test / MOVIE_SET["test"]), "--sample-seed", str(seed)]


def movie_prompts(split, *options):
    """Lines of JSON: what the movie set's interactions come to in this split. What the import says of its files is no news here."""
    done = subprocess.run(
        [os.environ["LETHE"], "prompts", "--format", "recbole", os.environ["LETHE_ML100K"], "--split", split, *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return done.stdout


class LocalCluster:
    """One coordinator and some workers. As a context it stops what it started, however it ends."""

    def __init__(self, workers, settings, keep=None, lethe=None, folder=None, threads="auto", worker_settings=()):
        """`threads`: of each worker; auto: they share the cores."""
        self.lethe, self.model = lethe or os.environ["LETHE"], os.environ["LETHE_MODEL"]
        self.workers, self.settings, self.keep, self.folder = workers, settings, keep, folder
        self.threads, self.processes, self.seconds = str(threads), [], {}
        self.worker_settings = worker_settings

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))
        if self.keep:
            self.root = pathlib.Path(self.keep).absolute()
            self.root.mkdir(parents=True, exist_ok=True)
        else:
            self.root = pathlib.Path(tempfile.mkdtemp(prefix="lethe-", dir=self.folder))
        try:
            self.start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for _, process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 5
        for _, process in reversed(self.processes):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def start_all(self):
        cores = os.cpu_count() or 1
        self.start("coordinator", "coordinator", "--data", str(self.root / "coordinator"), "--model", self.model,
                   "--listen", "tcp://127.0.0.1:*", "--threads", str(cores), *self.settings)
        endpoint_file = self.root / "coordinator" / "endpoint"
        self.wait("the coordinator to listen", endpoint_file.exists)
        os.environ["LETHE_COORDINATOR"] = endpoint_file.read_text().strip()
        for number in range(self.workers):
            self.start(f"worker-{number}", "worker", "--model", self.model, "--data", str(self.root / f"worker-{number}"),
                       "--threads", self.threads, *self.worker_settings)
        self.wait("the workers to be admitted", lambda: len(self.run("status", "status")["workers"]) == self.workers)

    def start(self, name, *command):
        with open(self.root / f"{name}.log", "wb") as log:
            # A session of its own: Ctrl-C at the terminal reaches the script alone, which stops the others in order.
            process = subprocess.Popen([self.lethe, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                       start_new_session=True)
        self.processes.append((name, process))

    def stop(self, name, seconds=120):
        """Lets a service end by itself, however long it has to tidy up."""
        process = next(process for started, process in self.processes if started == name)
        process.terminate()
        process.wait(seconds)
        self.processes = [entry for entry in self.processes if entry[1] is not process]

    def wait(self, what, condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                sys.exit(f"waited {seconds} s for {what}; the logs are in {self.root}")
            time.sleep(0.1)

    def check(self):
        """Stops with the log of a service that has ended."""
        for name, process in self.processes:
            if process.poll() is not None:
                log = (self.root / f"{name}.log").read_text(errors="replace")
                sys.exit(f"{name} ended with status {process.returncode}:\n{log[-2000:]}")

    def run(self, name, *command, allow=(0,)):
        """One client command; returns its JSON. Progress passes through to the terminal."""
        begin = time.monotonic()
        process = subprocess.Popen([self.lethe, *command, "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        try:
            output, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        self.seconds[name] = round(time.monotonic() - begin, 2)
        if process.returncode not in allow:
            self.check()
            sys.exit(f"lethe {' '.join(command)} failed with status {process.returncode}")
        return json.loads(output)


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        say("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
