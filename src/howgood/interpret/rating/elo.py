"""Elo ratings, vote after vote: how a rating moves, to be looked at and not to be ranked by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.interpret.rating.votes import TIE, A

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats


def elo(a: ArrayLike, b: ArrayLike, outcome: ArrayLike, models: int, k: float = 4.0, begin: float = 1000.0) -> Floats:
    """R += K(S - E) with E = 1/(1 + 10^((R_b - R_a)/400)) (Elo 1978), in the order of the votes. Another order gives
    other ratings, late votes count most, and there is no interval."""
    import numpy as np

    ratings = [begin] * models
    for first, second, result in zip(*(np.asarray(x).tolist() for x in (a, b, outcome)), strict=True):
        expected = 1.0 / (1.0 + 10.0 ** ((ratings[second] - ratings[first]) / 400.0))
        scored = 0.5 if result == TIE else float(result == A)
        change = k * (scored - expected)
        ratings[first] += change
        ratings[second] -= change
    return np.array(ratings)
