"""Ratings of other votes that could have been cast: the Bayesian bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.core.errors import DataError
from howgood.interpret.rating.fit import Fit, fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from howgood.interpret.rating.votes import Tally
    from howgood.interpret.statistics import Floats

RESAMPLES = 200


def resampled(fitted: Fit, votes: Tally, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Parameters (resamples, M+K+1) with every vote weighted by an exponential draw (Rubin 1981, Ann. Stat. 9): no vote
    ever drops out, so that ratings that are finite stay finite. The n votes of a pair with one outcome have together a
    gamma weight of shape n; where their weights differ, of the shape and scale that their sum has."""
    import numpy as np

    rng = np.random.default_rng(seed)
    full = votes.votes > 0
    shape = np.divide(votes.votes**2, votes.squares, out=np.zeros_like(votes.votes), where=full)
    scale = np.divide(votes.squares, votes.votes, out=np.zeros_like(votes.votes), where=full)

    def drawn() -> Tally:
        weights = rng.standard_gamma(shape) * scale
        return votes._replace(votes=weights, squares=weights)

    return _refitted(fitted, drawn, resamples)


def resampled_clusters(
    fitted: Fit,
    build: Callable[[Floats], Tally],
    cluster: ArrayLike,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """The same with one draw for all votes of a cluster (N,); `build` makes a tally from weights of votes (N,)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    codes = np.asarray(cluster, np.int64)
    count = int(codes.max()) + 1
    if count < 2:
        raise DataError("all votes are of one cluster, so nothing tells how far other votes would differ")
    return _refitted(fitted, lambda: build(rng.standard_exponential(count)[codes]), resamples)


def _refitted(fitted: Fit, drawn: Callable[[], Tally], resamples: int) -> Floats:
    import numpy as np

    return np.stack([fit(drawn(), fitted.ties, fitted.prior, fitted).parameters for _ in range(resamples)])
