"""What the coordinator's ledger costs, seen from outside: a section of cluster/bench."""

import contextlib
import json
import math
import os
import pathlib
import random
import resource
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.parse

from local import LocalCluster, say, table

# No worker is needed: the shard of a user is known when the user is.
SETTINGS = ["--partition", "user-hash", "--seed", "1"]
# Shards that there are at least, and interactions that one is to get at most: it takes 1,048,576 prompts, and a hash does not
# deal evenly.
SHARDS, INTERACTIONS_OF_A_SHARD = 8, 750_000
PLANS = 20
# At a time, and of them all.
CLIENTS, BURST = 16, 480


def add_options(parser):
    options = parser.add_argument_group("--only ledger", "one round each; acknowledgements are timed by this build's client")
    options.add_argument("--interactions", action="append", metavar="N,…",
                         help="sizes of made-up data beside ML-100K (default 1000000; 0: none)")
    options.add_argument("--forgets", type=int, default=100, help="users that are forgotten one by one (default 100)")
    options.add_argument("--forget-seconds", type=float, default=30, help="begin no further one after that (default 30)")
    options.add_argument("--beside", action="append", default=[], metavar="LETHE",
                         help="another build's lethe, measured in the same run; may be repeated")
    options.add_argument("--folder", help="where the ledgers lie: on the disk that is to be measured (default: TMPDIR)")


