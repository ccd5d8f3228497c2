"""Item response theory: how hard each question is, how able each system, and a whole benchmark from part of it.

The model is the two-parameter logistic (Birnbaum 1968): a system of ability θ answers question i right with probability
1/(1 + exp(-a_i (θ - b_i))); with one parameter all a_i are alike (Rasch 1960). Abilities are normal with mean 0 and
variance 1 over the systems it was fitted to.

What is said of a whole benchmark does **not** rest on that model being right. Questions are drawn at random, the model
predicts every answer, and the mean error of its predictions on the drawn questions is taken off: the difference
estimator of survey sampling (Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling, 6.3). A wrong model
costs precision, never honesty, where an estimate that believes the model (p-IRT, arXiv:2402.14992) loses both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.statistics import Spread

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats, Ints
    from howgood.interpret.table import Table

Model = Literal["1pl", "2pl"]
NODES = 7
"""Points of Gauss-Hermite quadrature, placed about each system's ability."""
SPREAD = 0.5
"""The deviation of log a about their common mean that the prior expects; few systems leave the a_i near it."""
STEPS, CLOSE = 200, 2e-3
"""At most so many steps of EM; the change of a parameter below which it ends."""
FURTHEST = 6.0
"""No ability is taken as further from the mean of the systems than this."""
MIN_SYSTEMS = 2
FEWEST = 20
"""Questions that a whole benchmark may be estimated from."""


class Items(Struct, frozen=True):
    """The questions of a benchmark as systems found them: ids, discriminations a, difficulties b, their standard
    errors, and how many systems they were fitted to."""

    ids: list[str]
    a: list[float]
    b: list[float]
    se_a: list[float]
    se_b: list[float]
    systems: int
    model: Model = "2pl"

    def columns(self) -> tuple[Floats, Floats]:
        import numpy as np

        return np.array(self.a), np.array(self.b)


class Fitted(NamedTuple):
    """What `fit` found: the items, and the systems' abilities with standard errors in the order given."""

    items: Items
    abilities: Floats
    errors: Floats


def matrix(tables: Sequence[Table], score: str | None = None) -> tuple[list[str], Floats]:
    """The scores of several systems as an array (systems, instances) with NaN where one has none, and the instances'
    ids. Raises `DataError` for a score that is not between 0 and 1."""
    import numpy as np

    ids = sorted(set().union(*(table.instances.ids for table in tables)))
    place = {one: column for column, one in enumerate(ids)}
    y = np.full((len(tables), len(ids)), np.nan)
    for row, table in enumerate(tables):
        name = score or next(iter(table.scores))
        values = table.score(name)
        if not statistics.is_share(values):
            raise DataError(
                f"item response theory is of answers that are right or wrong, and '{name}' is no such score"
            )
        y[row, [place[one] for one in table.instances.ids]] = values
    return ids, y


