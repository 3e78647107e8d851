"""Paired differences of AUC: what they are over made-up margins, and that their standard error is the one over resampled prompts."""

import pathlib
import random
import statistics
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from paired import auc, log_loss, paired_difference  # noqa: E402


class PairedDifferencesTests(unittest.TestCase):
    def test_auc_counts_pairs_in_order_and_ties_half(self):
        self.assertEqual(auc([3, 2, 1, 0], [True, True, False, False]), 1)
        self.assertEqual(auc([0, 1, 2, 3], [True, True, False, False]), 0)
        self.assertEqual(auc([1, 1, 1, 1], [True, True, False, False]), 0.5)
        self.assertEqual(auc([2, 0, 1, 0], [True, True, False, False]), (2 + 0 + 0.5) / 4)

    def test_log_loss_of_no_opinion_is_one_bit(self):
        self.assertAlmostEqual(log_loss([0, 0], [True, False]), 0.6931471805599453)
        self.assertLess(log_loss([800, -800], [True, False]), 1e-9)
        self.assertAlmostEqual(log_loss([-800], [True]), 800)

    def test_a_model_does_not_differ_from_itself(self):
        margins, labels = [0.3, -1, 2, 0.1, 4], [True, False, True, False, False]
        self.assertEqual(paired_difference(margins, margins, labels), (0, 0))

    def test_the_standard_error_is_that_over_resampled_prompts(self):
        chance = random.Random(7)
        labels = [chance.random() < 0.5 for _ in range(300)]
        common = [chance.gauss(0.8 if label else 0, 1) for label in labels]
        first = [value + chance.gauss(0, 0.5) for value in common]
        second = [value + chance.gauss(0, 0.7) for value in common]
        _, error = paired_difference(first, second, labels)
        differences = []
        for _ in range(300):
            drawn = [chance.randrange(len(labels)) for _ in labels]
            pick = [[values[index] for index in drawn] for values in (first, second, labels)]
            differences.append(auc(pick[0], pick[2]) - auc(pick[1], pick[2]))
        self.assertLess(abs(error / statistics.stdev(differences) - 1), 0.2)


if __name__ == "__main__":
    unittest.main()
