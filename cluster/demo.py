"""The story of cluster/demo, told with the same commands a user types. Run cluster/demo, which prepares the machine."""

import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MOVIE_SET_TRAIN, MOVIE_SET_VALIDATION, MOVIE_SET_TEST = 8000, 1000, 1000

parser = argparse.ArgumentParser(
    prog="cluster/demo", description="Train, query, forget and prove it: one coordinator, N workers, real data."
)
parser.add_argument("--samples", type=int, help="about this many training prompts (default 160)")
parser.add_argument("--workers", type=int, default=4, help="worker processes, and shards (default 4)")
parser.add_argument("--full", action="store_true", help="the paper's setting: 1024 training, 500 validation, 1000 test prompts")
parser.add_argument("--json", action="store_true", help="print one JSON object on standard output at the end")
parser.add_argument("--keep", metavar="DIR", help="keep the cluster's files in DIR")
arguments = parser.parse_args()
if arguments.workers < 1 or arguments.workers > 64:
    parser.error("--workers must be between 1 and 64")
if arguments.samples is not None and not 8 <= arguments.samples <= MOVIE_SET_TRAIN:
    parser.error(f"--samples must be between 8 and {MOVIE_SET_TRAIN}")

samples = arguments.samples or (1024 if arguments.full else 160)
validation = 500 if arguments.full else max(24, min(500, samples // 2))
test = MOVIE_SET_TEST if arguments.full else max(40, min(MOVIE_SET_TEST, samples // 2))
lethe = os.environ["LETHE"]
model = os.environ["LETHE_MODEL"]
data = os.environ["LETHE_ML100K"]
weights = pathlib.Path(os.environ["LETHE_CACHE"]) / "weights"

sampling = ["--protocol", "tallrec", "--fraction", str(samples / MOVIE_SET_TRAIN),
            "--validation-fraction", str(validation / MOVIE_SET_VALIDATION),
            "--test-fraction", str(test / MOVIE_SET_TEST)]

started = time.monotonic()
processes = []
report = {"schema_version": 1, "samples": samples, "workers": arguments.workers, "seconds": {}}


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def step(text):
    say(f"\n[{time.monotonic() - started:5.0f} s] {text}")


def stop(signum, _frame):
    raise SystemExit(128 + signum)


def start(name, *command):
    log = open(root / f"{name}.log", "wb")
    # Its own session: a Ctrl-C at the terminal reaches this script alone, which then stops the others in order.
    process = subprocess.Popen([lethe, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    processes.append((name, process))
    return process


def stop_all():
    for name, process in reversed(processes):
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + 5
    for name, process in reversed(processes):
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(name, *command, allow=(0,)):
    """One client command; its JSON. Progress passes through to the terminal."""
    begin = time.monotonic()
    process = subprocess.Popen([lethe, *command, "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        output, _ = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    report["seconds"][name] = round(time.monotonic() - begin, 2)
    if process.returncode not in allow:
        for service, running in processes:
            if running.poll() is not None:
                say(f"{service} ended with status {running.returncode}; its log ends with")
                say("".join((root / f"{service}.log").read_text(errors="replace").splitlines(True)[-8:]))
        raise SystemExit(f"lethe {' '.join(command)} failed with status {process.returncode}")
    return json.loads(output)


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        say("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def example_users():
    """Two users with training prompts in this sample: forgetting the first touches an adapter, the second stays."""
    lines = subprocess.run([lethe, "prompts", "--format", "recbole", data, "--split", "train", *sampling],
                           check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout.splitlines()
    counts = collections.Counter(json.loads(line)["user"] for line in lines)
    ranked = sorted(counts, key=lambda user: (counts[user], user))
    return ranked[len(ranked) // 2], ranked[-1]


def wait_ready():
    """The coordinator writes its endpoint when it listens; then all workers have to be admitted."""
    endpoint_file = root / "coordinator" / "endpoint"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for name, process in processes:
            if process.poll() is not None:
                log = (root / f"{name}.log").read_text(errors="replace")
                raise SystemExit(f"{name} ended with status {process.returncode}:\n{log[-2000:]}")
        if endpoint_file.exists():
            return endpoint_file.read_text().strip()
        time.sleep(0.05)
    raise SystemExit("the coordinator did not start within two minutes")


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGHUP, stop)
if arguments.keep:
    root = pathlib.Path(arguments.keep).absolute()
    if root.exists() and any(root.iterdir()):
        parser.error(f"--keep: {root} is not empty")
    root.mkdir(parents=True, exist_ok=True)
else:
    root = pathlib.Path(tempfile.mkdtemp(prefix="lethe-demo-"))
try:
    step(f"starting one coordinator and {arguments.workers} workers (processes on this machine)")
    cores = os.cpu_count() or 1
    threads = str(max(1, cores // arguments.workers))
    start("coordinator", "coordinator", "--data", str(root / "coordinator"), "--model", model, "--listen",
          "tcp://127.0.0.1:*", "--shards", str(arguments.workers), "--partition", "user", "--seed", "1",
          "--threads", str(cores), "--weight-cache", str(weights))
    endpoint = os.environ["LETHE_COORDINATOR"] = wait_ready()
    for number in range(arguments.workers):
        start(f"worker-{number}", "worker", "--coordinator", endpoint, "--model", model, "--data",
              str(root / f"worker-{number}"), "--threads", threads, "--weight-cache", str(weights))
    deadline = time.monotonic() + 120
    while len(run("status", "status")["workers"]) < arguments.workers:
        wait_ready()
        if time.monotonic() > deadline:
            raise SystemExit("not all workers were admitted within two minutes")
        time.sleep(0.3)

    step("importing MovieLens-100K as the movie set of TALLRec, sampled by hash")
    imported = run("import", "import", "--format", "recbole", data, *sampling)
    say(f"  {imported['rows_kept']} ratings read, {imported['rows_refused']} lines refused; prompts: "
        f"{imported['prompts']['train']} training, {imported['prompts']['validation']} validation, "
        f"{imported['prompts']['test']} test")

    step(f"training {arguments.workers} shards, one LoRA adapter each")
    trained = run("train", "train", "--wait")
    full_training = sum(shard["seconds"] for shard in trained["shards"])

    step("evaluating on the test prompts")
    evaluated = run("evaluate", "evaluate", "--split", "test")

    user, other = example_users()
    items = ["50", "100", "313", "423"]  # Star Wars, Fargo, Titanic, E.T.
    step(f"asking what user {user} would like")
    before = run("query_before", "query", "--user", user, "--item", *items)

    step(f"forgetting user {user}: first only the plan")
    plan = run("plan", "forget", "--user", user, "--dry-run")
    say(f"  {plan['interactions']} interactions, {plan['prompts_deleted']} prompts deleted, "
        f"{plan['prompts_rebuilt']} rebuilt, shards {plan['shards']}")
    step(f"forgetting user {user}")
    forgotten = run("forget", "forget", "--user", user, "--wait")

    step("replaying the training of the touched shards without that user, comparing bytes")
    verified = run("verify", "verify", "--request", forgotten["request"], allow=(0, 2))

    step("asking again: the user is unknown now; another user is answered by the new adapters")
    gone = run("query_forgotten", "query", "--user", user, "--item", *items, allow=(65,))
    after = run("query_after", "query", "--user", other, "--item", *items)

    retrained = [shard["shard"] for shard in forgotten["shards"]]
    retraining = sum(shard["seconds"] for shard in forgotten["shards"])
    report |= {"import": imported, "train": trained, "evaluate": evaluated, "query_before": before, "plan": plan,
               "forget": forgotten, "verify": verified, "query_forgotten": gone, "query_after": after}
    report["summary"] = {
        "shards_retrained": retrained, "shards": arguments.workers, "retraining_seconds": round(retraining, 2),
        "full_training_seconds": round(full_training, 2), "verified": verified["verified"],
        "total_seconds": round(time.monotonic() - started, 1)}

    step("what came out")
    table([("model", "AUC", "accuracy", "log-loss")] + [
        (row["name"], f"{row['auc']:.3f}", f"{row['accuracy']:.3f}", f"{row['log_loss']:.3f}")
        for row in evaluated["variants"]])
    say(f"  ({evaluated['prompts']} test prompts; --full takes the paper's 1024/500/1000)")
    say()
    table([("P(like)", "item")] + [(f"{row['probability']:.3f}", row["title"]) for row in before["items"]])
    weights_text = ", ".join(f"shard {row['shard']} {row['weight']:.2f}" for row in before["adapters"])
    say(f"  (user {user} before forgetting; attention: {weights_text})")
    say()
    say(f"  Forgetting user {user} retrained {len(retrained)} of {arguments.workers} shards in {retraining:.1f} s of training; "
        f"all shards took {full_training:.1f} s: {full_training / max(retraining, 1e-9):.1f} x less.")
    say(f"  From the request to clean adapters: {report['seconds']['forget']:.1f} s.")
    if verified["verified"]:
        say("  Verified: a fresh training without that user gives the same adapters, byte for byte.")
    else:
        say("  NOT verified: a replay gave other bytes. This is a defect; please report it.")
    say(f"  A query for user {user} now answers: {gone['error']['message']}")
    say(f"  Total after the build: {report['summary']['total_seconds']:.0f} s.")
    if arguments.json:
        print(json.dumps(report, sort_keys=True))
    if not verified["verified"]:
        raise SystemExit(2)
except KeyboardInterrupt:
    say("\nstopped")
    raise SystemExit(130)
finally:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    stop_all()
    if arguments.keep:
        say(f"  files kept in {root}")
    else:
        shutil.rmtree(root, ignore_errors=True)