def fit(ids: Sequence[str], y: ArrayLike, model: Model = "2pl") -> Fitted:
    """Marginal maximum a posteriori by EM (Bock & Aitkin 1981, Psychometrika 46), with adaptive quadrature over the
    abilities (Schilling & Bock 2005, Psychometrika 70) so that thousands of questions are no harder than ten.

    `y` is (systems, items): 1 right, 0 wrong, a share for the mean of epochs, NaN for not asked. Easiness -a·b is
    normal over items with mean and variance estimated, log a with mean estimated and deviation `SPREAD`. Standard
    errors are from the observed information (Louis 1982, J. R. Stat. Soc. B 44), each item's by itself. Raises
    `DataError` with fewer than two systems or items, and where all answers are alike.
    """
    import numpy as np

    answers = np.asarray(y, float)
    asked = np.isfinite(answers)
    if answers.ndim != 2 or answers.shape[0] < MIN_SYSTEMS or answers.shape[1] < 2:
        raise DataError(f"difficulties need at least {MIN_SYSTEMS} systems and two questions; give more runs")
    if not asked.any(axis=0).all() or not asked.any(axis=1).all():
        raise DataError("every question needs an answer and every system too")
    right = np.where(asked, answers, 0.0)
    if right.min() < 0 or right.max() > 1 or right[asked].min() == right[asked].max():
        raise DataError("difficulties need scores between 0 and 1 that are not all alike")

    share = (right.sum(axis=0) + 0.5) / (asked.sum(axis=0) + 1)
    ease, log_a = np.log(share / (1 - share)), np.zeros(len(share))
    centre, width = float(ease.mean()), max(0.5, float(ease.std()))
    theta, spread = np.zeros(len(right)), np.ones(len(right))
    for _ in range(STEPS):
        before = np.concatenate([log_a, ease])
        theta, spread = _abilities(right, asked, np.exp(log_a), ease, theta)
        x, w = _nodes(right, asked, np.exp(log_a), ease, theta, spread)
        # The scale of abilities is free in this step and then set again, without which EM crawls along it (PX-EM, Liu,
        # Rubin & Wu 1998, Biometrika 85).
        mean = float((w * x).sum() / len(x))
        scale = math.sqrt(float((w * (x - mean) ** 2).sum() / len(x)))
        theta, x = (theta - mean) / scale, (x - mean) / scale
        log_a, ease = log_a + math.log(scale), ease + np.exp(log_a) * mean
        middle = float(log_a.mean())
        for _ in range(2):
            gradient, information = _item_terms(right, asked, np.exp(log_a), ease, x, w)
            gradient[0] -= (log_a - middle) / SPREAD**2
            gradient[1] -= (ease - centre) / width**2
            information[0] += 1 / SPREAD**2
            information[2] += 1 / width**2
            step_a, step_e = _step(gradient, information, model)
            log_a, ease = log_a + np.clip(step_a, -1, 1), ease + np.clip(step_e, -1, 1)
        centre = float(ease.mean())
        width = max(0.25, math.sqrt(float(np.mean((ease - centre) ** 2 + 1 / information[2]))))
        if np.abs(np.concatenate([log_a, ease]) - before).max() < CLOSE:
            break

    a = np.exp(log_a)
    theta, spread = _abilities(right, asked, a, ease, theta)
    x, w = _nodes(right, asked, a, ease, theta, spread)
    info = _observed(right, asked, a, ease, x, w)
    info[0] += 1 / SPREAD**2
    info[2] += 1 / width**2
    determinant = np.maximum(info[0] * info[2] - info[1] ** 2, 1e-12)
    var_a, var_e, cov = info[2] / determinant, info[0] / determinant, -info[1] / determinant
    # b = -ease/a: its differential is -d(ease)/a + (ease/a) d(log a).
    b = -ease / a
    se_b = np.sqrt(np.maximum(var_e / a**2 + b**2 * var_a + 2 * b / a * cov, 0))
    items = Items(
        list(ids), a.tolist(), b.tolist(), (a * np.sqrt(var_a)).tolist(), se_b.tolist(), len(right), model
    )  # fmt: skip
    return Fitted(items, theta, np.sqrt(spread))


def ability(items: Items, answers: Mapping[str, float], prior: bool = True) -> Estimate:
    """The ability of a system from its answers to some of the items: the posterior's mode under the normal prior of the
    systems fitted (with `prior` false: the likelihood's), its standard error from the information I = Σ a²P(1 - P).
    Questions that are no items are passed over. Raises `DataError` without any."""
    import numpy as np

    rows, y = _rows(items, answers)
    a, b = (column[rows] for column in items.columns())
    theta, spread = _abilities(
        y[None], np.ones((1, len(y)), bool), a, -a * b, np.zeros(1), 1.0 if prior else 0.0
    )  # fmt: skip
    value, se = float(theta[0]), math.sqrt(float(spread[0]))
    half = statistics.normal_quantile(0.95) * se
    method = f"{items.model.upper()} of {items.systems} systems, " + (
        "posterior mode" if prior else "maximum likelihood"
    )
    return Estimate("ability", value, se, value - half, value + half, len(y), method)


