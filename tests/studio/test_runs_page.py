"""The page of all runs, and how far those are that still run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from studio_visitor import Visitor, make_run

from howgood.core.errors import HowgoodError
from howgood.core.types import Instance, Prediction, Score, Trial
from howgood.runs import store
from howgood.runs.tags import read_tags, write_tags
from howgood.studio.library import place
from howgood.studio.live import Watch
from howgood.studio.server import Studio


async def test_a_row_says_what_was_found_and_how_sure(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=8)
    page = await visitor.get("/")
    assert run.rules.hash in page
    assert f'href="/runs/{run.id}"' in page
    assert f"<b>{100 * run.estimate.value:.1f}%</b>" in page
    assert '<svg class="interval"' in page


async def test_no_runs_say_how_to_make_some(visitor: Visitor) -> None:
    page = await visitor.get("/")
    assert "There are no runs in" in page
    assert "howgood run quickstart" in page


async def test_runs_are_filtered_by_words_and_by_parts(visitor: Visitor, runs: Path) -> None:
    first = make_run(runs, limit=2)
    second = make_run(runs, model="reference/random", limit=2)
    write_tags(second.path, ["pilot"])
    for query, found in (
        ("q=random", [second]),
        ("q=QUICKSTART+random", [second]),
        ("q=random+uniform", []),
        ("system=reference/uniform", [first]),
        ("tag=pilot", [second]),
        ("status=failed", []),
        ("benchmark=quickstart-questions", [first, second]),
    ):
        page = await visitor.get(f"/?{query}")
        assert [run.id for run in (first, second) if f'href="/runs/{run.id}"' in page] == [run.id for run in found]
        assert ("No run has all of that" in page) is (not found)


async def test_a_run_that_is_removed_is_gone_and_a_new_one_is_there(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=2)
    assert run.id in await visitor.get("/")
    run.path.rename(runs.parent / "moved")
    assert run.id not in await visitor.get("/")
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text('{"id": ')
    (runs / "broken-too").mkdir()
    (runs / "broken-too" / "run.json").write_bytes(b'{"id": "\xff"}')  # no UTF-8
    other = make_run(runs, limit=2)
    page = await visitor.get("/")
    assert other.id in page
    assert "broken" not in page


async def test_words_of_a_run_are_only_text(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=2)
    run.message, run.status, run.estimates = "<script>alert(1)</script>\u202e", "failed", []
    store.save(run)
    page = await visitor.get("/")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page


@pytest.mark.parametrize("guess", ["<b>half</b>", [0.5], {}])
async def test_a_card_that_holds_anything_is_no_trouble(visitor: Visitor, runs: Path, guess: object) -> None:
    run = make_run(runs, limit=4)
    run.card |= {"random": guess, "human": guess}
    store.save(run)
    for path in ("/", f"/runs/{run.id}", f"/runs/{run.id}/card"):
        page = await visitor.get(path)
        assert run.system.label in page
        assert "<b>half</b>" not in page
        assert "uessing" not in page.replace("uessing reaches nothing", "")


async def test_the_library_of_many_runs_is_paged(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=2)
    record = json.loads((run.path / "run.json").read_text())
    for number in range(150):
        name = f"2020-01-01T00-00-00_copy_{number:04}"
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(json.dumps({**record, "id": name, "started": "2020-01-01T00:00:00Z"}))
    page = await visitor.get("/")
    assert page.count('<tr data-run="') == 100
    assert "1 to 100 of 151" in page
    assert '<a rel="next" href="/?start=100">' in page
    assert (await visitor.get("/?start=100")).count('<tr data-run="') == 51


async def test_runs_at_an_address_are_shown_and_not_written_to(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    monkeypatch.setenv("XDG_CACHE_HOME", str(runs.parent / "cache"))
    run, files = make_run(runs, limit=2), fsspec.filesystem("memory")
    for path in run.path.iterdir():
        files.pipe_file(f"/elsewhere/{run.id}/{path.name}", path.read_bytes())
    try:
        async with Studio([place("memory://elsewhere")]) as studio, Visitor(studio) as visitor:
            page = await visitor.get("/")
            assert f'href="/runs/{run.id}"' in page
            assert "1 run in memory://elsewhere" in page
            board = await visitor.get("/leaderboard")  # whose draws need the trials of runs that nobody opened
            assert board.count("<tr data-system") == 1
            assert "is missing" not in board
            told = await visitor.post(f"/runs/{run.id}/tags", {"tags": ["x"]}, status=409)
            assert told["error"].startswith(
                "This run is read from memory://elsewhere, and nothing can be kept beside it"
            )
    finally:
        files.store.clear()


def journalled(index: int, outcome: str = "right", cost: float | None = 0.5) -> bytes:
    trial = Trial(
        Instance(str(index), "?"),
        index,
        0,
        "?",
        Prediction("!", cost=cost),
        Score({"acc": 1.0}, outcome),  # type: ignore[arg-type]
    )
    return msgspec.json.encode(trial) + b"\n"


def test_a_running_run_is_watched_as_its_journal_grows(runs: Path) -> None:
    run = make_run(runs, limit=4)
    run.status, run.planned = "running", 10
    store.save(run)
    journal = run.path / "journal-0001.jsonl"
    journal.write_bytes(journalled(0) + journalled(1, "truncated") + journalled(2)[:40])
    watch = Watch(run.path)
    standing = watch.look(run)
    assert (standing.done, standing.planned, standing.odd, standing.cost) == (2, 10, 1, 1.0)
    assert standing.total == pytest.approx(5.0)
    assert standing.left is None  # no rate is known yet
    with journal.open("ab") as file:
        file.write(journalled(2)[40:] + journalled(3, "failed", None) + journalled(1))
    standing = watch.look(run)
    assert (standing.done, standing.odd) == (4, 1)  # 1 is right now, 3 failed
    assert standing.cost is None
    journal.unlink()
    assert watch.look(run).done == 4
    run.path.rename(runs / "moved")
    assert watch.look(run).done == 4
    assert watch.look(store.load(runs / "moved")).run == "moved"


async def test_a_running_run_tells_how_far_it_is(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=4)
    run.status, run.planned, run.estimates = "running", 10, []
    store.save(run)
    (run.path / "journal-0001.jsonl").write_bytes(journalled(0) + journalled(1))
    assert 'data-live="yes"' in await visitor.get("/")
    async with visitor._session.get(visitor.studio.url + "/runs/live") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        line = await asyncio.wait_for(response.content.readline(), 5)
        told = json.loads(line.removeprefix(b"data: "))
        assert (told["run"], told["done"], told["planned"], told["cost"]) == (run.id, 2, 10, 1.0)
        run.status = "finished"
        store.save(run)
        while told["type"] != "ended":
            line = await asyncio.wait_for(response.content.readline(), 5)
            if line.startswith(b"data: "):
                told = json.loads(line.removeprefix(b"data: "))
        assert told == {"type": "ended", "run": run.id}


def test_tags_are_words_beside_the_run(runs: Path) -> None:
    run = make_run(runs, limit=2)
    assert read_tags(run.path) == ()
    assert write_tags(run.path, ["b", " a", "b", ""]) == ("a", "b")
    assert read_tags(run.path) == ("a", "b")
    for wrong in ("two words", "<b>", "x" * 41, "../x"):
        with pytest.raises(HowgoodError, match="cannot be a tag"):
            write_tags(run.path, [wrong])
    with pytest.raises(HowgoodError, match="at most 20 tags, not 21"):
        write_tags(run.path, [str(i) for i in range(21)])
    for broken in (b"{", b'["\xff"]'):
        (run.path / "tags.json").write_bytes(broken)
        with pytest.raises(HowgoodError, match="mend or remove it"):
            read_tags(run.path)
