"""WildBench's board out of recorded grades and counts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from howgood.benchmarks.instructions.wildbench_reward import WEIGHTS, Reward, TaskWeighted
from howgood.core.types import Instance, Prediction, Verdict
from howgood.interpret.table import Table
from howgood.outputs.judge import Graded

GRADED = {"gpt-3.5-turbo-0125": 3.2278, "gemma-2b-it": -0.5250, "gemma-7b-it": 1.0176, "reka-flash-20240226": 3.4604}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "reference" / "wildbench"


def board(path: Path) -> list[dict[str, Any]]:
    held = json.loads(path.read_text())
    return list(held.values()) if isinstance(held, dict) else held


@pytest.mark.parametrize("name", GRADED)
def test_mean_grades(folder: Path, name: str) -> None:
    """Each recorded grade, read as `Graded` reads a reply that holds it."""
    with gzip.open(folder / "score_gpt4o_v2.0625" / f"{name}.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    outputs = Graded()
    item = Instance("1", "?")
    (question,) = outputs.questions(item, Prediction(text="x"))
    grades = [
        outputs.read(question, Prediction(text=json.dumps({"strengths": row["strengths"], "score": row["score"]})))
        for row in rows
    ]
    mean = float(np.mean([found["score"] for found in grades]))
    assert 2 * (mean - 5) == pytest.approx(GRADED[name], abs=5e-5)
    (stored,) = [row for row in board(folder / "leaderboard" / "score.json") if row["model"].endswith(name)]
    assert mean == pytest.approx(stored["score"], abs=1e-12)
    assert len(rows) == stored["total"]


def grouped(scores: dict[str, float]) -> Table:
    """One task of each group, with the group's mean."""
    names, n = list(scores), len(scores)
    columns = {"score": np.array([scores[name] for name in names])}
    return Table([str(i) for i in range(n)], np.zeros(n, np.int64), [*names], [None] * n, np.zeros(n, bool), columns)


def test_the_weighted_mean_of_groups(folder: Path) -> None:
    checked = 0
    for row in board(folder / "leaderboard" / "score.json"):
        centred = {group: value / 2 + 5 for group, value in row["task_categorized_scores"].items() if group in WEIGHTS}
        if len(centred) < 5:
            continue
        (estimate,), groups = TaskWeighted("wb_score", "score", 5.0, 20.0)(grouped(centred))
        assert estimate.value / 10 == pytest.approx(row["task_macro_score"], abs=1e-12)
        assert len(groups) == 5
        checked += 1
    assert checked >= 60


@pytest.mark.parametrize("name", ["gpt4t-K=500", "gpt4t-K=-1", "haiku-K=500", "llama-K=500"])
def test_rewards_out_of_counts(folder: Path, name: str) -> None:
    kinds = {"win_much": 1.0, "win": 0.75, "tie": 0.5, "lose": 0.25, "lose_much": 0.0}
    checked = 0
    for row in board(folder / "leaderboard" / f"pairwise-{name}.json"):
        if "reward" not in row:
            continue
        found = sum(row[kind] * Reward(margin=-1)._reward(value, 0) for kind, value in kinds.items())
        assert found / row["total"] == pytest.approx(row["reward"], abs=1e-12)
        checked += 1
    assert checked >= 40


@pytest.mark.parametrize(
    ("preference", "longer", "reward"),
    [
        (0.75, 500, 0.5), (0.75, 501, 0.0), (0.75, -900, 0.5), (1.0, 5000, 1.0), (0.25, -501, 0.0), (0.25, 900, -0.5),
        (0.5, 900, 0.0), (0.0, -900, -1.0),
    ],
)  # fmt: skip
def test_the_margin_of_length(preference: float, longer: int, reward: float) -> None:
    item = Instance("1", "?", targets=("x" * 1000,))
    answer = Prediction(text="y" * (1000 + longer), stop_reason="stop")
    verdict = Verdict("j", "", Prediction(), {"preference": preference}, first=True)
    found = Reward().values(item, answer, [verdict])
    assert (found["reward"], found["preference"]) == (reward, preference)
    assert Reward(margin=-1).values(item, answer, [verdict])["reward"] == 2 * preference - 1


def test_a_task_counts_in_each_of_its_groups() -> None:
    """By hand: creative (0.5) has 4 and 8, maths (1) has 8 alone: (0.5·6 + 1·8)/1.5 = 7.333."""
    columns = {"score": np.array([4.0, 8.0])}
    strata = ["Creative Tasks", "Creative Tasks + Math & Data Analysis"]
    table = Table(["a", "b"], np.zeros(2, np.int64), [*strata], [None, None], np.zeros(2, bool), columns)
    (estimate,), groups = TaskWeighted("wb_score", "score", 5.0, 20.0)(table)
    assert estimate.value == pytest.approx(20 * (22 / 3 - 5))
    # Influences: a third of -2/2 and of 2/2 by creative, nothing by the one task of maths.
    assert estimate.se == pytest.approx(20 * np.sqrt(2 / 9 * 2 / 1))
    assert [(group.group, group.value) for group in groups] == [("Creative Tasks", 6.0), ("Math & Data Analysis", 8.0)]
