"""What ratings say of the order: ranks, the ranks that cannot be excluded, and who may be the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.interpret import joint

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats, Ints


def rank_intervals(
    ratings: ArrayLike, covariance: ArrayLike, level: float = 0.95, drawn: Floats | None = None
) -> tuple[Ints, Ints]:
    """The best and the worst rank of each model: all M intervals hold at once with probability `level` (Mogstad,
    Romano, Shaikh & Wilhelm 2024, Rev. Econ. Stud. 91). A model ranks below those that are better than it by more than
    c standard errors of the difference, c the max-T quantile over all pairs, and above those it is better than.
    `drawn` are `joint.deviations`, where there are some already."""
    import numpy as np

    x = np.asarray(ratings, float)
    draws = joint.deviations(covariance, joint.PAIR_DRAWS) if drawn is None else drawn
    reach = joint.critical_of_pairs(draws, covariance, level) * joint.pair_errors(covariance)
    ahead = x[None, :] - x[:, None] > reach + 1e-12
    return 1 + ahead.sum(axis=1), len(x) - ahead.sum(axis=0)


def ranks_of_intervals(low: ArrayLike, high: ArrayLike) -> tuple[Ints, Ints]:
    """The ranks by intervals that do not overlap, 1 + #{j: low_j > high_i} and M - #{j: high_j < low_i}
    (arXiv:2403.04132, section 5; the first is its rank). They hold at once if the intervals do, and are wider than
    those of `rank_intervals`."""
    import numpy as np

    bottom, top = np.asarray(low, float), np.asarray(high, float)
    ahead = bottom[None, :] > top[:, None]
    return 1 + ahead.sum(axis=1), len(bottom) - ahead.sum(axis=0)


def ranks(ratings: ArrayLike) -> Ints:
    """1 + the number of models with a higher rating; equal but for rounding is equal."""
    import numpy as np

    x = np.asarray(ratings, float)
    return np.asarray(1 + (x[None, :] > x[:, None] + 1e-9).sum(axis=1), np.int64)


def best(samples: Floats) -> Floats:
    """How probable it is for each model that it is the best, from samples (draws, M) of all ratings; those that share
    the lead share it."""
    import numpy as np

    leads = samples >= samples.max(axis=1, keepdims=True) - 1e-9
    return np.asarray((leads / leads.sum(axis=1, keepdims=True)).mean(axis=0), np.float64)
