"""What training in slices costs in quality, on the movie set: the second half of cluster/quality.

Every case (seed, slices) is trained by a cluster of its own and leaves one small file of margins, so that a run that was
stopped goes on; the table is made of the files that there are. Differences are paired over the same test prompts (DeLong et
al., 1988), whose standard error a difference of two AUCs alone would overstate.
"""

import bisect
import hashlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile

from local import LocalCluster, sampling, say, table

SPLITS = {"validation": 500, "test": 1000}


def placements(positives, negatives):
    """Of each positive the share of negatives below it, and of each negative the share of positives above it; ties half."""
    def shares(values, others):
        ordered = sorted(others)
        return [(bisect.bisect_left(ordered, value) + bisect.bisect_right(ordered, value)) / (2 * len(ordered)) for value in values]
    return shares(positives, negatives), [1 - share for share in shares(negatives, positives)]


def split_by_label(margins, labels):
    return ([margin for margin, label in zip(margins, labels) if label],
            [margin for margin, label in zip(margins, labels) if not label])


def auc(margins, labels):
    return statistics.fmean(placements(*split_by_label(margins, labels))[0])


def paired_difference(margins, others, labels):
    """AUC of the first minus that of the second over the same prompts, and its standard error."""
    first, second = (placements(*split_by_label(values, labels)) for values in (margins, others))
    difference = statistics.fmean(first[0]) - statistics.fmean(second[0])
    variance = sum(statistics.variance(a - b for a, b in zip(*pair)) / len(pair[0])
                   for pair in zip(first, second) if len(pair[0]) > 1)
    return difference, math.sqrt(variance)


def log_loss(margins, labels):
    return statistics.fmean(max(0, sign) + math.log1p(math.exp(-abs(sign)))
                            for sign in (-margin if label else margin for margin, label in zip(margins, labels)))


class Prompts:
    """The prompts that are scored, the same for every case."""

    def __init__(self, folder):
        self.paths, self.labels = {}, {}
        for split, count in SPLITS.items():
            lines = subprocess.run(
                [os.environ["LETHE"], "prompts", "--format", "recbole", os.environ["LETHE_ML100K"],
                 *sampling(0, SPLITS["validation"], SPLITS["test"]), "--split", split], stdout=subprocess.PIPE, check=True).stdout
            self.paths[split] = os.path.join(folder, f"{split}.jsonl")
            pathlib.Path(self.paths[split]).write_bytes(lines)
            self.labels[split] = [json.loads(line)["output"].startswith("Yes") for line in lines.splitlines()]
        self.digest = hashlib.sha256(b"".join(pathlib.Path(path).read_bytes() for path in self.paths.values())).hexdigest()

    def margins(self, split, adapter, threads):
        done = subprocess.run(
            [os.environ["LETHE"], "score", "--model", os.environ["LETHE_MODEL"], "--prompts", self.paths[split],
             "--adapter", str(adapter), "--threads", str(threads)], stdout=subprocess.PIPE, check=True)
        return [json.loads(line)["margin"] for line in done.stdout.splitlines()]


class Slicing:
    """`4`: in four slices, with averaging; `4:none`: without."""

    def __init__(self, text):
        count, _, averaging = text.partition(":")
        self.text, self.count = text, int(count)
        self.averaging = averaging or ("steps" if self.count > 1 else "none")

    @property
    def settings(self):
        return ["--slices", str(self.count), "--averaging", self.averaging]

    @property
    def fields(self):
        return [self.count, self.averaging] if self.count > 1 else [self.count]


