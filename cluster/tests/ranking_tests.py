"""What people came to like next: what is kept out of the data, and how recommenders are ranked on it."""

import math
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import ranking  # noqa: E402


def data(people=2):
    """Five people of 20 ratings each, of 200 items; every other one is a like, and the last one is none."""
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    for person in range(5):
        lines += [f"p{person}\ti{(7 * person + place) % 200}\t{5 if place % 2 == 0 else 1}\t{place}" for place in reversed(range(20))]
    lines += [f"few\ti{item}\t5\t{item}" for item in range(200)][:5] + [f"many\ti{item}\t1\t{item}" for item in range(200)]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "ml-100k.inter")
        path.write_text("\n".join(lines) + "\n")
        return ranking.Data(path, people, 1)


class HeldOutTests(unittest.TestCase):
    def test_the_last_like_and_all_after_it_are_kept_out(self):
        held = data(5)
        self.assertEqual(sorted(held.asked), [f"p{person}" for person in range(5)])
        for person, (wanted, items) in held.asked.items():
            number = int(person[1:])
            self.assertEqual(wanted, f"i{(7 * number + 18) % 200}")
            self.assertEqual([row[2] for row in held.by_person[person]], [f"i{(7 * number + place) % 200}" for place in range(18)])
            self.assertNotIn(wanted, held.likes[person])
            self.assertIn(wanted, held.catalogue_of(person))

    def test_wrong_answers_were_never_rated_not_even_later(self):
        for person, (wanted, items) in data(5).asked.items():
            number = int(person[1:])
            rated = {f"i{(7 * number + place) % 200}" for place in range(20)}
            self.assertEqual(set(items) & rated, {wanted})
            self.assertEqual(len(set(items)), 101)

    def test_others_keep_what_they_have_and_whoever_has_too_little_is_not_asked(self):
        held = data(2)
        self.assertEqual(len(held.asked), 2)
        self.assertEqual([len(own) for person, own in sorted(held.by_person.items()) if person not in held.asked], [5, 200, 20, 20, 20])

    def test_what_is_written_is_what_is_left(self):
        held = data(5)
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict("os.environ", {"LETHE_ML100K": folder}):
            pathlib.Path(folder, "ml-100k.item").write_text("item_id:token\n")
            path = held.write(pathlib.Path(folder, "likes"), lambda rating: rating > 3)
            lines = pathlib.Path(f"{path}.inter").read_text().splitlines()
        self.assertEqual(len(lines) - 1, sum(map(len, held.likes.values())))


    def test_what_the_factorisation_learns_from_are_likes_and_four_others_for_each_that_the_person_never_had(self):
        held = data(5)
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.dict("os.environ", {"LETHE_ML100K": folder}):
            pathlib.Path(folder, "ml-100k.item").write_text("item_id:token\n")
            ranking.factorisation(held, pathlib.Path(folder), 1)
            self.assertTrue(pathlib.Path(folder, "implicit.item").exists())
            rows = [line.split("\t") for line in pathlib.Path(folder, "implicit.inter").read_text().splitlines()[1:]]
        self.assertEqual(sum(row[2] == "1" for row in rows), sum(map(len, held.likes.values())))
        for person, items in held.likes.items():
            drawn = [row[1] for row in rows if row[0] == person and row[2] == "0"]
            self.assertEqual(len(set(drawn)), min(4 * len(items), len(held.catalogue_of(person))))
            self.assertFalse(set(drawn) & {row[2] for row in held.by_person[person]})


class RankTests(unittest.TestCase):
    def test_of_equals_it_stands_in_the_middle(self):
        self.assertEqual(ranking.rank([3, 2, 1], ["a", "b", "c"], "a"), 1)
        self.assertEqual(ranking.rank([3, 2, 1], ["a", "b", "c"], "c"), 3)
        self.assertEqual(ranking.rank([0] * 101, [str(item) for item in range(101)], "0"), 51)

    def test_hits_and_gains(self):
        hits, gains = ranking.hits_and_gains([1, 3, 10, 10.5, math.inf])
        self.assertEqual(hits, [1, 1, 1, 0, 0])
        self.assertEqual(gains, [1, 0.5, 1 / math.log2(11), 0, 0])

    def test_what_others_like_together_is_above_what_nobody_does(self):
        held = data(5)
        scores = ranking.liked_together(held)("p0", ["i20", "i199"])
        self.assertGreater(scores[0], scores[1])
        self.assertEqual(scores[1], 0)
        self.assertEqual(ranking.popularity(held)("p0", ["i199"]), [0])

    def test_a_report_is_paired_with_the_first(self):
        first, second = ranking.report_on({("q", "a"): [1, 20], ("q", "b"): [1, 2]}, "a")
        self.assertEqual((first["hr"], first["hr_difference"], first["hr_difference_standard_error"]), (0.5, 0, 0))
        self.assertEqual((second["hr"], second["hr_difference"], second["hr_difference_standard_error"]), (1, 0.5, 0.5))


if __name__ == "__main__":
    unittest.main()
