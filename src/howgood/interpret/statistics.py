"""The formulas: errors of means and ratios, intervals, the bootstrap, exact tests. Pure functions over arrays.

Every error here is one calculation, Taylor linearisation with ultimate clusters as in survey statistics (Binder 1983,
Int. Stat. Rev. 51): an estimate is turned into one contribution per instance, contributions are summed within a
cluster, and the sums' variance about their mean is added up over the strata. Without strata it is the cluster-robust
error CR1; without clusters the stratified error; without both s/√n.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from howgood.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MANY = 10_000
"""Degrees of freedom from which on Student's t is computed from the normal distribution."""

Unit = Literal["instance", "cluster"]
"""What counts once in a mean."""

UNBOUNDED = sys.float_info.max
"""The end of an interval about which nothing is known. Infinity is not JSON, the largest float is."""

PSEUDO = 4
"""Pseudo-observations a stratum adds to an estimated design effect: z² at 95 %, as in Agresti & Coull 1998."""


class Spread(NamedTuple):
    """An estimate and what is known of its error.

    `se` is None where there is only one independent unit; `df` the degrees of freedom (units less strata); `units` how
    many independent clusters (instances where none are named) and `strata` how many strata the error is made of;
    `equal_n` and `equal_units` how many equally weighted instances and clusters the weights are worth (Kish 1965).
    """

    value: float
    se: float | None
    df: float
    n: int
    units: int
    strata: int
    equal_n: float
    equal_units: float


def mean_se(
    values: ArrayLike,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    macro: bool = False,
    unit: Unit = "instance",
    weights: ArrayLike | None = None,
) -> Spread:
    """The mean of n instances and its standard error.

    - plain: SE² = s²/n, s with ddof 1 (central limit theorem; arXiv:2411.00640 eq. 1);
    - `clusters`: CR1, SE² = G/(G-1) Σ_c (Σ_{i∈c} (x_i - x̄))² / n² (ibid. eq. 4 with the small-sample factor);
    - `strata`, fixed with weights w_h = n_h/n: SE² = Σ_h w_h² s_h²/n_h (Cochran 1977, 5.3); with both, CR1 by stratum;
    - `macro`: the mean of the H stratum means, SE² = Σ_h SE_h² / H²;
    - `unit="cluster"`: every cluster counts once, by the mean of its instances;
    - `weights`, how many instances of the whole each one stands for (N_h/n_h in a stratified sample): Σ_h W_h x̄_h with
      W_h = N_h/N and SE² = Σ_h W_h² s_h²/n_h (Cochran 1977, 5.3). There is no finite population correction: the
      questions of a benchmark are themselves a sample of possible questions.

    Strata that share a cluster count as one, and so do those that hold a single cluster and thus show no spread of
    their own (collapsed strata, Cochran 1977, 5A.12; one alone joins the smallest other): the error errs upwards.
    `strata` and `clusters` are labels, one an instance. Raises `DataError` without values and for NaN or infinity.
    """
    import numpy as np

    x = checked(values)
    weight = mean_weights(len(x), strata, clusters, macro, unit, weights)
    value = float(np.sum(weight * x) / np.sum(weight))
    weight = weight / np.sum(weight)
    groups, units = nested(strata, clusters, len(x))
    worth = _worth(weight, units)
    part = x - _of_each(np.bincount(groups, weight * x) / np.bincount(groups, weight), groups)
    part *= weight  # in place, as below: each array of a million trials is 8 MB
    return _spread(value, part, worth, groups, units)


def mean_weights(
    n: int,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    macro: bool = False,
    unit: Unit = "instance",
    weights: ArrayLike | None = None,
) -> Floats:
    """What each of n instances counts in the mean of `mean_se`, beside the others."""
    import numpy as np

    weight = np.ones(n) if weights is None else checked(weights)
    if unit == "cluster" and clusters is not None:
        _, code, size = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
        weight = weight / size[code]
    if not macro:
        return weight
    if strata is None:
        raise DataError("a macro mean is a mean of strata, and the instances have none; use the plain mean")
    _, code = np.unique(np.asarray(strata), return_inverse=True)
    whole = np.bincount(code, weight)
    return np.asarray(weight / (len(whole) * whole[code]), np.float64)


