"""How far stated confidence, or a judge's verdict, is from how often it is right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.base import Estimates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats, Ints
    from howgood.interpret.table import Table

RESAMPLES = 1_000


@dataclass(frozen=True)
class CalibrationError:
    """The root mean square difference between confidence and accuracy over bins of `size` instances in order of
    confidence, the last one with the rest: √(Σ_b n_b/n (mean confidence - mean score)²) (Hendrycks et al.,
    arXiv:1812.04606, as HLE takes it, arXiv:2501.14249).

    Two estimates: `calibration_error` over all bins, and `calibration_error_published`, which the code that HLE's
    authors publish computes: it leaves out the bin of the highest confidence (and is 0 with one bin). Instances of one
    confidence are kept in order of id. The interval is a BCa bootstrap over instances, the bins held as they are.
    Lower is better.
    """

    score: str = "acc"
    confidence: str = "confidence"
    size: int = 100

    def __call__(self, table: Table) -> Estimates:
        import numpy as np

        confidence, score = table.score(self.confidence), table.score(self.score)
        bins = bins_of(confidence, self.size)
        estimates = []
        for name, kept in (("calibration_error", bins >= 0), ("calibration_error_published", bins < bins.max())):
            gap = np.where(kept, confidence - score, 0.0)
            value = rms_gap(gap, bins)
            low, high, se = _interval(gap, bins)
            estimates.append(
                Estimate(
                    name,
                    value,
                    se,
                    min(low, value),
                    max(high, value),
                    len(gap),
                    method=f"RMS over {int(bins.max()) + 1} bins of {self.size} or more, "
                    f"{'' if kept.all() else 'the last left out, '}BCa bootstrap",
                    missing=table.instances.missing.total(),
                    percent=True,
                    higher_is_better=False,
                )
            )
        return estimates, []

    def describe(self) -> dict[str, Any]:
        return {"kind": "calibration", "score": self.score, "confidence": self.confidence, "size": self.size}


def bins_of(confidence: Floats, size: int) -> Ints:
    """Each instance's bin: `size` instances in order of confidence, the last bin with the rest."""
    import numpy as np

    places = np.empty(len(confidence), np.int64)
    places[np.argsort(confidence, kind="stable")] = np.arange(len(confidence))
    return np.minimum(places // size, max(len(confidence) // size, 1) - 1)


def rms_gap(gap: Floats, bins: Ints) -> float:
    """√(Σ_b n_b/n (mean gap)²) for the gap of each instance and its bin."""
    import numpy as np

    total, count = np.bincount(bins, gap), np.bincount(bins)
    return math.sqrt(float(np.sum(total**2 / count)) / len(gap))


def _interval(gap: Floats, bins: Ints) -> tuple[float, float, float | None]:
    """Low, high and standard error, from sums of gaps and counts within each bin."""
    import numpy as np

    width = int(bins.max()) + 1
    if len(gap) < 2:
        return 0.0, 1.0, None
    inside = bins[:, None] == np.arange(width)
    totals = np.concatenate([inside * gap[:, None], inside], axis=1)

    def statistic(sums: Any) -> Any:
        total, count = sums[..., :width], sums[..., width:]
        return np.sqrt(np.sum(total**2 / np.maximum(count, 1), axis=-1) / np.sum(count, axis=-1))

    return statistics.bca(totals, statistic, resamples=RESAMPLES)


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = 10, level: float = 0.95) -> list[Estimate]:
    """How far the probabilities that a judge gives are from how often it is right: the expected calibration error over
    `bins` of equal width, Σ_b n_b/n |mean confidence - share right| (Naeini et al. 2015, AAAI), with a BCa bootstrap;
    and the Brier score, the mean of (confidence - right)² (1950, Mon. Weather Rev. 78). The first is above zero even
    for a perfect judge, the more so the fewer items a bin has. Raises `DataError` for a confidence outside [0, 1].
    """
    import numpy as np

    p, hit = statistics.checked(confidence), statistics.checked(right)
    if len(p) != len(hit) or p.min() < 0 or p.max() > 1:
        raise DataError("calibration takes one confidence between 0 and 1 for each answer")
    gap, place = p - hit, np.minimum((p * bins).astype(int), bins - 1)
    inside = (place[:, None] == np.arange(bins)) * gap[:, None]

    def statistic(sums: Any) -> Any:
        return np.abs(sums[..., :bins]).sum(axis=-1) / sums[..., bins]

    totals = np.column_stack([inside, np.ones(len(p))])
    value = float(statistic(totals.sum(axis=0)))
    low, high, se = 0.0, 1.0, None
    if len(p) > 1:
        low, high, se = statistics.bca(totals, statistic, level=level, resamples=RESAMPLES)
    brier = statistics.mean_se(gap**2)
    ends = statistics.t_interval(brier, level)
    method = f"{bins} bins of equal width, BCa bootstrap"
    return [
        Estimate(
            "calibration_error", value, se, min(low, value), max(high, value), len(p), method, level, percent=True,
            higher_is_better=False,
        ),
        Estimate(
            "brier", brier.value, brier.se, max(ends[0], 0.0), min(ends[1], 1.0), len(p), "mean, t", level,
            higher_is_better=False,
        ),
    ]  # fmt: skip


