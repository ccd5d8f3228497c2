"""Win rates at equal length: what a judge would prefer if the two answers were as long as each other.

AlpacaEval 2's length-controlled win rate (Dubois et al. 2024, https://arxiv.org/abs/2404.04475). For one model, y in
[0, 1] being how far the judge prefers it on each instruction,

    logit E[y] = b1 tanh((l0 - l)/s) + b2 d + b3

with l0 and l the lengths of the baseline's and the model's answer in characters, s the standard deviation of their
difference, and d a fixed difficulty of the instruction, which the authors fitted once over many models. The win rate is
the mean of the predictions with the term of length left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret.base import Estimates

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats, Ints
    from howgood.interpret.table import Table

GRID = tuple(10 ** (-4 + 8 * k / 9) for k in range(10))
"""The inverse penalties that upstream chooses among."""
FOLDS = 5
STEPS = 100
TOLERANCE = 1e-10
RIDGE = 1e-4
"""The penalty on the squares of coefficients: it moves AlpacaEval's rates by less than 0.001 points."""


class Anchors(NamedTuple):
    """Rows of other answers to the baseline's judge that hold the slope of length where a model's own lengths say
    little of it: `preference` in [0, 1], `lengths` as standardised difference, `difficulty`; `weight` of each row.
    They have no intercept: they are the baseline itself, asked to be short or long."""

    preference: Floats
    lengths: Floats
    difficulty: Floats
    weight: float = 0.1


class Controlled(NamedTuple):
    """A length-controlled win rate, its standard error, and the coefficients of length, difficulty and intercept."""

    value: float
    se: float
    coefficients: Floats


def controlled(
    preference: Floats, length: Floats, baseline_length: Floats, difficulty: Floats, anchors: Anchors | None = None
) -> Controlled:
    """The length-controlled win rate from one value an instruction each: `preference` in [0, 1], both lengths in
    characters, and the difficulty (all zeros where it is not known). The coefficients are those of greatest likelihood,
    without a penalty (the authors choose an L1 penalty by cross-validation, which moves the win rate by at most 0.15
    points and depends on the machine: see `compat`).

    The error is the delta method's with the sandwich variance of the coefficients, and the sampling of the
    instructions: sqrt(g' V g + var(prediction)/n). Raises `DataError` for fewer than three instructions, or lengths
    that are all alike.
    """
    import numpy as np
    from scipy.special import expit

    n = len(preference)
    difference = baseline_length - length
    spread = float(difference.std(ddof=1)) if n > 2 else 0.0
    if n < 3 or not spread > 0:
        raise DataError("a length-controlled win rate takes three instructions or more with answers of several lengths")
    own = np.column_stack([np.tanh(difference / spread), difficulty, np.ones(n)])
    x, y, weight = own, preference, np.ones(n)
    if anchors is not None:
        m = len(anchors.preference)
        x = np.vstack([x, np.column_stack([np.tanh(anchors.lengths), anchors.difficulty, np.zeros(m)])])
        y = np.concatenate([y, anchors.preference])
        weight = np.concatenate([weight, np.full(m, anchors.weight)])
    used = np.array([True, bool(np.any(x[:, 1])), True])  # without difficulties there is no slope of them
    beta, bread = logistic(x[:, used], y, weight)
    coefficients = np.zeros(3)
    coefficients[used] = beta
    predicted = expit(own[:, 1:] @ coefficients[1:])
    residual = weight * (y - expit(x @ coefficients))
    scores = x[:, used] * residual[:, None]
    variance = bread @ (scores.T @ scores) @ bread
    slope = own * (predicted * (1 - predicted))[:, None]
    slope[:, 0] = 0.0
    gradient = slope[:, used].mean(axis=0)
    se = math.sqrt(float(gradient @ variance @ gradient) + float(predicted.var(ddof=1)) / n)
    return Controlled(float(predicted.mean()), se, coefficients)


