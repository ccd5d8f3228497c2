"""How far stated confidence is from how often it is right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.base import Estimates

if TYPE_CHECKING:
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
