"""What an arena keeps, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

import howgood as hg
from howgood.arena.answers import Answered
from howgood.arena.board import read_board
from howgood.arena.database import Database, Denied, Winner
from howgood.arena.export import export
from howgood.core.errors import DataError


def said(text: str, *, error: str | None = None, leak: str | None = None) -> Answered:
    return Answered(text, error, leak, 0.5, 3, 0.0)


def fight(
    database: Database,
    systems: tuple[int, int],
    winner: Winner | None,
    *,
    voter: str = "v",
    address: str | None = None,
    prompt: str = "Why?",
    answers: tuple[Answered, Answered] | None = None,
    bot: bool = False,
) -> str:
    """A battle of one turn, and why its vote does not count."""
    battle = database.begin(voter, address or voter, systems, prompt)
    database.end_turn(battle, 0, answers or (said("one"), said("**two** words")))
    return "" if winner is None else database.vote(battle, voter, winner, bot=bot).left_out


@pytest.fixture
def two(database: Database) -> tuple[int, int]:
    return database.register("org/left", {"n": 1}), database.register("org/right", {"n": 1})


def test_a_battle_is_kept_with_its_turns_and_one_vote(database: Database, two: tuple[int, int]) -> None:
    battle = database.begin("v", "addr", two, "Hello\0 \ud800")
    with pytest.raises(Denied, match="cannot go on"):  # the first turn is not answered yet
        database.go_on(battle, "v", "more", 8)
    database.end_turn(battle, 0, (said("# Title\n- a\n- b"), said("**x** y")))
    before = database.go_on(battle, "v", "And then?", 8)
    assert before.systems == two
    assert before.turns[0].prompt == "Hello\ufffd ?"
    assert before.turns[0].answers == ("# Title\n- a\n- b", "**x** y")
    with pytest.raises(Denied, match="nothing to vote on"):
        database.vote(battle, "v", "a")
    database.end_turn(battle, 1, (said("c"), said("d")))
    with pytest.raises(Denied, match="at most 2 turns"):
        database.go_on(battle, "v", "again", 2)
    with pytest.raises(Denied, match="quick"):
        database.vote(battle, "v", "a", read=60)
    with pytest.raises(Denied, match="no such battle"):
        database.vote(battle, "someone else", "a")
    ballot = database.vote(battle, "v", "a")
    assert (ballot.systems, ballot.left_out) == (two, "")
    with pytest.raises(Denied, match="already"):
        database.vote(battle, "v", "b")
    with pytest.raises(Denied, match="cannot go on"):
        database.go_on(battle, "v", "more", 8)
    votes = database.votes()
    assert votes["model_a"] == ["org/left"]
    assert votes["winner"] == ["model_a"]
    assert (votes["length_a"], votes["headers_a"], votes["lists_a"], votes["bold_b"]) == ([18], [1], [2], [1])


def test_which_votes_count(database: Database, two: tuple[int, int]) -> None:
    assert fight(database, two, "a") == ""
    assert fight(database, two[::-1], "b", prompt="  why? ") == "duplicate"
    assert fight(database, two, "a", voter="w", address="v") == "duplicate"
    assert fight(database, two, "a", voter="w", address="elsewhere") == ""
    assert fight(database, two, "tie", prompt="Other") == ""
    assert fight(database, two, "a", prompt="Who are you?", answers=(said("x", leak="gpt"), said("y"))) == "leak"
    assert fight(database, two, "a", prompt="Buy", bot=True) == "bot"
    fight(database, two, None, prompt="left")
    with pytest.raises(Denied, match="nothing to vote on"):
        fight(database, two, "b", prompt="broken", answers=(said("", error="HTTP 500"), said("y")))
    assert database.votes()["winner"] == ["model_a", "model_a", "tie"]
    assert database.left_out() == {
        "a system failed": 1,
        "no vote": 1,
        "an answer says who wrote it": 1,
        "a second vote of the same visitor or address on the same pair and prompts": 2,
        "given by a bot": 1,
    }
    assert sorted(database.pairs(), key=str) == [(*two, "a", 2), (*two, "tie", 1), (*two, None, 2)]


def test_every_variant_is_registered(database: Database) -> None:
    first = database.register("m", {"weights": "a"})
    other = database.register("n", {})
    assert database.register("m", {"weights": "a"}) == first
    second = database.register("m", {"weights": "b"})
    fight(database, (first, other), "a")
    fight(database, (second, other), None)
    variants = database.variants()
    assert [(one.id, one.name, one.shown, one.votes) for one in variants] == [
        (first, "m", 1, 1),
        (other, "n", 2, 1),
        (second, "m", 1, 0),
    ]
    assert [(one.seconds, one.cost) for one in variants] == [(0.5, 0.0)] * 3
    assert variants[0].label == f"m ({variants[0].variant[:6]})" != variants[2].label
    board = read_board(database)
    assert board.battles == 2
    assert [board.share(one) for one in variants] == [0.5, 1.0, 0.5]
    assert board.leaderboard is not None
    assert {one.model for one in board.leaderboard.models} == {variants[0].label, "n"}


def test_what_answers_take_and_cost(database: Database, two: tuple[int, int]) -> None:
    third = database.register("third", {})
    for seconds, cost, other in ((1.0, 0.5, 0.25), (2.0, 0.25, None)):
        battle = database.begin("v", "v", two, "Q")
        pair = Answered("x", None, None, seconds, 1, cost), Answered("y", None, None, 4.0, 1, other)
        database.end_turn(battle, 0, pair)
    battle = database.begin("v", "v", (two[1], third), "Q")
    database.end_turn(battle, 0, (said("z"), Answered("", "HTTP 500", None, 9.0, None, None)))
    one, other, last = database.variants()
    assert (one.seconds, one.cost) == (1.5, 0.375)
    assert (other.seconds, other.cost) == (pytest.approx(8.5 / 3), None)
    assert (last.seconds, last.cost) == (None, None)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_exported_file_is_rated_as_the_arena_rates(
    database: Database, two: tuple[int, int], tmp_path: Path, suffix: str
) -> None:
    third = database.register("=third", {})
    for place in range(24):
        pair = [two, (two[1], third), (third, two[0])][place % 3]
        answers = (said("a" * (1 + place % 7)), said("b" * (1 + place % 5)))
        winner: Winner = ["a", "a", "b", "tie", "bothbad"][place % 5]  # type: ignore[assignment]
        fight(database, pair, winner, voter=f"v{place % 9}", prompt=f"{place}", answers=answers)
    fight(database, two, "b", prompt="left out", bot=True)
    path = tmp_path / f"battles.{suffix}"
    assert export(database, path) == 24
    for style in (False, True):
        own, read = read_board(database, style=style).leaderboard, hg.rate(str(path), style=style)
        assert own is not None
        assert (read.votes, read.both_bad, read.voters) == (24, 4, 9)
        for one, other in zip(own.models, read.models, strict=True):
            assert (one.model, one.votes) == (other.model, other.votes)
            assert one.rating == pytest.approx(other.rating, abs=1e-9)
            assert one.low == pytest.approx(other.low, abs=1e-9)
    table = pl.read_csv(path) if suffix == "csv" else pl.read_parquet(path)
    assert len(table) == 24
    assert ("answer_a" in table.columns) is (suffix == "parquet")
    assert not {"address", "secret"} & set(table.columns)
    if suffix == "parquet":
        assert table["prompt"][3].to_list() == ["3"]
        assert table["answer_a"][3].to_list() == ["aaaa"]


def test_many_at_once_on_one_battle_are_one_vote(database: Database, two: tuple[int, int]) -> None:
    battle = database.begin("v", "v", two, "Why?")
    database.end_turn(battle, 0, (said("one"), said("two")))

    def vote(_: int) -> bool:
        try:
            database.vote(battle, "v", "a")
        except Denied:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(vote, range(8))) == 1
    assert len(database.votes()["battle"]) == 1


def test_two_servers_agree_on_what_they_make(url: str) -> None:
    with Database(url) as one, Database(url) as other, ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda d: d.secret(), [one, other] * 4))) == 1
        assert len(set(pool.map(lambda d: d.register("m", {"x": 1}), [one, other] * 4))) == 1


def test_what_is_no_arena(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no arena at "):
        Database(str(tmp_path / "absent.sqlite"), create=False)
    assert not (tmp_path / "absent.sqlite").exists()
    with pytest.raises(DataError, match=r"such\.sqlite cannot be opened: No such file or directory"):
        Database(str(tmp_path / "no" / "such.sqlite"))
    with pytest.raises(DataError, match="cannot be opened: Is a directory"):
        Database(str(tmp_path))
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("create table t (x)").connection.close()
    with pytest.raises(DataError, match="holds no arena"):
        Database(str(other), create=False)
    (tmp_path / "text.sqlite").write_text("not a database at all, but long enough to be read as one" * 40)
    with pytest.raises(DataError, match="does not answer: file is not a database"):
        Database(str(tmp_path / "text.sqlite"))
    with pytest.raises(DataError, match="and not mysql://"):
        Database("mysql://someone:hunter22@host/x")
    with pytest.raises(DataError, match="does not answer") as caught:
        Database("postgresql://someone:hunter22@127.0.0.1:1/arena?password=hunter22")
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "arena.sqlite"
    with Database(str(path)) as database:
        database.register("m", {})
        assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3  # the file, its write-ahead log and what shares it