def whole(items: Items, answers: Mapping[str, float], name: str = "acc") -> Estimate:
    """A system's mean score on all items from its answers to a random sample of n of them: the mean prediction over all
    N plus the mean error of prediction on the n; Var = (1 - n/N) s_e²/(n - 1) with s_e² that of these errors.

    The interval is Wilson's with the effective sample size that this error is worth (`statistics.share_interval`), so
    that it stays honest near 0 and 1. It holds the score on this very benchmark, not on other questions of the kind.
    Raises `DataError` with fewer than `FEWEST` answers.
    """
    import numpy as np
    from scipy.special import expit

    rows, y = _rows(items, answers)
    n, total = len(y), len(items.ids)
    if n < FEWEST:
        raise DataError(f"a whole benchmark is estimated from at least {FEWEST} of its questions, not {n}")
    a, b = items.columns()
    theta = ability(items, answers).value
    predicted = expit(a * (theta - b))
    errors = y - predicted[rows]
    value = float(predicted.mean() + errors.mean())
    left = 1 - n / total
    # One degree of freedom goes to the ability.
    se = math.sqrt(left * float(np.sum((errors - errors.mean()) ** 2)) / (n * (n - 2)))
    value = min(max(value, float(y.sum()) / total), 1 - float((1 - y).sum()) / total)
    low, high = value, value
    if left > 0:
        low, high = _share_interval(value, se, n, left)
    low, high = max(low, float(y.sum()) / total), min(high, 1 - float((1 - y).sum()) / total)
    predicted_by = f"predicted by {items.model.upper()} of {items.systems} systems and corrected"
    method = f"{n:,} of {total:,} instances, {predicted_by}, Wilson"
    return Estimate(name, value, se, low, high, n, method, percent=True)


def _share_interval(value: float, se: float, n: int, left: float) -> tuple[float, float]:
    equal = n / left
    spread = Spread(value, se, n - 2, n, n, 1, equal, equal)
    return statistics.share_interval(spread, binary=False, clustered=False)


def pick(items: Items, n: int, seed: int = 0) -> list[str]:
    """A random sample of n items, every item as likely as any other, one from each of n equal slices from the easiest
    to the hardest: its plain mean is that of the benchmark too. Raises `DataError` for an n that cannot be had."""
    import numpy as np

    total = len(items.ids)
    if not FEWEST <= n <= total:
        raise DataError(f"of {total:,} items {FEWEST} to {total:,} can be picked, not {n:,}")
    a, b = items.columns()
    rng = np.random.default_rng(seed)
    # Questions that are equally hard stand in a random order, and the slices begin at a random place of a circle, so
    # that those of unequal size make none likelier than another.
    order = np.roll(np.lexsort((rng.random(total), a * b)), rng.integers(total))
    return [items.ids[rng.choice(part)] for part in np.array_split(order, n)]


def _rows(items: Items, answers: Mapping[str, float]) -> tuple[Ints, Floats]:
    import numpy as np

    found = [(row, answers[one]) for row, one in enumerate(items.ids) if one in answers]
    if not found:
        raise DataError("none of the answers is to one of the items; they are of another benchmark, or other ids")
    rows, values = zip(*found, strict=True)
    return np.array(rows, np.int64), np.array(values, np.float64)


def _abilities(
    right: Floats, asked: Floats, a: Floats, ease: Floats, start: Floats, prior: float = 1.0
) -> tuple[Floats, Floats]:
    """The mode and the inverse curvature of each system's log posterior, by Newton's method."""
    import numpy as np
    from scipy.special import expit

    theta = start.copy()
    for _ in range(60):
        p = expit(a * theta[:, None] + ease)
        curve = np.where(asked, p * (1 - p), 0.0) @ a**2 + prior
        step = (np.where(asked, right - p, 0.0) @ a - prior * theta) / np.maximum(curve, 1e-9)
        theta = np.clip(theta + np.clip(step, -1, 1), -FURTHEST, FURTHEST)
        if np.abs(step).max() < 1e-9:
            break
    p = expit(a * theta[:, None] + ease)
    return theta, 1 / np.maximum(np.where(asked, p * (1 - p), 0.0) @ a**2 + prior, 1e-9)


