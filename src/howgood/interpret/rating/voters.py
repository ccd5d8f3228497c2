"""Voters whose votes are unlike the others': against what most say, or always for one side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from howgood.interpret.rating.votes import TIE, A, B

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.rating.fit import Fit
    from howgood.interpret.statistics import Floats, Ints

FEWEST = 5
"""With fewer votes a voter is not judged."""


class Judged(NamedTuple):
    """For each voter by code: votes; the p-value of their votes being drawn from those of the others (`against`); the
    two-sided p-value of how often they choose the first side (`side`), with the `first` share of their votes that are
    no ties. p-values are one where there is too little to tell."""

    votes: Ints
    against: Floats
    side: Floats
    first: Floats


def fisher(p: ArrayLike) -> tuple[float, float]:
    """M = -2 Σ ln p and its p-value, P(χ² with 2n degrees of freedom >= M) (Fisher 1925)."""
    import numpy as np
    from scipy.special import chdtrc

    values = np.asarray(p, float)
    m = float(-2 * np.log(values).sum())
    return m, float(chdtrc(2 * len(values), m))


def judge(a: Ints, b: Ints, outcome: Ints, voter: Ints, fitted: Fit) -> Judged:
    """A vote's p is (1 + #{h' >= h})/(n + 1) over the n votes of others on the same pair (arXiv:2403.04132, section 5),
    h being how well the lower rated model did: 0, 1/2 or 1. A voter's p are taken together by Fisher's method; ties
    among the h only make the test more careful."""
    import numpy as np
    from scipy.special import bdtr, bdtrc, chdtrc

    m, count = fitted.models, int(voter.max()) + 1
    x, y, one = a.astype(np.int64), b.astype(np.int64), voter.astype(np.int64)
    under = np.where(fitted.ratings[x] <= fitted.ratings[y], A, B)
    h = np.where(outcome == TIE, 1, np.where(outcome == under, 2, 0))
    pairs, pair = np.unique(np.minimum(x, y) * m + np.maximum(x, y), return_inverse=True)
    every = np.bincount(pair * 3 + h, minlength=3 * len(pairs)).reshape(-1, 3)
    keys, key = np.unique(one * len(pairs) + pair, return_inverse=True)
    own = np.bincount(key * 3 + h, minlength=3 * len(keys)).reshape(-1, 3)
    others = every[keys % len(pairs)] - own
    above = others[:, ::-1].cumsum(axis=1)[:, ::-1]
    p = (1 + above[key, h]) / (1 + others.sum(axis=1)[key])
    number = np.bincount(one, minlength=count)
    against = chdtrc(2.0 * number, np.bincount(one, -2 * np.log(p), count))
    told = outcome != TIE
    first = np.bincount(one[told], outcome[told] == A, count)
    decided = np.bincount(one[told], minlength=count)
    rate = float(np.mean(outcome[told] == A)) if told.any() else 0.5
    tails = np.minimum(bdtr(first, decided, rate), np.where(first > 0, bdtrc(first - 1, decided, rate), 1.0))
    side = np.minimum(1.0, 2 * tails)
    few = number < FEWEST
    share = np.divide(first, decided, out=np.full(count, 0.5), where=decided > 0)
    return Judged(number, np.where(few, 1.0, against), np.where(few | (decided < FEWEST), 1.0, side), share)
