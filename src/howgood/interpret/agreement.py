"""Do raters agree, beyond what chance would do? Each with an interval from a bootstrap over the items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from howgood.core.errors import DataError
from howgood.core.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats

Scale = Literal["nominal", "ordinal", "interval"]
RESAMPLES = 2_000
BLOCK = 4_000_000
"""Cells of the largest array of a bootstrap."""
MOST_VALUES = 100
"""Different values of an ordinal scale: with more, look at it as an interval scale."""


def cohen(
    first: Sequence[Any],
    second: Sequence[Any],
    weights: Literal["linear", "quadratic"] | None = None,
    scale: Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Cohen's kappa of two raters of the same items, (p_o - p_e)/(1 - p_e) (1960, Educ. Psychol. Meas. 20). With
    `weights` disagreements count by how many steps of the `scale` (default: the sorted values) they are apart, or by
    the square of that (1968, Psychol. Bull. 70). Raises `DataError` where the raters use one value only, so that chance
    alone agrees always."""
    import numpy as np

    if len(first) != len(second) or not len(first):
        raise DataError(f"kappa is of two ratings of each item, and these are {len(first)} and {len(second)}")
    values = list(scale) if scale is not None else sorted({*first, *second})
    place = {value: code for code, value in enumerate(values)}
    try:
        codes = np.array([place[x] * len(values) + place[y] for x, y in zip(first, second, strict=True)])
    except KeyError as error:
        raise DataError(f"{error.args[0]!r} is no value of the scale") from None
    table = np.bincount(codes, minlength=len(values) ** 2).reshape(len(values), len(values))
    return cohen_of_counts(table, weights, level, seed)


