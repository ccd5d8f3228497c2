"""Difficulty of questions and the parts where a score falls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from howgood.core.errors import DataError
from howgood.interpret.difficulty import difficulty, item_rest, suspicious
from howgood.interpret.table import Table
from howgood.interpret.tail import bins, shrunk, tail, together


def table(scores: dict[str, float], clusters: dict[str, str] | None = None) -> Table:
    n = len(scores)
    none: list[str | None] = [None] * n
    marked = none if clusters is None else [clusters[id] for id in scores]
    return Table(
        list(scores), np.zeros(n, np.int64), none, marked, np.zeros(n, bool), {"acc": np.array(list(scores.values()))}
    )


def test_difficulty_is_the_share_of_systems_that_are_right() -> None:
    one, two = table({"a": 1, "b": 1, "c": 0, "d": 0}), table({"a": 1, "b": 0, "c": 0})
    found = difficulty(["one", "two"], [one, two], "acc")
    assert (found.n, found.easy, found.hard, found.between) == (3, 1, 1, 1)  # d was asked of one alone
    assert [(q.id, q.share) for q in found.questions] == [("c", 0.0), ("b", 0.5), ("a", 1.0)]
    assert all(q.rest is None and q.difficulty is None for q in found.questions)
    with pytest.raises(DataError, match="share no instance"):
        difficulty(["one", "two"], [table({"a": 1}), table({"b": 1})], "acc")


def test_the_item_rest_correlation_is_numpys() -> None:
    y = np.random.default_rng(0).integers(0, 2, (6, 9)).astype(float)
    found = item_rest(y)
    for item in range(9):
        rest = np.delete(y, item, axis=1).mean(axis=1)
        assert found[item] == pytest.approx(np.corrcoef(y[:, item], rest)[0, 1])
    assert np.isnan(item_rest(np.ones((3, 4)))).all()


def test_a_question_with_a_wrong_key_is_pointed_at_and_irt_orders_the_others() -> None:
    draw = np.random.default_rng(1)
    ability, hard = np.linspace(-2, 2, 12), np.linspace(-2, 2, 40)
    y = (draw.random((12, 40)) < 1 / (1 + np.exp(-2 * (ability[:, None] - hard)))).astype(float)
    y[:, 20] = 1 - y[:, 20]  # its right answer is wrong
    tables = [table({f"q{k:02}": float(v) for k, v in enumerate(row)}) for row in y]
    found = difficulty([str(k) for k in range(12)], tables, "acc")
    assert found.against[0] == "q20"
    by_id = {q.id: q for q in found.questions}
    fitted = [by_id[f"q{k:02}"].difficulty for k in range(40) if k != 20]
    assert all(value is not None for value in fitted)
    order = np.argsort(np.argsort(np.array(fitted, float)))
    assert np.corrcoef(order, np.arange(39))[0, 1] > 0.8


def test_questions_are_pointed_at_beyond_what_chance_gives() -> None:
    # Student's t, one-sided 5 %: 6.3138 with one degree of freedom, 1.8595 with eight.
    assert suspicious(3) == pytest.approx(-6.3138 / math.sqrt(1 + 6.3138**2), abs=1e-4)
    assert suspicious(10) == pytest.approx(-1.8595 / math.sqrt(8 + 1.8595**2), abs=1e-4)
    assert suspicious(1_000) == -0.2
    draw = np.random.default_rng(5)
    tables = [table({f"q{k:03}": float(v) for k, v in enumerate(draw.random(400) < 0.5)}) for _ in range(8)]
    found = difficulty([str(k) for k in range(8)], tables, "acc")
    assert len(found.against) < 0.08 * found.between  # a correlation of -0.2 would point at three in ten


def test_shrinking_by_hand() -> None:
    # Equal variances v: Paule & Mandel's tau² is the mean square about m less v, and each keeps 1 - v/(mean square).
    values, mean, v = [0.2, 0.4, 0.9], 0.5, 0.02
    square = (0.3**2 + 0.1**2 + 0.4**2) / 3
    expected = [mean + (1 - v / square) * (x - mean) for x in values]
    assert shrunk(values, [v] * 3, mean) == pytest.approx(expected, abs=1e-6)
    assert shrunk([0.45, 0.55], [0.1, 0.1], 0.5) == pytest.approx([0.5, 0.5])  # no more spread than chance has


def test_a_part_that_is_truly_low_is_told_and_a_small_one_is_not() -> None:
    draw = np.random.default_rng(2)
    scores, of = {}, {}
    for part, n, p in (("good", 400, 0.8), ("also good", 400, 0.8), ("low", 300, 0.5), ("tiny", 5, 0.8)):
        for k in range(n):
            scores[f"{part}{k}"], of[f"{part}{k}"] = float(draw.random() < p), part
    for k in range(5):
        scores[f"tiny{k}"] = 0.0 if k < 3 else 1.0  # two of five: bad luck
    found = tail(table(scores), "acc", {"part": of})
    assert found.looked_at == 4
    by_name = {part.name: part for part in found.parts}
    assert [part.name for part in found.parts if part.below] == ["low"]
    assert found.parts[0].name == "low"  # tiny's mean is lower, what it says is not
    assert by_name["tiny"].value == 0.4 < by_name["low"].value
    assert by_name["tiny"].shrunk > by_name["low"].shrunk


def test_noise_is_rarely_called_a_tail() -> None:
    """Twenty parts without any difference: one called low in at most some 5 % of benchmarks."""
    draw, called = np.random.default_rng(3), 0
    ids = [str(k) for k in range(1000)]
    of = {id: str(int(id) % 20) for id in ids}
    for _ in range(60):
        found = tail(
            table(dict(zip(ids, (draw.random(1000) < 0.6).astype(float).tolist(), strict=True))), "acc", {"p": of}
        )
        called += any(part.below for part in found.parts)
    assert called <= 8  # 5 % of 60 is 3; 8 is beyond the 99 % quantile of that


def test_parts_of_fewer_than_five_and_factors_of_one_part_are_left_out() -> None:
    scores = {str(k): float(k % 2) for k in range(20)}
    few = {id: "few" if int(id) < 4 else "many" for id in scores}
    found = tail(table(scores), "acc", {"few": few, "one": dict.fromkeys(scores, "x"), "none": {}})
    assert found.looked_at == 0
    assert found.parts == []


def test_lengths_are_put_in_equal_parts() -> None:
    made = bins({str(k): float(k) for k in range(1, 101)}, "words", parts=4)
    assert sorted({*made.values()}) == [
        "1 to 26 words",
        "over 26 to 50 words",
        "over 50 to 75 words",
        "over 75 to 100 words",
    ]
    assert bins({"a": 3.0, "b": 3.0}, "words") == {}


def test_scores_of_several_runs_are_averaged_over_what_they_share() -> None:
    made = together([table({"a": 1, "b": 0, "c": 1}, {"a": "x", "b": "x", "c": "y"}), table({"b": 1, "c": 1})], "acc")
    assert made.instances.ids == ["b", "c"]
    assert made.score("acc").tolist() == [0.5, 1.0]
    assert made.instances.clusters is not None
    with pytest.raises(DataError):
        together([table({"a": 1}), table({"b": 1})], "acc")
