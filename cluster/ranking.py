"""HR@10 and NDCG@10 of what people came to like next, beside what recommends without a language model: cluster/quality --ranking.

Of each person asked about the last like, and all that came after it, is kept out of the data. Who recommends ranks it among 100
items that the person never rated, or among the whole catalogue. Baselines are counts (popularity, items liked together) and a
matrix factorisation; all of them know all likes of the data, the adapters a sample of its prompts.
"""

import collections
import contextlib
import hashlib
import json
import math
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time

from local import LocalCluster, say, table

LIKE_ABOVE, HISTORY, SAMPLED, TOP = 3, 10, 100, 10
# Items drawn for each like, as not liked: without them a matrix factorisation would learn what is rated well, not what is chosen.
DRAWN = 4


class Data:
    """The movie set without what it is asked about."""

    def __init__(self, source, people, seed):
        with open(source, encoding="utf-8") as lines:
            next(lines)
            rows = [line.rstrip("\n").split("\t") for line in lines]
        by_person = collections.defaultdict(list)
        for place, (person, item, rating, when) in enumerate(rows):
            by_person[person].append((float(when), place, item, float(rating), when))
        for own in by_person.values():
            own.sort()
        self.items = sorted({row[1] for row in rows})
        self.asked = {}
        for person in sorted(by_person, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
            own = by_person[person]
            last = max((place for place, row in enumerate(own) if row[3] > LIKE_ABOVE), default=-1)
            if last > HISTORY + 1 and any(row[3] > LIKE_ABOVE for row in own[:last]) and len(self.asked) < people:
                everything = {row[2] for row in own}
                by_person[person] = own[:last]
                # What the person rated later is neither known nor a fair wrong answer.
                chance = random.Random(f"{seed}:{person}")
                others = [item for item in self.items if item not in everything]
                self.asked[person] = (own[last][2], sorted(chance.sample(others, SAMPLED) + [own[last][2]]))
        self.by_person = dict(by_person)
        self.likes = {person: [row[2] for row in own if row[3] > LIKE_ABOVE] for person, own in self.by_person.items()}

    def write(self, folder, keep=None):
        folder.mkdir()
        with open(folder / "ml.inter", "w", encoding="utf-8") as file:
            file.write("user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
            for person, own in self.by_person.items():
                file.writelines(f"{person}\t{item}\t{rating:g}\t{when}\n" for _, _, item, rating, when in own
                                if keep is None or keep(rating))
        shutil.copy(pathlib.Path(os.environ["LETHE_ML100K"]) / "ml-100k.item", folder / "ml.item")
        return folder / "ml"

    @staticmethod
    def prompts(by_person):
        """Training prompts that there are: the last two interactions of each person are targets of the other splits."""
        return sum(max(0, len(own) - HISTORY - 2) for own in by_person.values())

    def catalogue_of(self, person):
        had = {row[2] for row in self.by_person[person]}
        return [item for item in self.items if item not in had]


def popularity(data):
    counts = collections.Counter(item for likes in data.likes.values() for item in likes)
    return lambda person, items: [counts[item] for item in items]


def liked_together(data):
    """Σ over what the person likes of the cosine with an item, by who likes both."""
    fans = collections.defaultdict(set)
    for person, likes in data.likes.items():
        for item in likes:
            fans[item].add(person)

    def scores(person, items):
        return [sum(len(fans[item] & fans[liked]) / math.sqrt(len(fans[item]) * len(fans[liked]))
                    for liked in data.likes[person] if fans[item]) for item in items]
    return scores


def factorisation(data, folder, seed):
    chance = random.Random(seed)
    with open(folder / "implicit.inter", "w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
        for person, likes in data.likes.items():
            others = data.catalogue_of(person)
            file.writelines(f"{person}\t{item}\t1\t0\n" for item in likes)
            drawn = chance.sample(others, min(DRAWN * len(likes), len(others)))
            file.writelines(f"{person}\t{item}\t0\t0\n" for item in drawn)
    shutil.copy(pathlib.Path(os.environ["LETHE_ML100K"]) / "ml-100k.item", folder / "implicit.item")

    def scores(questions):
        path = folder / "pairs.tsv"
        path.write_text("".join(f"{person}\t{item}\n" for person, items in questions for item in items), encoding="utf-8")
        done = subprocess.run(
            [os.environ["LETHE"], "bench", "graph", "--format", "recbole", str(folder / "implicit"), "--like-above", "0.5",
             "--score", str(path)], stdout=subprocess.PIPE, check=True)
        margins = iter([json.loads(line)["margin"] for line in done.stdout.splitlines()])
        rows = [[next(margins) for _ in items] for _, items in questions]
        return [[-math.inf if margin is None else margin for margin in row] for row in rows]
    return scores


def rank(scores, items, wanted):
    """1: the best. Of equals it stands in the middle, so that saying nothing is worth nothing."""
    own = scores[items.index(wanted)]
    return 1 + sum(score > own for score in scores) + (sum(score == own for score in scores) - 1) / 2


def asked_of(cluster, person, folder, items, whole, excluded=()):
    """The best items by the cluster: of these, or of the whole catalogue, all of it or as many as are chosen first."""
    file = folder / "candidates"
    file.write_text("\n".join(items), encoding="utf-8")
    reply = cluster.run("query", "query", "--user", person, "--top", str(TOP), "--candidates", whole or str(file),
                        *(["--exclude", *excluded] if whole and excluded else []))
    return [item["item"] for item in reply["items"]]


def hits_and_gains(ranks):
    return [float(rank <= TOP) for rank in ranks], [1 / math.log2(1 + rank) if rank <= TOP else 0.0 for rank in ranks]


def mean(values):
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def report_on(found, first):
    """Means with their standard error over people, and what they differ from the first's, over the same people."""
    report = []
    for (question, name), ranks in found.items():
        row = {"among": question, "recommender": name, "people": len(ranks)}
        for key, values, others in zip(("hr", "ndcg"), hits_and_gains(ranks), hits_and_gains(found[question, first])):
            row[key], row[key + "_standard_error"] = mean(values)
            row[key + "_difference"], row[key + "_difference_standard_error"] = mean([a - b for a, b in zip(values, others)])
        report.append(row)
    return report


@contextlib.contextmanager
def trained_cluster(arguments, data, folder, seed, implicit):
    """A cluster with adapters for one sample of the prompts: of ratings, or of likes and as many items drawn."""
    path = data.write(folder / ("likes" if implicit else "ratings"), (lambda rating: rating > LIKE_ABOVE) if implicit else None)
    prompts = data.prompts(data.likes) * 2 if implicit else data.prompts(data.by_person)
    settings = ["--shards", str(arguments.shards), "--partition", arguments.partition, "--seed", str(seed), *arguments.settings]
    with LocalCluster(arguments.workers, settings) as cluster:
        cluster.run("import", "import", "--format", "recbole", str(path), "--protocol", "leave-last", "--fraction",
                    str(min(1, arguments.samples / prompts)), "--validation-fraction", "0", "--test-fraction", "0",
                    *(["--rating", "1", "--negatives", "1"] if implicit else []))
        cluster.run("train", "train", "--wait")
        yield cluster


def measure(arguments):
    seed = arguments.first_seed
    data = Data(pathlib.Path(os.environ["LETHE_ML100K"]) / "ml-100k.inter", arguments.ranking, seed)
    whole = dict(list(data.asked.items())[:arguments.whole])
    sets = {f"{SAMPLED} drawn": {person: items for person, (_, items) in data.asked.items()},
            "the catalogue": {person: data.catalogue_of(person) for person in whole}}
    found, seconds = {}, {}
    with tempfile.TemporaryDirectory(prefix="lethe-ranking-") as name:
        folder = pathlib.Path(name)
        scorers = {"popularity": popularity(data), "liked together": liked_together(data)}
        factors = factorisation(data, folder, seed)
        for question, people in sets.items():
            if not people:
                continue
            for recommender, scores in scorers.items():
                found[question, recommender] = [rank(scores(person, items), items, data.asked[person][0])
                                                for person, items in people.items()]
            rows = factors(list(people.items()))
            found[question, "matrix factorisation"] = [rank(row, items, data.asked[person][0])
                                                       for row, (person, items) in zip(rows, people.items())]
        for implicit in (False, True):
            trained = "adapters, of likes and draws" if implicit else "adapters, of ratings"
            asking = [(f"{SAMPLED} drawn", trained, data.asked, None)]
            if whole:
                asking += [("the catalogue", trained + ", all", whole, "all"),
                                 ("the catalogue", trained + ", 200 chosen", whole, "200")]
            with trained_cluster(arguments, data, folder, seed, implicit) as cluster:
                for question, recommender, people, everything in asking:
                    began, ranks = time.monotonic(), []
                    for person in people:
                        wanted, items = data.asked[person]
                        # What a cluster of likes does not know that the person rated is no answer for anybody.
                        known = [row[2] for row in data.by_person[person] if row[3] <= LIKE_ABOVE] if implicit else ()
                        order = asked_of(cluster, person, folder, items, everything, known)
                        ranks.append(order.index(wanted) + 1 if wanted in order else math.inf)
                    found[question, recommender] = ranks
                    seconds[question, recommender] = (time.monotonic() - began) / len(people)
    report = report_on(found, "popularity")
    say(f"\n{len(data.asked)} people's next like, {len(whole)} of them in the whole catalogue of {len(data.items)}; about "
        f"{arguments.samples} training prompts, {arguments.shards} shard(s); ± a standard error over people")
    table([("among", "recommender", "HR@10", "− popularity", "NDCG@10", "− popularity", "seconds")] + [
        (row["among"], row["recommender"], f"{row['hr']:.3f} ± {row['hr_standard_error']:.3f}",
         f"{row['hr_difference']:+.3f} ± {row['hr_difference_standard_error']:.3f}",
         f"{row['ndcg']:.3f} ± {row['ndcg_standard_error']:.3f}",
         f"{row['ndcg_difference']:+.3f} ± {row['ndcg_difference_standard_error']:.3f}",
         "".join(f"{seconds[key]:.2f}" for key in [(row["among"], row["recommender"])] if key in seconds)) for row in report])
    return {"schema_version": 1, "partition": arguments.partition, "shards": arguments.shards, "samples": arguments.samples,
            "settings": arguments.settings, "rows": report}
