"""`howgood arena` as a process, and what it says of what cannot be."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

import howgood as hg
import howgood.arena
from howgood.arena.answers import Answered
from howgood.arena.database import Database
from howgood.cli.arena import app
from howgood.core.errors import DataError, HowgoodError

COMMAND = [sys.executable, "-m", "howgood.cli.main", "arena", "serve"]


async def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    path = tmp_path / "votes.sqlite"
    models = ["--model", "reference/echo", "--model", "reference/constant", "--database", str(path)]
    process = await asyncio.create_subprocess_exec(*COMMAND, *models, "--port", "0", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    found = re.match(r"an arena of 2 systems: (http://127\.0\.0\.1:(\d+))/ \(leaderboard: .*/board\)", first)
    assert found, first
    async with aiohttp.ClientSession() as session, session.get(found[1]) as reply:
        assert (reply.status, "Which answer is better?" in await reply.text()) == (200, True)
    taken = await asyncio.create_subprocess_exec(*COMMAND, *models, "--port", found[2], stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(taken.communicate(), 60)
    assert (taken.returncode, out) == (2, b"")
    assert err.decode() == (
        f"howgood: cannot listen on 127.0.0.1:{found[2]}: Address already in use; "
        "give another --port, or 0 for a free one\n"
    )
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")
    assert out.decode().split("\n") == [f"  votes are kept in {path}", "ending", ""]


def test_a_board_and_an_exported_file(tmp_path: Path) -> None:
    path, file = tmp_path / "votes.sqlite", tmp_path / "battles.csv"
    with Database(str(path)) as database:
        pair = database.register("one", {}), database.register("two", {})
        for place, winner in enumerate(("a", "a", "b", "tie")):
            battle = database.begin(f"v{place}", f"v{place}", pair, "Q")
            answer = Answered("text", None, None, 0.1, 1, 0.0)
            database.end_turn(battle, 0, (answer, answer))
            database.vote(battle, f"v{place}", winner, bot=place == 3)  # type: ignore[arg-type]
    runner = CliRunner()
    shown = runner.invoke(app, ["board", "--database", str(path)], env={"COLUMNS": "100"}).output
    assert "2 models, 3 votes" in shown
    assert re.search(r"one +4 +100% +3 +0.1 s +\$0.00 *\n", shown)
    assert re.search(r"1 +given by a bot", shown)
    told = json.loads(runner.invoke(app, ["board", "--database", str(path), "--json"]).output)
    assert [one["model"] for one in told["leaderboard"]["models"]] == ["one", "two"]
    shown = runner.invoke(app, ["export", str(file), "--database", str(path)], env={"COLUMNS": "300"}).output
    assert shown.endswith("battles.csv: 3 votes\n  left out 1: given by a bot\n")
    assert (hg.rate(file).votes, hg.rate(file).models[0].wins) == (3, 2)
    refused = runner.invoke(app, ["export", str(tmp_path / "x.xlsx"), "--database", str(path)])
    assert isinstance(refused.exception, DataError)
    assert "neither .csv nor .parquet" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "two systems or more"),
        (["-m", "reference/echo"], "two systems or more"),
        (["-m", "reference/echo", "-m", "reference/echo"], "named twice"),
        (["-m", "reference/echo", "-m", "reference/ecko"], "Did you mean reference/echo"),
        (["-m", "reference/echo", "-m", "reference/uniform", "--host", "0.0.0.0"], "without a token"),
        (["-m", "reference/echo", "-m", "reference/uniform", "--token", "NO_SUCH_TOKEN"], "NO_SUCH_TOKEN.* is not set"),
        (["-m", "reference/echo", "-m", "reference/uniform", "--max-tokens", "0"], "--max-tokens must be at least 1"),
        (["-m", "reference/echo", "-m", "reference/uniform", "--temperature", "-1"], "must be between 0 and 2, not -1"),
    ],
)
def test_what_cannot_be_served_leaves_nothing_behind(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["serve", *arguments])
    assert isinstance(refused.exception, HowgoodError)
    assert re.search(said, str(refused.exception))
    assert list(tmp_path.iterdir()) == []


def test_python_serves_too(tmp_path: Path) -> None:
    with pytest.raises(HowgoodError, match="two systems or more"):
        howgood.arena.serve([hg.load_model("reference/echo")], database=str(tmp_path / "x.sqlite"))
    with pytest.raises(DataError, match="and not mysql://"):
        howgood.arena.serve([hg.load_model("reference/echo"), "reference/uniform"], database="mysql://x")


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    url = "postgresql://someone:hunter22@127.0.0.1:1/x"
    models = ["-m", "reference/echo", "-m", "reference/uniform"]
    for command in (["board"], ["export", str(tmp_path / "x.csv")], ["serve", *models]):
        refused = CliRunner().invoke(app, [*command, "--database", url])
        told = str(refused.exception)
        assert isinstance(refused.exception, DataError)
        assert told.startswith("the arena's database postgresql://someone:***@127.0.0.1:1/x does not answer: ")
        assert "\n" not in told
