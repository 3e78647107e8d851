"""The table of speed and memory. Run cluster/bench, which prepares the machine."""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import tempfile
import time

import cores
import ledger
import load
import retraining
import serving
from local import LocalCluster, movie_prompts, say, table


def parse():
    parser = argparse.ArgumentParser(prog="cluster/bench")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds; medians are reported (default 3)")
    parser.add_argument("--prompts", type=int, default=160, help="prompts of one measurement (default 160)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peer", help="a peer's command line; it prints JSON with tokens_per_second")
    parser.add_argument("--only", help="comma-separated: speed, rank, query, cluster (all by default), ledger, load, serving, cores, slices")
    parser.add_argument("--serving-seconds", type=float, default=20, help="of one measurement of serving (default 20)")
    parser.add_argument("--users", type=int, default=30, help="with slices: how many are forgotten (default 30)")
    parser.add_argument("--modes", default="train:bf16,train:f32,score:bf16,score:f32", help="what speed measures")
    parser.add_argument("--json", action="store_true")
    ledger.add_options(parser)
    return parser.parse_args()


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(mode, prompts, arguments, *options):
    return output(os.environ["LETHE"], "bench", mode, "--model", os.environ["LETHE_MODEL"], "--prompts", prompts,
                  "--threads", str(arguments.threads), "--json", *options)


def speed(prompts, arguments, rows, report):
    for mode, precision in (pair.split(":") for pair in arguments.modes.split(",")):
        mine, theirs = [], []
        for _ in range(arguments.rounds):
            mine.append(ours(mode, prompts, arguments, "--precision", precision))
            if arguments.peer:
                theirs.append(output(*shlex.split(arguments.peer), "--prompts", prompts, "--mode", mode, "--dtype", precision,
                                     "--threads", str(arguments.threads), "--limit", str(arguments.prompts)))
        rate = statistics.median(run["tokens_per_second"] for run in mine)
        rows.append((f"{mode} {precision}", f"{rate:.0f} tokens/s"))
        rows.append(("  matrix products against oneDNN's peak",
                     f"{100 * statistics.median(run['fraction_of_peak'] for run in mine):.0f} %"))
        rows.append(("  resident memory", f"{max(run['peak_resident_bytes'] for run in mine) / 1e6:.0f} MB"))
        if theirs:
            ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(mine, theirs)]
            rows.append((f"  against the peer ({statistics.median(run['tokens_per_second'] for run in theirs):.0f} tokens/s)",
                         f"{statistics.median(ratios):.2f} x (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"))
            # What this machine's products leave room for: the peer's own speed, not ours, may be near that.
            bounds = [ratio / run["fraction_of_peak"] for ratio, run in zip(ratios, mine)]
            rows.append(("  the same if products ran at oneDNN's peak and nothing else took time", f"{statistics.median(bounds):.2f} x"))
        report[f"{mode}_{precision}"] = {"lethe": mine, "peer": [{k: v for k, v in run.items() if k != "scores"} for run in theirs]}
        say(f"  {mode} {precision} measured")


def proportional_bytes(processes):
    """Memory of all processes together, shared pages counted once."""
    total = 0
    for _, process in processes:
        for line in pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def cluster_figures(arguments, rows, report):
    """Four workers and a coordinator: memory together, start of a worker, and what is not compute in a training."""
    settings = ["--shards", "4", "--partition", "user-hash", "--seed", "1"]
    with LocalCluster(4, settings) as cluster:
        cluster.run("import", "import", "--format", "recbole", os.environ["LETHE_ML100K"], "--protocol", "tallrec",
                    "--fraction", "0.032", "--validation-fraction", "0", "--test-fraction", "0")
        begin = time.monotonic()
        waiting = subprocess.Popen([cluster.lethe, "train", "--wait", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        most = 0
        while waiting.poll() is None:
            most = max(most, proportional_bytes(cluster.processes))
            time.sleep(0.25)
        wall = time.monotonic() - begin
        shards = json.loads(waiting.stdout.read())["shards"]
        # Four workers side by side: the training takes as long as the slowest one computes.
        slowest = max(shard["compute_seconds"] for shard in shards)
        report["cluster"] = {"wall": wall, "shards": shards, "bytes": most}
        rows.append(("four workers and a coordinator, together", f"{most / 1e6:.0f} MB"))
        rows.append((f"training with four workers: {wall:.1f} s, of which not compute", f"{100 * (1 - slowest / wall):.1f} %"))
        starts = []
        for number in range(10, 10 + max(3, arguments.rounds)):
            begin = time.monotonic()
            cluster.start(f"worker-{number}", "worker", "--model", cluster.model, "--data", str(cluster.root / f"worker-{number}"),
                          "--threads", "1")
            log = cluster.root / f"worker-{number}.log"
            cluster.wait("the worker to be admitted", lambda: "connected to cluster" in log.read_text(errors="replace"))
            starts.append(time.monotonic() - begin)
            cluster.processes[-1][1].terminate()
            cluster.processes.pop()[1].wait()
        rows.append(("worker start to admission, weights cached", f"{statistics.median(starts):.2f} s"))
        report["worker_start_seconds"] = starts


def model_figures(arguments, only, rows, report):
    with tempfile.TemporaryDirectory(prefix="lethe-bench-") as folder:
        lines = movie_prompts("train", "--protocol", "tallrec").splitlines(True)
        prompts, many = os.path.join(folder, "prompts.jsonl"), os.path.join(folder, "many.jsonl")
        pathlib.Path(prompts).write_bytes(b"".join(lines[:arguments.prompts]))
        pathlib.Path(many).write_bytes(b"".join(lines[:1000]))
        if "speed" in only:
            speed(prompts, arguments, rows, report)
        if "rank" in only:
            ranks = [ours("rank", many, arguments) for _ in range(arguments.rounds)]
            rows.append(("ranking 100 candidates of one user, against one by one",
                         f"{statistics.median(run['ratio'] for run in ranks):.1f} x ({ranks[-1]['seconds_together']:.2f} s)"))
            report["rank"] = ranks
        if "query" in only:
            queries = [ours("query", prompts, arguments) for _ in range(arguments.rounds)]
            rows.append(("a query through 4 adapters with attention, against one adapter",
                         f"{statistics.median(run['ratio'] for run in queries):.2f} x"))
            rows.append(("  the same with the query's embedding cached",
                         f"{statistics.median(run['ratio_embedding_cached'] for run in queries):.2f} x"))
            report["query"] = queries


def main():
    arguments = parse()
    only = set((arguments.only or "speed,rank,query,cluster").split(","))
    rows, report = [], {"schema_version": 1}
    if only & {"speed", "rank", "query"}:
        model_figures(arguments, only, rows, report)
    if "cluster" in only:
        cluster_figures(arguments, rows, report)
    if rows:
        table([("what", "figure")] + rows)
    if "ledger" in only:
        ledger.ledger_figures(arguments, report)
    if "load" in only:
        load.load_figures(arguments, report)
    if "cores" in only:
        cores.cores_figures(arguments, report)
    if "slices" in only:
        retraining.retraining_figures(arguments, report)
    if "serving" in only:
        serving.serving_figures(arguments, report)
    if arguments.json:
        print(json.dumps(report, sort_keys=True))


try:
    main()
except KeyboardInterrupt:
    say("\nstopped")
    raise SystemExit(130)
