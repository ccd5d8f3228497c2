"""Ratings that others published: evalica's golden scores (Ustalov 2025, COLING) of three sets of votes, and the win
rates of AlpacaEval."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import howgood as hg
from howgood.interpret.rating.battles import Battles, read
from howgood.interpret.rating.board import win_rates
from howgood.interpret.rating.elo import elo
from howgood.interpret.rating.fit import fit
from howgood.interpret.rating.votes import tally

Golden = dict[str, dict[str, float]]
SETS = {"food": (5, 30), "llmfao": (59, 8_931), "simple": (5, 16)}


@pytest.fixture(params=SETS)
def golden(request: pytest.FixtureRequest, shared: Path) -> tuple[Battles, Golden]:
    data = shared / "data" / "arena" / f"{request.param}.csv"
    scores = shared / "reference" / "arena" / f"{request.param}-golden.csv"
    if not (data.is_file() and scores.is_file()):
        pytest.skip("needs ../shared/data/arena and ../shared/reference/arena")
    found: Golden = {}
    with scores.open() as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["algorithm"], {})[row["item"]] = float(row["score"])
    battles = read(data)
    assert (len(battles.models), len(battles.a)) == SETS[request.param]
    assert not battles.left_out
    return battles, found


def in_order(battles: Battles, scores: dict[str, float]) -> np.ndarray:
    return np.array([scores[name] for name in battles.models])


def test_bradley_terry(golden: tuple[Battles, Golden]) -> None:
    battles, scores = golden
    found = fit(tally(battles.a, battles.b, battles.outcome, len(battles.models)))
    strength = np.exp(found.ratings)
    assert strength / strength.sum() == pytest.approx(in_order(battles, scores["bradley_terry"]), abs=1e-10)


def test_newman_is_davidson(golden: tuple[Battles, Golden]) -> None:
    """Newman (2023, JMLR 24) finds the most likely strengths of Davidson's model by another way."""
    battles, scores = golden
    found = fit(tally(battles.a, battles.b, battles.outcome, len(battles.models)), "davidson")
    logs = np.log(in_order(battles, scores["newman"]))
    assert found.ratings == pytest.approx(logs - logs.mean(), abs=1e-9)


def test_win_rates_and_elo(golden: tuple[Battles, Golden]) -> None:
    battles, scores = golden
    columns = battles.a, battles.b, battles.outcome, len(battles.models)
    assert win_rates(tally(*columns)) == pytest.approx(in_order(battles, scores["average_win_rate"]), abs=1e-14)
    assert elo(*columns) == pytest.approx(in_order(battles, scores["elo"]), abs=1e-9)


def test_the_llmfao_leaderboard(shared: Path) -> None:
    """The figures of docs/ratings.md."""
    path = shared / "data" / "arena" / "llmfao.csv"
    if not path.is_file():
        pytest.skip("needs ../shared/data/arena")
    board = hg.rate(path)
    first = board.models[0]
    assert (first.model, first.rank_low, first.votes) == ("GPT 4", 1, 158)
    assert first.rating == pytest.approx(1172.13, abs=0.01)
    assert (first.low, first.high) == pytest.approx((1103.0, 1241.3), abs=0.1)
    assert first.win_rate == pytest.approx(0.758757470599576)
    assert first.best == pytest.approx(0.874, abs=0.02)
    assert board.flip is not None
    assert (board.flip.other, board.flip.votes) == ("Platypus-2 Instruct (70B)", 16)
    assert board.agreement is not None
    assert board.agreement.value == pytest.approx(0.2884, abs=1e-4)
    assert (board.voters, {one.voter for one in board.suspects}) == (124, {"20", "32", "37"})


@pytest.fixture(scope="module")
def alpaca(shared: Path) -> tuple[dict[str, list[Any]], dict[str, dict[str, str]]]:
    """AlpacaEval's verdicts on the eight annotated models as battles against the baseline, and its leaderboard."""
    folder = shared / "reference" / "alpacaeval"
    if not (folder / "annotations").is_dir():
        pytest.skip("needs ../shared/reference/alpacaeval")
    battles: dict[str, list[Any]] = {name: [] for name in "model_a model_b winner length_a length_b item".split()}
    for path in sorted((folder / "annotations").glob("*.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            word = "tie" if row["preference"] in (0, 1.5) else "model_b" if row["preference"] > 1.5 else "model_a"
            values = row["generator_1"], path.stem, word, row["len_1"], row["len_2"], row["index"]
            for column, value in zip(battles.values(), values, strict=True):
                column.append(value)
    with (folder / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv").open() as lines:
        return battles, {row[""]: row for row in csv.DictReader(lines)}


def test_alpaca_eval_win_rates_against_the_baseline(alpaca: tuple[Any, Any]) -> None:
    """Where all votes are against one model, the chance to beat it is the published discrete win rate."""
    battles, leaderboard = alpaca
    board = hg.rate(battles, baseline="gpt4_1106_preview", cluster="item")
    rates = {one.model: one.beats.value for one in board.models if one.beats is not None}
    assert len(rates) == 8
    for model, rate in rates.items():
        row = leaderboard[model]
        assert battles["model_b"].count(model) == int(row["n_total"])
        assert 100 * rate == pytest.approx(float(row["discrete_win_rate"]), abs=1e-9)


def test_control_for_length_undoes_what_verbosity_gained(alpaca: tuple[Any, Any]) -> None:
    board = hg.rate(alpaca[0], baseline="gpt4_1106_preview", cluster="item", style=True)
    assert [one.name for one in board.style] == ["length"]
    assert board.style[0].low > 0
    plain = {one.model: one.plain or 0.0 for one in board.models}
    styled = {one.model: one.rating for one in board.models}
    name = "gpt-3.5-turbo-1106"
    assert plain[f"{name}_verbose"] - plain[name] > 60
    assert abs(styled[f"{name}_verbose"] - styled[name]) < 20
