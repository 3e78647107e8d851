"""Trainings that differ in something, compared on the same prompts of the movie set: the second half of cluster/quality.

Every case (seed, variant) is trained by a cluster of its own and leaves one small file of margins, so that a run that was
stopped goes on; the tables are made of the files that there are. Differences are paired over the same prompts (paired.py).
"""

import functools
import hashlib
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from local import LocalCluster, movie_prompts, sampling, say, table
from paired import auc, log_loss, paired_difference

# Of what a kept case was computed by; raised when the same settings come to other margins, such as by another default.
REVISION = 1
SPLITS = {"validation": 500, "test": 1000}
AVERAGINGS = ("none", "steps", "polynomial")
def is_options(value):
    return isinstance(value, list) and all(isinstance(option, str) for option in value)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


KEYS = {"settings": is_options, "import": is_options, "template": lambda value: isinstance(value, dict), "shards": is_count,
        "samples": is_count, "of": lambda value: isinstance(value, str), "seeds": is_count}


class Variant:
    """What a case is trained with, or of which cases it is the mean."""

    def __init__(self, name, shards, samples, settings=(), importing=(), template=None, fields=(), label="variant",
                 of=None, seeds=1):
        self.name, self.shards, self.samples, self.settings = name, shards, samples, list(settings)
        self.importing, self.template, self.fields, self.label = list(importing), template, list(fields), label
        self.of, self.seeds = of, seeds

    @property
    def prompts(self):
        """What decides the words of the prompts."""
        return json.dumps([self.importing, self.template], sort_keys=True)


def of_slices(text, arguments):
    """`4`: in four slices, averaged as is usual; `4:steps`: all steps alike; `4:none`: not averaged."""
    number, separator, averaging = text.partition(":")
    count = int(number) if number.isascii() and number.isdigit() else 0
    if count < 1 or (separator and averaging not in AVERAGINGS):
        sys.exit(f"error: --slices {text!r}: write numbers of slices from 1 on, such as 1,2,4, each perhaps with "
                 f"{', '.join(':' + name for name in AVERAGINGS)}")
    usual = "polynomial" if count > 1 else "none"
    averaging = averaging or usual
    return Variant(text, arguments.shards, arguments.samples, ["--slices", str(count), "--averaging", averaging],
                   fields=[1] if (count, averaging) == (1, "none") else [count, averaging],
                   label=f"slices-{count}" + ("" if averaging == usual else f"-{averaging}"))


def from_file(path, arguments):
    """A JSON object of variants by their names, the first of which the others are compared with.

    Of each: `settings`, options of the coordinator; `shards`; `samples`, training prompts; `import`, options of the import;
    `template`, a prompt's words; or `of` and `seeds`: the mean margins of another variant's case and of its next seeds'.
    """
    def unique(pairs):
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands there twice")
        return dict(pairs)

    try:
        entries = json.loads(pathlib.Path(path).read_text(encoding="utf-8"), object_pairs_hook=unique)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {path}: {error}")
    if not isinstance(entries, dict) or not entries:
        sys.exit(f"error: {path}: an object of variants is expected, such as {{\"default\": {{}}}}")
    variants = []
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) - set(KEYS):
            sys.exit(f"error: {path}: {name} may say {', '.join(sorted(KEYS))}")
        wrong = next((key for key, value in entry.items() if not KEYS[key](value)), None)
        if wrong is not None:
            sys.exit(f"error: {path}: {name}: {wrong} is {json.dumps(entry[wrong])}; settings and import are lists of texts, "
                     "shards, samples and seeds whole numbers from 1 on, template an object, of a name")
        of = next((variant for variant in variants if variant.name == entry.get("of")), None)
        if "of" in entry and (of is None or of.of):
            sys.exit(f"error: {path}: {name} is of {entry['of']}, which must be a training that stands before it")
        settings, importing, template = entry.get("settings", []), entry.get("import", []), entry.get("template")
        # What changes only training prompts does not show in the digest of those that are scored. A variant that changes
        # nothing is what --slices calls one slice.
        plain = not settings and not importing and template is None
        case = {"fields": [1], "label": "slices-1"} if plain else {"fields": ["variant", settings, importing, template]}
        variants.append(Variant(
            name, entry.get("shards", arguments.shards), entry.get("samples", arguments.samples), settings, importing, template,
            of=of, seeds=entry.get("seeds", 1), **case))
    if variants[0].of:
        sys.exit(f"error: {path}: the first variant must be a training")
    return variants


