"""What workers of one machine make of its cores: a section of cluster/bench."""

import json
import os
import statistics

from local import LocalCluster, movie_prompts, sampling, say, table

SHARDS = 4
SAMPLES = 96


def people(samples=SAMPLES):
    """Who has training prompts in this sample, in the order of their prompts."""
    lines = movie_prompts("train", *sampling(samples, 0, 0)).splitlines()
    return list(dict.fromkeys(json.loads(line)["user"] for line in lines))


def run(workers, threads, rounds):
    """Tokens a second with all shards in training, then of single shards that are trained again for one forgotten user each."""
    settings = ["--shards", str(SHARDS), "--partition", "user-hash", "--seed", "1", "--double-check", "0"]
    data = os.environ["LETHE_ML100K"]
    with LocalCluster(workers, settings, threads=threads) as cluster:
        cluster.run("import", "import", "--format", "recbole", data, *sampling(SAMPLES, 0, 0))
        shards = cluster.run("train", "train", "--wait")["shards"]
        tokens = sum(shard["tokens"] for shard in shards)
        seconds, trainings = [], []
        for user in people()[:rounds]:
            outcome = cluster.run("forget", "forget", "--user", user, "--wait")
            seconds.append(cluster.seconds["forget"])
            trainings.append(outcome["shards"][0]["tokens"] / outcome["shards"][0]["seconds"])
        return {"workers": workers, "threads": threads, "tokens_per_second": tokens / cluster.seconds["train"],
                "forget_seconds": statistics.median(seconds), "retraining_tokens_per_second": statistics.median(trainings)}


def cores_figures(arguments, report):
    cores = os.cpu_count() or 1
    ways = [(1, cores), (SHARDS, max(1, cores // SHARDS)), (SHARDS, "auto")]
    report["cores"] = found = []
    for workers, threads in ways:
        found.append(run(workers, threads, arguments.rounds))
        say(f"  {workers} worker(s) with --threads {threads} measured")
    rows = [("workers", "--threads", "tokens/s, all train", "tokens/s, one retrains", "forget to certificate")]
    rows += [(way["workers"], way["threads"], f"{way['tokens_per_second']:.0f}", f"{way['retraining_tokens_per_second']:.0f}",
              f"{way['forget_seconds']:.1f} s") for way in found]
    table(rows)
