"""Votes over augmentations: a puzzle of grids asked turned, mirrored and recoloured, and each answer turned back.

A rule between grids holds whichever way they lie and whatever their colours are called, and a model that found it finds
it there too, while its mistakes differ: Akyürek et al., arXiv:2411.07279; Franzen et al., arXiv:2505.07859.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from howgood.calls.base import Call, Settings
from howgood.calls.generation import Generation, together
from howgood.calls.methods.base import Method, every, own_call, own_words, writing, written
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Generate, Instance, Message, Part, Prediction, Prompt, Request, Text
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import Outputs
from howgood.outputs.grid import Grid, GridMatch, MostVoted, read_grid, write_grid

GRID = re.compile(r"(?m)^\d(?: \d)*(?:\n\d(?: \d)*)*$")
"""Grids in a prompt, as `write_grid` writes them."""
WAYS = 8
"""In how many ways a square can lie."""


class Symmetry(Struct, frozen=True):
    """A way to show a grid: mirrored or not, then turned clockwise by so many quarters, each colour shown as
    `colours[colour]`."""

    mirrored: bool = False
    turns: int = 0
    colours: tuple[int, ...] = tuple(range(10))

    def shown(self, grid: Grid) -> Grid:
        lying = _turned([row[::-1] for row in grid] if self.mirrored else grid, self.turns)
        return [[self.colours[cell] for cell in row] for row in lying]

    def back(self, grid: Grid) -> Grid:
        """The grid of which this one is shown."""
        upright = _turned([[self.colours.index(cell) for cell in row] for row in grid], -self.turns % 4)
        return [row[::-1] for row in upright] if self.mirrored else upright

    def __str__(self) -> str:
        lying = f"{'mirrored, ' if self.mirrored else ''}turned by {90 * self.turns} degrees"
        return f"{lying}, colours 0123456789 as {''.join(map(str, self.colours))}"


def symmetries(n: int, seed: int) -> list[Symmetry]:
    """`n` ways to show a puzzle: as it is, then in each of the eight ways to lie in turn, with the colours 1 to 9
    permuted. 0, the background of most puzzles, stays."""
    drawn = random.Random(seed)
    found = [Symmetry()]
    for place in range(1, n):
        others = list(range(1, 10))
        drawn.shuffle(others)
        found.append(Symmetry(place // 4 % 2 == 1, place % 4, (0, *others)))
    return found


@dataclass(frozen=True)
class Augment(Method):
    """The question asked once in each of `n` ways to show its grids. Which answers are the benchmark's attempts is for
    the outputs around (`MostVoted`) to say."""

    name: ClassVar[str] = "augment"
    n: int = field(default=WAYS, kw_only=True)

    @classmethod
    def around(cls, call: Call, outputs: Outputs, *, n: int = WAYS) -> tuple[Call, Outputs]:
        own = own_call(call)
        if not isinstance(outputs, GridMatch) or not isinstance(own, Generation):
            raise Unsupported("augment turns grids, and this benchmark's answer is none; leave it out")
        if n < 1:
            raise HowgoodError(f"augment,n={n}: it takes at least one way to ask")
        return cls(call, n=n), MostVoted(outputs, own.attempts)

    def bind(self, can: Capabilities, settings: Settings) -> Augment:
        return replace(self, inner=_once(writing(self.inner, self.name)).bind(can, settings))

    def told(self) -> dict[str, Any]:
        return {"n": self.n, "version": 1}

    async def __call__(self, request: Request, model: Model) -> Prediction:
        asked = written(request)

        async def answered(way: Symmetry) -> Prediction:
            shown = msgspec.structs.replace(asked, prompt=_shown(asked.prompt, way))
            return _turned_back(await self.inner(shown, model), way)

        samples, error = await every([answered(way) for way in symmetries(self.n, asked.seed or 0)])
        latency = max(sample.latency for sample in samples)  # they were asked for at once
        return msgspec.structs.replace(together(samples), latency=latency, error=error)

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        request = written(super().request(instance, shots, seed))
        if not any(map(GRID.search, _texts(request.prompt))):
            raise Unsupported(f"augment turns grids, and the prompt of instance {instance.id} has none; leave it out")
        return request

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        one = super().imagine(instance, right)
        return msgspec.structs.replace(one, attempts=(one.text or "",) * self.n)


def _once(call: Call) -> Call:
    """The call with one attempt at each question."""
    if isinstance(call, Method):
        return replace(call, inner=_once(call.inner))
    assert isinstance(call, Generation)
    return replace(call, attempts=1)


def _shown(prompt: Prompt, way: Symmetry) -> Prompt:
    def shown(text: str) -> str:
        return GRID.sub(lambda found: _shown_grid(found[0], way), text)

    if isinstance(prompt, str):
        return shown(prompt)
    return tuple(msgspec.structs.replace(message, content=_each(message, shown)) for message in prompt)


def _shown_grid(text: str, way: Symmetry) -> str:
    grid = [[int(cell) for cell in line.split(" ")] for line in text.split("\n")]
    return write_grid(way.shown(grid)) if len({len(row) for row in grid}) == 1 else text


def _each(message: Message, change: Callable[[str], str]) -> str | tuple[Part, ...]:
    if isinstance(message.content, str):
        return change(message.content)
    return tuple(Text(change(part.text)) if isinstance(part, Text) else part for part in message.content)


def _texts(prompt: Prompt) -> list[str]:
    if isinstance(prompt, str):
        return [prompt]
    parts = [(Text(m.content),) if isinstance(m.content, str) else m.content for m in prompt]
    return [part.text for some in parts for part in some if isinstance(part, Text)]


def _turned_back(prediction: Prediction, way: Symmetry) -> Prediction:
    """What the model wrote, and below it the grid as it lies in the puzzle."""
    grid = read_grid(own_words(prediction))
    if grid is None or way == Symmetry():
        return prediction
    text = f"{prediction.text}\n\n(The puzzle was shown {way}. Shown back:)\n{write_grid(way.back(grid))}"
    return msgspec.structs.replace(prediction, text=text)


def _turned(grid: Grid, quarters: int) -> Grid:
    for _ in range(quarters):
        grid = [list(row) for row in zip(*grid[::-1], strict=True)]
    return grid