class Prompts:
    """The prompts that are scored, the same for every case of the same words, and which of them were liked."""

    def __init__(self, folder, variant):
        self.paths, self.labels = {}, {}
        self.words = list(variant.importing)
        if variant.template is not None:
            path = os.path.join(folder, hashlib.sha256(variant.prompts.encode()).hexdigest()[:16] + ".json")
            pathlib.Path(path).write_text(json.dumps(variant.template), encoding="utf-8")
            self.words += ["--template", path]
        for split, count in SPLITS.items():
            lines = movie_prompts(split, *self.words, *sampling(0, SPLITS["validation"], SPLITS["test"]))
            digest = hashlib.sha256(lines).hexdigest()[:16]
            self.paths[split] = os.path.join(folder, f"{split}-{digest}.jsonl")
            pathlib.Path(self.paths[split]).write_bytes(lines)
            rows = [json.loads(line) for line in lines.splitlines()]
            yes = (variant.template or {}).get("yes", "Yes.").strip()
            self.labels[split] = [row["output"].strip().startswith(yes.rstrip(".")) for row in rows]
        self.digest = hashlib.sha256(b"".join(pathlib.Path(path).read_bytes() for path in self.paths.values())).hexdigest()

    @functools.cache
    def training(self, samples):
        """Digest of the prompts that are trained on, before they are dealt to shards."""
        return hashlib.sha256(movie_prompts("train", *self.words, *sampling(samples, 0, 0))).hexdigest()

    def margins(self, split, adapter, threads):
        done = subprocess.run(
            [os.environ["LETHE"], "score", "--model", os.environ["LETHE_MODEL"], "--prompts", self.paths[split],
             "--adapter", str(adapter), "--threads", str(threads)], stdout=subprocess.PIPE, check=True)
        return [json.loads(line)["margin"] for line in done.stdout.splitlines()]


def train_and_score(arguments, seed, variant, prompts):
    """One case: mean margins of all shards' adapters (equal weights), by split."""
    settings = ["--shards", str(variant.shards), "--partition", arguments.partition, "--seed", str(seed), *variant.settings,
                *arguments.settings]
    threads = max(1, (os.cpu_count() or 1) // arguments.workers)
    with LocalCluster(arguments.workers, settings) as cluster:
        cluster.run("import", "import", "--format", "recbole", os.environ["LETHE_ML100K"], *prompts.words,
                    *sampling(variant.samples, 0, 0))
        trained = cluster.run("train", "train", "--wait")
        folder = cluster.root / "adapters"
        cluster.run("export", "adapters", "export", str(folder))
        adapters = sorted(folder.glob("shard-*"))
        found = {}
        for split in SPLITS:
            rows = [prompts.margins(split, adapter, threads) for adapter in adapters]
            found[split] = [statistics.fmean(column) for column in zip(*rows)]
        return {"margins": found, "seconds": cluster.seconds["train"], "adapters": len(adapters),
                "tokens": sum(shard.get("tokens", 0) for shard in trained["shards"]),
                "bytes": sum(path.stat().st_size for path in folder.glob("shard-*/*.safetensors"))}


@functools.cache
def model_digest(path):
    """Of a model's file, or of all files of its folder."""
    files = sorted(file for file in pathlib.Path(path).rglob("*") if file.is_file()) if os.path.isdir(path) else [path]
    whole = hashlib.sha256()
    for file in files:
        own = hashlib.sha256()
        with open(file, "rb") as data:
            while portion := data.read(1 << 20):
                own.update(portion)
        whole.update(own.digest())
    return whole.hexdigest()


def case_name(arguments, seed, variant, prompts):
    """What determines a case: a file of other settings, prompts or models is never taken for this one."""
    fields = [REVISION, variant.samples, arguments.partition, variant.shards, seed, *variant.fields, arguments.settings,
              prompts.digest, prompts.training(variant.samples), model_digest(os.environ["LETHE_MODEL"])]
    digest = hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]
    return f"shards-{variant.shards}-seed-{seed}-{variant.label}-{digest}.json"


def kept_case(keep, name):
    """The case's file, whatever else its name says: `4` and `4:polynomial` are one case, which an earlier run called either."""
    path = keep / name
    if path.exists():
        return path
    return next(iter(sorted(keep.glob("*-" + name.rpartition("-")[2]))), path)


def joined(cases, variant, seeds):
    """Mean margins of as many seeds as the variant says, the next ones after each, around in a circle."""
    made = {}
    for index, seed in enumerate(seeds):
        rows = [cases.get((seeds[(index + step) % len(seeds)], variant.of.name)) for step in range(variant.seeds)]
        if len(seeds) >= variant.seeds and None not in rows:
            made[seed, variant.name] = {
                "margins": {split: [statistics.fmean(column) for column in zip(*(row["margins"][split] for row in rows))]
                            for split in SPLITS},
                **{key: sum(row.get(key, 0) for row in rows) for key in ("seconds", "tokens", "bytes")}}
    return made


