"""Evaluates on the movie set over several seeds. Run cluster/quality, which prepares the machine."""

import argparse
import json
import os
import statistics

import ranking
import variants
from local import LocalCluster, sampling, say, table


def positive(text):
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def parsed(arguments=None):
    parser = argparse.ArgumentParser(prog="cluster/quality")
    parser.add_argument("--partition", default="semantic")
    parser.add_argument("--seeds", type=positive, default=3, help="seeds 1 to N (default 3)")
    parser.add_argument("--first-seed", type=positive, default=1)
    parser.add_argument("--workers", type=positive, default=2)
    parser.add_argument("--shards", type=positive, default=4)
    parser.add_argument("--aggregates", action="store_true", help="leave out the base model and each adapter alone")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--slices", help="numbers of slices to compare with the first of them, such as 1,2,4,8; 4:none, 4:steps: averaged otherwise")
    kinds.add_argument("--variants", metavar="FILE", help="trainings to compare with the first; see cluster/variants.json")
    parser.add_argument(
        "--samples", type=positive, default=1024, help="with --slices, --variants or --ranking: about so many training prompts")
    parser.add_argument("--keep", help="with --slices or --variants: a folder for finished cases, which a later run goes on from")
    parser.add_argument("--kept-only", action="store_true", help="with --keep: the table of the cases that there are")
    kinds.add_argument("--ranking", type=positive, nargs="?", const=200, metavar="PEOPLE",
                        help="HR@10 and NDCG@10 of so many people's next like (200), beside recommenders without a model")
    parser.add_argument("--whole", type=positive, default=30, help="with --ranking: of so many also in the whole catalogue (default 30)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("settings", nargs="*", help="further options of the coordinator, after --")
    found = parser.parse_args(arguments)
    cases = found.slices is not None or found.variants is not None
    if found.keep is not None and not cases:
        parser.error("--keep is of --slices and --variants")
    if found.kept_only and found.keep is None:
        parser.error("--kept-only is of --keep")
    return found


def main():
    arguments = parsed()
    if arguments.ranking is not None or arguments.slices is not None or arguments.variants is not None:
        report = variants.measure(arguments) if arguments.ranking is None else ranking.measure(arguments)
        if arguments.json:
            print(json.dumps(report, sort_keys=True))
        return
    runs = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        settings = ["--shards", str(arguments.shards), "--partition", arguments.partition, "--seed", str(seed),
                    *arguments.settings]
        with LocalCluster(arguments.workers, settings) as cluster:
            cluster.run("import", "import", "--format", "recbole", os.environ["LETHE_ML100K"], *sampling(1024, 500, 1000))
            trained = cluster.run("train", "train", "--wait")
            evaluated = cluster.run("evaluate", "evaluate", "--split", "test", "--compare",
                                    *(["--aggregates"] if arguments.aggregates else []))
        runs.append({"seed": seed, "shards": trained["shards"], "evaluate": evaluated, "seconds": cluster.seconds})
        say(f"seed {seed}, partition {arguments.partition}: attention τ {evaluated['tau']}, n {evaluated['neighbours']}; "
            f"training {cluster.seconds['train']:.0f} s, evaluation {cluster.seconds['evaluate']:.0f} s")
        table([("model", "AUC", "accuracy", "log-loss")] + [
            (row["name"], *(f"{row[key]:.3f}" for key in ("auc", "accuracy", "log_loss"))) for row in evaluated["variants"]])
    names = [row["name"] for row in runs[0]["evaluate"]["variants"]]
    aucs = {name: [next(row["auc"] for row in run["evaluate"]["variants"] if row["name"] == name) for run in runs]
            for name in names}
    say(f"\nAUC on test over {len(runs)} seeds, partition {arguments.partition}")
    table([("model", "mean", "deviation")] + [
        (name, f"{statistics.mean(values):.4f}", f"{statistics.stdev(values) if len(values) > 1 else 0:.4f}")
        for name, values in aucs.items()])
    if arguments.json:
        print(json.dumps({"schema_version": 1, "partition": arguments.partition, "runs": runs, "auc": aucs}, sort_keys=True))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        say("\nstopped")
        raise SystemExit(130)
