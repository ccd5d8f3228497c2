"""When to answer and when to abstain: risk against coverage, from a confidence that comes with each answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from howgood.core.errors import DataError
from howgood.interpret import binomial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats

FOLDS = 5
STEPS = 20
"""Coverages at which a guarantee of risk is tried."""


class Curve(NamedTuple):
    """Answering only from a confidence `thresholds[j]` on: the share of questions then answered, and the share of
    those answered wrong. From the highest confidence to the lowest; equal confidences stand or fall together."""

    thresholds: Floats
    coverage: Floats
    risk: Floats


def curve(confidence: ArrayLike, right: ArrayLike) -> Curve:
    """The risk-coverage curve (El-Yaniv & Wiener 2010, JMLR 11) of answers that are right to a degree in [0, 1]."""
    import numpy as np

    sure, score = np.asarray(confidence, float), np.asarray(right, float)
    if len(sure) == 0 or len(sure) != len(score):
        raise DataError(f"{len(sure)} confidences and {len(score)} answers make no risk-coverage curve")
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True))
    answered = last + 1.0
    errors = np.cumsum(1 - score[order])[last]
    return Curve(sure[order][last], answered / len(sure), errors / answered)


def aurc(confidence: ArrayLike, right: ArrayLike) -> float:
    """The mean risk over all coverages, k = 1 ... n answers (Geifman, Uziel & El-Yaniv 2019, ICLR). Answers of equal
    confidence stand in the mean of all their orders."""
    import numpy as np

    found = curve(confidence, right)
    n = len(np.asarray(confidence))
    counts = np.round(found.coverage * n)
    errors = found.risk * counts
    # Within a tie the expected errors rise evenly from one end to the other.
    each = np.interp(np.arange(1, n + 1), np.append(0, counts), np.append(0, errors))
    return float(np.mean(each / np.arange(1, n + 1)))


def answer_above(right: float, wrong: float, abstain: float) -> float:
    """The probability of being right above which answering is worth more than abstaining, if confidences are such
    probabilities: (abstain - wrong)/(right - wrong) (Chow 1970, IEEE Trans. Inf. Theory 16), within [0, 1]."""
    if right <= wrong:
        raise DataError("a right answer must be worth more than a wrong one")
    return min(max((abstain - wrong) / (right - wrong), 0.0), 1.0)


def coverage_at(confidence: ArrayLike, right: ArrayLike, risk: float, level: float = 0.95) -> tuple[float, float]:
    """The largest coverage at which the share of wrong answers is at most `risk` with confidence `level`, and its
    threshold; (0, inf) where there is none. The exact upper bound at each of `STEPS` coverages answers for their number
    (Bonferroni), so that choosing among them costs nothing."""
    import numpy as np

    found, n = curve(confidence, right), len(np.asarray(confidence))
    places = np.unique(np.searchsorted(found.coverage, np.arange(1, STEPS + 1) / STEPS - 1e-9))
    best = (0.0, math.inf)
    for place in places[places < len(found.coverage)].tolist():
        answered = round(float(found.coverage[place]) * n)
        errors = math.ceil(float(found.risk[place]) * answered - 1e-9)
        if binomial.at_most(errors, answered, 1 - (1 - level) / STEPS) <= risk:
            best = (float(found.coverage[place]), float(found.thresholds[place]))
    return best


def best_threshold(confidence: ArrayLike, worth: ArrayLike, abstain: ArrayLike, weights: ArrayLike) -> float:
    """The confidence from which on answering has the greatest total worth, each answer being worth `worth` if given and
    `abstain` if not; -inf to give all. Of equals the lowest, so that nothing is withheld for nothing."""
    import numpy as np

    sure, weight = np.asarray(confidence, float), np.asarray(weights, float)
    gain = weight * (np.asarray(worth, float) - np.asarray(abstain, float))
    order = np.argsort(-sure, kind="stable")
    last = np.flatnonzero(np.append(np.diff(sure[order]) != 0, True))
    totals = np.append(0.0, np.cumsum(gain[order])[last])
    thresholds = np.append(np.inf, sure[order][last])
    # The best but for rounding; the last of these answers most.
    place = int(np.flatnonzero(totals >= totals.max() - 1e-9 * (1 + np.abs(gain).sum()))[-1])
    return -math.inf if place == len(totals) - 1 else float(thresholds[place])


def gain_of_abstaining(
    confidence: ArrayLike, worth: ArrayLike, abstain: ArrayLike, weights: ArrayLike, seed: int = 0
) -> float:
    """What abstaining adds to the mean worth, each fifth of the answers judged by the threshold of the others."""
    import numpy as np

    sure, value, none, weight = (np.asarray(x, float) for x in (confidence, worth, abstain, weights))
    fold = np.random.default_rng(seed).permutation(len(sure)) % FOLDS
    added = np.zeros(len(sure))
    for one in range(min(FOLDS, len(sure))):
        here, others = fold == one, fold != one
        if others.any():
            threshold = best_threshold(sure[others], value[others], none[others], weight[others])
            added[here] = np.where(sure[here] >= threshold, 0.0, none[here] - value[here])
    return float(np.sum(weight * added) / np.sum(weight))
