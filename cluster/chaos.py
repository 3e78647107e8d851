"""Processes are killed and stopped at random moments, disks fill up, people are forgotten. Run cluster/chaos."""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tiny
from local import say, table
from power import PowerSupply

SHARDS, USERS, RATINGS = 4, 48, 15
SETTINGS = ["--partition", "user-hash", "--shards", str(SHARDS), "--epochs", "2", "--seed", "7"]
COMMON = ["--threads", "1", "--precision", "f32", "--weight-cache", "none"]


def parse():
    parser = argparse.ArgumentParser(
        prog="cluster/chaos",
        description="Kill -9, SIGSTOP and power failures of coordinator and workers, and full disks, while people are "
                    "forgotten; then whether anything acknowledged was lost, and whether the adapters are those of a "
                    "fresh cluster.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="what happens, not when exactly (default: random, printed)")
    parser.add_argument("--workers", type=int, default=3, help="worker processes (default 3)")
    parser.add_argument("--disk", action="store_true",
                        help="also fill the coordinator's disk: a small one in memory, which needs the right to mount")
    parser.add_argument("--power", action="store_true",
                        help="also let the power fail: of what was not synced, names and pages are kept or lost by chance "
                             "(needs a C compiler)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output at the end")
    parser.add_argument("--keep", action="store_true", help="leave the files where they are")
    return parser.parse_args()


def ratings(leaving_out=()):
    """A pure function of user and position: leaving somebody out changes nothing else."""
    lines = ["user,item,rating,timestamp,item_title"]
    for user in range(USERS):
        if f"person-{user}" in leaving_out:
            continue
        for position in range(RATINGS):
            item = (user * 7 + position * position * 3 + position) % 40
            lines.append(f"person-{user},i{item},{(user * 5 + item * 3 + position) % 5 + 1},{1000 + position * 10 + user},"
                         f"Film {item}")
    return "\n".join(lines) + "\n"


class Cluster:
    """Services that come and go. None of what they do may depend on their being there."""

    def __init__(self, root, name, workers, model, power=None):
        self.root, self.model, self.power, self.endpoint = root / name, model, power, None
        self.root.mkdir(exist_ok=True)
        self.running, self.stopped = {}, set()
        self.names = ["coordinator"] + [f"worker-{number}" for number in range(workers)]
        try:
            for service in self.names:
                self.start(service)
        except BaseException:
            self.end()
            raise

    def start(self, name):
        if name in self.running and self.running[name].poll() is None:
            return
        if name == "coordinator":
            options = ["--listen", self.endpoint or "tcp://127.0.0.1:*", *SETTINGS]
        else:
            options = ["--coordinator", self.endpoint]
        with open(self.root / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [os.environ["LETHE"], name.split("-")[0], "--data", str(self.root / name), "--model", str(self.model),
                 *COMMON, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self.power.environment(name) if self.power else None)
        if name == "coordinator" and self.endpoint is None:
            file, deadline = self.root / name / "endpoint", time.monotonic() + 60
            while not file.exists():
                if time.monotonic() > deadline or self.running[name].poll() is not None:
                    sys.exit(f"the coordinator does not listen: {(self.root / 'coordinator.log').read_text()[-2000:]}")
                time.sleep(0.05)
            self.endpoint = file.read_text().strip()

    def signal(self, name, number):
        process = self.running[name]
        if process.poll() is None:
            process.send_signal(number)
            if number == signal.SIGKILL:
                process.wait()
        if number in (signal.SIGSTOP, signal.SIGCONT):
            (self.stopped.add if number == signal.SIGSTOP else self.stopped.discard)(name)
        else:
            self.stopped.discard(name)

    def end(self):
        for name in reversed(list(self.running)):
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGKILL)

    def ask(self, *command, seconds=60):
        """Status and JSON of one client command; None when it did not end in time."""
        process = subprocess.Popen([os.environ["LETHE"], *command, "--coordinator", self.endpoint, "--json"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None, {}, "no answer"
        try:
            return process.returncode, json.loads(output), errors.decode(errors="replace")
        except ValueError:
            return process.returncode, {}, errors.decode(errors="replace")

    def must(self, *command, seconds=300):
        status, reply, errors = self.ask(*command, seconds=seconds)
        if status != 0:
            sys.exit(f"lethe {' '.join(command)} ended with {status}: {errors}\nthe logs are in {self.root}")
        return reply

    def adapters(self):
        return {adapter["shard"]: adapter["name"] for adapter in self.must("adapters", "list")["adapters"]}

    def bring(self, text):
        file = self.root / "ratings.csv"
        file.write_text(text)
        self.must("import", "--format", "csv", str(file))
        self.must("train", "--wait")


class Chaos:
    def __init__(self, cluster, draw, disk):
        self.cluster, self.draw, self.disk = cluster, draw, disk
        self.counts, self.lock, self.threads = collections.Counter(), threading.Lock(), []
        self.acknowledged, self.asked, self.findings = set(), {}, []
        self.left = [f"person-{user}" for user in range(USERS)]
        draw.shuffle(self.left)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def forget(self):
        # Somebody must be left to be trained on.
        if len(self.left) <= USERS // 3:
            return
        user = self.left.pop()
        self.asked[user] = f"request-{user}"
        status, _, _ = self.cluster.ask("forget", "--user", user, "--request-id", self.asked[user], seconds=40)
        if status == 0:
            with self.lock:
                self.acknowledged.add(user)
            self.count("forgets acknowledged")
        else:
            self.count("forgets unanswered")

    def query(self):
        """Whoever was forgotten before the question was asked must be unknown."""
        with self.lock:
            gone = sorted(self.acknowledged)
        user = self.draw.choice(gone) if gone else "person-0"
        status, reply, _ = self.cluster.ask("query", "--user", user, "--item", "i1", seconds=40)
        self.count("questions answered" if status is not None and status != 69 else "questions unanswered")
        if gone and status == 0:
            self.findings.append(f"an answer about {user}, who was forgotten: {json.dumps(reply)[:200]}")

    def kill(self):
        self.take_down("killed")

    def fail(self):
        self.take_down("without power", self.cluster.power.fail)

    def take_down(self, how, then=None):
        names = self.draw.choice([["coordinator"], [self.draw.choice(self.cluster.names[1:])], self.cluster.names])
        for name in names:
            self.cluster.signal(name, signal.SIGKILL)
        self.count(f"coordinator and workers {how}" if len(names) > 1 else f"{names[0].split('-')[0]} {how}")
        for name in names if then else []:
            then(name, self.cluster.root / name)
        time.sleep(self.draw.uniform(0, 1.5))
        for name in names:
            self.cluster.start(name)

    def stop(self):
        name = self.draw.choice(self.cluster.names)
        self.cluster.signal(name, signal.SIGSTOP)
        self.count(f"{name.split('-')[0]} stopped for a while")
        time.sleep(self.draw.uniform(0.2, 5))
        self.cluster.signal(name, signal.SIGCONT)

    def fill(self):
        file = self.cluster.root / "coordinator" / "filler"
        try:
            with open(file, "wb", buffering=0) as filler:
                while filler.write(bytes(1 << 16)):
                    pass
        except OSError:
            self.count("disk full")
        time.sleep(self.draw.uniform(0.5, 3))
        file.unlink(missing_ok=True)

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            disturb = self.draw.choice(
                [self.kill, self.kill, self.stop] + [self.fill] * self.disk + [self.fail] * 2 * bool(self.cluster.power))
            for ask in [self.forget, self.query]:
                # They meet the disturbance at whatever moment they have come to.
                thread = threading.Thread(target=ask)
                thread.start()
                self.threads.append(thread)
            time.sleep(self.draw.uniform(0, 0.6))
            disturb()
            self.count("cycles")
            time.sleep(self.draw.uniform(0, 1))
        for thread in self.threads:
            thread.join()


def settled(cluster, seconds=180):
    """Everybody back, nothing left to do."""
    for name in cluster.names:
        cluster.signal(name, signal.SIGCONT)
        cluster.start(name)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status, reply, _ = cluster.ask("status", seconds=30)
        if status == 0 and not reply["pending_forgets"] and all(
                shard["state"] == "current" for shard in reply["shards"] if shard["prompts"]):
            return True
        time.sleep(0.5)
    return False


def check(chaos, cluster, root, model):
    findings = chaos.findings
    if not settled(cluster):
        findings.append("requests or shards are still waiting: " + json.dumps(cluster.ask("status")[1])[:1500])
    for user, request in chaos.asked.items():
        # Under its own name it is done once, whether or not it had been acknowledged.
        status, _, errors = cluster.ask("forget", "--user", user, "--request-id", request, "--wait", seconds=120)
        if status != 0:
            findings.append(f"{request} does not end: {status} {errors}")
        if cluster.ask("query", "--user", user, "--item", "i1")[0] != 65:
            findings.append(f"{user} is still known")
    if not settled(cluster):
        findings.append("retraining does not end")
    if cluster.ask("verify", seconds=300)[0] != 0:
        findings.append("verify finds other bytes")
    fresh = Cluster(root, "fresh", 1, model)
    try:
        fresh.bring(ratings(leaving_out=set(chaos.asked)))
        expected, found = fresh.adapters(), cluster.adapters()
    finally:
        fresh.end()
    for shard in sorted(expected):
        if expected[shard] != found.get(shard):
            findings.append(f"shard {shard}: {found.get(shard)} instead of {expected[shard]}, a fresh cluster's")
    return findings


def main():
    arguments = parse()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))
    root = pathlib.Path(tempfile.mkdtemp(prefix="lethe-chaos-"))
    say(f"seed {seed}, {arguments.seconds:.0f} s, files in {root}")
    cluster, mounted, findings = None, None, ["interrupted"]
    try:
        model = root / "model"
        tiny.write(model)
        if arguments.disk:
            mounted = root / "chaos" / "coordinator"
            mounted.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(mounted)], check=True)
        power = PowerSupply(root, random.Random(seed + 1)) if arguments.power else None
        cluster = Cluster(root, "chaos", arguments.workers, model, power)
        cluster.bring(ratings())
        chaos = Chaos(cluster, random.Random(seed), bool(mounted))
        chaos.run(arguments.seconds)
        findings = check(chaos, cluster, root, model)
        rows = [["what", "times"]] + [[what, str(count)] for what, count in sorted(chaos.counts.items())]
        table(rows + [["acknowledged and lost, or otherwise wrong", str(len(findings))]])
        for finding in findings:
            say(f"WRONG: {finding}")
        if arguments.json:
            print(json.dumps({"seed": seed, "counts": chaos.counts, "findings": findings}, sort_keys=True))
    finally:
        if cluster:
            cluster.end()
        if mounted:
            subprocess.run(["umount", str(mounted)], check=False)
        if arguments.keep or findings:
            say(f"seed {seed}; the files are in {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
