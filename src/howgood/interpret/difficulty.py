"""How hard each question is, by how many systems got it right, and whether it tells good systems from bad ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.interpret import irt
from howgood.interpret.statistics import t_quantile

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats
    from howgood.interpret.table import Table

TELLING = 3
"""Systems from which on a question's discrimination means something."""
MODELLED = 5
"""Systems from which on item response theory is fitted too."""


class Question(Struct, frozen=True):
    """One question: the `share` of systems that are right, the correlation of its score with the mean of the others
    (`rest`, None where it cannot be told), and its `difficulty` by item response theory (in deviations of ability, 0:
    the mean system is right half the time; None with few systems)."""

    id: str
    share: float
    rest: float | None
    difficulty: float | None


class Difficulty(Struct, frozen=True):
    """How hard `n` questions are for several `systems`: how many all got right (`easy`), none (`hard`) and some
    (`between`), and each question, the hardest first. `against` are those that better systems get wrong more often
    (a correlation with the rest that lies below `suspicious`), which may have a wrong right answer."""

    systems: list[str]
    n: int
    easy: int
    hard: int
    between: int
    questions: list[Question]
    against: list[str]


def difficulty(systems: Sequence[str], tables: Sequence[Table], score: str) -> Difficulty:
    """From the scores (0 to 1) of several systems on one benchmark: the questions that all of them have. Raises
    `DataError` where they share none."""
    import numpy as np

    ids, y = irt.matrix(tables, score)
    shared = np.flatnonzero(np.isfinite(y).all(axis=0))
    if not len(shared):
        raise DataError("these runs share no instance, so none can be called hard; give runs of one sample")
    names, y = [ids[place] for place in shared], y[:, shared]
    share = y.mean(axis=0)
    rest = item_rest(y) if len(y) >= TELLING else np.full(len(names), np.nan)
    hard = _modelled(names, y)
    made = [
        Question(
            name,
            float(share[place]),
            float(rest[place]) if np.isfinite(rest[place]) else None,
            None if hard is None else float(hard[place]),
        )
        for place, name in enumerate(names)
    ]
    made.sort(key=lambda q: (q.share, -(q.difficulty or 0.0), q.id))
    easy, none = int((share == 1).sum()), int((share == 0).sum())
    bar = suspicious(len(y))
    against = sorted((q for q in made if q.rest is not None and q.rest < bar), key=lambda q: (q.rest or 0.0, q.id))
    return Difficulty(
        list(systems), len(names), easy, none, len(names) - easy - none, made, [question.id for question in against]
    )


def suspicious(systems: int) -> float:
    """The correlation over so many systems below which a question is pointed at: -0.2, and for fewer than 70 systems
    what one question in twenty is below by chance where it tells nothing (Student's t with n - 2 degrees of freedom).
    """
    if systems < TELLING:
        return -1.0
    t = t_quantile(0.9, systems - 2)  # two-sided 90 %: 5 % below
    return min(-0.2, -t / math.sqrt(systems - 2 + t**2))


def item_rest(y: Floats) -> Floats:
    """For each question (column) the correlation over systems (rows) of its score with the mean score of all others
    (Lord & Novick 1968, Statistical Theories of Mental Test Scores, 15.4); NaN where one of the two does not vary."""
    import numpy as np

    others = (y.sum(axis=1, keepdims=True) - y) / max(1, y.shape[1] - 1)
    a, b = y - y.mean(axis=0), others - others.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(scale > 1e-12, (a * b).sum(axis=0) / scale, np.nan)
    return found


def _modelled(ids: list[str], y: Floats) -> Floats | None:
    """Difficulties by item response theory; None with few systems, or where all answers are alike."""
    if len(y) < MODELLED:
        return None
    try:
        items = irt.fit(ids, y).items
    except DataError:
        return None
    import numpy as np

    return np.array(items.b, float)
