"""Intervals that hold several estimates at once: the quantile of the largest of their deviations (max-T).

Of 100 systems with separate 95 % intervals about five lie outside theirs. The joint intervals are wider by just what it
takes that all lie inside with probability 95 %, however the estimates depend on each other: the quantile of
max_i |z_i|/se_i over draws from the estimates' joint normal distribution (Hothorn, Bretz & Westfall 2008, Biom. J. 50;
for scores the draws are the Gaussian multiplier bootstrap of Chernozhukov, Chetverikov & Kato 2013, Ann. Stat. 41).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from howgood.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from howgood.core.types import Estimate
    from howgood.interpret.statistics import Floats

DRAWS = 10_000
PAIR_DRAWS = 2_000
"""Draws where every pair is looked at, which costs their number times that of the pairs."""


def deviations(covariance: ArrayLike, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Draws (draws, M) from the normal distribution of mean zero and this covariance (M, M), which may be singular."""
    import numpy as np

    values, vectors = np.linalg.eigh(np.asarray(covariance, float))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(np.random.default_rng(seed).standard_normal((draws, len(values))) @ root.T, np.float64)


def critical(drawn: Floats, errors: ArrayLike, level: float = 0.95) -> float:
    """How many standard errors each side hold all M estimates at once, from `deviations` and their standard errors
    (M,). An estimate without error does not count; with none left it is 0."""
    import numpy as np

    se = np.asarray(errors, float)
    moving = se > 1e-12 * se.max(initial=0.0)
    if not moving.any():
        return 0.0
    return float(np.quantile(np.max(np.abs(drawn[:, moving]) / se[moving], axis=1), level))


def critical_of_pairs(drawn: Floats, covariance: ArrayLike, level: float = 0.95) -> float:
    """The same for the M(M-1)/2 differences between estimates, from the first `PAIR_DRAWS` of the draws: for
    independent estimates of equal error it is Tukey's studentized range over √2."""
    import numpy as np

    spread = pair_errors(covariance)
    # Two that differ in nothing but rounding are one: their difference over its error would be noise over noise.
    apart = spread > 1e-5 * spread.max(initial=0.0)
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=apart).astype(np.float32)
    rows = drawn[:PAIR_DRAWS].astype(np.float32)
    largest = [float((np.abs(row[:, None] - row) * inverse).max(initial=0.0)) for row in rows]
    return float(np.quantile(largest, level))


def pair_errors(covariance: ArrayLike) -> Floats:
    """The standard errors (M, M) of the differences between estimates of this covariance; zero on the diagonal."""
    import numpy as np

    v = np.asarray(covariance, float)
    own = np.diag(v)
    return np.asarray(np.sqrt(np.maximum(own[:, None] + own - v - v.T, 0.0)), np.float64)


def joint_means(
    names: Sequence[str], scores: ArrayLike, clusters: ArrayLike | None = None, level: float = 0.95, seed: int = 0
) -> list[Estimate]:
    """The means of several systems' scores on the same n instances, (n, M), with intervals that hold all of them at
    once: mean ± c·SE, SE as in `statistics.mean_se` (CR1 with `clusters`), c the max-T quantile of the multivariate t
    with one degree of freedom less than there are independent units. Raises `DataError` with fewer than two units."""
    import numpy as np

    from howgood.core.types import Estimate
    from howgood.interpret.statistics import checked

    x: Any = checked(np.asarray(scores, float).ravel()).reshape(np.shape(scores))
    if x.ndim != 2 or x.shape[1] != len(names):
        raise DataError(f"{len(names)} systems need a column of scores each, and the scores are of shape {x.shape}")
    n = len(x)
    unit = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    units = int(unit.max()) + 1
    if units < 2:
        raise DataError("joint intervals need at least two independent instances or clusters")
    mean = x.mean(axis=0)
    total = np.stack([np.bincount(unit, column) for column in ((x - mean) / n).T], axis=1)
    covariance = units / (units - 1) * total.T @ total
    se = np.sqrt(np.diag(covariance))
    drawn: Any = deviations(covariance, seed=seed)
    chi = np.random.default_rng([seed, 1]).chisquare(units - 1, len(drawn)) / (units - 1)
    c = critical(drawn / np.sqrt(chi)[:, None], se, level)
    method = f"mean, max-T over {len(names)} systems{', clustered' if clusters is not None else ''}"
    return [
        Estimate(name, float(m), float(s), float(m - c * s), float(m + c * s), n, method, level, clusters=units)
        for name, m, s in zip(names, mean, se, strict=True)
    ]
