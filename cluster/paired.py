"""What two models differ by on the same prompts, with the standard error of the difference (DeLong et al., 1988), which a
difference of two AUCs alone would overstate."""

import bisect
import math
import statistics


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
