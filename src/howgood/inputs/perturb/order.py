"""Changes of order that mean nothing: of the choices, and of the worked examples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec

from howgood.core.errors import Unsupported
from howgood.core.text import LETTERS
from howgood.core.types import Instance
from howgood.inputs.perturb.base import Perturbation, Shown

# A choice that speaks of the others' places keeps its own; one that names them by letter or number keeps everyone's.
PLACED = re.compile(
    r"\b(all|none|any|neither|either|both|some|two|more)\b.*\b(above|below|these|those|them)\b"
    r"|\bthe (above|following)\b",
    re.IGNORECASE,
)
LETTERED = re.compile(
    r"^\W*(?i:both|only|neither|either|all of)?\s*\(?[A-J]\)?\s*(,|and|or|&|nor|only)\s*\(?([A-J]\)?\b|and|$)|"
    r"\b(?i:choices?|options?|answers?)\s+\(?[A-J1-9]\b|"
    r"\b(?i:first|second|third|last|former|latter|previous) (?:choice|option|answer)"
)


class ChoiceOrder(Perturbation):
    """The choices in another order, the right one going with them. "All of the above" keeps its place; choices that
    name each other (A and C) keep theirs."""

    name = "choice-order"

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        if call.get("method") == "cloze-likelihood" or call["kind"].startswith("in-context"):
            raise Unsupported(
                "the choices are not listed in the prompt, so they have no order to change; leave out --perturb "
                "choice-order, or list them, where the benchmark can: -P method=letter-likelihood"
            )

    def instance(self, instance: Instance, number: int, seed: int) -> Instance | None:
        choices = instance.choices
        if any(LETTERED.search(choice) for choice in choices):
            return None
        free = [place for place, choice in enumerate(choices) if not PLACED.search(choice)]
        order = other_order(len(free), number, lambda i: self.draw(instance.id, i, seed))
        if order is None:
            return None
        source = list(range(len(choices)))
        for to, place in enumerate(free):
            source[place] = free[order[to]]
        return msgspec.structs.replace(
            instance,
            choices=tuple(choices[old] for old in source),
            gold=tuple(new for new, old in enumerate(source) if old in instance.gold),
            targets=tuple(relettered(target, source) for target in instance.targets),
        )


def relettered(target: str, source: list[int]) -> str:
    """A target that is a letter, or that names choices as (B), in the letters of the new order: `source` holds the old
    place of each choice."""

    def new(match: re.Match[str]) -> str:
        old = LETTERS.index(match[1] or match[2])
        return match[0].replace(LETTERS[old], LETTERS[source.index(old)]) if old in source else match[0]

    return re.sub(r"\(([A-Z])\)|\A([A-Z])\Z", new, target)


class ShotOrder(Perturbation):
    """The same worked examples in another order."""

    name = "shot-order"

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        shots = call.get("shots", 0)
        shown = shots.get("n", 0) if isinstance(shots, dict) else shots
        if shown < 2:
            raise Unsupported(
                f"{shown} worked examples have no order to change; leave out --perturb shot-order or pass --shots 2 or "
                "more"
            )
        if self.n >= math.factorial(min(shown, 5)):
            raise Unsupported(
                f"{shown} worked examples have no {self.n} other orders; pass --perturb "
                f"shot-order,n={math.factorial(shown) - 1} or less"
            )

    def shots(self, shots: Shown, id: str, number: int, seed: int) -> Shown:
        order = other_order(len(shots), number, lambda i: self.draw(id, i, seed))
        return shots if order is None else tuple(shots[place] for place in order)


def other_order(size: int, number: int, draw: Callable[[int], Callable[[], float]]) -> list[int] | None:
    """The order of `number` (from 1) among orders of 0..size-1 drawn at random one after the other, none of them the
    first one or one that was drawn before. None where there are not so many."""
    if number >= math.factorial(min(size, 6)):
        return None
    seen = {tuple(range(size))}
    order = list(range(size))
    for variant in range(1, number + 1):
        random = draw(variant)
        while tuple(order) in seen:
            order = sorted(range(size), key=lambda place: random())
        seen.add(tuple(order))
    return order