def ratio_se(
    numerator: ArrayLike, denominator: ArrayLike, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> Spread:
    """The ratio of totals R = Σy/Σx and its linearised standard error, from the contributions (y_i - R x_i)/Σx
    (Cochran 1977, 6.3). Raises `DataError` where Σx is not above zero."""
    import numpy as np

    value, part = _ratio(numerator, denominator)
    groups, units = nested(strata, clusters, len(part))
    return _spread(value, part, _worth(np.full(len(part), 1.0 / len(part)), units), groups, units)


def ratio_difference_se(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Spread:
    """The difference second - first of two ratios of totals, each a (numerator, denominator), over the same instances:
    the paired counterpart of `ratio_se`, from the differences of the contributions."""
    import numpy as np

    (value_1, part_1), (value_2, part_2) = _ratio(*first), _ratio(*second)
    groups, units = nested(strata, clusters, len(part_1))
    worth = _worth(np.full(len(part_1), 1.0 / len(part_1)), units)
    return _spread(value_2 - value_1, part_2 - part_1, worth, groups, units)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> tuple[float, Floats]:
    """Σy/Σx and what each instance contributes to it, (y_i - R x_i)/Σx."""
    y, x = checked(numerator), checked(denominator)
    whole = float(x.sum())
    if not whole > 0:
        raise DataError(f"a ratio needs a denominator above zero; the {len(x)} given sum to {whole:g}")
    value = float(y.sum()) / whole
    return value, (y - value * x) / whole


def nested(strata: ArrayLike | None, clusters: ArrayLike | None, n: int) -> tuple[Ints, Ints | None]:
    """Strata and clusters as codes 0, 1, ... such that every cluster lies in one stratum and every stratum holds at
    least two clusters (unless there is only one cluster at all); None for clusters where each instance is its own. See
    `mean_se` for how strata are joined."""
    import numpy as np

    def coded(labels: Any) -> Ints:
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)

    unit = None if clusters is None else coded(np.asarray(clusters))
    group = np.zeros(n, np.int64) if strata is None else coded(np.asarray(strata))
    count = int(group.max()) + 1
    if count > 1:
        owner = group  # of each unit, where each is an instance
        if unit is not None:
            cell = np.unique(group * (int(unit.max()) + 1) + unit)
            owner, member = np.divmod(cell, int(unit.max()) + 1)
            if len(cell) > unit.max() + 1:
                group = coded(_joined(owner, member, count)[group])
                owner = group[np.unique(unit, return_index=True)[1]]
        held = np.bincount(owner)
        lonely = held == 1
        if lonely.any() and len(held) > 1:
            if lonely.sum() == 1:
                lonely[np.where(lonely, n + 1, held).argmin()] = True
            group = coded(np.where(lonely[group], -1, group))
    return group, unit


def _joined(owner: Ints, member: Ints, count: int) -> Ints:
    """For each of `count` strata the connected component it is in, given which stratum holds which cluster."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = count + int(member.max()) + 1
    graph = coo_array((np.ones(len(owner), np.int8), (owner, count + member)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][:count], np.int64)


def _worth(weight: Floats, units: Ints | None) -> tuple[float, float]:
    """How many equally weighted instances and clusters these weights, which sum to one, are worth."""
    import numpy as np

    held = weight if units is None else np.bincount(units, weight)
    return 1.0 / float(np.sum(weight**2)), 1.0 / float(np.sum(held**2))


def _spread(value: float, contribution: Floats, worth: tuple[float, float], groups: Ints, units: Ints | None) -> Spread:
    """The spread of an estimate with these contributions, which are written over."""
    import numpy as np

    total, group = contribution, groups
    if units is not None:
        total = np.bincount(units, contribution).astype(np.float64)
        group = np.empty(len(total), np.int64)
        group[units] = groups  # every unit lies in one group
    size = np.bincount(group)
    count, strata = len(total), len(size)
    total -= _of_each(np.bincount(group, total) / size, group)
    se = None
    if count > 1:
        total *= total
        total *= _of_each(size / (size - 1), group)
        se = math.sqrt(float(np.sum(total)))
    return Spread(value, se, count - strata, len(groups), count, strata, *worth)


def _of_each(column: Floats, codes: Ints) -> Floats:
    """What a column of one value a code has for each row; a single value stays one."""
    return column[codes] if len(column) > 1 else column


def checked(values: ArrayLike) -> Floats:
    """The values as a float array. Raises `DataError` where there are none or one is not finite."""
    import numpy as np

    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise DataError("an estimate needs at least one value; none is left")
    if not np.isfinite(x).all():
        raise DataError(f"value {int(np.flatnonzero(~np.isfinite(x))[0]) + 1} of {len(x)} is not a finite number")
    return x


def is_binary(values: Floats) -> bool:
    """Whether every value is 0 or 1, so that the mean is a proportion of successes."""
    return bool(((values == 0) | (values == 1)).all())


def is_share(values: Floats) -> bool:
    """Whether every value lies in [0, 1], up to rounding."""
    return bool(((values >= -1e-9) & (values <= 1 + 1e-9)).all())


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile: 1.96 for 0.95."""
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)


