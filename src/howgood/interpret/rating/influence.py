"""How few votes carry the first place: the votes without which another model would lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from howgood.core.errors import DataError
from howgood.interpret.rating import ties as reading
from howgood.interpret.rating.fit import Fit, differences, fit

if TYPE_CHECKING:
    from howgood.interpret.rating.votes import Tally
    from howgood.interpret.statistics import Floats

CHALLENGERS = 5
"""The models nearest to the leader, in standard errors, that are tried."""
ROUNDS = 20


class Flip(NamedTuple):
    """Without `votes` votes, all of them cast, `other` rates above `leader`; `share` of all votes. `cells` says which:
    (model, model, outcome, number). The true smallest number may be lower still."""

    leader: int
    other: int
    votes: int
    share: float
    cells: list[tuple[int, int, int, int]]


def flip(votes: Tally, fitted: Fit) -> Flip | None:
    """The fewest votes found whose removal takes the first place from the leader (arXiv:2508.11847, with the influence
    function as in Broderick, Giordano & Meager, arXiv:2011.14999): votes are taken in the order of what their removal
    does to the lead, to first order, and the ratings are fitted anew until the lead is gone. None where none
    was found."""
    import numpy as np

    leader = int(fitted.ratings.argmax())
    variance = np.diag(fitted.spread)
    error = np.sqrt(np.maximum(variance + variance[leader] - 2 * fitted.spread[leader], 1e-12))
    gap = (fitted.ratings[leader] - fitted.ratings) / error
    near = [j for j in np.argsort(gap, kind="stable").tolist() if j != leader][:CHALLENGERS]
    found = [one for j in near if (one := _against(votes, fitted, leader, j)) is not None]
    return min(found, key=lambda one: one.votes, default=None)


def _against(votes: Tally, fitted: Fit, leader: int, other: int) -> Flip | None:
    import numpy as np

    weight = np.divide(votes.votes, votes.counts, out=np.zeros_like(votes.votes), where=votes.counts > 0)
    square = np.divide(votes.squares, votes.counts, out=np.zeros_like(votes.votes), where=votes.counts > 0)
    left, now = votes.counts.copy(), fitted
    for _ in range(ROUNDS):
        lead = float(now.ratings[leader] - now.ratings[other])
        if lead < -1e-9:
            break
        effect = _effects(votes, now, leader, other) * weight
        order = np.argsort(effect, axis=None, kind="stable")
        sink = -effect.ravel()[order]
        reached = np.cumsum(np.where(sink > 0, sink * left.ravel()[order], 0.0))
        last = int(np.searchsorted(reached, lead + 1e-9, side="right"))
        if last >= len(order) or sink[last] <= 0:
            return None
        flat = left.ravel()
        before = float(reached[last - 1]) if last else 0.0
        flat[order[:last]] = 0.0
        flat[order[last]] -= min(flat[order[last]], 1 + np.floor(max(lead - before, 0.0) / sink[last] + 1e-9))
        thinned = votes._replace(counts=left, votes=left * weight, squares=left * square)
        try:
            now = fit(thinned, now.ties, now.prior, now)
        except DataError:
            return None
    else:
        return None
    gone = votes.counts - left
    rows, outcomes = np.nonzero(gone > 0.5)
    cells = [(int(votes.a[r]), int(votes.b[r]), int(o), round(gone[r, o])) for r, o in zip(rows, outcomes, strict=True)]
    number = round(float(gone.sum()))
    cells = sorted(_merged(cells), key=lambda cell: -cell[3])
    return Flip(leader, other, number, number / float(votes.counts.sum()), cells)


def _effects(votes: Tally, fitted: Fit, leader: int, other: int) -> Floats:
    """What taking away one vote of weight one does to the lead, by row and outcome, to first order."""
    import numpy as np

    pull = fitted.bread[leader] - fitted.bread[other]
    d = differences(votes, fitted.parameters, slice(None))
    said = reading.terms(fitted.ties, d, fitted.eta, votes.votes)
    along = pull[votes.a] - pull[votes.b]
    if votes.style is not None:
        along = along + votes.style @ pull[votes.models : -1]
    return np.asarray(-(along[:, None] * said.slope + pull[-1] * said.tie_slope), np.float64)


def _merged(cells: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Rows of single votes with one outcome, counted together."""
    found: dict[tuple[int, int, int], int] = {}
    for a, b, outcome, number in cells:
        found[a, b, outcome] = found.get((a, b, outcome), 0) + number
    return [(*key, number) for key, number in found.items()]
