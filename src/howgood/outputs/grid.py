"""Grids of colours, as ARC-AGI asks for them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded

Grid = list[list[int]]
MAX_SIDE = 30
ROW = re.compile(r"^[\s\[(]*(\d(?:[\s,]+\d)*)[\s\]),]*$")
JSON_GRID = re.compile(r"\[\s*(?:\[[\d\s,]*\][\s,]*)+\]")


@dataclass(frozen=True)
class GridMatch(Outputs):
    """Whether any attempt is exactly the target grid (shape and every cell), as ARC Prize scores two attempts.

    `solved` is the headline; `cells` is the share of cells right in the best attempt of the right shape, for feedback.
    """

    ending: ClassVar[str | None] = ""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        target = read_grid(instance.targets[0])
        assert target is not None
        grids = [read_grid(text) for text in prediction.attempts or (prediction.text or "",)]
        read = [g for g in grids if g is not None]
        best = max(read, key=lambda g: likeness(g, target), default=None)
        values = {"solved": float(any(g == target for g in read)), "cells": likeness(best, target) if best else 0.0}
        return score_text(values, write_grid(best) if best else None, prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "grid", "version": 1}


@dataclass(frozen=True)
class MostVoted(Outputs):
    """Judges as attempts the `kept` grids that most answers give, and no others; of grids with equally many votes those
    that were given first. Answers without a grid do not vote."""

    inner: GridMatch
    kept: int

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        answers = prediction.attempts or (prediction.text or "",)
        grids = [grid for grid in map(read_grid, answers) if grid]
        votes = Counter(map(write_grid, grids)).most_common()
        told = f"votes: {', '.join(str(count) for _, count in votes) or 'none'}"
        if silent := len(answers) - len(grids):
            told += f"; no grid in {silent} of {len(answers)} answers"
        if votes:
            chosen = tuple(grid for grid, _ in votes[: self.kept])
            prediction = msgspec.structs.replace(
                prediction, text=chosen[0], attempts=chosen, stop_reason="stop", stop_reasons=()
            )
        return msgspec.structs.replace(self.inner(instance, prediction), explanation=told)

    def describe(self) -> dict[str, Any]:
        return self.inner.describe() | {"vote": f"the {self.kept} grids with most votes (version 1)"}


def read_grid(text: str) -> Grid | None:
    """The last rectangular grid of digits in a text: as a JSON list of lists, or as lines of digits, whichever stands
    later."""
    text = bounded(text)
    found = list(JSON_GRID.finditer(text))
    if not found:
        return _grid(_last_lines(text))
    # What is left of the line that the JSON ends on belongs to it.
    after = text[found[-1].end() :].partition("\n")[2]
    cells = [re.findall(r"\d+", row) for row in re.findall(r"\[([\d\s,]*)\]", found[-1][0])]
    return _grid(_last_lines(after) or cells)


def write_grid(grid: Grid) -> str:
    """A grid as lines of digits with a space between."""
    return "\n".join(" ".join(map(str, row)) for row in grid)


def likeness(grid: Grid, target: Grid) -> float:
    """The share of equal cells of two grids of one shape; 0 for different shapes."""
    if len(grid) != len(target) or len(grid[0]) != len(target[0]):
        return 0.0
    cells = [a == b for mine, theirs in zip(grid, target, strict=True) for a, b in zip(mine, theirs, strict=True)]
    return sum(cells) / len(cells)


def _last_lines(text: str) -> list[list[str]]:
    """The cells of the last run of lines that hold digits alone."""
    blocks: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        match = ROW.match(line)
        if match:
            blocks[-1].append(re.split(r"[\s,]+", match[1]))
        elif blocks[-1]:
            blocks.append([])
    return next((b for b in reversed(blocks) if b), [])


def _grid(rows: list[list[str]]) -> Grid | None:
    """Cells as they were written, if they make a grid: single digits in a rectangle that is not too large."""
    width = len(rows[0]) if rows else 0
    fits = 0 < len(rows) <= MAX_SIDE and 0 < width <= MAX_SIDE and all(len(row) == width for row in rows)
    if not fits or any(len(cell) != 1 for row in rows for cell in row):
        return None
    return [[int(cell) for cell in row] for row in rows]
