"""Task ladders: from the size of a model to its loss on a task, and from that loss to its accuracy.

Bhagia et al., https://arxiv.org/abs/2412.04403: step 1 is L(N, D) = A/N^alpha + B/D^beta + E, step 2 the accuracy
a/(1 + exp(-k (L - L0))) + b.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret.fit import Fit, columns_of, inverse, t_estimate
from howgood.interpret.scaling import LossLaw, chinchilla

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats, Ints

LAST, SKIPPED = 5, 0.1
"""Checkpoints that are averaged, and the share of a run's first ones that step 2 leaves out."""


class Forecast(NamedTuple):
    """What a ladder says of a run: its loss and accuracy, and what to know before believing it."""

    loss: Estimate
    accuracy: Estimate
    warnings: list[str]


@dataclass(frozen=True, eq=False)
class Ladder:
    """The two steps of a task ladder: from size to loss, and from loss to accuracy, fitted on losses from `lowest` to
    `highest`."""

    step1: LossLaw
    step2: Fit
    lowest: float
    highest: float

    def predict(self, n: float, d: float) -> Forecast:
        """The loss and the accuracy of one new run. The errors of the two steps are taken as independent: the
        accuracy's variance is that of step 2, plus its slope squared times the variance of the loss."""
        loss = self.step1.predict(n, d)
        p, at = self.step2.values, loss.value
        value, variance = self.step2.delta(lambda q: _sigmoid(at, q))
        rise = (_sigmoid(at * (1 + 1e-6), p) - _sigmoid(at * (1 - 1e-6), p)) / (2e-6 * at)
        se = math.sqrt(variance + self.step2.noise**2 + (rise * (loss.se or 0.0)) ** 2)
        df = min(self.step1.fit.df, self.step2.df)
        made = t_estimate("accuracy", value, se, df, self.step2.n, "ladder, two steps", log=False, share=True)
        return Forecast(loss, made, self._warnings(loss))

    def _warnings(self, loss: Estimate) -> list[str]:
        fitted = f"the losses it was fitted on, {self.lowest:.4g} to {self.highest:.4g}"
        if not self.lowest <= loss.value <= self.highest:
            return [f"step 2 extrapolates: the predicted loss {loss.value:.4g} is outside of {fitted}"]
        return []


def ladder(
    n: ArrayLike, d: ArrayLike, loss: ArrayLike, accuracy: ArrayLike, run: Sequence[object] | None = None
) -> Ladder:
    """The task ladder of runs' checkpoints: parameters, tokens, loss on the task and accuracy of each, in the order of
    training; `run` says which run each belongs to (None: each is the last of its own).

    As published: step 1 is the law of `chinchilla` for each run's mean loss over its last five checkpoints; step 2
    leaves out the first tenth of a run, takes moving means of five, adds the ideal point (0, 1) and fits least squares
    with -1 <= a <= 0, L0 >= 0, k >= 0 and 0 <= b <= 1. The checkpoints of a run are not independent, so the covariance
    of step 2 is clustered by run (CR1, Liang & Zeger 1986). Raises `DataError` as `chinchilla` does, for an accuracy
    outside of [0, 1], and where it does not change with the loss.
    """
    import numpy as np

    columns = columns_of(n=n, d=d, loss=loss)
    right = np.asarray(accuracy, float)
    if right.shape != columns["n"].shape or not ((right >= 0) & (right <= 1)).all():
        raise DataError("accuracies are one a checkpoint, from 0 to 1; write 65 % as 0.65")
    labels = range(len(right)) if run is None else run
    rows: dict[object, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    if len(labels) != len(right):
        raise DataError(f"there are {len(right)} checkpoints but {len(labels)} names of runs")
    last = [own[-1] for own in rows.values()]
    means = [float(np.mean(columns["loss"][own[-LAST:]])) for own in rows.values()]
    law = chinchilla(columns["n"][last], columns["d"][last], means)
    xs, ys, codes = [], [], []
    for code, own in enumerate(rows.values()):
        kept = own[min(math.ceil(SKIPPED * len(own)), len(own) - 1) :]
        xs.append(_moving_mean(columns["loss"][kept]))
        ys.append(_moving_mean(right[kept]))
        codes.append(np.full(len(kept), code))
    x, y = np.concatenate(xs), np.concatenate(ys)
    return Ladder(law, _accuracy_fit(x, y, np.concatenate(codes)), float(x.min()), float(x.max()))


def _accuracy_fit(x: Floats, y: Floats, runs: Ints) -> Fit:
    """Step 2 of a ladder: the sigmoid through the points and the ideal point (0, 1)."""
    import numpy as np
    from scipy.optimize import least_squares

    if float(np.sum((x - x.mean()) * y)) >= 0:
        raise DataError("the accuracy does not rise as the loss falls, so it cannot be predicted from the loss")
    points, wanted = np.append(x, 0.0), np.append(y, 1.0)
    bounds = (np.array([-1.0, 0.0, 0.0, 0.0]), np.array([0.0, np.inf, np.inf, 1.0]))
    middle = float(np.median(x))
    starts = [(-0.75, 0.9, 3.0, 1.0), (-0.75, middle, 3.0 / middle, 1.0), (-0.5, middle, 12.0 / middle, 0.9)]
    found = [
        least_squares(
            lambda p: _sigmoid(points, p) - wanted,
            start,
            lambda p: _sigmoid_slopes(points, p),
            bounds=bounds,
            xtol=1e-12,
            ftol=1e-14,
            gtol=1e-12,
            max_nfev=10_000,
        )
        for start in starts
    ]
    best = min(found, key=lambda one: float(one.cost))
    slopes, residuals = _sigmoid_slopes(points, best.x), best.fun
    count, freedom = int(runs.max()) + 1, len(points) - 4
    bread = inverse(slopes)
    scores = slopes[:-1] * residuals[:-1, None]  # the ideal point belongs to no run and adds no spread
    meat = np.array([np.bincount(runs, column) for column in scores.T])
    factor = count / (count - 1) * len(points) / freedom
    covariance = factor * bread @ (meat @ meat.T) @ bread
    noise = math.sqrt(float(residuals @ residuals) / freedom)
    names = ("a", "L0", "k", "b")
    return Fit(names, best.x, covariance, noise, max(count - 4, 1), count, "least squares, clustered by run")


def _sigmoid(x: Any, p: Any) -> Any:
    from scipy.special import expit

    return p[0] * expit(p[2] * (x - p[1])) + p[3]


def _sigmoid_slopes(x: Floats, p: Any) -> Floats:
    import numpy as np
    from scipy.special import expit

    up = expit(p[2] * (x - p[1]))
    bend = p[0] * up * (1 - up)
    return np.column_stack([up, -p[2] * bend, (x - p[1]) * bend, np.ones(len(x))])


def _moving_mean(values: Floats) -> Floats:
    """Each value's mean with the four before it, as far as there are any."""
    import numpy as np

    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - LAST, 0)
    return np.asarray((total[end] - total[start]) / (end - start), np.float64)
