"""Side by side: what is asked, shown and kept, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from studio_visitor import Visitor
from typer.testing import CliRunner

import howgood as hg
from howgood.arena import preferences
from howgood.arena.answers import Answered
from howgood.arena.preferences import Preference
from howgood.cli.main import app
from howgood.core.errors import DataError, HowgoodError, RequestError
from howgood.core.types import Generate, Prediction
from howgood.models.base import Capabilities, Model
from howgood.models.registry import load_model
from howgood.studio.beside import MOST_AT_ONCE, MOST_PROMPTS, prompts_of
from howgood.studio.server import Studio
from howgood.web.guard import Refused

ECHO, CONSTANT = "reference/echo", "reference/constant,text=Always this."
Events = list[dict[str, Any]]


class Scripted(Model):
    """Says what it is told to, piece by piece, each when `go` lets it; or fails."""

    capabilities = Capabilities(generate=True, chat=True)

    def __init__(self, name: str, pieces: list[str], error: Exception | None = None) -> None:
        self.name, self.pieces, self.error = name, pieces, error
        self.go = asyncio.Event()
        self.go.set()
        self.asked: list[Generate] = []
        self.closed = False

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        self.asked.append(request)
        for place, piece in enumerate(self.pieces):
            if place:
                await self.go.wait()
            yield piece
        if self.error:
            raise self.error
        yield Prediction(text="".join(self.pieces), cost=0.0025)

    async def close(self) -> None:
        self.closed = True


async def ask(visitor: Visitor, prompt: str, systems: list[int], status: int = 200, **more: Any) -> Events:
    """The events of a round."""
    page = await visitor.get("/beside")
    csrf = re.search(r'<meta name="csrf" content="([0-9a-f]+)">', page)
    assert csrf
    known = {"Origin": visitor.studio.url, "X-CSRF": csrf[1]}
    value = {"prompt": prompt, "systems": systems, **more}
    async with visitor._session.post(visitor.studio.url + "/beside/ask", json=value, headers=known) as response:
        text = await response.text()
        assert response.status == status, text
    if status != 200:
        return [json.loads(text)]
    return [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: ")]


def texts(events: Events) -> list[str]:
    """The whole answers, in the order in which they stand."""
    return [event["text"] for event in sorted(events, key=lambda one: one.get("side", -1)) if event["type"] == "ended"]


async def test_answers_are_blind_until_one_is_preferred_and_then_kept(runs: Path) -> None:
    async with Studio([runs], models=[ECHO, CONSTANT]) as studio, Visitor(studio) as visitor:
        events = await ask(visitor, "What is a lake?", [0, 1], max_tokens=99)
        said = texts(events)
        assert sorted(said) == ["Always this.", "What is a lake?"]
        pieces = ["".join(e["text"] for e in events if e["type"] == "piece" and e["side"] == n) for n in (0, 1)]
        assert pieces == said
        assert "reference" not in json.dumps(events)
        assert "$" not in json.dumps(events)  # what it took may tell who it is
        assert events[-1] == {"type": "end", "fine": True}
        best = said.index("What is a lake?")
        told = await visitor.post(
            "/beside/prefer", {"round": events[0]["round"], "preferred": best, "words": " short\n"}
        )
        assert [one["name"] for one in told["systems"]] == [ECHO, CONSTANT][:: 1 if best == 0 else -1]
        assert told["systems"][best]["took"] == "0.0 s, 15 tokens, $0.00"
        page = await visitor.get("/beside")
        assert "1 preference in" in page
        assert "1 vote on pairs" in page
    [kept] = preferences.read(runs)
    assert (kept.prompt, kept.preferred, kept.blind, kept.words) == ("What is a lake?", best, True, "short")
    assert kept.systems[best] == ECHO
    assert [one.text for one in kept.answers] == said
    assert kept.settings == {"max_tokens": 99.0, "temperature": 0.7}
    assert kept.made.endswith("+00:00")


async def test_a_preference_after_the_names_is_not_blind(runs: Path) -> None:
    async with Studio([runs], models=[ECHO, CONSTANT]) as studio, Visitor(studio) as visitor:
        for_names = (await ask(visitor, "1", [0, 1]))[0]["round"]
        shown = await visitor.post("/beside/names", {"round": for_names})
        assert sorted(one["name"] for one in shown["systems"]) == [CONSTANT, ECHO]
        await visitor.post("/beside/prefer", {"round": for_names, "preferred": "tie"})
        other_mind = (await ask(visitor, "2", [0, 1]))[0]["round"]
        await visitor.post("/beside/prefer", {"round": other_mind, "preferred": "tie"})
        await visitor.post("/beside/prefer", {"round": other_mind, "preferred": 0})
        only_words = (await ask(visitor, "3", [0, 1]))[0]["round"]
        await visitor.post("/beside/prefer", {"round": only_words, "preferred": "bad"})
        await visitor.post("/beside/prefer", {"round": only_words, "preferred": "bad", "words": "both"})
        events = await ask(visitor, "4", [0, 1], blind=False)
        assert [one["name"] for one in events[0]["systems"]] == [ECHO, CONSTANT]  # not shuffled
        assert all(event["took"].endswith("$0.00") for event in events if event["type"] == "ended")
        await visitor.post("/beside/prefer", {"round": events[0]["round"], "preferred": 1})
    kept = {one.prompt: one for one in preferences.read(runs)}
    assert {name: (one.preferred, one.blind) for name, one in kept.items()} == {
        "1": ("tie", False),
        "2": (0, False),
        "3": ("bad", True),
        "4": (1, False),
    }
    assert kept["3"].words == "both"
    assert len((runs / preferences.FILE).read_bytes().splitlines()) == 6  # nothing is written over


async def test_the_order_is_drawn_by_lot(runs: Path) -> None:
    models = [Scripted(name, [name]) for name in "uvwx"]
    async with Studio([runs], models=models) as studio, Visitor(studio) as visitor:
        orders = {tuple(texts(await ask(visitor, "Q", [0, 1, 2, 3]))) for _ in range(12)}
    assert all(sorted(order) == list("uvwx") for order in orders)
    assert len(orders) > 3  # of 24; fewer has a chance of less than one in 10^8
    assert not any(model.closed for model in models)  # they are their owner's


async def test_a_model_that_fails_is_said_in_a_line(runs: Path) -> None:
    models = [Scripted("fine", ["yes"]), Scripted("broken", ["so"], RequestError("the server\nsaid 500 <b>"))]
    async with Studio([runs], models=models) as studio, Visitor(studio) as visitor:
        events = await ask(visitor, "Q", [0, 1])
        [failed] = [event for event in events if event["type"] == "failed"]
        assert failed["error"] == ""  # which may say who it is
        round = events[0]["round"]
        refused = await visitor.post("/beside/prefer", {"round": round, "preferred": failed["side"]}, 400)
        assert refused == {"error": "That system gave no answer."}
        told = await visitor.post("/beside/prefer", {"round": round, "preferred": 1 - failed["side"]})
        assert told["systems"][failed["side"]]["error"] == "the server said 500 <b>"
        page = await visitor.get("/beside")
        assert "the server said 500 &lt;b&gt;" in page
        named = await ask(visitor, "Q", [0, 1], blind=False)
        assert next(event["error"] for event in named if event["type"] == "failed") == "the server said 500 <b>"
    made = preferences.votes(preferences.read(runs))
    assert (made.table["battle"], made.left_out) == ([], {"a system failed": 1})


async def test_without_models_the_page_says_how_and_shows_what_was_noted(runs: Path, visitor: Visitor) -> None:
    preferences.add(runs, preference("Q", 1, words="<i>kind</i>"))
    page = await visitor.get("/beside")
    assert "howgood studio --model smollm2 --model openai/gpt-5-mini" in page
    assert "1 preference in" in page
    assert "&lt;i&gt;kind&lt;/i&gt;" in page
    assert "<textarea" not in page
    assert await ask(visitor, "Q", [0, 1], 400) == [{"error": "Choose 2 to 4 systems."}]


async def test_what_may_not_be_asked(runs: Path) -> None:
    slow = [Scripted("slow", ["a", "b"]), Scripted("slower", ["c", "d"])]
    for model in slow:
        model.go.clear()
    async with Studio([runs], models=slow) as studio, Visitor(studio) as visitor:
        page = await visitor.get("/beside")
        csrf = re.search(r'content="([0-9a-f]{64})"', page)
        assert csrf
        for headers in ({"X-CSRF": "0" * 64}, {"Origin": "http://elsewhere.example"}):
            await visitor.post("/beside/set", {"text": "x"}, 403, **headers)
            await visitor.post("/beside/prefer", {"round": "0" * 32, "preferred": "tie"}, 403, **headers)
        await visitor.post("/beside/prefer", {"round": "0" * 32, "preferred": "tie"}, 404)
        await visitor.post("/beside/prefer", {"round": "0" * 32, "preferred": "great"}, 400)
        for systems in ([0], [0, 0], [0, 7], [], [-1, 0]):
            await ask(visitor, "Q", systems, 400)
        assert await ask(visitor, " \n", [0, 1], 400) == [{"error": "Write a prompt first."}]
        assert await ask(visitor, "x" * 8_001, [0, 1], 400) == [{"error": "A prompt has at most 8,000 characters."}]
        await ask(visitor, "Q", [0, 1], 400, max_tokens=1_000_000)
        await ask(visitor, "Q", [0, 1], 400, temperature=-1)
        under_way = [asyncio.create_task(ask(visitor, "Q", [0, 1])) for _ in range(MOST_AT_ONCE)]
        while len(slow[0].asked) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
        assert "still being written" in (await ask(visitor, "Q", [0, 1], 429))[0]["error"]
        for model in slow:
            model.go.set()
        assert all(sorted(texts(events)) == ["ab", "cd"] for events in await asyncio.gather(*under_way))
        assert sorted(texts(await ask(visitor, "Q", [0, 1]))) == ["ab", "cd"]
        assert slow[0].asked[-1].max_tokens == 512


async def test_a_reader_who_goes_away_ends_the_answers(runs: Path) -> None:
    slow = [Scripted("slow", ["a", "b"]), Scripted("slower", ["c", "d"])]
    for model in slow:
        model.go.clear()
    async with Studio([runs], models=slow) as studio, Visitor(studio) as visitor:
        task = asyncio.create_task(ask(visitor, "Q", [0, 1]))
        while len(slow[1].asked) < 1:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            while studio.beside._under_way:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one\n\n  two  \r\nthree", ["one", "two", "three"]),
        ('{"prompt": "a\\nb", "x": 1}\n\n{"prompt": "c"}', ["a\nb", "c"]),
        ('id,prompt\n1,"a, ""b""\nand c"\n2,d\n', ['a, "b"\nand c', "d"]),
        ("prompt\nfirst\nsecond", ["first", "second"]),
        ("prompt", ["prompt"]),
    ],
)
def test_a_set_of_prompts(text: str, found: list[str]) -> None:
    assert prompts_of(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" \n", "There is no prompt in that."),
        ('{"prompt": "a"}\n{"question": "b"}', "Line 2 is no JSON object with a text as its `prompt`."),
        ('{"prompt": 1}', "Line 1 is no JSON object with a text as its `prompt`."),
        ("x\n" * (MOST_PROMPTS + 1), "A set has at most 500 prompts, and these are 501."),
        ("x\n" + "y" * 8_001, "Prompt 2 has more than 8,000 characters."),
        ("y" * 200_000 + "\nprompt", "Prompt 1 has more than 8,000 characters."),  # too long for a field of CSV
    ],
)
def test_a_set_that_is_none(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        prompts_of(text)
    assert (refused.value.status, str(refused.value)) == (400, said)


def preference(prompt: str, preferred: Any, systems: str = "AB", blind: bool = True, **more: Any) -> Preference:
    """One of systems named A, B, ..., who answer "A on <prompt>" and so on."""
    failed, leaking = more.pop("failed", ""), more.pop("leaking", "")
    answers = tuple(
        Answered(
            f"{name} on {prompt}", "down" if name in failed else None, name if name in leaking else None, 1.0, 3, 0
        )
        for name in systems
    )
    return Preference(f"{prompt}-{systems}", prompt, tuple(systems), answers, preferred, blind, **more)


def test_votes_are_of_pairs_and_only_blind_ones_count(tmp_path: Path) -> None:
    kept = [
        preference("p", 2, "ABC"),
        preference("q", "tie"),
        preference("r", "bad", "ABC", failed="B"),
        preference("s", 0, blind=False),
        preference("t", 1, "CAB", leaking="C"),
    ]
    made = preferences.votes(kept)
    columns = ("battle", "model_a", "model_b", "winner", "length_a", "answer_b")
    assert list(zip(*(made.table[name] for name in columns), strict=True)) == [
        ("p-ABC", "A", "C", "model_b", 6, "C on p"),
        ("p-ABC", "B", "C", "model_b", 6, "C on p"),
        ("q-AB", "A", "B", "tie", 6, "B on q"),
        ("r-ABC", "A", "C", "bothbad", 6, "C on r"),
        ("t-CAB", "A", "B", "model_a", 6, "B on t"),
    ]
    assert made.left_out == {"a system failed": 2, "names were shown": 1, "an answer says who wrote it": 1}
    assert preferences.counted(kept) == 5
    for name in ("votes.csv", "votes.parquet"):
        assert preferences.write_file(kept, tmp_path / name) == 5
        board = hg.rate(tmp_path / name, cluster="battle")
        # C won 2 and tied 1 of 3; A won 1, tied 2 and lost 1; B tied 1 and lost 2.
        assert [(one.model, one.votes) for one in board.models] == [("C", 3), ("A", 4), ("B", 3)]
        assert board.both_bad == 1


async def test_the_preferred_answers_become_a_benchmark(runs: Path, tmp_path: Path) -> None:
    async with Studio([runs], models=[ECHO, CONSTANT]) as studio, Visitor(studio) as visitor:
        await visitor.get("/beside/preferences.jsonl", 409)
        await visitor.get("/beside/preferences.exe", 404)
        for prompt, wanted in (("one", "one"), ("two", "Always this."), ("three", "Always this."), ("two", "two")):
            events = await ask(visitor, prompt, [0, 1])
            await visitor.post(
                "/beside/prefer", {"round": events[0]["round"], "preferred": texts(events).index(wanted)}
            )
        tied = (await ask(visitor, "four", [0, 1]))[0]["round"]
        await visitor.post("/beside/prefer", {"round": tied, "preferred": "tie"})
        file = tmp_path / "own.jsonl"
        file.write_text(await visitor.get("/beside/preferences.jsonl"))
        assert visitor.headers["Content-Disposition"] == 'attachment; filename="benchmark.jsonl"'
        votes = await visitor.get("/beside/preferences.csv")
        assert len(votes.splitlines()) == 1 + 5
        assert "Always" not in votes.replace(CONSTANT, "")  # a csv has no texts
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["prompt"], row["reference"], row["system"]) for row in rows] == [
        ("one", "one", ECHO),
        ("two", "two", ECHO),
        ("three", "Always this.", CONSTANT),
    ]
    for model, right in ((ECHO, 2), (CONSTANT, 1)):
        run = hg.run(str(file), model=model, ask="{prompt}", answer="reference", check="exact", folder=tmp_path / "r")
        assert run.estimate.value == pytest.approx(right / 3)


def test_the_command_lists_and_writes_them(tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path)]
    run = CliRunner().invoke
    assert "nothing noted in" in run(app, ["preferences", *folder]).output
    preferences.add(tmp_path, preference("What is a lake?", 1))
    with (tmp_path / preferences.FILE).open("ab") as torn:
        torn.write(b'{"id": "4", "pro')
    preferences.add(tmp_path, preference("And a pond?", "bad", blind=False))
    shown = run(app, ["preferences", *folder], env={"COLUMNS": "120"}).output
    assert re.search(r"What is a lake\? +B +hidden", shown)
    assert re.search(r"And a pond\? +all bad +shown", shown)
    assert re.search(r"\n  B +1 +2", shown)
    written = run(app, ["preferences", str(tmp_path / "v.csv"), *folder], env={"COLUMNS": "300"}).output
    assert "v.csv: 1 vote\n  left out 1: names were shown\n" in written
    assert "b.jsonl: 1 prompt\n" in run(app, ["preferences", str(tmp_path / "b.jsonl"), *folder]).output
    refused = run(app, ["preferences", str(tmp_path / "b.txt"), *folder])
    assert isinstance(refused.exception, DataError)
    assert "no suffix for preferences" in str(refused.exception)


async def test_models_are_checked_at_the_start_and_closed_at_the_end(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for models, said in (
        ([ECHO, ECHO], "is named twice"),
        ([ECHO, "reference/random"], "only scores given text"),
        ([ECHO, "reference/ecko"], "Did you mean reference/echo"),
    ):
        with pytest.raises(HowgoodError, match=said):
            Studio([runs], models=models)
    made = Scripted("made", ["x"])
    monkeypatch.setattr("howgood.studio.beside.load_model", lambda name: made)
    async with Studio([runs], models=["made", load_model(ECHO)]) as studio:
        assert studio.url.startswith("http://127.0.0.1:")
        assert not made.closed
    assert made.closed


async def test_a_person_reads_as_it_is_written_and_chooses_by_keys(runs: Path, browser: Any) -> None:
    models = [Scripted("left", ["<b>first", " words"]), Scripted("right", ["other", " things"])]
    for model in models:
        model.go.clear()
    async with Studio([runs], models=models) as studio:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        await page.goto(f"{studio.url}/beside")
        await page.get_by_label("this is a set of prompts").check()
        await page.get_by_role("textbox", name="Prompts").fill("a b 1 t\nsecond")
        await page.keyboard.press("Control+Enter")
        await page.locator(".answer").nth(1).filter(has_text=re.compile(".")).wait_for()
        await page.locator(".answer").nth(0).filter(has_text=re.compile(".")).wait_for()
        assert sorted(await page.locator(".answer").all_text_contents()) == ["<b>first", "other"]
        assert not await page.locator("#verdict").is_visible()
        await page.keyboard.press("1")  # before all is written nothing is noted
        for model in models:
            model.go.set()
        await page.locator("#verdict").wait_for()
        said = await page.locator(".answer").all_text_contents()
        assert sorted(said) == ["<b>first words", "other things"]
        assert preferences.read(runs) == []
        assert "left" not in await page.locator("#round").inner_text()
        await page.keyboard.press("w")
        await page.keyboard.type("12tb")
        await page.keyboard.press("Escape")
        await page.keyboard.press("2")
        best = "right" if said[1].startswith("other") else "left"
        await page.get_by_text(f"Noted: {best} is best.").wait_for()
        await page.get_by_text("1 preference in").wait_for()
        assert await page.locator("#sides h2").nth(1).inner_text() == best
        await page.keyboard.press("n")
        await page.get_by_text("Prompt 2 of 2").wait_for()
        await page.get_by_role("button", name="Tie").wait_for()
        await page.keyboard.press("t")
        await page.get_by_text("Noted: A tie.").wait_for()
        await page.keyboard.press("?")
        assert await page.get_by_role("dialog").is_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        assert wrong == []
    first, second = preferences.read(runs)
    assert (first.prompt, first.preferred, first.words, first.blind) == ("a b 1 t", 1, "12tb", True)
    assert first.systems[1] == best
    assert (second.prompt, second.preferred) == ("second", "tie")
