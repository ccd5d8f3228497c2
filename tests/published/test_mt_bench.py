"""MT-Bench's scores out of GPT-4's recorded judgments."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from howgood.benchmarks.instructions.mt_bench import PROMPTS, read_prompts
from howgood.benchmarks.instructions.mt_bench_judge import TwoGrades
from howgood.core.types import Prediction
from howgood.outputs.judge import Question


def test_the_mean_of_all_turns(shared: Path) -> None:
    with gzip.open(shared / "reference/mt_bench/gpt-4_single_judgments_routellm.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    outputs, grades = TwoGrades(), dict[str, list[float]]()
    for row in rows:
        found = outputs.read(Question(""), Prediction(text=row["judgment"]))["score"]
        assert found == row["score"], row["question_id"]
        grades.setdefault(row["model"], []).append(found)
    means = {model: sum(found) / len(found) for model, found in grades.items()}
    assert {len(found) for found in grades.values()} == {160}
    assert sorted(round(mean, 3) for mean in means.values()) == [8.341, 9.228]


def test_the_published_prompts_are_found(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_DATA", str(shared / "data"))
    names = [name for name, _, _ in read_prompts("official")]
    assert names[:2] == ["pair-v2", "pair-v2-multi-turn"]
    assert read_prompts("howgood") == ()
    assert PROMPTS.text() is not None