def train_and_score(arguments, seed, slices, prompts):
    """One case: mean margins of all shards' adapters (equal weights), by split."""
    settings = ["--shards", str(arguments.shards), "--partition", arguments.partition, "--seed", str(seed), *slices.settings,
                *arguments.settings]
    threads = max(1, (os.cpu_count() or 1) // arguments.workers)
    with LocalCluster(arguments.workers, settings) as cluster:
        cluster.run("import", "import", "--format", "recbole", os.environ["LETHE_ML100K"], *sampling(arguments.samples, 0, 0))
        trained = cluster.run("train", "train", "--wait")
        folder = cluster.root / "adapters"
        cluster.run("export", "adapters", "export", str(folder))
        adapters = sorted(folder.glob("shard-*"))
        found = {}
        for split in SPLITS:
            rows = [prompts.margins(split, adapter, threads) for adapter in adapters]
            found[split] = [statistics.fmean(column) for column in zip(*rows)]
        return {"margins": found, "seconds": cluster.seconds["train"], "adapters": len(adapters),
                "tokens": sum(shard.get("tokens", 0) for shard in trained["shards"])}


def case_name(arguments, seed, slices, prompts):
    """What determines a case: a file of other settings is never taken for this one."""
    fields = [arguments.samples, arguments.partition, arguments.shards, seed, *slices.fields, arguments.settings, prompts.digest,
              os.path.basename(os.environ["LETHE_MODEL"])]
    digest = hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]
    return f"shards-{arguments.shards}-seed-{seed}-slices-{slices.text.replace(':', '-')}-{digest}.json"


def report_on(cases, counts, prompts):
    """For every number of slices and split: mean AUC and log-loss over the seeds that have it, and what it differs from the first."""
    rows, report = [("slices", "split", "seeds", "AUC", "log-loss", "AUC − first", "± SE over prompts", "± SE over seeds")], []
    for slices in counts:
        for split, labels in prompts.labels.items():
            seeds = sorted(seed for seed, count in cases if count == slices)
            if not seeds:
                continue
            values = [cases[seed, slices]["margins"][split] for seed in seeds]
            both = [seed for seed in seeds if (seed, counts[0]) in cases]
            pairs = [paired_difference(cases[seed, slices]["margins"][split], cases[seed, counts[0]]["margins"][split], labels)
                     for seed in both]
            row = {"slices": slices, "split": split, "seeds": seeds, "auc": statistics.fmean(auc(value, labels) for value in values),
                   "log_loss": statistics.fmean(log_loss(value, labels) for value in values)}
            if slices != counts[0] and pairs:
                row["difference"] = statistics.fmean(difference for difference, _ in pairs)
                # Prompts are the same for all seeds: their error does not shrink as independent ones would.
                row["standard_error_prompts"] = statistics.fmean(error for _, error in pairs)
                if len(pairs) > 1:
                    row["standard_error_seeds"] = statistics.stdev(pair[0] for pair in pairs) / math.sqrt(len(pairs))
            report.append(row)
            rows.append((slices, split, len(seeds), f"{row['auc']:.4f}", f"{row['log_loss']:.4f}",
                         *(f"{row[key]:+.4f}" if key in row else "" for key in ("difference",)),
                         *(f"{row[key]:.4f}" if key in row else "" for key in ("standard_error_prompts", "standard_error_seeds"))))
    return rows, report


def measure(arguments):
    """Cases in the order of what they tell: the first seed of all numbers of slices, then the next seed."""
    counts = arguments.slices.split(",")
    keep = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="lethe-slices-"))
    keep.mkdir(parents=True, exist_ok=True)
    cases = {}
    with tempfile.TemporaryDirectory(prefix="lethe-prompts-") as folder:
        prompts = Prompts(folder)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            for slices in counts:
                slicing = Slicing(slices)
                path = keep / case_name(arguments, seed, slicing, prompts)
                if path.exists():
                    cases[seed, slices] = json.loads(path.read_text())
                    continue
                if arguments.kept_only:
                    continue
                cases[seed, slices] = case = train_and_score(arguments, seed, slicing, prompts)
                part = path.with_suffix(".part")
                part.write_text(json.dumps(case))
                part.replace(path)
                say(f"seed {seed}, {slices} slices: AUC {auc(case['margins']['test'], prompts.labels['test']):.4f} on test, "
                    f"training {case['seconds']:.0f} s")
        rows, report = report_on(cases, counts, prompts)
    say(f"\n{arguments.shards} shard(s) by {arguments.partition}, about {arguments.samples} training prompts; cases in {keep}")
    table(rows)
    return {"schema_version": 1, "partition": arguments.partition, "shards": arguments.shards, "rows": report}
