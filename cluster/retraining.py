"""What forgetting one user takes, by the number of slices that a shard is trained in: a section of cluster/bench."""

import os
import statistics
import time

from cores import SHARDS, people
from local import LocalCluster, sampling, say, table

SLICES = (1, 2, 4, 8)
SAMPLES = 256


def answers(shard):
    """Whether something exact answers for the shard: a stage, or what it was trained to."""
    return shard["state"] == "current" or shard.get("stage") is not None


def forget(cluster, user, shard, request):
    """Seconds from the request until something exact answers for the shard again, and until it is trained; tokens of that."""
    began = time.monotonic()
    cluster.run("accept", "forget", "--user", user, "--request-id", request)
    while not answers(cluster.run("status", "status")["shards"][shard]):
        time.sleep(0.02)
    first = time.monotonic() - began
    outcome = cluster.run("forget", "forget", "--user", user, "--request-id", request, "--wait")["shards"][0]
    return {"first_answer_seconds": first, "seconds": time.monotonic() - began, "tokens": outcome["tokens_trained"]}


def run(slices, users):
    settings = ["--shards", str(SHARDS), "--partition", "user-hash", "--seed", "1", "--double-check", "0", "--slices", str(slices)]
    data = os.environ["LETHE_ML100K"]
    with LocalCluster(1, settings) as cluster:
        cluster.run("import", "import", "--format", "recbole", data, *sampling(SAMPLES, 0, 0))
        shards = cluster.run("train", "train", "--wait")["shards"]
        whole = cluster.seconds["train"]
        forgets = []
        for number, user in enumerate(people(data, SAMPLES)[:users]):
            plan = cluster.run("plan", "forget", "--user", user, "--dry-run")
            for shard in plan["shards"][:1]:
                forgets.append(forget(cluster, user, shard, f"user-{number}"))
        return {"slices": slices, "train_seconds": whole, "train_tokens": sum(shard["tokens"] for shard in shards),
                "forgets": forgets}


def retraining_figures(arguments, report):
    report["slices"] = found = []
    for slices in SLICES:
        found.append(run(slices, arguments.users))
        say(f"  {slices} slice(s) measured")

    def mean(way, key):
        return statistics.fmean(forget[key] for forget in way["forgets"])

    one = found[0]
    rows = [("slices", "tokens again", "the shard ÷ these", "everything ÷ these", "clean adapters", "the shard ÷ this",
             "everything ÷ this", "first exact answer")]
    for way in found:
        rows.append((way["slices"], f"{mean(way, 'tokens'):.0f}", f"{mean(one, 'tokens') / mean(way, 'tokens'):.2f}",
                     f"{way['train_tokens'] / mean(way, 'tokens'):.2f}", f"{mean(way, 'seconds'):.1f} s",
                     f"{mean(one, 'seconds') / mean(way, 'seconds'):.2f}", f"{way['train_seconds'] / mean(way, 'seconds'):.2f}",
                     f"{mean(way, 'first_answer_seconds'):.1f} s, median "
                     f"{statistics.median(forget['first_answer_seconds'] for forget in way['forgets']):.1f} s"))
    table(rows)
    say(f"  means over {len(one['forgets'])} users, each forgotten after the others; about {SAMPLES} prompts in {SHARDS} shards, "
        "one worker")
