"""Do models rate the same over time? Ratings of spans of votes beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from howgood.interpret.multiple import holm
from howgood.interpret.rating import graph
from howgood.interpret.rating.fit import fit
from howgood.interpret.rating.votes import tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.rating.ties import Ties
    from howgood.interpret.statistics import Floats, Ints

SPANS = 4
FEWEST = 20
"""With fewer votes in a span, a model is not followed."""
PRIOR = 1.0


class Drift(NamedTuple):
    """Of the models followed (`models`, F codes): their ratings (spans, F) less those models' mean, the standard
    errors, and by model the p-value, adjusted by Holm, that it is the same in all spans. `begins` is where each span
    begins."""

    models: Ints
    ratings: Floats
    errors: Floats
    p: list[float | None]
    begins: Floats


def spans(time: ArrayLike, count: int = SPANS) -> tuple[Ints, Floats]:
    """The span of each vote, `count` of them with about as many votes each, and where each begins; votes of one moment
    stay together."""
    import numpy as np

    t = np.asarray(time, float)
    edges = np.unique(np.sort(t)[np.arange(count) * len(t) // count])
    return np.searchsorted(edges, t, side="right") - 1, edges


def drift(
    a: Ints, b: Ints, outcome: Ints, models: int, span: Ints, begins: Floats, ties: Ties = "half"
) -> Drift | None:
    """Σ_t (ξ_t - ξ̄)²/SE_t² against χ² with a degree of freedom less than there are spans, for each model that has
    enough votes in every span. The model's own rating is told against the mean of those followed, so that one that is
    alone in changing moves the others by little. A span whose votes leave a rating infinite is fitted with a prior.
    None where there are fewer than two spans, or than two models to follow."""
    import numpy as np
    from scipy.special import chdtrc

    count = len(begins)
    each = np.zeros((count, models), np.int64)
    np.add.at(each, (span, a), 1)
    np.add.at(each, (span, b), 1)
    followed = np.flatnonzero((each >= FEWEST).all(axis=0))
    if count < 2 or len(followed) < 2:
        return None
    ratings, errors = np.zeros((count, len(followed))), np.zeros((count, len(followed)))
    for one in range(count):
        here = span == one
        votes = tally(a[here], b[here], outcome[here], models)
        there = votes.won().sum(axis=1) > 0
        apart = len(np.unique(graph.tiers(votes)[there])) > 1 or not there.all()
        found = fit(votes, ties, PRIOR if apart else 0.0)
        turn = np.zeros((len(followed), models))
        turn[:, followed] = np.eye(len(followed)) - 1 / len(followed)
        ratings[one] = turn @ found.ratings
        errors[one] = np.sqrt(np.diag(turn @ found.spread @ turn.T))
    weight = 1 / np.maximum(errors, 1e-9) ** 2
    middle = (weight * ratings).sum(axis=0) / weight.sum(axis=0)
    p = chdtrc(count - 1, (weight * (ratings - middle) ** 2).sum(axis=0))
    return Drift(followed, ratings, errors, holm(p.tolist()), begins)
