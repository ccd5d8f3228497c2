"""Annotations of AlpacaEval as runs."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.core.errors import DataError


def annotation(number: int, preference: Any, model: str = "mine", **more: Any) -> dict[str, Any]:
    return {
        "instruction": f"Do {number}.",
        "output_1": "The baseline's.",
        "generator_1": "gpt4_1106_preview",
        "dataset": "koala",
        "output_2": f"Mine, {number}.",
        "generator_2": model,
        "annotator": "weighted_alpaca_eval_gpt4_turbo",
        "preference": preference,
        "raw_completion": {"text": "M"},
        "price_per_example": 0.01,
    } | more


def test_preferences_become_scores_and_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    rows = [annotation(i, preference) for i, preference in enumerate((1.0, 2.0, 1.5, 1.25, 0, None))]
    path.write_text(json.dumps([*rows, annotation(0, 2, model="other")]))
    mine, other = hg.import_runs(path)
    assert (mine.system.name, other.system.name, other.estimate.value) == ("mine", "other", 1.0)
    assert mine.trials["preference"].to_list() == [0.0, 1.0, 0.5, 0.25, 0.5, None]
    assert (mine.estimate.value, mine.estimate.n) == (0.45, 5)
    assert mine.outcomes == {"scored": 5, "unjudged": 1}
    assert (mine.verdicts, mine.judging.cost) == (6, pytest.approx(0.06))
    row = mine.trials.row(1, named=True)
    assert (row["text"], row["targets"], row["length"], row["baseline_length"]) == (
        "Mine, 1.",
        ["The baseline's."],
        8,
        15,
    )
    assert "Do 1." in row["input"]
    assert row["stratum"] == "koala"
    found = hg.audit(mine)
    assert found.judges[0].verdicts == 6
    assert found.judges[0].unread == 1
    # Runs pair by instruction, whatever the place in the file.
    difference = hg.compare(mine, other)
    assert (difference.difference.value, difference.difference.n) == (1.0, 1)


def test_what_is_no_annotation(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps([annotation(0, 1.0), {"instruction": "x"}]))
    with pytest.raises(DataError, match="row 2: no annotation"):
        hg.import_runs(path)


def test_the_published_win_rate(shared: Path, tmp_path: Path) -> None:
    """The recorded annotations of gemma-7b-it give the win rate of the leaderboard, 6.937294."""

    def lines(path: Path) -> dict[int, Any]:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            return {row["index"]: row for row in map(json.loads, file)}

    recorded, data = shared / "reference" / "alpacaeval", shared / "data" / "alpacaeval"
    told = lines(recorded / "annotations" / "gemma-7b-it.jsonl")
    asked, base = lines(data / "eval_set.jsonl.gz"), lines(data / "baselines" / "gpt4_1106_preview.jsonl.gz")
    answers = lines(recorded / "model_outputs" / "gemma-7b-it.jsonl.gz")
    rows = [
        {"instruction": asked[i]["instruction"], "output_1": base[i]["output"]}
        | {name: row[name] for name in ("generator_1", "generator_2", "annotator", "preference", "dataset")}
        for i, row in told.items()
    ]
    (tmp_path / "annotations.json").write_text(json.dumps(rows))
    outputs = [
        {"instruction": asked[i]["instruction"], "output": row["output"], "generator": "gemma-7b-it"}
        for i, row in answers.items()
    ]
    (tmp_path / "model_outputs.json").write_text(json.dumps(outputs))
    board = recorded / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv"
    (tmp_path / "leaderboard.csv").write_bytes(board.read_bytes())
    [run] = hg.import_runs(tmp_path)
    with board.open() as file:
        [line] = [row for row in csv.DictReader(file) if row[""] == "gemma-7b-it"]
    assert run.estimate.n == 805
    assert 100 * run.estimate.value == pytest.approx(float(line["win_rate"]), abs=1e-9)
    assert run.origin is not None
    assert [p.name for p in run.origin.published] == ["win_rate", "length_controlled_winrate"]
    assert not [note for note in run.origin.notes if "published" in note]
    assert run.trials["text"].null_count() == 0
