"""Ratings that others published: evalica's golden scores (Ustalov 2025, COLING) of three sets of votes."""

from __future__ import annotations

import csv
from pathlib import Path

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