def report_on(cases, variants, labels):
    """Of every variant and split: mean AUC and log-loss over the seeds that have it, and what it differs from the first."""
    report = []
    for variant in variants:
        seeds = sorted(seed for seed, name in cases if name == variant.name)
        both = [seed for seed in seeds if (seed, variants[0].name) in cases]
        for split, answers in labels.items() if seeds else ():
            values = [cases[seed, variant.name]["margins"][split] for seed in seeds]
            row = {"variant": variant.name, "split": split, "seeds": seeds,
                   "auc": statistics.fmean(auc(value, answers) for value in values),
                   "log_loss": statistics.fmean(log_loss(value, answers) for value in values)}
            pairs = [paired_difference(cases[seed, variant.name]["margins"][split], cases[seed, variants[0].name]["margins"][split],
                                       answers) for seed in both]
            if variant is not variants[0] and pairs:
                row["difference"] = statistics.fmean(difference for difference, _ in pairs)
                # Prompts are the same for all seeds: their error does not shrink as independent ones would.
                row["standard_error_prompts"] = statistics.fmean(error for _, error in pairs)
                # Joined seeds stand in several of these values.
                if len(pairs) > 1 and not variant.of:
                    row["standard_error_seeds"] = statistics.stdev(pair[0] for pair in pairs) / math.sqrt(len(pairs))
            for key in ("seconds", "tokens", "bytes"):
                known = [cases[seed, variant.name][key] for seed in seeds if cases[seed, variant.name].get(key)]
                if known:
                    row[key] = statistics.median(known)
            report.append(row)
    return report


def show(report):
    def figure(row, key, form):
        return form.format(row[key]) if key in row else ""
    table([("variant", "split", "seeds", "AUC", "log-loss", "AUC − first", "± SE over prompts", "± SE over seeds", "tokens/s",
            "MB")] + [
        (row["variant"], row["split"], len(row["seeds"]), f"{row['auc']:.4f}", f"{row['log_loss']:.4f}",
         figure(row, "difference", "{:+.4f}"), figure(row, "standard_error_prompts", "{:.4f}"),
         figure(row, "standard_error_seeds", "{:.4f}"),
         f"{row['tokens'] / row['seconds']:.0f}" if "tokens" in row and "seconds" in row else "",
         f"{row['bytes'] / 1e6:.1f}" if "bytes" in row else "") for row in report])


def measure(arguments):
    """Cases in the order of what they tell: the first seed of all variants, then the next seed."""
    variants = ([of_slices(text, arguments) for text in arguments.slices.split(",")] if arguments.slices
                else from_file(arguments.variants, arguments))
    keep = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="lethe-variants-"))
    keep.mkdir(parents=True, exist_ok=True)
    seeds = list(range(arguments.first_seed, arguments.first_seed + arguments.seeds))
    trained = [variant for variant in variants if not variant.of]
    cases, words = {}, {}
    with tempfile.TemporaryDirectory(prefix="lethe-prompts-") as folder:
        for variant in trained:
            words.setdefault(variant.prompts, Prompts(folder, variant))
        first = words[variants[0].prompts]
        if any(prompts.labels != first.labels for prompts in words.values()):
            sys.exit("error: the variants' imports do not ask the same questions, so their answers cannot be paired")
        for seed in seeds:
            for variant in trained:
                prompts = words[variant.prompts]
                path = kept_case(keep, case_name(arguments, seed, variant, prompts))
                if path.exists():
                    cases[seed, variant.name] = json.loads(path.read_text())
                    continue
                if arguments.kept_only:
                    continue
                cases[seed, variant.name] = case = train_and_score(arguments, seed, variant, prompts)
                part = path.with_suffix(".part")
                part.write_text(json.dumps(case))
                part.replace(path)
                found = {split: auc(case["margins"][split], labels) for split, labels in first.labels.items()}
                say(f"seed {seed}, {variant.name}: AUC {found['validation']:.4f} on validation, {found['test']:.4f} on test, "
                    f"training {case['seconds']:.0f} s")
    for variant in variants:
        if variant.of:
            cases.update(joined(cases, variant, seeds))
    report = report_on(cases, variants, first.labels)
    say(f"\npartition {arguments.partition}; cases in {keep}")
    show(report)
    return {"schema_version": 2, "partition": arguments.partition, "shards": arguments.shards, "rows": report}
