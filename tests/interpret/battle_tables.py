"""Battles for tests: from counts of outcomes, and drawn from known ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats, Ints = NDArray[np.float64], NDArray[np.int64]

Columns = tuple[Ints, Ints, Ints]


def expanded(counts: dict[tuple[int, int], tuple[int, int, int]]) -> Columns:
    """(a, b): (won by a, won by b, ties) as one entry a vote."""
    rows = [(a, b, o) for (a, b), numbers in counts.items() for o, n in enumerate(numbers) for _ in range(n)]
    a, b, outcome = np.array(rows).T
    return a, b, outcome


def drawn(ratings: Floats, n: int, rng: np.random.Generator, ties: float = 0.0, extra: Floats | None = None) -> Columns:
    """n votes on random pairs; a share `ties` of them says nothing; `extra` (n,) is added to the log-odds."""
    models = len(ratings)
    a = rng.integers(0, models, n)
    b = (a + rng.integers(1, models, n)) % models
    logit = ratings[a] - ratings[b] + (0.0 if extra is None else extra)
    outcome = np.where(rng.random(n) < ties, 2, np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), 0, 1))
    return a, b, outcome
