"""Scaling laws: what a larger model would reach, from smaller ones of its family.

- `power`: y = A x^alpha;
- `chinchilla`: L(N, D) = A/N^alpha + B/D^beta + E for N parameters and D training tokens, and what a compute budget is
  best spent on (approach 3 of Hoffmann et al., https://arxiv.org/abs/2203.15556).

Every prediction has the interval in which one new run of that size falls. It holds the error of the fit (delta method)
and the spread of runs about the law, but not that of the law itself, which may end where nobody has looked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret.fit import Fit, above_zero, columns_of, inverse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats

DELTA = 1e-3
"""Where Huber's loss of log losses turns from squares to distances, in both papers."""
STARTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2)
FLOPS = 6
"""Floating point operations a parameter and token take: C = 6 N D (Kaplan et al., arXiv:2001.08361)."""


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """y = A x^alpha, fitted by least squares on logarithms."""

    fit: Fit

    def predict(self, x: float) -> Estimate:
        """y of one new point at x; its interval is exact where log y is normal about the law."""
        at = math.log(above_zero("x", x))
        return self.fit.estimate("y", lambda p: p[0] + p[1] * at, log=True, noise=self.fit.noise)


def power(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """The power law through points. Raises `DataError` for fewer than three points or values that are not above 0."""
    import numpy as np

    columns = columns_of(x=x, y=y)
    log_x, log_y = np.log(columns["x"]), np.log(columns["y"])
    if len(log_x) < 3 or len(set(log_x)) < 2:
        raise DataError(f"a power law needs three points at two values of x or more; there are {len(log_x)}")
    design = np.column_stack([np.ones(len(log_x)), log_x])
    values = np.linalg.lstsq(design, log_y, rcond=None)[0]
    df = len(log_x) - 2
    noise = math.sqrt(float(np.sum((log_y - design @ values) ** 2)) / df)
    covariance = noise**2 * inverse(design)
    return PowerLaw(Fit(("log A", "alpha"), values, covariance, noise, df, len(log_x), "least squares on logarithms"))


class Allocation(NamedTuple):
    """What a compute budget is best spent on: parameters, tokens, and the loss they give."""

    n: Estimate
    d: Estimate
    loss: Estimate


@dataclass(frozen=True, eq=False)
class LossLaw:
    """L(N, D) = A/N^alpha + B/D^beta + E."""

    fit: Fit

    def predict(self, n: float, d: float) -> Estimate:
        """The loss of one new run."""
        sizes = above_zero("n", n), above_zero("d", d)
        return self.fit.estimate("loss", lambda p: math.log(_loss(p, *sizes)), log=True, noise=self.fit.noise)

    @property
    def exponents(self) -> tuple[Estimate, Estimate]:
        """How the best N and D grow with compute C: N ~ C^a, D ~ C^b with a = beta/(alpha + beta) and b = 1 - a."""
        a = self.fit.estimate("a", lambda p: p[3] / (p[2] + p[3]), log=False)
        b = self.fit.estimate("b", lambda p: p[2] / (p[2] + p[3]), log=False)
        return a, b

    def optimal(self, compute: float) -> Allocation:
        """The N and D of least loss with 6 N D = `compute` floating point operations (Hoffmann et al., eq. 4):
        N = G (C/6)^a with G = (alpha A / (beta B))^(1/(alpha + beta)), and D = (C/6)/N."""
        budget = math.log(above_zero("compute", compute) / FLOPS)

        def log_n(p: Any) -> Any:
            g = math.log(p[2] / p[3]) + p[0] - p[1]
            return (g + p[3] * budget) / (p[2] + p[3])

        def log_loss(p: Any) -> Any:
            return math.log(_loss(p, math.exp(log_n(p)), math.exp(budget - log_n(p))))

        return Allocation(
            self.fit.estimate("n", log_n, log=True),
            self.fit.estimate("d", lambda p: budget - log_n(p), log=True),
            self.fit.estimate("loss", log_loss, log=True, noise=self.fit.noise),
        )


def chinchilla(n: ArrayLike, d: ArrayLike, loss: ArrayLike) -> LossLaw:
    """The law of the losses of runs with N parameters on D tokens, by Huber's loss of log L with delta 1e-3, E >= 0 and
    exponents >= 0.

    The best of several starts is taken (least squares for A, B and E on a grid of exponents). The covariance is that of
    Huber's estimator when log L is normal about the law (see `inflation`). Raises `DataError` for fewer than six runs,
    fewer than three sizes or token counts, values that are not above 0, and a loss that the law does not describe.
    """
    import numpy as np

    columns = columns_of(n=n, d=d, loss=loss)
    sizes, tokens, losses = columns.values()
    if len(losses) < 6 or min(len(set(sizes)), len(set(tokens))) < 3:
        raise DataError(
            f"the law has five parameters: it needs six runs with three different n and d; there are {len(losses)} "
            f"with {len(set(sizes))} and {len(set(tokens))}"
        )
    values = _huber(sizes, tokens, np.log(losses))
    share_n, share_d = np.exp(values[0]) * sizes ** -values[2], np.exp(values[1]) * tokens ** -values[3]
    whole = share_n + share_d + values[4]
    slopes = [share_n, share_d, -share_n * np.log(sizes), -share_d * np.log(tokens), np.ones(len(losses))]
    df = len(losses) - 5
    noise = math.sqrt(float(np.sum(np.log(whole / losses) ** 2)) / df)
    covariance = noise**2 * inflation(noise) * inverse((np.array(slopes) / whole).T)
    names = ("log A", "log B", "alpha", "beta", "E")
    return LossLaw(Fit(names, values, covariance, noise, df, len(losses), "Huber on log loss"))


def inflation(noise: float, delta: float = DELTA) -> float:
    """How much larger the variance of Huber's estimator is than that of least squares where errors are normal with
    standard deviation `noise`: E psi² / (E psi')² (Huber 1981, Robust Statistics, 4.5), from 1 for a small `noise` to
    pi/2, that of least distances, for a large one."""
    from scipy.special import ndtr

    if noise == 0 or delta / noise > 30:
        return 1.0
    c = delta / noise
    inside, density = 2 * float(ndtr(c)) - 1, math.exp(-(c**2) / 2) / math.sqrt(2 * math.pi)
    # The second moment of the clipped error; its leading terms cancel for small c, where the series is exact enough.
    moment = inside - 2 * c * density + c**2 * (1 - inside) if c > 1e-3 else c**2 * (1 - inside)
    return moment / inside**2


def _loss(p: Any, n: float, d: float) -> float:
    return math.exp(p[0] - p[2] * math.log(n)) + math.exp(p[1] - p[3] * math.log(d)) + float(p[4])


def _huber(sizes: Floats, tokens: Floats, log_loss: Floats) -> Floats:
    """The parameters (log A, log B, alpha, beta, E) of least Huber loss. They are sought about the middle of the data,
    as (log A/N0^alpha, log B/D0^beta, ...), where they are least entangled."""
    import numpy as np
    from scipy.optimize import minimize, nnls

    log_n, log_d = np.log(sizes), np.log(tokens)
    middle_n, middle_d = float(log_n.mean()), float(log_d.mean())
    u, v = log_n - middle_n, log_d - middle_d

    def objective(p: Any) -> tuple[float, Floats]:
        share_n, share_d = np.exp(np.clip(p[0] - p[2] * u, -200, 200)), np.exp(np.clip(p[1] - p[3] * v, -200, 200))
        whole = share_n + share_d + p[4]
        error = np.log(whole) - log_loss
        size = np.abs(error)
        value = np.where(size < DELTA, error**2 / (2 * DELTA), size - DELTA / 2).sum()
        pull = np.clip(error / DELTA, -1, 1) / whole
        slopes = (pull * share_n, pull * share_d, -pull * share_n * u, -pull * share_d * v, pull)
        return float(value), np.array([slope.sum() for slope in slopes])

    starts = []
    for alpha in STARTS:
        for beta in STARTS:
            shares = np.column_stack([np.exp(-alpha * u), np.exp(-beta * v), np.ones(len(u))])
            a, b, e = nnls(shares * np.exp(-log_loss)[:, None], np.ones(len(u)))[0]
            starts.append(np.array([math.log(max(a, 1e-6)), math.log(max(b, 1e-6)), alpha, beta, e]))
    starts.sort(key=lambda p: objective(p)[0])
    bounds = [(None, None), (None, None), (0, None), (0, None), (0, None)]
    tight = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 20_000, "maxfun": 40_000}
    found = [minimize(objective, p, jac=True, method="L-BFGS-B", bounds=bounds, options=tight) for p in starts[:4]]
    p = min(found, key=lambda one: float(one.fun)).x
    return np.array([p[0] + p[2] * middle_n, p[1] + p[3] * middle_d, *p[2:]])