def t_quantile(level: float, df: float) -> float:
    """The two-sided quantile of Student's t with df degrees of freedom. From `MANY` on it is the normal one and the
    terms up to df^-4 of its expansion (Abramowitz & Stegun 1964, 26.7.5), which leave nothing that a float could hold;
    a large run so does without scipy.special (18 MB, 0.15 s of import)."""
    if df < MANY:
        from scipy.special import stdtrit

        return float(stdtrit(df, (1 + level) / 2))
    x = normal_quantile(level)
    s = x * x
    terms = (
        ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160,
        (((3 * s + 19) * s + 17) * s - 15) / 384,
        ((5 * s + 16) * s + 3) / 96,
        (s + 1) / 4,
    )
    more = 0.0
    for term in terms:
        more = (more + term) / df
    return x + x * more


def t_interval(spread: Spread, level: float = 0.95) -> tuple[float, float]:
    """value ± t_df · SE; unbounded where there is only one independent unit."""
    if spread.se is None:
        return -UNBOUNDED, UNBOUNDED
    half = t_quantile(level, spread.df) * spread.se
    return spread.value - half, spread.value + half


def t_test(spread: Spread) -> float | None:
    """The two-sided p-value of a value of zero; None where there is no spread to judge a difference by."""
    from scipy.special import stdtr

    if not spread.se:
        return 1.0 if spread.se == 0 and spread.value == 0 else None
    return 2 * float(stdtr(spread.df, -abs(spread.value) / spread.se))


def wilson(successes: float, n: float, level: float = 0.95, critical: float | None = None) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, JASA 22). n may be an effective sample size; `critical`
    replaces the normal quantile. Raises `DataError` unless 0 <= successes <= n and n > 0."""
    if not (n > 0 and 0 <= successes <= n):
        raise DataError(f"{successes:g} successes of {n:g} is no proportion")
    z = normal_quantile(level) if critical is None else critical
    p, shift = successes / n, z * z / n
    half = z * math.sqrt(p * (1 - p) / n + shift / (4 * n))
    # The ends are exact at 0 and 1, where rounding could leave p just outside.
    low = 0.0 if p == 0 else (p + shift / 2 - half) / (1 + shift)
    high = 1.0 if p == 1 else (p + shift / 2 + half) / (1 + shift)
    return max(low, 0.0), min(high, 1.0)


def share_interval(spread: Spread, binary: bool, clustered: bool, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for the mean of values in [0, 1], with the effective sample size p(1-p)/SE² (the way of Korn &
    Graubard 1998, Surv. Methodol. 24, for surveys). It lies in [0, 1] and its width is never zero.

    An estimated design effect can be zero by chance (every subject all right or all wrong), so it is mixed with
    `PSEUDO` observations of effect 1 a stratum. Clusters count as at most independent (effect >= 1). At 0 and 1
    nothing tells how alike the instances of a cluster are, so each cluster counts as one observation. The quantile is
    normal for binary values, whose variance follows from p, and t where the variance is estimated.
    """
    p = min(max(spread.value, 0.0), 1.0)
    if p in (0.0, 1.0) or spread.se is None:
        return wilson(p * spread.equal_units, spread.equal_units, level)
    if binary and not clustered and spread.strata == 1:
        return wilson(p * spread.equal_n, spread.equal_n, level)
    effect = spread.se**2 * spread.equal_n / (p * (1 - p))
    if clustered:
        effect = max(effect, 1.0)
    else:
        pseudo = PSEUDO * spread.strata
        effect = (spread.n * effect + pseudo) / (spread.n + pseudo)
    n = spread.equal_n / effect
    critical = normal_quantile(level) if binary and not clustered else t_quantile(level, spread.df)
    return wilson(p * n, n, critical=critical)