def logistic(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The coefficients of a weighted logistic regression of y in [0, 1] on the columns of x, by Newton's method with
    halved steps, and the inverse of the Hessian there; `RIDGE` keeps them finite where all y are 0 or 1. Raises
    `DataError` where it does not converge."""
    import numpy as np
    from scipy.special import expit, xlogy

    ridge = RIDGE * np.eye(x.shape[1])

    def loss(beta: Floats) -> float:
        p = np.clip(expit(x @ beta), 1e-300, 1 - 1e-16)
        return float(-(weight * (xlogy(y, p) + xlogy(1 - y, 1 - p))).sum() + beta @ ridge @ beta / 2)

    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = expit(x @ beta)
        gradient = x.T @ (weight * (p - y)) + ridge @ beta
        hessian = x.T @ (x * (weight * p * (1 - p))[:, None]) + ridge
        step = np.linalg.solve(hessian, gradient)
        if float(np.abs(step).max()) < TOLERANCE:
            return beta, np.linalg.inv(hessian)
        size, now = 1.0, loss(beta)
        while loss(beta - size * step) > now + 1e-9 and size > 1e-6:
            size /= 2
        beta = beta - size * step
    raise DataError("the regression on length did not converge; look at the preferences and lengths")


def upstream(
    preference: Floats,
    length: Floats,
    baseline_length: Floats,
    difficulty: Floats,
    anchors: Anchors,
    c: float | None = None,
) -> Controlled:
    """As AlpacaEval's own code computes it (alpaca_eval, `glm_winrate`): an L1 penalty, the difficulty joined by place
    in the file (give it so), and as error the spread of the predictions alone, which is two to six times too small.
    `c` is scikit-learn's inverse penalty; None chooses it by five folds, as upstream does. Needs scikit-learn."""
    import numpy as np
    from scipy.special import expit

    difference = baseline_length - length
    own = np.column_stack([np.tanh(difference / difference.std(ddof=1)), difficulty, np.ones(len(preference))])
    held = np.column_stack([np.tanh(anchors.lengths), anchors.difficulty, np.zeros(len(anchors.preference))])
    x, y = np.vstack([own, held]), np.concatenate([preference, anchors.preference])
    weight = np.concatenate([np.ones(len(own)), np.full(len(held), anchors.weight)])
    everything = np.arange(len(y))
    if c is None:
        c = min(GRID, key=lambda c: sum(_out_of_fold(x, y, weight, c)))
    coefficients = _penalised(x, y, weight, everything, c)
    predicted = expit(own[:, 1:] @ coefficients[1:])
    return Controlled(float(predicted.mean()), float(predicted.std(ddof=1) / math.sqrt(len(predicted))), coefficients)


def _penalised(x: Floats, y: Floats, weight: Floats, rows: Ints, c: float) -> Floats:
    """The coefficients of an L1-penalised logistic regression; each row stands twice, as a win and as a loss, weighted
    by how much of either it is."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    labels = np.repeat([1, 0], len(rows))
    shares = np.concatenate([weight[rows] * y[rows], weight[rows] * (1 - y[rows])])
    model = LogisticRegression(C=c, l1_ratio=1.0, solver="liblinear", fit_intercept=False, random_state=123)
    model.fit(np.vstack([x[rows], x[rows]]), labels, sample_weight=shares)
    found: Floats = model.coef_[0].astype(float)
    return found


def _out_of_fold(x: Floats, y: Floats, weight: Floats, c: float) -> list[float]:
    """The weighted log loss of each of five folds, by a fit on the other four."""
    import numpy as np
    from scipy.special import expit, xlogy

    losses = []
    for fold in range(FOLDS):
        out = np.arange(len(y)) % FOLDS == fold
        p = np.clip(expit(x[out] @ _penalised(x, y, weight, np.flatnonzero(~out), c)), 1e-15, 1 - 1e-15)
        losses.append(float(-(weight[out] * (xlogy(y[out], p) + xlogy(1 - y[out], 1 - p))).mean()))
    return losses


@dataclass(frozen=True)
class LengthControlled:
    """The length-controlled win rate of the scores `preference`, `length`, `baseline_length` and (where there is one)
    `difficulty`. `anchors` are those of the baseline, by AlpacaEval's judge, whoever judges here. With `as_upstream`,
    which takes anchors, it is computed as AlpacaEval's code does (see `upstream`). Empty where three instructions or
    more are not there, or all lengths are alike."""

    anchors: Anchors | None = None
    as_upstream: bool = False

    def __call__(self, table: Table) -> Estimates:
        import numpy as np

        from howgood.interpret import statistics

        preference, ours, theirs = (table.score(name) for name in ("preference", "length", "baseline_length"))
        difficulty = table.score("difficulty") if "difficulty" in table.scores else np.zeros(len(ours))
        missing, n = table.instances.missing.total(), len(preference)
        if n < 3 or not np.ptp(theirs - ours) > 0:
            return [], []
        if self.as_upstream and self.anchors is not None:
            found = upstream(preference, ours, theirs, difficulty, self.anchors)
            how = "L1-penalised logistic regression on length, as upstream; its error is too small, Wilson"
        else:
            found = controlled(preference, ours, theirs, difficulty, self.anchors)
            how = "logistic regression on length, delta method with a sandwich, Wilson"
        # As of any share: inside [0, 1], and never of no width. Where all were won, or none, the regression comes as
        # near to 1 or 0 as its penalty lets it, and its error says nothing.
        plain = float(preference.mean())
        middle = plain if plain in (0.0, 1.0) else found.value
        spread = statistics.Spread(middle, found.se, n - 1, n, n, 1, n, n)
        low, high = statistics.share_interval(spread, binary=False, clustered=False)
        rate = Estimate(
            "length_controlled_win_rate", found.value, found.se, low, high, n, how, missing=missing, percent=True
        )
        return [rate], []

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "length_controlled",
            "score": "preference",
            "anchors": 0 if self.anchors is None else len(self.anchors.preference),
            "compat": "upstream" if self.as_upstream and self.anchors is not None else "none",
        }
