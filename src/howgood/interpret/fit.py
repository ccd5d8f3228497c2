"""A law fitted to points: its parameters with their covariance, and what follows from them with its error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret.statistics import t_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats


@dataclass(frozen=True, eq=False)
class Fit:
    """A law's parameters with their covariance.

    `noise` is the spread (standard deviation) of a run about the law, on the scale of the fit, `df` its degrees of
    freedom, `n` the runs. The covariance is that of parameters that could move both ways, also where one stands at the
    end of its range: to take that one for known would make the errors of the others too small.
    """

    names: tuple[str, ...]
    values: Floats
    covariance: Floats
    noise: float
    df: int
    n: int
    method: str

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.names.index(name)])

    @property
    def parameters(self) -> list[Estimate]:
        """Each parameter with its t interval."""
        return [self.estimate(name, lambda p, at=at: p[at], log=False) for at, name in enumerate(self.names)]  # type: ignore[misc]

    def estimate(self, name: str, of: Callable[[Any], Any], *, log: bool, noise: float = 0.0) -> Estimate:
        """What a function of the parameters is, by the delta method: its gradient g (central differences) gives the
        variance g'Vg, to which that of `noise` is added. `log` says that `of` gives the logarithm of what is told."""
        value, variance = self.delta(of)
        se = math.sqrt(variance + noise**2)
        return t_estimate(name, value, se, self.df, self.n, self.method, log)

    def delta(self, of: Callable[[Any], Any]) -> tuple[float, float]:
        """The value of a function of the parameters and its variance from the fit."""
        import numpy as np

        gradient = np.zeros(len(self.values))
        for at, value in enumerate(self.values):
            step = np.zeros(len(self.values))
            step[at] = 1e-5 * max(abs(value), 1e-2)
            gradient[at] = (of(self.values + step) - of(self.values - step)) / (2 * step[at])
        return float(of(self.values)), float(gradient @ self.covariance @ gradient)


def inverse(design: Floats) -> Floats:
    """(X'X)^-1, from columns of one length. Raises `DataError` where they do not tell the parameters apart."""
    import numpy as np

    length = np.linalg.norm(design, axis=0)
    scaled = design / np.where(length > 0, length, 1)
    if not (length > 0).all() or np.linalg.cond(scaled) > 1e7:
        raise DataError("the points do not tell the law's parameters apart; add runs of other sizes and lengths")
    return np.asarray(np.linalg.inv(scaled.T @ scaled) / np.outer(length, length), np.float64)


def t_estimate(
    name: str, value: float, se: float, df: int, n: int, method: str, log: bool, share: bool = False
) -> Estimate:
    """A value with its t interval; of a logarithm the exponential is told, of a share the ends are kept in [0, 1]."""
    half = t_quantile(0.95, df) * se
    low, high = value - half, value + half
    if log:
        value, low, high = (math.exp(min(x, 700.0)) for x in (value, low, high))
        se *= value
    elif share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Estimate(name, value, se, low, high, n, f"{method}, delta method, t", percent=share)


def columns_of(**columns: ArrayLike) -> dict[str, Floats]:
    """Columns of one length with finite values above 0. Raises `DataError`, naming the first that is not."""
    import numpy as np

    arrays = {name: np.asarray(values, float) for name, values in columns.items()}
    lengths = {len(values) for values in arrays.values()}
    if len(lengths) > 1:
        raise DataError(f"{', '.join(arrays)} must be equally long; they have {sorted(lengths)} values")
    for name, values in arrays.items():
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            raise DataError(f"{name} of point {bad[0] + 1} is {values[bad[0]]:g}; it must be a number above 0")
    return arrays


def above_zero(name: str, value: float) -> float:
    return float(columns_of(**{name: [value]})[name][0])
