"""Puzzles asked in several ways: what the model is shown, what is turned back, and whose votes count."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from method_models import CHATS, COMPLETES, Answering

import howgood as hg
from howgood.benchmarks.reasoning.arc_puzzles import puzzle
from howgood.calls.base import Settings
from howgood.calls.generation import Generation
from howgood.calls.methods.augment import Symmetry, symmetries
from howgood.calls.methods.registry import apply
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Generate, Instance, Prediction, Score
from howgood.outputs.base import judge
from howgood.outputs.grid import Grid, GridMatch, read_grid, write_grid
from howgood.outputs.match import Numeric
from howgood.runs.check import check
from howgood.runs.plan import Options

GRID = [[1, 2, 3], [4, 0, 0]]
COPY = {"id": "copy", "train": [{"input": [[5, 0]], "output": [[5, 0]]}], "test": [{"input": GRID, "output": GRID}]}
TASK = puzzle(COPY, 0)
SIDE = st.integers(1, 6)


@given(SIDE, SIDE, st.integers(0, 2**32), st.integers(1, 20))
def test_every_way_leads_back(height: int, width: int, seed: int, n: int) -> None:
    cells = random.Random(seed)
    grid = [[cells.randrange(10) for _ in range(width)] for _ in range(height)]
    ways = symmetries(n, seed)
    assert len(ways) == n
    assert ways[0].shown(grid) == grid
    assert all(way.back(way.shown(grid)) == grid for way in ways)
    assert all(sorted(way.colours) == list(range(10)) and way.colours[0] == 0 for way in ways)


def test_eight_ways_are_the_eight_in_which_a_square_lies() -> None:
    square = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    lying = {write_grid(Symmetry(mirrored, turns).shown(square)) for mirrored in (False, True) for turns in range(4)}
    assert len(lying) == 8
    assert {(way.mirrored, way.turns) for way in symmetries(8, 3)} == {(m, t) for m in (False, True) for t in range(4)}
    assert Symmetry(turns=1).shown(GRID) == [[4, 1], [0, 2], [0, 3]]  # clockwise
    assert Symmetry(mirrored=True).shown(GRID) == [[3, 2, 1], [0, 0, 4]]
    assert Symmetry(colours=(0, 9, 2, 3, 4, 5, 6, 7, 8, 1)).shown(GRID) == [[9, 2, 3], [4, 0, 0]]


async def ask(model: Answering, n: int = 8, task: Instance = TASK, attempts: int = 2) -> tuple[Prediction, Score]:
    call, outputs = apply((f"augment,n={n}",), Generation(attempts=attempts), GridMatch())
    call = call.bind(model.capabilities, Settings())
    prediction = await call(call.request(task, (), 7), model)
    return prediction, judge(outputs, task, prediction)


def last_input(request: Generate) -> Grid:
    text = request.prompt if isinstance(request.prompt, str) else str(request.prompt[-1].content)
    found = read_grid(text.removesuffix("Output:"))
    assert found is not None
    return found


@pytest.mark.parametrize("can", [CHATS, COMPLETES])
async def test_a_rule_that_holds_however_the_puzzle_lies_gets_all_votes(can) -> None:
    seen = []

    def copied(request: Generate) -> str:
        seen.append(write_grid(last_input(request)))
        return seen[-1]

    prediction, score = await ask(Answering(copied, can))
    assert (score.values, score.outcome, score.explanation) == ({"solved": 1.0, "cells": 1.0}, "right", "votes: 8")
    assert len(set(seen)) == 8
    assert seen[0] == write_grid(GRID)
    assert score.answer == write_grid(GRID)
    assert all(read_grid(text) == GRID for text in prediction.attempts)
    assert prediction.attempts[1].startswith(seen[1])  # what the model wrote is kept


async def test_the_two_grids_with_most_votes_are_the_attempts_and_no_other() -> None:
    """The model is wrong in the same way 4 times (after turning back), right twice, and silent or alone elsewhere."""

    def answers(right: int):
        count = iter(range(8))

        def answer(request: Generate) -> str:
            place, grid = next(count), last_input(request)
            if place < 4:
                return write_grid([[0 for _ in row] for row in grid])
            if place < 4 + right:
                return write_grid(grid)
            return "no idea" if place == 7 else write_grid([[0] * (place + 4)])

        return answer

    _, score = await ask(Answering(answers(2), CHATS))
    assert (score.values["solved"], score.explanation) == (1, "votes: 4, 2, 1; no grid in 1 of 8 answers")
    _, score = await ask(Answering(answers(2), CHATS), attempts=1)
    assert (score.values["solved"], score.outcome) == (0, "wrong")
    _, score = await ask(Answering(answers(0), CHATS))
    assert score.values["solved"] == 0
    _, score = await ask(Answering(lambda _: "no idea", CHATS))
    assert (score.outcome, score.explanation) == ("unanswered", "votes: none; no grid in 8 of 8 answers")


def test_what_has_no_grids_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="augment turns grids, and this benchmark's answer is none"):
        apply(("augment",), Generation(), Numeric())
    with pytest.raises(HowgoodError, match="augment,n=0: it takes at least one way"):
        apply(("augment,n=0",), Generation(), GridMatch())
    call, _ = apply(("augment",), Generation(), GridMatch())
    with pytest.raises(Unsupported, match="the prompt of instance x has none"):
        call.bind(CHATS, Settings()).request(Instance("x", "Draw a grid", ("1 2",)), (), 0)
    around, _ = apply(("augment", "vote"), Generation(attempts=2), GridMatch())
    with pytest.raises(Unsupported, match="takes 2 attempts at each question already; leave out vote"):
        around.bind(CHATS, Settings())


def test_on_the_real_puzzles(shared: Path) -> None:
    options = Options(data=str(shared / "data"), methods=("augment,n=3",))
    for found in check("arc-agi-1", {"max_cells": 40}, options):
        assert found.instances > 20
        assert not found.faults
        assert found.rules["methods"] == [{"name": "augment", "n": 3, "version": 1}]
    run = hg.run("arc-agi-1", "reference/echo", method="augment,n=3", max_cells=25, data=shared / "data")
    assert run.outcomes["wrong"] == run.planned
    assert all(len(attempts) == 3 for attempts in run.trials["attempts"])
    assert run.rules.outputs["vote"] == "the 2 grids with most votes (version 1)"
