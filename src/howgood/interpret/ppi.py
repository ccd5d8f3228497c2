"""Few labels by people and many verdicts of a judge: prediction-powered inference (Angelopoulos et al. 2023,
arXiv:2301.09633; with the tuned weight, PPI++, arXiv:2311.01453).

The judge's mean over all items is corrected by what people and judge differ in on the labelled ones. The result is
unbiased however bad the judge is, as long as the labelled items are a random sample; a good judge makes it sharper.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret.statistics import checked, t_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Powered(Struct, frozen=True):
    """`estimate` is the mean that people would give; `labels_only` the mean of the n labels alone, `judge_only` that of
    the judge over all items, which may be biased: by `bias`, judge less people on the labelled items. `weight` is λ,
    how far the judge is believed; `correlation` that of judge and people; `worth` how many labels alone would be as
    sharp; `halving` how many labels in all would halve the interval, None where these items are too few for that."""

    estimate: Estimate
    labels_only: Estimate
    judge_only: Estimate
    bias: Estimate
    weight: float
    correlation: float
    worth: float
    halving: int | None


def ppi_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    unlabelled: ArrayLike,
    weight: float | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    level: float = 0.95,
) -> Powered:
    """The mean of people's labels over all items, from the n items with both a label (`labels`) and a verdict
    (`judged`) and the N items with only a verdict (`unlabelled`).

    θ = λ f̄_N + mean_n(Y - λf), SE² = λ² Var(f)/N + Var(Y - λf)/n, with λ = Cov(Y, f)/((1 + n/N) Var f) unless a
    `weight` is given (1: the judge as it is; 0: labels only). Where λ is tuned it is held to [0, 1]. The interval is t
    with n - 1 degrees of freedom, cut to `bounds` (None: a difference of scores and the like).
    Raises `DataError` for fewer than two labels or no unlabelled item.
    """
    import numpy as np

    y, f, rest = checked(labels), checked(judged), checked(unlabelled)
    n, more = len(y), len(rest)
    if len(f) != n or n < 2 or more < 1:
        raise DataError(
            f"prediction-powered inference takes two labelled items or more, each with a verdict, and unlabelled ones; "
            f"given are {n} labels, {len(f)} verdicts on them and {more} on unlabelled items"
        )
    spread = float(np.var(np.concatenate([f, rest]), ddof=1))
    together = float(np.mean((y - y.mean()) * (f - f.mean())))
    tuned = together / ((1 + n / more) * spread) if spread > 0 else 0.0
    lam = min(max(tuned, 0.0), 1.0) if weight is None else weight
    value = float(lam * rest.mean() + np.mean(y - lam * f))
    variance = lam**2 * float(np.var(rest)) / more + float(np.var(y - lam * f)) / n
    se = math.sqrt(variance)
    product = float(y.std() * f.std())
    correlation = together / product if product > 0 else 0.0
    own = float(np.var(y)) / n
    everything = np.concatenate([f, rest])
    method = f"prediction-powered mean, weight {lam:.3g} of the judge, {more} items without a label"
    return Powered(
        _estimate("mean", value, se, n, method, n - 1, bounds, level),
        _estimate("labels only", float(y.mean()), math.sqrt(own), n, "mean", n - 1, bounds, level),
        _estimate(
            "judge only",
            float(everything.mean()),
            float(everything.std()) / math.sqrt(n + more),
            n + more,
            "mean of verdicts, right only if the judge is",
            n + more - 1,
            bounds,
            level,
        ),
        _estimate("bias", float(np.mean(f - y)), float(np.std(f - y)) / math.sqrt(n), n, "mean", n - 1, None, level),
        lam,
        correlation,
        n * own / variance if variance > 0 else float(n + more),
        halving(n, n + more, correlation) if lam > 0 else (4 * n if 4 * n <= n + more else None),
    )


def ppi_difference(
    labels: tuple[ArrayLike, ArrayLike],
    judged: tuple[ArrayLike, ArrayLike],
    unlabelled: tuple[ArrayLike, ArrayLike],
    weight: float | None = None,
    level: float = 0.95,
) -> Powered:
    """The difference, second less first, of two systems on the same items: `ppi_mean` of the paired differences."""
    a, b, c = ((checked(second), checked(first)) for first, second in (labels, judged, unlabelled))
    for second, first in (a, b, c):
        if len(second) != len(first):
            raise DataError(
                f"a paired difference needs both systems on the same items, not {len(first)} and {len(second)}"
            )
    return ppi_mean(a[0] - a[1], b[0] - b[1], c[0] - c[1], weight, None, level)


def worth(n: int, more: int, correlation: float) -> float:
    """How many labels alone are worth as much as n labels with verdicts on n + N items: n(n + N)/(n + (1 - ρ²)N)."""
    return n * (n + more) / (n + (1 - correlation**2) * more)


def halving(n: int, items: int, correlation: float) -> int | None:
    """How many labels in all halve the interval that n labels of these many judged items give: the variance is
    σ²((1 - ρ²)/n + ρ²/items). None where labelling all of them does not."""
    rho = min(correlation**2, 1.0)
    left = ((1 - rho) / n + rho / items) / 4 - rho / items
    if left <= 0:
        return None
    needed = math.ceil((1 - rho) / left - 1e-9)
    return needed if needed <= items else None


def _estimate(
    name: str,
    value: float,
    se: float,
    n: int,
    method: str,
    df: int,
    bounds: tuple[float, float] | None,
    level: float,
) -> Estimate:
    half = t_quantile(level, df) * se
    low, high = value - half, value + half
    if bounds is not None:
        value, low, high = (min(max(x, bounds[0]), bounds[1]) for x in (value, low, high))
    return Estimate(name, value, se, low, high, n, method, level, percent=bounds == (0.0, 1.0))
