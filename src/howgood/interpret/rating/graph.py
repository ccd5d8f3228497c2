"""Who has been compared with whom: what ratings can be told at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.interpret.rating.votes import TIE, A, B, Tally

if TYPE_CHECKING:
    from howgood.interpret.statistics import Ints


def groups(votes: Tally) -> Ints:
    """For each model the group of models it is compared with, directly or by way of others; 0 has most votes. Ratings
    of different groups have no common scale."""
    return _components(votes, "weak")


def tiers(votes: Tally) -> Ints:
    """For each model the group within which everyone has beaten (or tied with) everyone, directly or by way of others.
    With more than one in a group of `groups`, some models have only won against the rest, and their most likely rating
    is infinite (Ford 1957)."""
    return _components(votes, "strong")


def _components(votes: Tally, connection: str) -> Ints:
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = votes.counts
    wins, losses = n[:, A] + n[:, TIE] > 0, n[:, B] + n[:, TIE] > 0
    winner = np.concatenate([votes.a[wins], votes.b[losses]])
    loser = np.concatenate([votes.b[wins], votes.a[losses]])
    graph = coo_array((np.ones(len(winner), np.int8), (winner, loser)), shape=(votes.models, votes.models))
    label = connected_components(graph, directed=True, connection=connection)[1]
    number = np.bincount(label, votes.won().sum(axis=1))
    place = np.empty(len(number), np.int64)
    place[np.argsort(-number, kind="stable")] = np.arange(len(number))
    return np.asarray(place[label], np.int64)
