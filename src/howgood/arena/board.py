"""The arena's leaderboard: the ratings, and what they rest on: every system that ever took part, and its share."""

from __future__ import annotations

from msgspec import Struct

from howgood.arena.database import Database, Variant
from howgood.core.errors import DataError
from howgood.interpret.rating import board as ratings
from howgood.interpret.rating.records import Leaderboard


class Board(Struct, frozen=True):
    """`leaderboard` is None where nothing can be rated, and `why` then says why. `variants` are all systems that
    were ever registered, `battles` how many were begun, and `left_out` how many of them count for nothing, and why."""

    leaderboard: Leaderboard | None
    why: str
    variants: list[Variant]
    battles: int
    left_out: dict[str, int]

    def share(self, variant: Variant) -> float:
        """How many of all battles a system was in. Unequal shares favour those shown more (arXiv:2504.20879)."""
        return variant.shown / self.battles if self.battles else 0.0


def read_board(database: Database, *, style: bool = False, seed: int = 0) -> Board:
    """Rate what was voted so far; with `style`, length, headers, lists and bold are controlled for."""
    votes, variants = database.votes(), database.variants()
    found, why = None, "There are no votes yet."
    if votes["battle"]:
        try:
            found = ratings.rate(votes, style=style, seed=seed)
        except DataError as error:
            why = str(error)
    return Board(found, why, variants, sum(one.shown for one in variants) // 2, database.left_out())
