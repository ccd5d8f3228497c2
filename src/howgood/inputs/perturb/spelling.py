"""Changes of spelling that a reader looks past: letter case, slips on the keyboard, white space."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Instance
from howgood.inputs.perturb.base import Perturbation, with_text
from howgood.inputs.perturb.protect import Protected

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    """The letters that touch each letter on a QWERTY keyboard, whose rows are set off by a quarter and a half key."""
    places = {
        letter: (row, column + offset)
        for row, (keys, offset) in enumerate(zip(ROWS, (0.0, 0.25, 0.75), strict=True))
        for column, letter in enumerate(keys)
    }
    return {
        one: "".join(
            other
            for other, (row, column) in places.items()
            if other != one and abs(row - places[one][0]) <= 1 and abs(column - places[one][1]) <= 1
        )
        for one in places
    }


NEIGHBOURS = _neighbours()


class Spelling(Perturbation):
    """A change to the words of the question alone; worked examples, choices and answers stay as they are."""

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        if call["kind"] in ("rolling", "continuation"):
            raise Unsupported(
                f"the likelihood of a given text is measured, so --perturb {self.name} would change what is measured"
            )

    def instance(self, instance: Instance, number: int, seed: int) -> Instance | None:
        draw = self.draw(instance.id, number, seed)
        return with_text(instance, lambda text: self.changed(text, Protected(text, instance), number, draw))

    def changed(self, text: str, protected: Protected, number: int, draw: Callable[[], float]) -> str:
        raise NotImplementedError


class Case(Spelling):
    """Letter case: variant 1 is in small letters, 2 in capitals (words of four letters and more: not mg or sin), 3 has
    a capital in front of every word."""

    name = "case"
    most: ClassVar[int] = 3

    def changed(self, text: str, protected: Protected, number: int, draw: Callable[[], float]) -> str:
        shortest = (3, 4, 4)[number - 1]
        way = (str.lower, str.upper, str.capitalize)[number - 1]
        words = [word for word in protected.free(text) if len(word[0]) >= shortest]
        return replaced(text, [(word.start(), word.end(), way(word[0])) for word in words])


class Typos(Spelling):
    """Slips of the finger: `rate` of the free words of five letters and more (one at least) get one letter, not their
    first, replaced by a neighbour on a QWERTY keyboard. No slip makes a word that the question has already."""

    name = "typos"

    def __init__(self, *, n: int = 1, rate: float = 0.2) -> None:
        super().__init__(n=n)
        if not 0 < rate <= 1:
            raise HowgoodError(
                f"perturbation typos: rate is the share of words with a slip, above 0 to 1, not {rate:g}"
            )
        self.rate = rate

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"rate": self.rate}

    def changed(self, text: str, protected: Protected, number: int, draw: Callable[[], float]) -> str:
        words = [word for word in protected.free(text) if len(word[0]) >= 5 and set(word[0][1:]) <= NEIGHBOURS.keys()]
        count = max(1, round(self.rate * len(words)))
        # Places in the order of numbers drawn for all of them: a higher rate keeps the slips of a lower one.
        drawn = sorted((draw(), draw(), draw(), place) for place in range(len(words)))
        there = {word[0].lower() for word in words}
        changes = []
        for _, which, by, place in drawn[:count]:
            word = words[place]
            letter = 1 + int(which * (len(word[0]) - 1))
            near = NEIGHBOURS[word[0][letter]]
            new = word[0][:letter] + near[int(by * len(near))] + word[0][letter + 1 :]
            if new.lower() not in there:
                changes.append((word.start(), word.end(), new))
        return replaced(text, sorted(changes))


class Whitespace(Spelling):
    """White space: between words of running text, `rate` of the single spaces (one at least) become two or three."""

    name = "whitespace"

    def __init__(self, *, n: int = 1, rate: float = 0.2) -> None:
        super().__init__(n=n)
        if not 0 < rate <= 1:
            raise HowgoodError(f"perturbation whitespace: rate is a share of the spaces, above 0 to 1, not {rate:g}")
        self.rate = rate

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"rate": self.rate}

    def changed(self, text: str, protected: Protected, number: int, draw: Callable[[], float]) -> str:
        found = re.finditer(r"(?<=[^\W\d_][,.;:?!]|.[^\W\d_]) (?=[^\W\d_])", text)
        spaces = [space for space in found if not protected.holds(space.start(), space.end())]
        drawn = sorted((draw(), draw(), place) for place in range(len(spaces)))
        chosen = drawn[: max(1, round(self.rate * len(spaces)))]
        return replaced(
            text,
            sorted((spaces[place].start(), spaces[place].end(), " " * (2 + int(2 * by))) for _, by, place in chosen),
        )


def replaced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with stretches (start, end, new words), in order, put in place."""
    out, place = [], 0
    for start, end, new in changes:
        out += [text[place:start], new]
        place = end
    return "".join([*out, text[place:]])
