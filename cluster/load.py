"""How many questions are answered in time when more come than can be: a section of cluster/bench."""

import json
import math
import os
import pathlib
import subprocess

from local import LocalCluster, say, table

SETTINGS = ["--shards", "4", "--partition", "user-hash", "--seed", "1"]
# Candidates of a question; seconds of one measurement.
ITEMS, SECONDS = 20, 30


def names(file, column):
    with open(file, encoding="utf-8", errors="replace") as lines:
        next(lines)
        return sorted({line.rstrip("\n").split("\t")[column] for line in lines})


def ask(cluster, clients, seconds, patience):
    """This build's client asks, whichever build the coordinator is of."""
    done = subprocess.run(
        [os.environ["LETHE"], "bench", "questions", "--users", str(cluster.root / "users"), "--candidates",
         str(cluster.root / "items"), "--items", str(ITEMS), "--clients", str(clients), "--seconds", str(seconds),
         "--patience", str(patience), "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        cluster.check()
        raise SystemExit(f"lethe bench questions failed with status {done.returncode}")
    return json.loads(done.stdout)


def measure(lethe):
    data = pathlib.Path(os.environ["LETHE_ML100K"])
    with LocalCluster(0, SETTINGS, lethe=lethe) as cluster:
        cluster.run("import", "import", "--format", "recbole", str(data))
        (cluster.root / "users").write_text("\n".join(names(data / "ml-100k.inter", 0)) + "\n")
        (cluster.root / "items").write_text("\n".join(names(data / "ml-100k.item", 0)) + "\n")
        capacity = ask(cluster, 4, SECONDS, 600)
        # Whoever gives up asks anew at once: so many clients ask at least twice as often as can be answered.
        patience = max(5, 4 * (capacity["median_seconds"] or SECONDS))
        crowd = max(8, math.ceil(2 * capacity["answered_per_second"] * patience))
        return {"lethe": lethe, "capacity": capacity, "patience_seconds": patience,
                "crowd": ask(cluster, crowd, max(SECONDS, 4 * patience), patience)}


def load_figures(arguments, report):
    report["load"] = runs = [measure(lethe) for lethe in [os.environ["LETHE"], *arguments.beside]]
    rows = [("questions about %d items each" % ITEMS, *(run["lethe"] if position else "this build"
                                                       for position, run in enumerate(runs)))]

    def row(text, value):
        rows.append((text, *(value(run) for run in runs)))

    row("4 clients: answered a second", lambda run: f"{run['capacity']['answered_per_second']:.2f}")
    row("clients that ask twice as often", lambda run: str(run["crowd"]["clients"]))
    row("  seconds after which they give up", lambda run: f"{run['patience_seconds']:.1f}")
    row("  answered a second before that", lambda run: f"{run['crowd']['answered_per_second']:.2f}")
    row("  of what can be answered", lambda run: "%.0f %%" % (
        100 * run["crowd"]["answered_per_second"] / run["capacity"]["answered_per_second"]))
    row("  given up, refused", lambda run: f"{run['crowd']['given_up']}, {run['crowd']['busy']}")
    table(rows)
    say("  The last questions of each measurement end after it, so that a few per cent are of no account.")
