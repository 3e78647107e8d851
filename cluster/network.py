"""Stories of a cluster whose hosts are network namespaces, and what they cost. Run cluster/network, which builds what this needs."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import netns
import tiny
from chaos import COMMON, ratings
from local import say, table

PORT, SHARDS = 7070, 4
SETTINGS = ["--partition", "user-hash", "--shards", str(SHARDS), "--epochs", "4", "--seed", "7", "--double-check", "0"]
# Longer than a coordinator waits for a sign of life (4 s).
CUT = 9
PATIENCE = 300


class Failed(Exception):
    pass


class Cluster:
    """A coordinator on a host of its own and workers on others. As a context it ends what it has started."""

    def __init__(self, root, number, model):
        self.root, self.model, self.network = root / f"story-{number}", model, netns.Network(number)
        self.root.mkdir()
        self.processes, self.workers, self.base_bytes = {}, [], 0

    def __enter__(self):
        self.network.__enter__()
        try:
            for name in ("coordinator", "member"):
                subprocess.run([os.environ["LETHE"], "keys", str(self.root / name)], check=True, stdout=subprocess.DEVNULL)
            self.home = self.network.host("home")
            self.data = self.root / "data"
            self.start_coordinator()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        try:
            for process in self.processes.values():
                process.kill()
            for process in self.processes.values():
                process.wait()
        finally:
            self.network.__exit__(None, None, None)

    def start(self, name, host, *command):
        with open(self.root / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", host.space, os.environ["LETHE"], *command, "--model", str(self.model), *COMMON],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start_coordinator(self):
        self.start("coordinator", self.home, "coordinator", "--data", str(self.data), "--listen", f"tcp://0.0.0.0:{PORT}",
                   "--keys", str(self.root / "coordinator"), "--allow", str(self.root / "member.pub"), *SETTINGS)
        self.until("the coordinator answers", lambda: self.ask("status", check=False) is not None)

    def start_worker(self, host, number=0, coordinator=None):
        name = f"worker-{host.name}-{number}"
        self.start(name, host, "worker", "--data", str(self.root / name), "--coordinator",
                   f"tcp://{coordinator or self.home.address}:{PORT}", "--keys", str(self.root / "member"),
                   "--coordinator-key", str(self.root / "coordinator.pub"))
        return name

    def add(self, count, on=None):
        """Workers on hosts of their own, or that many dealt to `on` hosts; waits until they are here."""
        hosts = [self.network.host(f"w{len(self.network.hosts)}") for _ in range(on or count)]
        before = len(self.live())
        for number in range(count):
            self.workers.append(self.start_worker(hosts[number % len(hosts)], number))
        self.until(f"{before + count} workers are here", lambda: len(self.live()) == before + count)
        return hosts

    def end(self, name, number=signal.SIGTERM):
        self.processes[name].send_signal(number)
        self.processes[name].wait(60)

    def ask(self, *command, check=True):
        """The JSON of one client command at the coordinator's own host: it does not pass the wire."""
        environment = {**os.environ, "LETHE_COORDINATOR": f"tcp://127.0.0.1:{PORT}", "LETHE_KEYS": str(self.root / "member"),
                       "LETHE_COORDINATOR_KEY": str(self.root / "coordinator.pub"), "XDG_STATE_HOME": str(self.root / "state")}
        done = subprocess.run(["ip", "netns", "exec", self.home.space, os.environ["LETHE"], *command, "--json"], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if check:
            raise Failed(f"lethe {' '.join(command)} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return None

    def live(self):
        return [worker for worker in self.ask("status")["workers"] if worker["state"] == "live"]

    def until(self, what, condition, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"waited {seconds} s until {what}")
            time.sleep(0.1)

    def bring(self):
        file = self.root / "ratings.csv"
        file.write_text(ratings())
        self.ask("import", "--format", "csv", str(file))

    def train(self, meanwhile=lambda: None):
        """Trains everything, and forgets somebody; `meanwhile` happens when the first shard is being trained."""
        self.bring()
        self.ask("train")
        self.until("a shard is being trained", lambda: any(worker["tasks"] for worker in self.live()) or self.settled(), 60)
        meanwhile()
        self.until("all shards are trained", self.settled)
        self.ask("forget", "--user", "person-3", "--wait")

    def settled(self):
        return all(shard["state"] == "current" for shard in self.ask("status")["shards"] if shard["prompts"])

    def adapters(self):
        return {adapter["shard"]: adapter["name"] for adapter in self.ask("adapters", "list")["adapters"]}


def one_worker(cluster, _):
    cluster.add(1)
    cluster.train()


def join(cluster, _):
    cluster.add(1)
    cluster.train(lambda: cluster.add(2))


def join_later(cluster, _):
    cluster.add(2)
    cluster.train()
    before = cluster.home.moved()
    cluster.add(1)
    time.sleep(3)
    return f"the join alone {kilobytes(cluster.home.moved() - before)}"


def leave(cluster, _):
    cluster.add(3)

    def meanwhile():
        cluster.end(cluster.workers[0])
        cluster.end(cluster.workers[1], signal.SIGKILL)
    cluster.train(meanwhile)


def cut(*hooks):
    def story(cluster, _):
        hosts = cluster.add(3)

        def meanwhile():
            hosts[0].drop(*hooks)
            time.sleep(CUT)
            hosts[0].mend()
        cluster.train(meanwhile)
        cluster.until("the worker is here again", lambda: len(cluster.live()) == 3)
    return story


def link(change):
    def story(cluster, _):
        for host in cluster.add(3):
            change(host)
        cluster.train()
    return story


def move(address_too):
    """The coordinator's folder goes to another host while shards are trained, and its address with it or not."""
    def story(cluster, _):
        hosts = cluster.add(2)

        def meanwhile():
            cluster.end("coordinator")
            old, cluster.home = cluster.home, cluster.network.host("new")
            shutil.copytree(cluster.data, cluster.root / "moved")
            cluster.data = cluster.root / "moved"
            old.leave()
            if address_too:
                cluster.home.take_over(old.address)
            cluster.start_coordinator()
            if not address_too:
                for host, name in zip(hosts, cluster.workers):
                    cluster.end(name)
                    cluster.start_worker(host, name.rsplit("-", 1)[1])
            cluster.until("the workers are here", lambda: len(cluster.live()) == 2)
        cluster.train(meanwhile)
    return story


def many(cluster, workers):
    cluster.add(workers, on=8)
    cluster.train()
    return f"{workers} workers on 8 hosts"


STORIES = {
    "one": ("one worker", one_worker),
    "join": ("two more join while one trains", join),
    "join-later": ("one more joins when all is trained", join_later),
    "leave": ("of three, one stops and one is killed", leave),
    "cut": (f"a link is cut for {CUT} s", cut("input", "output")),
    "deaf": (f"nothing reaches one worker for {CUT} s", cut("input")),
    "mute": (f"nothing comes from one worker for {CUT} s", cut("output")),
    "loss": (f"{netns.LOSS} % of packets are lost, both ways", link(lambda host: host.drop("input", "output", share=netns.LOSS))),
    "slow": ("links of 1 Mbit/s", link(lambda host: host.slow_down("1mbit"))),
    "narrow": ("links with an MTU of 576", link(lambda host: host.narrow(576))),
    "moved": ("the coordinator moves with its address", move(True)),
    "elsewhere": ("the coordinator moves to another address", move(False)),
    "many": ("many workers", many),
}
SHORT = ["one", "join", "cut", "loss", "moved", "many"]


def kilobytes(count):
    return f"{count / 1000:.0f} KB"


def tell(name, number, root, model, workers):
    """Seconds, bytes at the coordinator's card, a remark and the adapters; or what failed."""
    _, story = STORIES[name]
    begin = time.monotonic()
    with Cluster(root, number, model) as cluster:
        first = cluster.home
        remark = story(cluster, workers)
        moved = first.moved() + (cluster.home.moved() if cluster.home is not first else 0)
        return {"story": name, "seconds": round(time.monotonic() - begin, 1), "bytes": moved, "remark": remark or "",
                "adapters": cluster.adapters()}


def main():
    parser = argparse.ArgumentParser(prog="cluster/network", description="Stories of a cluster whose hosts are network namespaces; "
                                     "after each the adapters must be those that one worker makes.")
    parser.add_argument("stories", nargs="*", metavar="STORY", help=f"which: {', '.join(STORIES)} (default: all)")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT)}, with 12 workers")
    parser.add_argument("--workers", type=int, help="of the story with many (default 64)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output at the end")
    parser.add_argument("--keep", action="store_true", help="leave the files where they are")
    options = parser.parse_args()
    if unknown := [name for name in options.stories if name not in STORIES]:
        parser.error(f"no such story: {', '.join(unknown)}")
    if reason := netns.hindrance():
        say(f"SKIPPED: {reason}")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))
    root, told, wrong = pathlib.Path(tempfile.mkdtemp(prefix="lethe-network-")), [], []
    try:
        tiny.write(root / "model")
        names = [name for name in STORIES if name in (options.stories or (SHORT if options.short else STORIES)) and name != "one"]
        for number, name in enumerate(["one", *names]):
            try:
                told.append(tell(name, number, root, root / "model", options.workers or (12 if options.short else 64)))
            except (Failed, subprocess.SubprocessError) as error:
                wrong.append(f"{name}: {error}")
                say(f"WRONG: {wrong[-1]}")
                if name == "one":
                    break
                continue
            told[-1]["same"] = told[-1]["adapters"] == told[0]["adapters"] and len(told[-1]["adapters"]) == SHARDS
            if not told[-1]["same"]:
                wrong.append(f"{name}: other adapters than one worker's")
            say(f"  {STORIES[name][0]}: {told[-1]['seconds']} s")
        table([["story", "time", "moved", "adapters", ""]] + [
            [STORIES[entry["story"]][0], f"{entry['seconds']:.0f} s", kilobytes(entry["bytes"]),
             "the same" if entry["same"] else "OTHERS", entry["remark"]] for entry in told])
        if options.json:
            print(json.dumps({"schema_version": 1, "stories": told, "wrong": wrong}, sort_keys=True))
    except BaseException:
        wrong.append("interrupted")
        raise
    finally:
        if wrong or options.keep:
            say(f"the files are in {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
