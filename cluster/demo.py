"""The story of cluster/demo, told with the same commands a user types. Run cluster/demo, which prepares the machine."""

import argparse
import collections
import json
import os
import pathlib
import time

from local import MOVIE_SET, LocalCluster, movie_prompts, sampling, say, table

# Chosen on validation prompts, so that a short training on two cores learns something that shows (WhatItMeasures.md).
SAMPLES, EPOCHS = 64, 6
TRAINING = ["--batch", "2", "--schedule", "linear"]
SLICES = 1
ITEMS = ["50", "100", "313", "423"]  # Star Wars, Fargo, Titanic, E.T.


def parse():
    parser = argparse.ArgumentParser(
        prog="cluster/demo", description="Train, query, forget and prove it: one coordinator, N workers, real data.")
    parser.add_argument("--samples", type=int, help=f"about this many training prompts (default {SAMPLES})")
    parser.add_argument("--epochs", type=int, help=f"passes over them (default {EPOCHS})")
    parser.add_argument("--workers", type=int, help="worker processes, and shards (default 2; 4 with --full)")
    parser.add_argument("--slices", type=int, default=SLICES, help=f"slices a shard is trained in (default {SLICES})")
    parser.add_argument("--full", action="store_true", help="the paper's setting: 1024 training, 500 validation, 1000 test prompts")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output at the end")
    parser.add_argument("--keep", metavar="DIR", help="keep the cluster's files in DIR")
    arguments = parser.parse_args()
    if arguments.workers is None:
        arguments.workers = 4 if arguments.full else 2
    if arguments.epochs is not None and not 1 <= arguments.epochs <= 1000:
        parser.error("--epochs must be between 1 and 1000")
    if not 1 <= arguments.slices <= 64:
        parser.error("--slices must be between 1 and 64")
    if not 1 <= arguments.workers <= 64:
        parser.error("--workers must be between 1 and 64")
    if arguments.samples is not None and not 8 <= arguments.samples <= MOVIE_SET["train"]:
        parser.error(f"--samples must be between 8 and {MOVIE_SET['train']}")
    if arguments.keep and pathlib.Path(arguments.keep).exists() and any(pathlib.Path(arguments.keep).iterdir()):
        parser.error(f"--keep: {arguments.keep} is not empty")
    return arguments


