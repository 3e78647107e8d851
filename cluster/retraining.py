"""What forgetting one user takes, by the number of slices that a shard is trained in: a section of cluster/bench."""

import os
import re
import statistics
import time

from cores import SHARDS, people
from local import LocalCluster, sampling, say, table

SLICES = (1, 2, 4, 8)
SAMPLES = 256
# What a worker says at debug of a stage that it keeps.
WRITTEN = re.compile(r"the stage after slice \d+ of shard \d+ is kept, in (\d+) ms")
# For one shard, at most.
LIMIT_SECONDS = 900


def answers(shard):
    """Whether something exact answers for the shard: a stage, or what it was trained to."""
    return shard["state"] == "current" or shard.get("stage") is not None


def forget(cluster, slices, user, shard, request):
    """Seconds from the request until something exact answers for the shard again, and until it is trained; tokens of that."""
    began = time.monotonic()
    cluster.run("accept", "forget", "--user", user, "--request-id", request)
    first = None
    # Whoever asks takes time from whoever trains: the pauses grow, and where there are no stages nobody asks.
    deadline, pause = began + LIMIT_SECONDS, 0.05
    while slices > 1:
        cluster.check()
        state = cluster.run("status", "status")["shards"][shard]
        if answers(state):
            first = time.monotonic() - began
            break
        if state["state"] == "empty" or time.monotonic() > deadline:
            raise SystemExit(f"nothing answers for shard {shard}: it is {state['state']}")
        time.sleep(pause)
        pause = min(1, 1.5 * pause)
    outcome = cluster.run("forget", "forget", "--user", user, "--request-id", request, "--wait")["shards"][0]
    seconds = time.monotonic() - began
    return {"first_answer_seconds": seconds if first is None else first, "seconds": seconds, "tokens": outcome["tokens_trained"]}


def keeping(trainings):
    """What keeping stages and checkpoints took of these trainings, all together: most of it beside them, by another thread."""
    total = {key: sum(training.get("keeping", {}).get(key, 0) for training in trainings)
             for key in ("stages", "checkpoints", "seconds", "processor_seconds")}
    return {**total, "training_seconds": sum(training["seconds"] for training in trainings)}


def whole():
    """All of it in one shard, as a worker trains by default: what checkpoints take of a training that is long enough for some."""
    with LocalCluster(1, ["--shards", "1", "--partition", "user-hash", "--seed", "1", "--double-check", "0"]) as cluster:
        cluster.run("import", "import", "--format", "recbole", os.environ["LETHE_ML100K"], *sampling(SAMPLES, 0, 0))
        cluster.run("train", "train", "--wait")
        return keeping([adapter["training"] for adapter in cluster.run("adapters", "adapters", "list")["adapters"]])


def say_keeping(what, kept):
    say(f"  {what}: {kept['stages']} stages and {kept['checkpoints']} checkpoints took {kept['seconds']:.2f} s beside "
        f"{kept['training_seconds']:.1f} s of training, {kept['processor_seconds']:.2f} s of them on a processor: "
        f"{100 * kept['processor_seconds'] / kept['training_seconds']:.2f} % of the training's time at most")


def run(slices, users):
    settings = ["--shards", str(SHARDS), "--partition", "user-hash", "--seed", "1", "--double-check", "0", "--slices", str(slices)]
    data = os.environ["LETHE_ML100K"]
    with LocalCluster(1, settings, worker_settings=["--log-level", "debug"]) as cluster:
        cluster.run("import", "import", "--format", "recbole", data, *sampling(SAMPLES, 0, 0))
        shards = cluster.run("train", "train", "--wait")["shards"]
        whole = cluster.seconds["train"]
        stages = sorted((cluster.root / "worker-0").glob("shards/*/*.stage.sealed"))
        kept = {"stages": len(stages), "stage_bytes": sum(stage.stat().st_size for stage in stages),
                "stage_milliseconds": [int(found) for found in WRITTEN.findall((cluster.root / "worker-0.log").read_text())],
                "keeping": keeping([adapter["training"] for adapter in cluster.run("adapters", "adapters", "list")["adapters"]])}
        forgets = []
        for number, user in enumerate(people(SAMPLES)[:users]):
            plan = cluster.run("plan", "forget", "--user", user, "--dry-run")
            for shard in plan["shards"][:1]:
                forgets.append(forget(cluster, slices, user, shard, f"user-{number}"))
        return {"slices": slices, "train_seconds": whole, "train_tokens": sum(shard["tokens"] for shard in shards),
                "forgets": forgets, **kept}


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
    for way in found[1:]:
        if way["stages"] and way["stage_milliseconds"]:
            say(f"  {way['slices']} slices: {way['stages']} stages of {way['stage_bytes'] / way['stages'] / 1e6:.2f} MB, each written in "
                f"{statistics.median(way['stage_milliseconds']):.0f} ms (median) beside the training")
    for way in found:
        say_keeping(f"{way['slices']} slice(s)", way["keeping"])
    report["checkpoints"] = whole()
    say_keeping("one shard, one slice", report["checkpoints"])
    say(f"  means over {len(one['forgets'])} users, each forgotten after the others; about {SAMPLES} prompts in {SHARDS} shards, "
        "one worker")
