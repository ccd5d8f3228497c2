"""From tables of battles to leaderboards, and what becomes of rows that are no votes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from battle_tables import drawn

import howgood as hg
from howgood.core.errors import DataError, HowgoodError
from howgood.interpret.rating.battles import read
from howgood.interpret.rating.fit import SCALE, fit
from howgood.interpret.rating.votes import tally

Table = dict[str, list[Any]]


def table(*rows: tuple[Any, ...], columns: str = "model_a model_b winner") -> Table:
    return {name: [row[i] for row in rows] for i, name in enumerate(columns.split())}


def even(*models: str, times: int = 10) -> list[tuple[str, str, str]]:
    """Each pair of models won `times` by each side."""
    return [
        (a, b, who) for i, a in enumerate(models) for b in models[i + 1 :] for who in ("model_a", "model_b") * times
    ]


def test_words_for_the_winner() -> None:
    words = ["model_a", "A", " left ", "x", "model_b", "b", "right", "y", "tie", "Tie (bothbad)", "bothbad", "[[A]]"]
    found = read(table(*(("x", "y", word) for word in words)))
    assert found.models == ["x", "y"]
    assert found.outcome.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 0]
    assert (found.both_bad, found.left_out) == (2, {})
    # The name of a model in the row goes before the word.
    assert read(table(("b", "a", "b"), ("b", "a", "a"))).outcome.tolist() == [0, 1]


def test_rows_that_are_no_votes_are_counted() -> None:
    rows = [
        *even("x", "y", times=2),
        ("x", "x", "tie"),
        ("x", "", "model_a"),
        (None, "y", "model_a"),
        ("x", "y", None),
        ("x", "y", "  "),
        ("x", "y", "Yes"),
        ("x", "y", "Yes"),
        ("x", "y", "z"),
    ]
    found = read(table(*rows))
    assert len(found.a) == 4
    assert found.left_out == {
        "no winner": 2,
        "the winner 'Yes'": 2,
        "the winner 'z'": 1,
        "a model without a name": 2,
        "a model against itself": 1,
    }
    board = hg.rate(table(*rows))
    assert (board.votes, board.left_out) == (4, found.left_out)
    many = read(table(*even("x", "y"), *(("x", "y", f"word {i}") for i in range(20))))
    assert many.left_out["15 other words for the winner"] == 15


def test_no_vote_at_all_is_one_clear_line() -> None:
    for given, why in (
        (table(("x", "y", "Yes"), ("x", "y", "No")), "none of the 2 rows of the table is a vote: 1 the winner 'No', 1"),
        (table(("x", "x", "tie")), "a model against itself"),
        (table(columns="model_a model_b winner"), "no rows"),
        ({"model_a": ["x"], "winner": ["a"]}, "no column model_b"),
        (table(("x", "y", "a", -1), columns="model_a model_b winner weight"), "a weight that is not above zero"),
    ):
        with pytest.raises(DataError, match=why) as raised:
            hg.rate(given)
        assert "\n" not in str(raised.value)
    for given in (
        3,
        [1, 2],
        {"model_a": [1, 2], "model_b": [3], "winner": ["a"]},
        {**table(("x", "y", "a")), "voter": [["v"]]},
    ):
        with pytest.raises(DataError) as raised:
            hg.rate(given)
        assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match="2,001 models"):
        hg.rate({"model_a": [f"m{i}" for i in range(2_000)], "model_b": ["x"] * 2_000, "winner": ["a"] * 2_000})
    for wrong in ({"ties": "third"}, {"intervals": "wald"}, {"level": 1.5}, {"baseline": "z"}, {"cluster": "z"}):
        with pytest.raises(HowgoodError):
            hg.rate(table(*even("x", "y")), **wrong)


def test_files(tmp_path: Path) -> None:
    frame = pl.DataFrame(table(*even("x", "y", "z")))
    frame.write_csv(tmp_path / "b.csv")
    frame.write_csv(tmp_path / "b.tsv", separator="\t")
    frame.write_parquet(tmp_path / "b.parquet")
    frame.write_ndjson(tmp_path / "b.jsonl")
    boards = [hg.rate(tmp_path / f"b.{kind}") for kind in ("csv", "tsv", "parquet", "jsonl")]
    assert len({str(board) for board in boards}) == 1
    (tmp_path / "b.xlsx").write_bytes(b"PK")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "ragged.csv").write_text("model_a,model_b,winner\nx,y,a,more\n")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 9)
    for name in ("none.csv", "b.xlsx", "empty.csv", "bad.parquet", "ragged.csv", "binary.csv"):
        with pytest.raises(DataError) as raised:
            hg.rate(tmp_path / name)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 300


def test_the_order_of_rows_and_the_names_of_sides_change_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b, outcome = drawn(np.array([0.8, 0.1, -0.9]), 400, rng, ties=0.2)
    names, words = np.array(["p", "q", "r"]), np.array(["model_a", "model_b", "tie"])
    first = hg.rate({"model_a": names[a], "model_b": names[b], "winner": words[outcome]})
    order = rng.permutation(400)
    turned = np.array([1, 0, 2])[outcome]
    second = hg.rate({"left": names[b][order], "right": names[a][order], "winner": words[turned][order]})
    assert [one.model for one in first.models] == ["p", "q", "r"]
    for one, other in zip(first.models, second.models, strict=True):
        assert (one.model, one.votes, one.rank_low, one.rank_high) == (
            other.model, other.votes, other.rank_low, other.rank_high,
        )  # fmt: skip
        assert other.rating == pytest.approx(one.rating)
        assert other.se == pytest.approx(one.se)
        assert one.low < one.rating < one.high
        assert one.joint_low < one.low
        assert one.joint_high > one.high
    assert sum(one.best for one in first.models) == pytest.approx(1)
    assert np.mean([one.rating for one in first.models]) == pytest.approx(1000)


def test_models_that_nothing_joins_are_told_and_not_rated() -> None:
    board = hg.rate(table(*even("a", "b", "c"), *even("x", "y", times=2)))
    assert {one.model for one in board.models} == {"a", "b", "c"}
    assert [(one.model, one.votes) for one in board.unrated] == [("x", 4), ("y", 4)]
    assert board.left_out == {"about models that no vote joins to those rated": 4}
    assert board.votes == 60


def test_a_model_that_won_everything_is_told() -> None:
    board = hg.rate(table(*even("a", "b"), *[("top", "a", "model_a")] * 9))
    assert board.models[0].model == "top"
    assert "top won every vote: their ratings would be infinite" in board.notes[0]
    assert "weak prior" in board.method
    assert np.isfinite(board.models[0].high)
    assert board.models[0].high - board.models[0].low > 400


def test_all_ties() -> None:
    board = hg.rate(table(*[("a", "b", "tie")] * 30), ties="davidson")
    assert [one.rating for one in board.models] == pytest.approx([1000, 1000])
    assert [(one.rank, one.rank_low, one.rank_high) for one in board.models] == [(1, 1, 2)] * 2
    assert [one.best for one in board.models] == pytest.approx([0.5, 0.5], abs=0.02)
    assert board.models[0].se == pytest.approx(SCALE * 0.5 * np.sqrt(4 / 30))
    assert any("every vote is a tie" in note for note in board.notes)
    assert board.flip is None


def test_voters_are_clusters() -> None:
    rows = [(a, b, w, f"v{i % 12}") for i, (a, b, w) in enumerate(even("x", "y", "z", times=20))]
    board = hg.rate(table(*rows, columns="model_a model_b winner voter"))
    assert "clustered by voter" in board.method
    assert board.voters == 12
    assert any("only 12 different voters" in note for note in board.notes)
    alone = hg.rate(table(*rows, columns="model_a model_b winner voter"), cluster="none")
    assert "clustered" not in alone.method
    one = hg.rate(table(*((*row[:3], "v") for row in rows), columns="model_a model_b winner voter"))
    assert any("all votes have one voter" in note for note in one.notes)
    # Copies of one voter's votes are no more votes: the same interval as of one of each.
    rng = np.random.default_rng(1)
    a, b, outcome = drawn(np.array([0.5, 0.0, -0.5]), 300, rng)
    names, words = np.array(["p", "q", "r"]), np.array(["model_a", "model_b", "tie"])
    single = {"model_a": names[a], "model_b": names[b], "winner": words[outcome], "voter": np.arange(300)}
    copied = {name: np.tile(values, 5) for name, values in single.items()}
    once, five = hg.rate(single), hg.rate(copied)
    assert five.models[0].se == pytest.approx(once.models[0].se * np.sqrt(300 / 299))
    # With ten groups in all the bootstrap agrees with the sandwich.
    drawn_se = hg.rate(copied, intervals="bootstrap").models[0]
    assert drawn_se.se == pytest.approx(five.models[0].se, rel=0.2)


def test_a_baseline() -> None:
    rows = [*[("x", "y", "a")] * 70, *[("x", "y", "b")] * 30, *even("y", "z", times=25)]
    board = hg.rate(table(*rows), baseline="y")
    by_name = {one.model: one for one in board.models}
    assert (by_name["y"].rating, by_name["y"].se, by_name["y"].beats) == (1000, pytest.approx(0, abs=1e-6), None)
    assert by_name["x"].rating == pytest.approx(1147.191, abs=1e-3)
    found = by_name["x"].beats
    assert found is not None
    assert found.value == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((0.603, 0.782), abs=0.002)
    assert found.n == 100


def test_weights_and_pairs_that_count_alike() -> None:
    rows = [("x", "y", "a", 3.0), ("x", "y", "b", 1.0), ("y", "z", "a", 1.0), ("y", "z", "b", 1.0)]
    board = hg.rate(table(*rows, columns="model_a model_b winner weight"))
    assert board.models[0].rating - board.models[1].rating == pytest.approx(SCALE * np.log(3))
    assert "votes weighted" in board.method
    assert "every pair counts alike" in hg.rate(table(*even("x", "y")), reweight=True).method


def test_style_is_controlled_for() -> None:
    rng = np.random.default_rng(3)
    n = 6_000
    a, b, _ = drawn(np.zeros(4), n, rng)
    verbose = np.array([3.0, 1.0, 1.0, 1.0])  # the first writes long, and is no better
    length = rng.lognormal(6, 0.3, (n, 2)) * verbose[np.stack([a, b], axis=1)]
    z = (length[:, 0] - length[:, 1]) / length.sum(axis=1)
    won = rng.random(n) < 1 / (1 + np.exp(-2.0 * z))
    names = np.array(["long", "p", "q", "r"])
    battles: dict[str, Any] = {"model_a": names[a], "model_b": names[b], "winner": np.where(won, "a", "b")}
    battles |= {"length_a": length[:, 0], "length_b": length[:, 1]}
    board = hg.rate(battles, style=True)
    long = next(one for one in board.models if one.model == "long")
    assert long.plain is not None
    assert long.plain > 1100
    assert long.low < 1000 < long.high
    weight = board.style[0].value / np.sqrt(np.mean(z**2))
    assert weight == pytest.approx(2.0, abs=0.3)
    assert "style controlled: length" in board.method
    battles["length_a"] = np.where(np.arange(n) < 10, np.nan, length[:, 0])
    assert hg.rate(battles, style=True).left_out == {"no count of style": 10}
    with pytest.raises(DataError, match="says nothing of style"):
        hg.rate(table(*even("x", "y")), style=True)


def test_style_out_of_the_answers_themselves() -> None:
    rng = np.random.default_rng(5)
    pieces = np.array(["# H\n", "- item\n", "**bold** ", "some words. "])
    texts = ["".join(rng.choice(pieces, rng.integers(1, 9))) for _ in range(40)]
    rows = [(*row, *texts[2 * i : 2 * i + 2]) for i, row in enumerate(even("x", "y"))]
    columns = "model_a model_b winner answer_a answer_b"
    board = hg.rate(table(*rows, columns=columns), style=True)
    assert [one.name for one in board.style] == ["length", "headers", "lists", "bold"]
    assert all((one.se or 0) > 0 for one in board.style)
    # A feature that always goes along with another: which of them counts cannot be told.
    alike = [(*row, "- **x**\n" * (1 + i % 3), "words " * (i % 5)) for i, row in enumerate(even("x", "y"))]
    with pytest.raises(DataError, match="goes along with another"):
        hg.rate(table(*alike, columns=columns), style=True)


def test_time_is_followed() -> None:
    rng = np.random.default_rng(4)
    early, late = drawn(np.array([0.6, 0.0, -0.6]), 1_500, rng), drawn(np.array([-0.6, 0.0, 0.6]), 1_500, rng)
    a, b, outcome = (np.concatenate(parts) for parts in zip(early, late, strict=True))
    names, words = np.array(["p", "q", "r"]), np.array(["model_a", "model_b", "tie"])
    days = [f"2026-{1 + i // 300:02}-{1 + i % 28:02}" for i in range(3_000)]
    board = hg.rate({"model_a": names[a], "model_b": names[b], "winner": words[outcome], "time": days}, elo=True)
    assert {one.model for one in board.changed} == {"p", "r"}
    assert len(board.spans) == 4
    assert board.followed == 3
    ratings = {one.model: one.elo for one in board.models}
    assert (ratings["r"] or 0) > (ratings["p"] or 0)  # the last votes count most
    days[:100] = ["?"] * 100
    noted = hg.rate({"model_a": names[a], "model_b": names[b], "winner": words[outcome], "time": days})
    assert any("time of 100 votes" in note for note in noted.notes)


def test_a_time_that_cannot_be_read_is_told() -> None:
    rows = [(*row, "soon") for row in even("x", "y")]
    board = hg.rate(table(*rows, columns="model_a model_b winner time"))
    assert board.spans == []
    assert any("time of 20 votes cannot be read" in note for note in board.notes)


def test_the_record_is_json_and_a_frame() -> None:
    import msgspec

    board = hg.rate(table(*even("x", "y", "z")))
    assert msgspec.json.decode(msgspec.json.encode(board))["models"][0]["votes"] == 40
    assert board.frame["model"].to_list() == [one.model for one in board.models]
    assert "x  1000 [" in str(board).replace("(1-3)", "")


def test_coverage_of_the_intervals() -> None:
    """How often the 95 % interval of one model's rating holds the truth, with a third of the votes ties."""
    rng = np.random.default_rng(8)
    truth = np.array([0.8, 0.3, 0.0, -0.4, -0.7])
    held = np.zeros(5)
    for _ in range(150):
        found = fit(tally(*drawn(truth, 600, rng), 5))
        se = np.sqrt(np.diag(found.spread))
        held += np.abs(found.ratings - truth) <= 1.96 * se
    assert 0.93 <= held.mean() / 150 <= 0.97