def example_users(options):
    """Two users with training prompts in this sample: forgetting the first touches an adapter, the second stays."""
    lines = movie_prompts("train", *options).splitlines()
    counts = collections.Counter(json.loads(line)["user"] for line in lines)
    ranked = sorted(counts, key=lambda user: (counts[user], user))
    return ranked[len(ranked) // 2], ranked[-1]


def bar(share, width=24):
    """A bar of so many columns, to an eighth of one."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]).ljust(width + 1)


def above(row):
    """By how much a model's AUC is above the base model's."""
    gain = row.get("above_base")
    return f"{gain['difference']:+.3f} ± {gain['standard_error']:.3f}" if gain else ""


def aggregate(evaluated):
    """The row of what answers queries."""
    return next(row for row in evaluated["variants"] if row["name"].startswith("APA"))


def answering_stage(cluster, user, request, began):
    """Seconds until a stage of a shard that is trained again answers somebody else's question, and which stage; None: there is none,
    or the training was sooner."""
    while True:
        answer = cluster.run("query_meanwhile", "query", "--user", user, "--item", *ITEMS, allow=(0, 75))
        staged = [adapter for adapter in answer.get("adapters", []) if adapter.get("stage")]
        if staged:
            return time.monotonic() - began, staged[0]
        if cluster.run("requests", "requests", "--id", request)["requests"][0]["state"] == "finished":
            return None
        time.sleep(0.2)


def picture(user, other, before, other_before, after, retrained, workers):
    """What the cluster says of two people, before and after one of them is forgotten."""
    others = {row["item"]: row["probability"] for row in other_before["items"]}
    later = {row["item"]: row["probability"] for row in after["items"]}
    left, right = f"user {user} likes", f"user {other} likes"
    say(f"  {'':26}  {left:28}  {'after':7}  {right}")
    for row in before["items"]:
        item, old, new = row["title"][:26], others[row["item"]], later[row["item"]]
        say(f"  {item:26}  {bar(row['probability'], 20)} {row['probability']:.2f}   {'unknown':7}  {bar(old, 10)} {old:.2f} → {new:.2f}")
    say(f"  {'':26}  {'before':28}  {'':7}  before → after")
    say("  shards: " + ", ".join(f"{shard} {'retrained' if shard in retrained else 'untouched'}" for shard in range(workers)))


def main():
    arguments = parse()
    started = time.monotonic()

    def step(text):
        say(f"\n[{time.monotonic() - started:4.0f} s] {text}")

    samples = arguments.samples or (1024 if arguments.full else SAMPLES)
    validation = 500 if arguments.full else max(24, min(500, samples // 2))
    test = MOVIE_SET["test"] if arguments.full else max(300, min(MOVIE_SET["test"], samples // 2))
    options, data = sampling(samples, validation, test), os.environ["LETHE_ML100K"]
    settings = ["--shards", str(arguments.workers), "--partition", "user", "--seed", "1"]
    # The paper's setting is two epochs at a constant rate, the coordinator's own default.
    settings += [] if arguments.full else TRAINING
    settings += ["--slices", str(arguments.slices)]
    if arguments.epochs or not arguments.full:
        settings += ["--epochs", str(arguments.epochs or EPOCHS)]

    step(f"starting one coordinator and {arguments.workers} workers (processes on this machine)")
    with LocalCluster(arguments.workers, settings, keep=arguments.keep) as cluster:
        user, other = example_users(options)
        step("importing MovieLens-100K as the movie set of TALLRec, sampled by hash")
        dealing = []
        if arguments.slices > 1:
            say(f"  user {user} said that they may leave: they are dealt to the last of {arguments.slices} slices of their shard")
            leavers = cluster.root / "leavers.txt"
            leavers.write_text(f"{user}\n")
            dealing = ["--leavers", str(leavers)]
        imported = cluster.run("import", "import", "--format", "recbole", data, *options, *dealing)
        say(f"  {imported['rows_kept']} ratings read, {imported['rows_refused']} lines refused; prompts: "
            f"{imported['prompts']['train']} training, {imported['prompts']['validation']} validation, "
            f"{imported['prompts']['test']} test")

        step(f"training {arguments.workers} shards, one LoRA adapter each")
        trained = cluster.run("train", "train", "--wait")
        full_training = sum(shard["tokens"] for shard in trained["shards"])

        step("evaluating on the test prompts")
        evaluated = cluster.run("evaluate", "evaluate", "--split", "test")

        step(f"asking what user {user} would like")
        before = cluster.run("query_before", "query", "--user", user, "--item", *ITEMS)
        other_before = cluster.run("query_other", "query", "--user", other, "--item", *ITEMS)

        step(f"forgetting user {user}: first only the plan")
        plan = cluster.run("plan", "forget", "--user", user, "--dry-run")
        say(f"  {plan['interactions']} interactions, {plan['prompts_deleted']} prompts to delete, "
            f"{plan['prompts_rebuilt']} to rebuild, shards to retrain: {plan['shards']}")
        step(f"forgetting user {user}")
        asking, began = ["forget", "--user", user, "--request-id", f"demo-{user}"], time.monotonic()
        cluster.run("accept", *asking)
        say(f"  acknowledged after {time.monotonic() - began:.2f} s: from now on nothing answers that saw user {user}")
        staged = answering_stage(cluster, other, f"demo-{user}", began) if arguments.slices > 1 else None
        if staged:
            seconds, stage = staged
            say(f"  {seconds:.1f} s after the request shard {stage['shard']} answers from its stage {stage['stage']} of "
                f"{arguments.slices}, which never saw user {user}: exact, while the last slice is trained anew")
        forgotten = cluster.run("forget", *asking, "--wait")
        cluster.seconds["forget"] = round(time.monotonic() - began, 2)
        retrained = [shard["shard"] for shard in forgotten["shards"]]
        retraining = sum(shard["tokens_trained"] for shard in forgotten["shards"])

        step("replaying the training of the retrained shards without that user, comparing bytes")
        verified = cluster.run("verify", "verify", "--request", forgotten["request"], allow=(0, 2))

        step(f"asking again: user {user} is unknown now; user {other} is answered with the new adapters")
        gone = cluster.run("query_forgotten", "query", "--user", user, "--item", *ITEMS, allow=(65,))
        after = cluster.run("query_after", "query", "--user", other, "--item", *ITEMS)
        step("stopping")

    total = time.monotonic() - started
    step("what came out")
    table([("model", "AUC", "", "above base ± SE", "log-loss")] + [
        (row["name"], f"{row['auc']:.3f}", bar((row["auc"] - 0.5) * 2.5), above(row), f"{row['log_loss']:.3f}")
        for row in evaluated["variants"]])
    gain = aggregate(evaluated).get("above_base")
    errors = gain["difference"] / gain["standard_error"] if gain and gain["standard_error"] else 0
    say(f"  {evaluated['prompts']} test prompts, {imported['prompts']['train']} for training; bars from AUC .5 to .9. "
        + (f"The recommender has learned: {errors:.1f} standard errors above the base model." if errors > 2
           else f"So few prompts do not tell the recommender from the base model ({errors:.1f} standard errors)."))
    say()
    picture(user, other, before, other_before, after, retrained, arguments.workers)
    say()
    say(f"  Forgetting user {user} retrained {len(retrained)} of {arguments.workers} shards: {retraining} tokens, where all shards "
        f"have {full_training} ({full_training / max(retraining, 1):.1f} x less).")
    if staged:
        say(f"  From the request to exact answers of that shard: {staged[0]:.1f} s, by the stage before slice {staged[1]['stage'] + 1}, "
            "from which it was trained again.")
    say(f"  From the request to clean adapters in service: {cluster.seconds['forget']:.0f} s; training all shards took "
        f"{cluster.seconds['train']:.0f} s.")
    if verified["verified"]:
        say(f"  Verified: training without user {user}, done again from the start, gives the same bytes; certificate signed.")
    else:
        say("  NOT verified: the replay gave other bytes. This is a defect; please report it.")
    say(f"  Asked about user {user} now, the cluster answers: {gone['error']['message']}")
    say(f"  {total:.0f} s in all." + (f" Files are kept in {cluster.root}." if arguments.keep else ""))
    if arguments.json:
        print(json.dumps({
            "schema_version": 1, "samples": samples, "workers": arguments.workers, "seconds": cluster.seconds,
            "import": imported, "train": trained, "evaluate": evaluated, "query_before": before, "plan": plan,
            "meanwhile": staged and {"seconds": staged[0], "adapter": staged[1]},
            "forget": forgotten, "verify": verified, "query_forgotten": gone, "query_after": after,
            "summary": {"shards_retrained": retrained, "shards": arguments.workers,
                        "retraining_tokens": retraining, "full_training_tokens": full_training,
                        "forget_seconds": cluster.seconds["forget"], "train_seconds": cluster.seconds["train"],
                        "verified": verified["verified"], "total_seconds": round(total, 1)},
        }, sort_keys=True))
    return 0 if verified["verified"] else 2


try:
    raise SystemExit(main())
except KeyboardInterrupt:
    say("\nstopped")
    raise SystemExit(130)