def cohen_of_counts(
    counts: ArrayLike, weights: Literal["linear", "quadratic"] | None = None, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Cohen's kappa from how many items got each pair of values, (k, k): the first rater's in rows, the second's in
    columns, in the order of the scale."""
    import numpy as np

    table = np.asarray(counts, float)
    size, n = len(table), int(table.sum())
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
    cost = steps**2 if weights == "quadratic" else steps if weights == "linear" else (steps > 0).astype(float)

    def kappa(tables: Floats) -> Floats:
        p = tables.reshape(*tables.shape[:-1], size, size) / n
        chance = p.sum(axis=-1)[..., :, None] * p.sum(axis=-2)[..., None, :]
        seen, expected = (p * cost).sum(axis=(-1, -2)), (chance * cost).sum(axis=(-1, -2))
        return _beyond_chance(seen, expected)

    flat = table.ravel()
    value = float(kappa(flat[None])[0])
    if np.isnan(value):
        raise DataError("both raters give every item the same value, so agreement beyond chance cannot be told")
    drawn = np.random.default_rng(seed).multinomial(n, flat / n, RESAMPLES)
    name = f"kappa ({weights})" if weights else "kappa"
    return _estimate(name, value, kappa(drawn.astype(float)), n, "Cohen", level)


def krippendorff(
    units: ArrayLike, values: ArrayLike, scale: Scale = "nominal", interval: float = 0.95, seed: int = 0
) -> Estimate:
    """Krippendorff's alpha, 1 - D_o/D_e (2011, Computing Krippendorff's alpha-reliability), of any number of raters,
    each of whom may have left out any unit. One entry a rating: which unit (codes) and the value (numbers, in order for
    the ordinal and of equal steps for the interval scale). Units rated once do not count.

    Raises `DataError` where no unit is rated twice, or all ratings are one value."""
    import numpy as np

    unit, value = np.asarray(units), np.asarray(values, float)
    if len(unit) != len(value):
        raise DataError(f"{len(unit)} units and {len(value)} values are no ratings; each rating has both")
    if not np.isfinite(value).all():
        raise DataError("a rating is not a finite number; leave out what was not rated")
    _, row, number = np.unique(unit, return_inverse=True, return_counts=True)
    paired = number[row] > 1
    if not paired.any():
        raise DataError("no unit is rated twice, so agreement cannot be told")
    _, row = np.unique(row[paired], return_inverse=True)
    sums, alpha = _disagreements(row, value[paired], scale)
    found = float(alpha(sums.sum(axis=0)[None])[0])
    if np.isnan(found):
        raise DataError("all ratings are one value, so agreement beyond chance cannot be told")
    rng, n = np.random.default_rng(seed), len(sums)
    block = max(1, BLOCK // n)
    drawn = [
        alpha(rng.multinomial(n, np.full(n, 1 / n), min(block, RESAMPLES - start)).astype(float) @ sums)
        for start in range(0, RESAMPLES, block)
    ]
    return _estimate("alpha", found, np.concatenate(drawn), n, f"Krippendorff, {scale}", interval)


def _disagreements(row: Any, value: Floats, scale: Scale) -> tuple[Floats, Callable[[Floats], Floats]]:
    """For each unit the sums that alpha is made of, and alpha of their totals (..., sums)."""
    import numpy as np

    size = np.bincount(row).astype(float)
    if scale == "interval":
        x = value - value.mean()
        total, squares = np.bincount(row, x), np.bincount(row, x**2)
        seen = 2 * (size * squares - total**2) / (size - 1)

        def of_numbers(sums: Floats) -> Floats:
            seen, n, total, squares = np.moveaxis(sums, -1, 0)
            return _beyond_chance(seen / n, 2 * (n * squares - total**2) / (n * (n - 1)))

        return np.stack([seen, size, total, squares], axis=1), of_numbers
    levels, code = np.unique(value, return_inverse=True)
    width = len(levels)
    if scale == "ordinal" and width > MOST_VALUES:
        raise DataError(f"an ordinal scale of {width:,} values is more than {MOST_VALUES}; take it as interval")
    counts = np.bincount(row * width + code, minlength=len(size) * width).reshape(-1, width).astype(float)
    if scale == "nominal":
        seen = (size**2 - (counts**2).sum(axis=1)) / (size - 1)

        def of_names(sums: Floats) -> Floats:
            n_values = sums[..., 1:]
            n = n_values.sum(axis=-1)
            return _beyond_chance(sums[..., 0] / n, (n**2 - (n_values**2).sum(axis=-1)) / (n * (n - 1)))

        return np.column_stack([seen, counts]), of_names
    pairs = counts[:, :, None] * counts[:, None, :] / (size - 1)[:, None, None]

    def of_order(sums: Floats) -> Floats:
        n_values = sums[..., :width]
        seen = sums[..., width:].reshape(*sums.shape[:-1], width, width)
        below = np.cumsum(n_values, axis=-1) - n_values / 2
        distance = (below[..., :, None] - below[..., None, :]) ** 2
        n = n_values.sum(axis=-1)
        chance = n_values[..., :, None] * n_values[..., None, :]
        expected = (chance * distance).sum(axis=(-1, -2)) / (n * (n - 1))
        return _beyond_chance((seen * distance).sum(axis=(-1, -2)) / n, expected)

    return np.column_stack([counts, pairs.reshape(len(size), -1)]), of_order


def _beyond_chance(seen: Floats, expected: Floats) -> Floats:
    import numpy as np

    # A resample that holds one value only agrees in everything, and says nothing.
    ratio = np.divide(seen, expected, out=np.full(np.shape(seen), np.nan), where=expected > 1e-12)
    return np.asarray(1 - ratio, np.float64)


def _estimate(name: str, value: float, drawn: Floats, n: int, method: str, level: float) -> Estimate:
    import numpy as np

    told = drawn[np.isfinite(drawn)]
    if len(told) < 2 or n < 2:
        return Estimate(name, value, None, -1.0, 1.0, n, f"{method}, no interval from so few", level)
    low, high = np.quantile(told, [(1 - level) / 2, (1 + level) / 2])
    method = f"{method}, bootstrap over items"
    return Estimate(
        name, value, float(told.std(ddof=1)), min(float(low), value), max(float(high), value), n, method, level
    )
