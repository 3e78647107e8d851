"""How many questions gateways answer over HTTP, how soon, and what a forget costs beside them: a section of cluster/bench."""

import contextlib
import http.client
import json
import math
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import uuid

import cores
from load import names
from local import LocalCluster, movie_prompts, sampling, say, table

SETTINGS = ["--shards", "4", "--partition", "user-hash", "--seed", "1", "--epochs", "1"]
CLIENTS = (1, 4, 16, 64)
# Candidates of a question beyond capacity; prompts of the movie set that the peer scores; training prompts; forgets that are timed.
CROWD_ITEMS, PEER_PROMPTS, SAMPLES, FORGETS = 20, 256, 256, 30


class Gateway:
    """One gateway process of a cluster; with threads it answers itself."""

    def __init__(self, cluster, name, threads=None):
        self.cluster, self.name = cluster, name
        own = ["--model", cluster.model, "--threads", str(threads)] if threads else []
        cluster.start(name, "gateway", "--listen", "http://127.0.0.1:0", "--json", *own)
        self.log = cluster.root / f"{name}.log"
        cluster.wait(f"{name} to listen", lambda: any(line.startswith("{") for line in self.lines()))
        url = json.loads(next(line for line in self.lines() if line.startswith("{")))["url"]
        self.port = int(url.rsplit(":", 1)[1])
        cluster.wait(f"{name} to be ready", lambda: self.get("/readyz")[0] == 200)

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    @property
    def process(self):
        return next(process for name, process in self.cluster.processes if name == self.name)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return 0


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def ask(gateways, users, items, clients, count, seconds, patience=600):
    """So many clients, each with one question after another, every one about the next user; kept connections. Who waited as long as
    `patience` hangs up and asks the next question."""
    times, failures, left, lock = [], [0], [0], threading.Lock()
    end = time.monotonic() + seconds

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", gateways[number % len(gateways)].port, timeout=patience)
        position = number * 7919
        while time.monotonic() < end:
            chosen = [items[(position * 31 + step) % len(items)] for step in range(count)]
            body = {"user": users[position % len(users)], "items" if count == 1 else "candidates": chosen}
            start = time.monotonic()
            position += 1
            try:
                connection.request("POST", "/v1/score" if count == 1 else "/v1/rank", json.dumps(body),
                                   {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
            except TimeoutError:
                # The next request opens another.
                connection.close()
                with lock:
                    left[0] += 1
                continue
            except (OSError, http.client.HTTPException):
                connection.close()
                with lock:
                    failures[0] += 1
                time.sleep(0.1)
                continue
            with lock:
                if response.status == 200:
                    times.append(time.monotonic() - start)
                else:
                    failures[0] += 1
            if response.status in (429, 503):
                time.sleep(min(5, float(response.headers.get("Retry-After", 1))))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.monotonic() - begin
    return {"clients": clients, "items": count, "answered": len(times), "failed": failures[0],
            "given_up": left[0], "answered_per_second": len(times) / wall, "p50_seconds": percentile(times, 0.5) if times else None,
            "p99_seconds": percentile(times, 0.99) if times else None}


def forget(gateway, user, request=None):
    """Seconds until a forget is acknowledged over HTTP; the connection is there already."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=600)
    connection.connect()
    start = time.monotonic()
    own = {"Idempotency-Key": request} if request else {}
    connection.request("POST", "/v1/forget", json.dumps({"user": user}), {"Content-Type": "application/json", **own})
    response = connection.getresponse()
    response.read()
    if response.status != 202:
        raise SystemExit(f"a forget was answered {response.status}")
    return time.monotonic() - start


def acknowledgements(cluster, door, users, report):
    """With 0, 1 and 4 gateways that answer themselves, and with one of them stopped. Takes users from the front of the list."""
    gateways = []
    for alive in (0, 1, 4):
        while len(gateways) < alive:
            gateways.append(Gateway(cluster, f"answering-{len(gateways)}", 1))
        times = [forget(door, users.pop(0)) for _ in range(FORGETS)]
        report[f"acknowledged_with_{alive}"] = {"p50_seconds": percentile(times, 0.5), "longest_seconds": max(times)}
    gateways[0].process.send_signal(signal.SIGSTOP)
    first, second = forget(door, users.pop(0)), forget(door, users.pop(0))
    gateways[0].process.send_signal(signal.SIGCONT)
    report["acknowledged_with_one_that_hangs"] = {"first_seconds": first, "second_seconds": second}
    for gateway in gateways:
        cluster.stop(gateway.name)


def beyond_capacity(gateways, users, items, seconds):
    """Clients that together ask at least twice as often as can be answered, since whoever gives up asks anew at once."""
    capacity = ask(gateways, users, items, 4, CROWD_ITEMS, seconds)
    patience = max(5, 4 * (capacity["p50_seconds"] or seconds))
    crowd = max(8, math.ceil(2 * capacity["answered_per_second"] * patience))
    return {"capacity": capacity, "patience_seconds": patience,
            "crowd": ask(gateways, users, items, crowd, CROWD_ITEMS, max(seconds, 4 * patience), patience)}


@contextlib.contextmanager
def training(cluster, door, users):
    """Somebody is forgotten as soon as what the last one took is trained again: some shard always trains. Everybody in `users` has
    training prompts."""
    over, counted, failed = threading.Event(), [], []

    def go_on():
        try:
            while not over.is_set():
                request = str(uuid.uuid4())
                forget(door, users.pop(), request)
                while not over.is_set():
                    if json.loads(door.get(f"/v1/requests/{request}")[1])["request"]["state"] == "finished":
                        counted.append(None)
                        break
                    time.sleep(0.2)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield counted
    finally:
        over.set()
        thread.join()
        cluster.run("retrained", "train", "--wait")
    if failed:
        raise SystemExit(f"not always did a shard train beside the questions: {failed[0]!r}")


def older(lethe, seconds):
    """The same questions, to the coordinator of another build, through its own gateway."""
    data, found = pathlib.Path(os.environ["LETHE_ML100K"]), []
    with LocalCluster(1, SETTINGS, lethe=lethe) as cluster:
        cluster.run("import", "import", "--format", "recbole", str(data), *sampling(SAMPLES, 16, 0))
        cluster.run("train", "train", "--wait")
        users, items = names(data / "ml-100k.inter", 0), names(data / "ml-100k.item", 0)
        door = Gateway(cluster, "door")
        ask([door], users, items, 4, 1, 2)
        for clients in CLIENTS:
            found.append({"by": lethe, **ask([door], users, items, clients, 1, seconds)})
        found.append({"by": lethe, **ask([door], users, items, 4, 100, seconds)})
    return found


def peer(command, precision):
    """Questions a second of a loop over batches without anything around it: the peer's prompts a second, divided by the adapters
    that a question is put to here."""
    with tempfile.TemporaryDirectory(prefix="lethe-bench-") as folder:
        prompts = pathlib.Path(folder) / "prompts.jsonl"
        prompts.write_bytes(movie_prompts("test", *sampling(64, 16, PEER_PROMPTS)))
        done = subprocess.run([*shlex.split(command), "--prompts", str(prompts), "--mode", "score", "--dtype", precision, "--threads",
                               str(os.cpu_count() or 1)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    adapters = int(SETTINGS[SETTINGS.index("--shards") + 1])
    rate = said["tokens_per_second"] * said["prompts"] / said["tokens"]
    return {"prompts_per_second": rate, "adapters": adapters, "questions_per_second": rate / adapters, "precision": precision}


def measure(arguments):
    seconds = arguments.serving_seconds
    data = pathlib.Path(os.environ["LETHE_ML100K"])
    processors = os.cpu_count() or 1
    report = {"questions": []}
    with LocalCluster(1, SETTINGS) as cluster:
        cluster.run("import", "import", "--format", "recbole", str(data), *sampling(SAMPLES, 16, 0))
        cluster.run("train", "train", "--wait")
        users, items = names(data / "ml-100k.inter", 0), names(data / "ml-100k.item", 0)
        precision = cluster.run("config", "config")["precision"]
        door = Gateway(cluster, "door")
        say("  the coordinator answers")
        ways = [("forwarded", [door])]
        for label, threads in (("one gateway", [processors]), ("two gateways", [max(1, processors // 2)] * 2)):
            ways.append((label, [Gateway(cluster, f"{label}-{number}".replace(" ", "-"), count)
                                 for number, count in enumerate(threads)]))
        for label, gateways in ways:
            ask(gateways, users, items, 4, 1, 2)
            for clients in CLIENTS:
                report["questions"].append({"by": label, **ask(gateways, users, items, clients, 1, seconds)})
            report["questions"].append({"by": label, **ask(gateways, users, items, 4, 100, seconds)})
            say(f"  {label}: measured")
        # The questions are about the first of them: the others may go.
        leaving = users[100:]
        trained = [user for user in cores.people(SAMPLES) if user in leaving]
        for label, gateways in ways[:2]:
            there = set(trained)
            with training(cluster, door, trained) as trainings:
                for clients in (1, 4):
                    report["questions"].append(
                        {"by": f"{label}, a shard trains", **ask(gateways, users[:100], items, clients, 1, seconds)})
            gone = there - set(trained)
            leaving = [user for user in leaving if user not in gone]
            say(f"  {label}: measured beside {len(trainings)} trainings")
        report["beyond_capacity"] = {label: beyond_capacity(gateways, users[:100], items, seconds) for label, gateways in ways[:2]}
        report["gateway_bytes"] = ways[1][1][0].resident_bytes()
        for _, gateways in ways[1:]:
            for gateway in gateways:
                cluster.stop(gateway.name)
        acknowledgements(cluster, door, leaving, report)
    for lethe in arguments.beside:
        report["questions"] += older(lethe, seconds)
    if arguments.peer:
        report["peer"] = [peer(arguments.peer, precision) for _ in range(arguments.rounds)]
    return report


def serving_figures(arguments, report):
    report["serving"] = found = measure(arguments)
    rows = [("who answers", "clients", "items", "a second", "p50", "p99", "failed")]
    for run in found["questions"]:
        rows.append((run["by"], run["clients"], run["items"], f"{run['answered_per_second']:.2f}",
                     f"{run['p50_seconds']:.2f} s" if run["answered"] else "-",
                     f"{run['p99_seconds']:.2f} s" if run["answered"] else "-", run["failed"]))
    table(rows)
    rows = [("a forget is acknowledged", "p50", f"longest of {FORGETS}")]
    for alive in (0, 1, 4):
        times = found[f"acknowledged_with_{alive}"]
        rows.append((f"with {alive} gateways that answer", f"{1000 * times['p50_seconds']:.1f} ms",
                     f"{1000 * times['longest_seconds']:.1f} ms"))
    hanging = found["acknowledged_with_one_that_hangs"]
    rows.append(("with one of 4 that hangs: the first, the next", f"{hanging['first_seconds']:.2f} s",
                 f"{1000 * hanging['second_seconds']:.1f} ms"))
    table(rows)
    rows = [("twice as many as can be answered", "of what can be", "given up", "refused")]
    for label, runs in found["beyond_capacity"].items():
        capacity = runs["capacity"]["answered_per_second"]
        share = f"{100 * runs['crowd']['answered_per_second'] / capacity:.0f} %" if capacity else "-"
        rows.append((f"{label}, {runs['crowd']['clients']} clients with {CROWD_ITEMS} items", share,
                     runs["crowd"]["given_up"], runs["crowd"]["failed"]))
    table(rows)
    if "peer" in found:
        rate = statistics.median(run["questions_per_second"] for run in found["peer"])
        say(f"  the peer in a loop over batches, through as many adapters: {rate:.1f} questions with one item a second "
            f"({found['peer'][0]['precision']})")
    say(f"  memory of a gateway that answers, shared pages divided: {found['gateway_bytes'] / 1e6:.0f} MB")
