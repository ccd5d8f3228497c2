"""AlpacaEval 2's leaderboard out of the judge's recorded log-probabilities."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from howgood.benchmarks.instructions.alpacaeval import second_by_lot
from howgood.core.types import Instance, Prediction, Token
from howgood.interpret.length_control import Anchors, controlled, upstream
from howgood.outputs.judge import Pairwise, Question

ANNOTATED = {
    "FuseChat-Llama-3.1-8B-Instruct": 63.332,
    "NullModel": 76.920,
    "alpaca-7b": 2.591,
    "claude-2.1": 15.734,
    "gemma-7b-it": 6.937,
    "gpt-3.5-turbo-1106": 9.178,
    "gpt-3.5-turbo-1106_concise": 7.416,
    "gpt-3.5-turbo-1106_verbose": 12.763,
}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "reference" / "alpacaeval"


@pytest.fixture(scope="module")
def board(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv").open() as file:
        return {row[""]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def difficulty(folder: Path) -> Any:
    with (folder / "instruction_difficulty.csv").open() as file:
        return np.array([float(row["instruction_difficulty"]) for row in csv.DictReader(file)])


@pytest.fixture(scope="module")
def anchors(folder: Path) -> Anchors:
    with (folder / "df_gamed.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ("preference", "std_delta_len", "instruction_difficulty")
    a, b, c = (np.array([float(row[name]) for row in rows]) for name in names)
    return Anchors(a, b, c)


def annotations(folder: Path, name: str) -> list[dict[str, Any]]:
    with (folder / "annotations" / f"{name}.jsonl").open() as file:
        return [json.loads(line) for line in file]


def columns(rows: list[dict[str, Any]]) -> tuple[Any, Any, Any, Any]:
    """Preference in [0, 1] (0 is how a draw is written), both lengths, and the place of the instruction."""
    preference = np.array([(row["preference"] or 1.5) - 1 for row in rows])
    model, baseline = (np.array([float(row[name]) for row in rows]) for name in ("len_2", "len_1"))
    return preference, model, baseline, np.array([int(row["index"]) for row in rows])


def all_models(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for name in ANNOTATED:
        yield name, annotations(folder, name)
    with gzip.open(folder / "annotations_compact_other_models.jsonl.gz", "rt") as file:
        for line in file:
            held = json.loads(line)
            names = ("index", "preference", "len_1", "len_2")
            rows = [dict(zip(names, row, strict=True)) for row in zip(*(held[name] for name in names), strict=True)]
            yield held["generator_2"], [row for row in rows if row["preference"] is not None]


def test_preferences_out_of_log_probabilities(shared: Path, folder: Path) -> None:
    """Every stored preference, read as `Pairwise` reads it, with the answers shown in the order that upstream draws."""
    with gzip.open(shared / "data/alpacaeval/eval_set.jsonl.gz", "rt") as file:
        asked = {int(row["index"]): row["instruction"] for row in map(json.loads, file)}
    outputs, read, ties = Pairwise(verdict_by="logprobs", names=("m", "M")), 0, 0
    for name in ANNOTATED:
        for row in annotations(folder, name):
            given = row["top_logprobs"]
            if not given:
                continue
            question = Question("", second_by_lot(Instance("", asked[int(row["index"])])))
            reply = Prediction(tokens=(Token("m", given.get("m", -100.0), given),))
            found = outputs.read(question, reply)["preference"]
            if row["preference"] in (0, 1.5):
                ties += 1
                continue
            assert found == pytest.approx(row["preference"] - 1, abs=1e-6), (name, row["index"])
            read += 1
    assert (read, ties) == (5619, 1)


@pytest.mark.parametrize("name", ANNOTATED)
def test_win_rates(folder: Path, board: dict[str, dict[str, str]], name: str) -> None:
    preference, *_ = columns(annotations(folder, name))
    assert 100 * preference.mean() == pytest.approx(float(board[name]["win_rate"]), abs=1e-9)
    assert 100 * preference.mean() == pytest.approx(ANNOTATED[name], abs=5e-4)
    error = 100 * preference.std(ddof=1) / math.sqrt(len(preference))
    assert error == pytest.approx(float(board[name]["standard_error"]), abs=1e-9)


def test_length_controlled_win_rates(
    folder: Path, board: dict[str, dict[str, str]], difficulty: Any, anchors: Anchors
) -> None:
    """Ours has no penalty: within 0.11 points of the board for every model, but for the one with a missing row."""
    apart = {}
    for name, rows in all_models(folder):
        preference, model, baseline, place = columns(rows)
        found = controlled(preference, model, baseline, difficulty[place], anchors)
        apart[name] = 100 * found.value - float(board[name]["length_controlled_winrate"])
    assert len(apart) == 25
    assert apart.pop("gpt35_turbo_instruct") == pytest.approx(-2.828, abs=1e-3)
    assert max(map(abs, apart.values())) == pytest.approx(0.104, abs=1e-3)


UPSTREAM_C = 10 ** (-4 + 8 * 5 / 9), 10 ** (-4 + 8 * 6 / 9)
"""The inverse penalties 2.78 and 21.5 that upstream's cross-validation had picked."""