def difference_interval(spread: Spread, level: float = 0.95) -> tuple[float, float]:
    """The interval of a mean of paired differences between values in [0, 1]: value and error are taken after adding
    two pseudo-pairs, one in each direction, as Bonett & Price (2012, J. Educ. Behav. Stat. 37) do for two proportions.
    Ten pairs without a flip are thus not an interval of width zero. Lies in [-1, 1]."""
    value, m = spread.value, spread.equal_units
    squares = m**2 * (spread.se or 0.0) ** 2 + 2 + 2 * m * value**2 / (m + 2)
    centre = value * m / (m + 2)
    half = t_quantile(level, max(spread.df, 1)) * math.sqrt(squares) / (m + 2)
    return max(centre - half, -1.0), min(centre + half, 1.0)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value that flips in both directions are equally likely (McNemar 1947, binomial form)."""
    from scipy.special import bdtr

    if min(gained, lost) < 0:
        raise DataError(f"{gained} and {lost} are no counts of flips")
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def jackknife(totals: ArrayLike, statistic: Callable[[Any], Any], strata: ArrayLike | None = None) -> float | None:
    """The standard error of a statistic of totals by leaving out one unit at a time, the others of its stratum standing
    in for it: SE² = Σ_h (n_h - 1)/n_h Σ_i (θ_(hi) - θ)² (JKn; Wolter 2007, Introduction to Variance Estimation, 4.5).
    `totals` and `statistic` are as for `bca`. None where what is left of the total is nothing.
    """
    import numpy as np

    rows = np.asarray(totals, dtype=np.float64)
    groups, _ = nested(strata, None, len(rows))
    held = np.bincount(groups)[groups]
    if held.min() < 2:
        return None
    own = np.stack([np.bincount(groups, column)[groups] for column in rows.T], axis=1)
    left_out = rows.sum(axis=0) + (own / held[:, None] - rows) * (held / (held - 1))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        away = statistic(left_out) - statistic(rows.sum(axis=0))
    return math.sqrt(float(np.sum((held - 1) / held * away**2))) if np.isfinite(away).all() else None


def bca(
    totals: ArrayLike,
    statistic: Callable[[Any], Any],
    strata: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """The bias-corrected and accelerated bootstrap (Efron 1987, JASA 82): low, high and standard error.

    `totals` has a row for each independent unit and a column for each sum the statistic is made of; `statistic` maps
    an array (..., columns) of column sums to the values (...), all resamples at once: a ratio of totals is
    `lambda t: t[..., 0] / t[..., 1]`. Units are drawn within their stratum. The same seed gives the same
    interval. Raises `DataError` with fewer than two units.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    rows = np.asarray(totals, dtype=np.float64)
    if len(rows) < 2:
        raise DataError("a bootstrap needs at least two independent units")
    groups, _ = nested(strata, None, len(rows))
    rng = np.random.default_rng(seed)
    sums = np.zeros((resamples, rows.shape[1]))
    influence = np.empty(len(rows))
    whole = rows.sum(axis=0)
    for group in range(int(groups.max()) + 1):
        mine = np.flatnonzero(groups == group)
        sums += _resampled_sums(rows[mine], resamples, rng)
        left_out = statistic(whole - rows[mine])
        influence[mine] = left_out.mean() - left_out
    point, values = float(statistic(whole)), statistic(sums)
    below = (np.count_nonzero(values < point) + 0.5 * np.count_nonzero(values == point)) / resamples
    bias = ndtri(min(max(below, 1 / (resamples + 1)), resamples / (resamples + 1)))
    acceleration = skewness(influence) / 6
    ends = ndtri([(1 - level) / 2, (1 + level) / 2]) + bias
    low, high = np.quantile(values, ndtr(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high), float(values.std(ddof=1))


def skewness(influence: Floats) -> float:
    """Σl³ / (Σl²)^1.5, six times the acceleration of the BCa bootstrap for jackknife influence values l."""
    squares = float((influence**2).sum())
    return float((influence**3).sum()) / squares**1.5 if squares > 0 else 0.0


def _resampled_sums(rows: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Column sums of samples drawn with replacement, (resamples, columns); a block at a time to bound memory."""
    import numpy as np

    sums = np.empty((resamples, rows.shape[1]))
    block = max(1, 1_000_000 // len(rows))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn = rng.integers(len(rows), size=(stop - start, len(rows)))
        for column in range(rows.shape[1]):
            sums[start:stop, column] = rows[:, column][drawn].sum(axis=1)
    return sums