class Data:
    """What is imported, and who is in it."""

    def __init__(self, name, options, users, interactions=0):
        self.name, self.options, self.users = name, options, users
        self.shards = max(SHARDS, math.ceil(interactions / INTERACTIONS_OF_A_SHARD))

    @classmethod
    def movielens(cls):
        folder = pathlib.Path(os.environ["LETHE_ML100K"])
        with open(folder / "ml-100k.inter", encoding="utf-8") as file:
            next(file)
            users = sorted({line.split("\t", 1)[0] for line in file})
        return cls("ml-100k", ["--format", "recbole", str(folder)], users)

    @classmethod
    def made_up(cls, interactions, folder, seed=1):
        """People with 20 to 200 films each, one person after the other; how often a film is seen goes like 1 / (rank + 50)."""
        random.seed(seed)
        draw, path = random.random, pathlib.Path(folder) / f"{interactions}.csv"
        items = min(100_000, max(10_000, interactions // 100))
        words = ["Silent", "Long", "Golden", "Last", "Hidden", "Winter", "Broken", "Second", "Distant", "Paper"]
        places = ["River", "Summer", "Train", "Letters", "Harbour", "Garden", "Witness", "Mountain", "Promise", "Orchard"]
        titles = [f"The {words[item % 10]} {places[item // 10 % 10]} {item} ({1930 + item % 90})" for item in range(items)]
        users, left = [], interactions
        with open(path, "w", encoding="utf-8") as file:
            file.write("user,item,rating,timestamp,item_title\n")
            while left:
                user, seen = str(len(users) + 1), set()
                users.append(user)
                count = min(left, 20 + int(181 * draw()))
                second = 900_000_000 + int(300_000_000 * draw())
                while len(seen) < count:
                    item = int(50 * (items / 50 + 1) ** draw()) - 50
                    if item in seen:
                        continue
                    seen.add(item)
                    second += 1 + int(5000 * draw())
                    file.write(f"{user},{item},{1 + int(5 * draw() ** 0.6)},{second},{titles[item]}\n")
                left -= count
        return cls(f"{interactions:,} made up", ["--format", "csv", str(path)], users, interactions)


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak(process):
    """Loading the base model takes more than most of what follows: the peak is to be that of what follows."""
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_resident_bytes(process):
    return resident_bytes(process, "VmHWM")


def rows_of_tables(file):
    with contextlib.closing(sqlite3.connect(f"file:{urllib.parse.quote(str(file))}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
        return {name: database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}


def quantiles(seconds):
    ranked = sorted(seconds)
    return {"requests": len(ranked), "median_seconds": statistics.median(ranked),
            "p99_seconds": ranked[math.ceil(0.99 * len(ranked)) - 1], "longest_seconds": ranked[-1]}


def syncs(folder, count=200):
    """What the disk itself takes to keep 4 KiB that are appended to a file."""
    seconds, block = [], os.urandom(4096)
    path = pathlib.Path(folder) / "syncs"
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            begin = time.perf_counter()
            file.write(block)
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - begin)
    path.unlink()
    return seconds


def ask_to_forget(cluster, users, *options):
    """This build's client times them, over one connection, whichever build the coordinator is of."""
    file = cluster.root / "users"
    file.write_text("".join(f"{user}\n" for user in users))
    done = subprocess.run([os.environ["LETHE"], "bench", "forget", "--file", str(file), "--json", *options],
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        cluster.check()
        raise SystemExit(f"lethe bench forget failed with status {done.returncode}")
    report = json.loads(done.stdout)
    return quantiles(report.pop("seconds")) | report


def measure(data, lethe, arguments):
    with LocalCluster(0, SETTINGS + ["--shards", str(data.shards)], lethe=lethe, folder=arguments.folder) as cluster:
        report = {"data": data.name, "lethe": lethe, "users": len(data.users)}
        folder = cluster.root / "coordinator"
        process = cluster.processes[0][1]
        forget_peak(process)
        report["idle_resident_bytes"] = resident_bytes(process)
        before = processor_seconds(process), resource.getrusage(resource.RUSAGE_CHILDREN)
        imported = cluster.run("import", "import", *data.options, allow=range(256))
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        report["import_seconds"] = cluster.seconds["import"]
        report["import_client_processor_seconds"] = (
            usage.ru_utime + usage.ru_stime - before[1].ru_utime - before[1].ru_stime)
        report["import_coordinator_processor_seconds"] = processor_seconds(process) - before[0]
        report["import_peak_resident_bytes"] = peak_resident_bytes(process)
        if "error" in imported:
            report["error"] = imported["error"]["message"]
            return report
        report["interactions"], report["prompts"] = imported["rows_kept"], imported["prompts"]

        # Stopped, so that nothing waits in the write-ahead log.
        cluster.stop("coordinator")
        report["ledger_bytes"] = (folder / "ledger.sqlite").stat().st_size
        report["data_bytes"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        report["rows"] = rows_of_tables(folder / "ledger.sqlite")
        begin = time.monotonic()
        cluster.start_all()
        report["start_seconds"] = time.monotonic() - begin

        process = cluster.processes[0][1]
        forget_peak(process)
        users = random.Random(2).sample(data.users, min(arguments.forgets + BURST, len(data.users) // 2))
        users, burst = users[:arguments.forgets], users[arguments.forgets:]
        limit = ["--seconds", str(arguments.forget_seconds)]
        report["plan"] = ask_to_forget(cluster, users[:PLANS], "--dry-run", *limit)
        disk = syncs(cluster.root)
        report["forget"] = ask_to_forget(cluster, users, *limit)
        if burst:
            report["burst"] = ask_to_forget(cluster, burst, "--clients", str(CLIENTS), *limit)
        report["sync"] = quantiles(disk + syncs(cluster.root))
        report["forget_peak_resident_bytes"] = peak_resident_bytes(process)
        return report


def cells(run):
    """One column of the table: names of lines and what stands there."""
    def megabytes(count):
        return f"{count / 1e6:,.0f} MB"

    def milliseconds(seconds):
        return f"{seconds * 1000:,.2f} ms"

    if "error" in run:
        return {"import": f"failed in {run['import_seconds']:.0f} s"}
    count, plan, forget, sync = run["interactions"], run["plan"], run["forget"], run["sync"]
    return {
        "interactions": f"{count:,}",
        "import": f"{run['import_seconds']:.1f} s",
        "  interactions a second": f"{count / run['import_seconds']:,.0f}",
        "  processor seconds: client": f"{run['import_client_processor_seconds']:.1f} s",
        "  processor seconds: coordinator": f"{run['import_coordinator_processor_seconds']:.1f} s",
        "coordinator's memory: idle": megabytes(run["idle_resident_bytes"]),
        "  peak of the import": megabytes(run["import_peak_resident_bytes"]),
        "  peak of the forgets": megabytes(run["forget_peak_resident_bytes"]),
        "ledger.sqlite": megabytes(run["ledger_bytes"]),
        "  an interaction": f"{run['ledger_bytes'] / count:,.0f} bytes",
        "  rows of all tables an interaction": f"{sum(run['rows'].values()) / count:.2f}",
        "data folder in all": megabytes(run["data_bytes"]),
        "  of it an interaction": f"{run['data_bytes'] / count:,.0f} bytes",
        "start with this ledger": f"{run['start_seconds']:.1f} s",
        "plan of a forget, median": milliseconds(plan["median_seconds"]),
        "  longest of all plans": f"{milliseconds(plan['longest_seconds'])} of {plan['requests']}",
        "acknowledged forget, median": milliseconds(forget["median_seconds"]),
        "  99 of 100 within": milliseconds(forget["p99_seconds"]),
        "  longest": f"{milliseconds(forget['longest_seconds'])} of {forget['requests']}",
        **({} if "burst" not in run else {
            f"forgets, {CLIENTS} at a time": f"{run['burst']['requests_per_second']:,.0f} a second",
            "  acknowledged, median": milliseconds(run["burst"]["median_seconds"]),
            "  acknowledged, 99 of 100 within": milliseconds(run["burst"]["p99_seconds"]),
            "  status meanwhile, 99 of 100 within": milliseconds(run["burst"]["status_p99_seconds"])}),
        "the disk's own sync of 4 KiB, median": milliseconds(sync["median_seconds"]),
        "  99 of 100 syncs within": milliseconds(sync["p99_seconds"]),
    }


def ledger_figures(arguments, report):
    try:
        sizes = [int(size) for text in arguments.interactions or ["1000000"] for size in text.split(",")]
    except ValueError:
        raise SystemExit("--interactions takes numbers: 100000,1000000") from None
    builds = [os.environ["LETHE"], *(str(pathlib.Path(path).absolute()) for path in arguments.beside)]
    for lethe in builds:
        if not os.access(lethe, os.X_OK):
            raise SystemExit(f"{lethe} is no command that can be run")
    runs = report["ledger"] = []
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir=arguments.folder) as folder:
        for make in [Data.movielens, *(lambda size=size: Data.made_up(size, folder) for size in sizes if size)]:
            data = make()
            for number, lethe in enumerate(builds):
                run = measure(data, lethe, arguments)
                run["build"] = number
                runs.append(run)
                say(f"  ledger of {data.name}{f', {lethe}' if number else ''} measured")
    columns = [cells(run) for run in runs]
    heads = [run["data"] + (f" [{run['build']}]" if run["build"] else "") for run in runs]
    names = max(columns, key=len)
    table([("ledger", *heads), *((name, *(column.get(name, "") for column in columns)) for name in names)])
    for number, lethe in enumerate(builds[1:], 1):
        say(f"  [{number}]: {lethe}")
    for run in runs:
        if "error" in run:
            say(f"  {run['data']}: {run['error']}")
    say("  forgets and plans: one user a request, one after another over one connection, from sending to the reply")
