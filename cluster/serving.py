"""How many questions gateways answer over HTTP, how soon, and what a forget costs beside them: a section of cluster/bench."""

import http.client
import json
import os
import pathlib
import signal
import threading
import time

from load import names
from local import LocalCluster, sampling, say, table

SETTINGS = ["--shards", "4", "--partition", "user-hash", "--seed", "1", "--epochs", "1"]
CLIENTS = (1, 4, 16, 64)


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


def ask(gateways, users, items, clients, count, seconds):
    """So many clients, each with one question after another, every one about the next user; kept connections."""
    times, failures, lock = [], [0], threading.Lock()
    end = time.monotonic() + seconds

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", gateways[number % len(gateways)].port, timeout=600)
        position = number * 7919
        while time.monotonic() < end:
            chosen = [items[(position * 31 + step) % len(items)] for step in range(count)]
            body = {"user": users[position % len(users)], "items" if count == 1 else "candidates": chosen}
            start = time.monotonic()
            connection.request("POST", "/v1/score" if count == 1 else "/v1/rank", json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            with lock:
                if response.status == 200:
                    times.append(time.monotonic() - start)
                else:
                    failures[0] += 1
            position += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.monotonic() - begin
    return {"clients": clients, "items": count, "answered": len(times), "failed": failures[0],
            "answered_per_second": len(times) / wall, "p50_seconds": percentile(times, 0.5) if times else None,
            "p99_seconds": percentile(times, 0.99) if times else None}


def forget(gateway, user):
    """Seconds until a forget is acknowledged over HTTP; the connection is there already."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=600)
    connection.connect()
    start = time.monotonic()
    connection.request("POST", "/v1/forget", json.dumps({"user": user}), {"Content-Type": "application/json"})
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
        times = [forget(door, users.pop(0)) for _ in range(30)]
        report[f"acknowledged_with_{alive}"] = {"p50_seconds": percentile(times, 0.5), "p99_seconds": max(times)}
    gateways[0].process.send_signal(signal.SIGSTOP)
    first, second = forget(door, users.pop(0)), forget(door, users.pop(0))
    gateways[0].process.send_signal(signal.SIGCONT)
    report["acknowledged_with_one_that_hangs"] = {"first_seconds": first, "second_seconds": second}
    for gateway in gateways:
        cluster.stop(gateway.name)


def measure(seconds):
    data = pathlib.Path(os.environ["LETHE_ML100K"])
    cores = os.cpu_count() or 1
    report = {"questions": []}
    with LocalCluster(1, SETTINGS) as cluster:
        cluster.run("import", "import", "--format", "recbole", str(data), *sampling(64, 16, 0))
        cluster.run("train", "train", "--wait")
        users, items = names(data / "ml-100k.inter", 0), names(data / "ml-100k.item", 0)
        door = Gateway(cluster, "door")
        say("  the coordinator answers")
        ways = [("forwarded", [door])]
        for label, threads in (("one gateway", [cores]), ("two gateways", [max(1, cores // 2)] * 2)):
            ways.append((label, [Gateway(cluster, f"{label}-{number}".replace(" ", "-"), count)
                                 for number, count in enumerate(threads)]))
        for label, gateways in ways:
            ask(gateways, users, items, 4, 1, 2)
            for clients in CLIENTS:
                report["questions"].append({"by": label, **ask(gateways, users, items, clients, 1, seconds)})
            report["questions"].append({"by": label, **ask(gateways, users, items, 4, 100, seconds)})
            say(f"  {label}: measured")
        report["gateway_bytes"] = ways[1][1][0].resident_bytes()
        for _, gateways in ways[1:]:
            for gateway in gateways:
                cluster.stop(gateway.name)
        acknowledgements(cluster, door, list(users), report)
    return report


def serving_figures(arguments, report):
    report["serving"] = found = measure(arguments.serving_seconds)
    rows = [("who answers", "clients", "items", "a second", "p50", "p99", "failed")]
    for run in found["questions"]:
        rows.append((run["by"], run["clients"], run["items"], f"{run['answered_per_second']:.2f}",
                     f"{run['p50_seconds']:.2f} s" if run["answered"] else "-",
                     f"{run['p99_seconds']:.2f} s" if run["answered"] else "-", run["failed"]))
    table(rows)
    rows = [("a forget is acknowledged", "p50", "p99")]
    for alive in (0, 1, 4):
        times = found[f"acknowledged_with_{alive}"]
        rows.append((f"with {alive} gateways that answer", f"{1000 * times['p50_seconds']:.1f} ms",
                     f"{1000 * times['p99_seconds']:.1f} ms"))
    hanging = found["acknowledged_with_one_that_hangs"]
    rows.append(("with one of 4 that hangs: the first, the next", f"{hanging['first_seconds']:.2f} s",
                 f"{1000 * hanging['second_seconds']:.1f} ms"))
    table(rows)
    say(f"  memory of a gateway that answers, shared pages divided: {found['gateway_bytes'] / 1e6:.0f} MB")