@pytest.mark.parametrize("name", ANNOTATED)
def test_length_control_as_upstream_computes_it(
    folder: Path, board: dict[str, dict[str, str]], difficulty: Any, anchors: Anchors, name: str
) -> None:
    preference, model, baseline, place = columns(annotations(folder, name))
    c = UPSTREAM_C[name in ("NullModel", "alpaca-7b")]
    found = upstream(preference, model, baseline, difficulty[place], anchors, c)
    assert 100 * found.value == pytest.approx(float(board[name]["length_controlled_winrate"]), abs=1e-9)
    if board[name]["lc_standard_error"]:
        assert 100 * found.se == pytest.approx(float(board[name]["lc_standard_error"]), abs=1e-9)
    with (folder / "lc_glm_weights_baseline_gpt4_1106_preview.csv").open() as file:
        weights = {row[0]: [float(x) for x in row[1:]] for row in list(csv.reader(file))[1:]}
    # The stored coefficients of NullModel are not those of its row on the board.
    assert found.coefficients == pytest.approx(weights[name], abs=0.02 if name == "NullModel" else 1e-9)


def test_upstream_s_choice_of_the_penalty(folder: Path, difficulty: Any, anchors: Anchors) -> None:
    preference, model, baseline, place = columns(annotations(folder, "claude-2.1"))
    found = upstream(preference, model, baseline, difficulty[place], anchors)
    assert 100 * found.value == pytest.approx(25.251943886133027, abs=1e-9)


def test_upstream_joins_difficulties_by_place(folder: Path, difficulty: Any, anchors: Anchors) -> None:
    """With one row missing, every later row takes the difficulty of the instruction before it."""
    rows = dict(all_models(folder))["gpt35_turbo_instruct"]
    preference, model, baseline, place = columns(rows)
    shifted = upstream(preference, model, baseline, difficulty[: len(rows)], anchors, UPSTREAM_C[0])
    aligned = upstream(preference, model, baseline, difficulty[place], anchors, UPSTREAM_C[0])
    assert 100 * shifted.value == pytest.approx(17.72780108286588, abs=1e-5)
    assert 100 * aligned.value == pytest.approx(14.96, abs=0.01)


@pytest.mark.parametrize(
    ("name", "bootstrap"),
    [("FuseChat-Llama-3.1-8B-Instruct", 1.44), ("claude-2.1", 1.67), ("gpt-3.5-turbo-1106", 1.56), ("NullModel", 0.87)],
)
def test_the_error_is_that_of_a_bootstrap(
    folder: Path, difficulty: Any, anchors: Anchors, name: str, bootstrap: float
) -> None:
    """The standard deviation over 1,000 refitted bootstraps, which was computed once and independently."""
    preference, model, baseline, place = columns(annotations(folder, name))
    found = controlled(preference, model, baseline, difficulty[place], anchors)
    assert 100 * found.se == pytest.approx(bootstrap, rel=0.03)
