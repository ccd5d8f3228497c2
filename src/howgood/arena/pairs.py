"""Which two systems meet next: those whose vote is expected to tell most."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from howgood.interpret.rating.votes import TIE, A, B

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats

PRIOR = 1.0
"""Virtual wins and losses of each system, so that one without votes has a rating to begin with."""
AT_RANDOM = 0.1
"""So many battles are of any pair: it keeps all pairs joined, and no voter can know who will come."""
OUTCOMES = {"a": A, "b": B, "tie": TIE, "bothbad": TIE}


class Pairs:
    """Draws pairs of `systems` (their numbers in the database)."""

    def __init__(self, systems: Sequence[int]) -> None:
        import numpy as np

        self.systems = list(systems)
        self._place = {system: place for place, system in enumerate(self.systems)}
        self._gain: Floats = np.zeros((len(self.systems), len(self.systems)))
        self._ratings: Floats = np.zeros(len(self.systems))
        self._information: Floats = np.eye(len(self.systems))
        self._random = secrets.SystemRandom()
        self.learn([])

    def learn(self, pairs: Iterable[tuple[int, int, str | None, int]]) -> None:
        """Take in how often each pair ended how (see `Database.pairs`); battles that may still get a vote count as if
        they had one, or all who come at once would be shown the same pair."""
        import numpy as np

        from howgood.interpret.rating.fit import fit
        from howgood.interpret.rating.votes import tally

        m = len(self.systems)
        rows, pending = [], np.zeros((m, m))
        for first, second, winner, number in pairs:
            if first in self._place and second in self._place:
                a, b = self._place[first], self._place[second]
                if winner is None:
                    pending[a, b] += number
                else:
                    rows.append((a, b, OUTCOMES[winner], number))
        self._ratings, self._information = np.zeros(m), PRIOR / 2 * np.eye(m)
        if rows:
            firsts, seconds, outcomes, numbers = (np.array(column) for column in zip(*rows, strict=True))
            one, other, outcome = (np.repeat(column, numbers) for column in (firsts, seconds, outcomes))
            fitted = fit(tally(one, other, outcome, m), prior=PRIOR)
            self._ratings = fitted.ratings
            self._information = np.asarray(np.linalg.inv(fitted.bread[:m, :m]), np.float64)
        for a, b in zip(*np.nonzero(pending), strict=True):
            self._add(int(a), int(b), float(pending[a, b]))
        self._weigh()

    def draw(self) -> tuple[int, int]:
        """The next pair, in random order."""
        import numpy as np

        m = len(self.systems)
        if self._random.random() < AT_RANDOM:
            a, b = self._random.sample(range(m), 2)
        else:
            best = np.argwhere(self._gain >= self._gain.max() * (1 - 1e-9))
            a, b = (int(x) for x in self._random.choice(best.tolist()))
            if self._random.random() < 0.5:
                a, b = b, a
        self._add(a, b, 1.0)
        self._weigh()
        return self.systems[a], self.systems[b]

    def _add(self, a: int, b: int, number: float) -> None:
        """What so many votes on a pair are expected to tell: n p(1-p) of information on the difference."""
        from scipy.special import expit

        p = float(expit(self._ratings[a] - self._ratings[b]))
        one = number * p * (1 - p)
        self._information[[a, b], [a, b]] += one
        self._information[[a, b], [b, a]] -= one

    def _weigh(self) -> None:
        import numpy as np

        from howgood.interpret.rating.nextpair import information_gain

        self._gain = np.triu(information_gain(self._ratings, np.linalg.inv(self._information)), 1)
