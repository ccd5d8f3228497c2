"""Rankings by weights, against decisions, closed forms and what can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from written_runs import Written, written

from howgood.core.errors import DataError
from howgood.interpret import leaderboard
from howgood.interpret.decide import decide
from howgood.interpret.design import Design
from howgood.interpret.estimate import mean_estimate
from howgood.interpret.leaderboard import Drawn, drawn, standings
from howgood.interpret.rating.ranks import rank_intervals
from howgood.interpret.usecase import UseCase


def made(system: str, right: Sequence[int], benchmark: str = "one") -> Written:
    """A run that is right where there is a one, with its estimate."""
    run = written(system, "".join("r" if one else "w" for one in right), benchmark)
    run.estimates += [mean_estimate("acc", np.array(right, float), Design(), 1, 0)]
    return run


A = [1] * 70 + [0] * 30
B = [1] * 60 + [0] * 30 + [1] * 5 + [0] * 5
C = [0] * 70 + [1] * 30


def test_one_benchmark_is_the_decision_of_a_use_case() -> None:
    runs = [made("a", A), made("b", B), made("c", C)]
    found = standings([drawn(runs)], [1.0])
    decision = decide(UseCase("", {"one": 1.0}, {"right": 1.0, "wrong": 0.0}), runs)
    assert [one.system for one in found] == [option.system for option in decision.options] == ["a", "b", "c"]
    for one, option in zip(found, decision.options, strict=True):
        assert one.best == option.best  # the same draws
        assert one.score.value == pytest.approx(option.worth.value)
        assert one.score.low == pytest.approx(option.worth.low)
    # The posterior mean of 70 right of 100 with a uniform prior.
    assert found[0].score.value == pytest.approx(71 / 102)
    assert sum(one.best for one in found) == pytest.approx(1.0)


def test_weights_move_the_ranking() -> None:
    first = drawn([made("a", [1] * 90 + [0] * 10), made("b", [1] * 10 + [0] * 90)], 1)
    second = drawn([made("a", [1] * 20 + [0] * 80, "two"), made("b", [1] * 80 + [0] * 20, "two")], 2)
    for weights, order in (((1, 0), "ab"), ((0, 1), "ba"), ((3, 1), "ab"), ((1, 3), "ba")):
        found = standings([first, second], weights)
        assert "".join(one.system for one in found) == order
        assert [(one.rank, one.rank_low, one.rank_high) for one in found] == [(1, 1, 1), (2, 2, 2)]
        assert found[0].best > 0.99
    half = standings([first, second], [1.0, 1.0])
    expected = {"a": (91 / 102 + 21 / 102) / 2, "b": (11 / 102 + 81 / 102) / 2}
    for one in half:
        assert one.score.value == pytest.approx(expected[one.system])
    # Only the weights' ratio counts.
    assert standings([first, second], [2.0, 2.0]) == half


def test_rank_ranges_are_those_of_the_draws() -> None:
    one = drawn([made("a", A), made("b", B), made("c", C)])
    found = {each.system: each for each in standings([one], [1.0])}
    low, high = rank_intervals(one.mean, np.cov(one.draws.T), drawn=one.draws - one.draws.mean(axis=0))
    for place, name in enumerate("abc"):
        assert (found[name].rank_low, found[name].rank_high) == (low[place], high[place])
    assert (found["a"].rank_low, found["a"].rank_high) == (1, 2)
    assert (found["c"].rank_low, found["c"].rank_high) == (3, 3)


def test_equal_systems_share_the_lead() -> None:
    found = standings([drawn([made(name, A) for name in "abcd"])], [1.0])
    assert {one.rank for one in found} == {1}
    assert {(one.rank_low, one.rank_high) for one in found} == {(1, 4)}
    assert sum(one.best for one in found) == pytest.approx(1)


def test_who_lacks_a_benchmark_with_weight_is_not_ranked() -> None:
    first = drawn([made("a", A), made("b", B)])
    second = drawn([made("a", A, "two")])
    assert [one.system for one in standings([first, second], [1.0, 1.0])] == ["a"]
    assert [one.system for one in standings([first, second], [1.0, 0.0])] == ["a", "b"]
    assert standings([first, drawn([made("c", C, "two")])], [1.0, 1.0]) == []
    assert standings([first], [0.0]) == []
    alone = standings([second], [1.0])[0]
    assert (alone.rank, alone.rank_low, alone.rank_high, alone.best) == (1, 1, 1, 1.0)


def test_many_instances_are_drawn_as_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [made("a", A * 4), made("b", B * 4)]
    exact = drawn(runs)
    monkeypatch.setattr(leaderboard, "LARGE", 100)
    normal = drawn(runs)
    assert normal.mean == pytest.approx([0.7, 0.65])
    # By hand: the variance of a mean of 400, and of the difference, which is not zero on 60 of 400.
    assert normal.draws[:, 0].var() == pytest.approx(0.7 * 0.3 / 400, rel=0.06)
    change = normal.draws[:, 0] - normal.draws[:, 1]
    assert change.var() == pytest.approx((60 / 400 - 0.05**2) / 400, rel=0.06)
    assert np.cov(normal.draws.T) == pytest.approx(np.cov(exact.draws.T), rel=0.1)
    assert standings([normal], [1.0])[0].best == pytest.approx(standings([exact], [1.0])[0].best, abs=0.02)


def test_systems_that_answer_alike_do_not_blur_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The covariance is singular then; the ranks must not rest on its rounding."""
    monkeypatch.setattr(leaderboard, "LARGE", 100)
    rng = np.random.default_rng(1)
    good, bad = (list(rng.permutation(2_000) < right) for right in (1_100, 960))  # 4.4 standard errors apart
    runs = [made(name, good) for name in "abcd"] + [made(name, bad) for name in "efgh"]
    found = {one.system: (one.rank, one.rank_low, one.rank_high) for one in standings([drawn(runs)], [1.0])}
    assert found == {**dict.fromkeys("abcd", (1, 1, 4)), **dict.fromkeys("efgh", (5, 5, 8))}


def test_a_number_that_is_no_mean_counts_by_its_own_error() -> None:
    runs = [made("a", A), made("b", C)]
    for run in runs:
        run.rules = msgspec.structs.replace(run.rules, interpret={"kind": "length_controlled"})
    found = drawn(runs)
    assert not found.paired
    assert found.mean == pytest.approx([run.estimates[0].value for run in runs])
    assert found.draws.std(axis=0) == pytest.approx([run.estimates[0].se or 0 for run in runs], rel=0.05)


def test_what_is_no_share_is_not_weighed() -> None:
    run = made("a", A)
    run.estimates[0] = msgspec.structs.replace(run.estimates[0], percent=False)
    with pytest.raises(DataError, match="no share of which more is better"):
        drawn([run])


def test_thirty_systems_are_ranked_quickly() -> None:
    rng = np.random.default_rng(0)
    runs = [made(f"s{i:02}", list(rng.random(200) < 0.3 + i / 100)) for i in range(30)]
    found = standings([drawn(runs)], [1.0])
    assert len(found) == 30
    assert all(one.rank_low <= one.rank <= one.rank_high for one in found)
    assert isinstance(drawn(runs[:1]), Drawn)