def rogan_gladen(
    positive: int, n: int, sensitivity: tuple[int, int], specificity: tuple[int, int], level: float = 0.95
) -> Estimate:
    """The true share of positives when a judge of known errors calls `positive` of `n` positive: (p + sp - 1)/(se + sp
    - 1) (Rogan & Gladen 1978, Am. J. Epidemiol. 107). `sensitivity` is (found, of so many true positives),
    `specificity` (refused, of so many true negatives), both from items that people labelled.

    The standard error is by the delta method; the interval is that of Lang & Reiczigel (2014, Prev. Vet. Med. 113),
    which adds pseudo-observations and a shift so that it holds with few labels too. Raises `DataError` for a judge no
    better than chance, by whose verdicts nothing can be told.
    """
    counted = ((positive, n), sensitivity, specificity)
    for k, of in counted:
        if not 0 <= k <= of or of < 1:
            raise DataError(f"{k} of {of} is no share")
    (p, se, sp), (n_p, n_se, n_sp) = ([k / of for k, of in counted], [of for _, of in counted])
    if se + sp <= 1:
        raise DataError(
            f"a judge that finds {se:.0%} of the positives and refuses {sp:.0%} of the negatives is no better than "
            "chance, so its verdicts tell nothing"
        )
    value = (p + sp - 1) / (se + sp - 1)
    error = math.sqrt(_apparent(p, n_p, se, n_se, sp, n_sp, value)) / (se + sp - 1)
    z = statistics.normal_quantile(level)
    p2, se2, sp2 = (
        (positive + z * z / 2) / (n_p + z * z),
        (sensitivity[0] + 1) / (n_se + 2),
        (specificity[0] + 1) / (n_sp + 2),
    )
    low, high = 0.0, 1.0
    if se2 + sp2 > 1:
        middle = (p2 + sp2 - 1) / (se2 + sp2 - 1)
        half = z * math.sqrt(_apparent(p2, n_p, se2, n_se, sp2, n_sp, middle)) / (se2 + sp2 - 1)
        shift = 2 * z * z * (middle * se2 * (1 - se2) / n_se - (1 - middle) * sp2 * (1 - sp2) / n_sp)
        low, high = max(middle + shift - half, 0.0), min(middle + shift + half, 1.0)
    held = min(max(value, 0.0), 1.0)
    return Estimate(
        "true share", held, error, min(low, held), max(high, held), n, "Rogan-Gladen, Lang-Reiczigel interval", level,
        percent=True,
    )  # fmt: skip


def _apparent(p: float, n: int, se: float, n_se: int, sp: float, n_sp: int, share: float) -> float:
    """The variance of p + sp - 1 - share·(se + sp - 1)."""
    return p * (1 - p) / n + share**2 * se * (1 - se) / n_se + (1 - share) ** 2 * sp * (1 - sp) / n_sp
