"""Which pair to ask about next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.core.errors import DataError
from howgood.interpret import joint

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats


def information_gain(ratings: ArrayLike, covariance: ArrayLike) -> Floats:
    """What a vote on each pair (M, M) is expected to tell of the ratings, in nats: ½ ln(1 + p(1-p)·Var(ξ_a - ξ_b)), by
    how much it shrinks the normal distribution that describes them (Lindley 1956, Ann. Math. Stat. 27; D-optimal
    design). Zero on the diagonal; greatest for pairs that are close and little known. A model without votes needs
    ratings fitted with a `prior`."""
    import numpy as np
    from scipy.special import expit

    x = np.asarray(ratings, float)
    p = expit(x[:, None] - x)
    return np.asarray(0.5 * np.log1p(p * (1 - p) * joint.pair_errors(covariance) ** 2), np.float64)


def shares(variance: ArrayLike, votes: ArrayLike) -> Floats:
    """Chatbot Arena's rule: how often to draw each pair so that intervals shrink fastest, in proportion to
    √(σ²/n) - √(σ²/(n+1)) (arXiv:2403.04132, section 5). Raises `DataError` for a pair without votes."""
    import numpy as np

    v, n = np.asarray(variance, float), np.asarray(votes, float)
    if not (n.min(initial=1) >= 1 and v.min(initial=0) >= 0 and v.max(initial=0) > 0):
        raise DataError("shares of pairs need a vote on each and a variance above zero")
    gain = np.sqrt(v / n) - np.sqrt(v / (n + 1))
    return np.asarray(gain / gain.sum(), np.float64)