def _nodes(
    right: Floats, asked: Floats, a: Floats, ease: Floats, theta: Floats, spread: Floats
) -> tuple[Floats, Floats]:
    """Abilities (systems, nodes) and their posterior weights: Gauss-Hermite about the mode of each."""
    import numpy as np

    h, weight = np.polynomial.hermite_e.hermegauss(NODES)
    x = theta[:, None] + np.sqrt(spread)[:, None] * h
    log = (right @ a)[:, None] * x + (right @ ease)[:, None] + np.log(weight) + h**2 / 2 - x**2 / 2
    for q in range(NODES):
        log[:, q] -= np.where(asked, np.logaddexp(0.0, a * x[:, q, None] + ease), 0.0).sum(axis=1)
    w = np.exp(log - log.max(axis=1, keepdims=True))
    return x, w / w.sum(axis=1, keepdims=True)


def _item_terms(right: Floats, asked: Floats, a: Floats, ease: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Each item's expected gradient of the log likelihood in (log a, ease), (2, items), and its expected information
    (3, items): the entries (log a, log a), (log a, ease), (ease, ease)."""
    import numpy as np
    from scipy.special import expit

    gradient, information = np.zeros((2, len(a))), np.zeros((3, len(a)))
    for q in range(x.shape[1]):
        at, much = x[:, q], np.where(asked, w[:, q, None], 0.0)
        p = expit(a * at[:, None] + ease)
        away, curve = much * (right - p), much * p * (1 - p)
        gradient[0] += a * (at @ away)
        gradient[1] += away.sum(axis=0)
        information[0] += a**2 * (at**2 @ curve)
        information[1] += a * (at @ curve)
        information[2] += curve.sum(axis=0)
    return gradient, information


def _step(gradient: Floats, information: Floats, model: Model) -> tuple[Floats, Floats]:
    """Newton's step of each item in (log a, ease); with one parameter all items take the same in log a."""
    import numpy as np

    if model == "1pl":
        step = np.full(gradient.shape[1], gradient[0].sum() / information[0].sum())
        return step, (gradient[1] - information[1] * step) / information[2]
    whole = information[0] * information[2] - information[1] ** 2
    return (
        (information[2] * gradient[0] - information[1] * gradient[1]) / whole,
        (information[0] * gradient[1] - information[1] * gradient[0]) / whole,
    )


def _observed(right: Floats, asked: Floats, a: Floats, ease: Floats, x: Floats, w: Floats) -> Floats:
    """The information of each item that the answers give: that of known abilities less what not knowing them takes,
    the variance of the score over each system's posterior (Louis 1982)."""
    import numpy as np
    from scipy.special import expit

    _, information = _item_terms(right, asked, a, ease, x, w)
    mean = np.zeros((2, *right.shape))
    square = np.zeros((3, len(a)))
    for q in range(x.shape[1]):
        at, much = x[:, q, None], np.where(asked, w[:, q, None], 0.0)
        away = right - expit(a * at + ease)
        mean[0] += much * away * a * at
        mean[1] += much * away
        square[0] += (much * (away * a * at) ** 2).sum(axis=0)
        square[1] += (much * away**2 * a * at).sum(axis=0)
        square[2] += (much * away**2).sum(axis=0)
    lost = square - np.stack([(mean[0] ** 2).sum(0), (mean[0] * mean[1]).sum(0), (mean[1] ** 2).sum(0)])
    found = information - lost
    # Of few systems the block of an item alone may lose more than it had; the prior then says what is known.
    return np.asarray(np.where(found[[0, 0, 2]] > 0, found, 0.0), np.float64)
