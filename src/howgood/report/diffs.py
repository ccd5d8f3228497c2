"""Two texts word by word: what both have, what only the first, what only the second. Bounded in size and in time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from msgspec import Struct

LONGEST = 20_000
"""Characters of a text that is compared."""
FURTHEST = 400
"""Words that may differ; texts that are further apart have little to be marked."""

WORD = re.compile(r"\w+|\s+|[^\w\s]")
Side = Literal["both", "first", "second"]


class Piece(Struct, frozen=True):
    """Some words that stand in both texts, or in one of them alone."""

    side: Side
    text: str


def words(first: str, second: str) -> tuple[Piece, ...] | None:
    """The second text as a change of the first (a shortest one: Myers, An O(ND) difference algorithm, Algorithmica 1,
    1986); None where they are too long or too far apart to be marked."""
    if max(len(first), len(second)) > LONGEST:
        return None
    a, b = WORD.findall(first), WORD.findall(second)
    start = _same(a, b)
    end = _same(a[start:][::-1], b[start:][::-1])
    script = _script(a[start : len(a) - end], b[start : len(b) - end])
    if script is None:
        return None
    whole = [*map(_both, a[:start]), *script, *map(_both, a[len(a) - end :])]
    return tuple(Piece(side, "".join(word for _, word in run)) for side, run in groupby(whole, key=lambda x: x[0]))


def _both(word: str) -> tuple[Side, str]:
    return "both", word


def _same(a: Sequence[str], b: Sequence[str]) -> int:
    """How many words both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _script(a: Sequence[str], b: Sequence[str]) -> list[tuple[Side, str]] | None:
    """The words of both in order; None where more than `FURTHEST` differ."""
    reached = {1: 0}  # on each diagonal (place in a minus place in b) how far into a
    trace: list[dict[int, int]] = []
    for edits in range(FURTHEST + 1):
        trace.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits and reached.get(diagonal - 1, -1) < reached.get(diagonal + 1, -1)
            )
            x = reached[diagonal + 1] if down else reached[diagonal - 1] + 1
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _back(a, b, trace)
    return None


def _back(a: Sequence[str], b: Sequence[str], trace: Sequence[dict[int, int]]) -> list[tuple[Side, str]]:
    x, y = len(a), len(b)
    found: list[tuple[Side, str]] = []
    for edits in range(len(trace) - 1, -1, -1):
        reached, diagonal = trace[edits], x - y
        down = diagonal == -edits or (
            diagonal != edits and reached.get(diagonal - 1, -1) < reached.get(diagonal + 1, -1)
        )
        before = diagonal + 1 if down else diagonal - 1
        from_x = reached[before] if edits else 0
        from_y = from_x - before if edits else 0
        while x > from_x and y > from_y:
            x, y = x - 1, y - 1
            found.append(("both", a[x]))
        if edits == 0:
            break
        if down:
            y -= 1
            found.append(("second", b[y]))
        else:
            x -= 1
            found.append(("first", a[x]))
    return found[::-1]
