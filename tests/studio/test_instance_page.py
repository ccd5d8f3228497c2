"""One trial: what was asked and answered, beside others' answers, and what people note of it."""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from studio_visitor import Visitor, make_run

import howgood as hg
from howgood.report.pictures import picture
from howgood.report.reading import place_of
from howgood.runs import notes


def change(run: Any, *rows: dict[str, Any]) -> None:
    """Give the first rows of a run's trials other cells."""
    frame = run.trials
    made = [{**row, **(rows[n] if n < len(rows) else {})} for n, row in enumerate(frame.iter_rows(named=True))]
    pl.DataFrame(made, schema=frame.schema).write_parquet(run.path / "trials.parquet")


def address(run: Any, at: int = 0, query: str = "") -> str:
    index, epoch = run.read(["index", "epoch"]).row(at)
    return f"/runs/{run.path.name}/trials/{index}.{epoch}{query}"


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


async def test_a_question_shows_its_choices_with_their_likelihoods(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, limit=3)
    page = await visitor.get(address(run))
    row = run.trials.row(0, named=True)
    assert f"<bdi>{row['id']}</bdi>" in page
    for choice in row["choices"]:
        assert f"<bdi>{choice}</bdi>" in page
    assert page.count("← picked") == 1
    assert page.count('<td class="number">25.0%</td>') == 4  # a uniform model, and labels of one byte each
    assert "Prompt exactly as sent" in page


async def test_examples_are_folded_apart_and_the_prompt_is_whole(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, benchmark="quickstart-word-problems", limit=2, max_tokens=8)
    prompt = run.trials["prompt"][0]
    change(run, {"prompt": "Q: 1 and 1?\nA: 2\n\n" + "Q: " + run.trials["input"][0], "text": "so 5"})
    page = await visitor.get(address(run))
    assert prompt
    folded = page.split('<details class="examples">')[1].split("</details>")[0]
    assert "Q: 1 and 1?\nA: 2\n\nQ: </pre>" in folded
    rest = page.split("</details>", 1)[1]
    assert run.trials["input"][0].replace("'", "&#39;") in rest


async def test_other_systems_answer_beside_with_what_differs_marked(runs: Path, visitor: Visitor) -> None:
    first = make_run(runs, "reference/constant,text=the cat sat", "quickstart-word-problems", limit=2)
    second = make_run(runs, "reference/constant,text=the dog sat", "quickstart-word-problems", limit=2)
    page = await visitor.get(address(first))
    assert "the <del>cat</del><ins>dog</ins> sat" in page
    assert f'<a href="{address(second)}">reference/constant,text=the dog sat</a>' in page
    assert "Other rules" not in page
    third = make_run(runs, "reference/constant,text=the cow sat", "quickstart-word-problems", limit=2, shots=1)
    page = await visitor.get(address(first))
    assert "the <del>cat</del><ins>cow</ins> sat" in page
    assert "Other rules: call.prompts, call.shots.n" in page
    assert len(third.trials) == 2


async def test_where_the_answer_was_read_is_marked(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=x", "quickstart-word-problems", limit=1)
    change(run, {"text": "12 eggs and 3 more.\n#### 15 eggs", "answer": "15"})
    assert "#### <mark>15</mark> eggs" in await visitor.get(address(run))


@pytest.mark.parametrize(
    ("answer", "text", "read"),
    [
        ("B", "A is wrong. The answer is B. B is odd.", "The answer is [B]"),
        ("B", "Answer: (B)", "Answer: ([B]"),
        ("42", r"so \boxed{42}.", r"\boxed{[42]"),
        ("1234", "in all 1,234", "in all [1,234]"),
        ("3", "12 3 33", "12 [3]"),
        ("Paris", "Paris, no: Rome. Paris", "Rome. [Paris]"),
    ],
)
def test_answers_are_found_again(answer: str, text: str, read: str) -> None:
    at = place_of(answer, text)
    assert at is not None
    assert (text[: at[0]] + "[" + text[at[0] : at[1]] + "]").endswith(read)


@pytest.mark.parametrize(("answer", "text"), [(None, "x"), ("x", None), ("x", "x"), ("seven", "7"), ("A", "BAD")])
def test_answers_that_do_not_stand_there_are_not_marked(answer: str | None, text: str | None) -> None:
    assert place_of(answer, text) is None


async def test_markdown_is_drawn_and_the_raw_text_is_there_too(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=**nine** <b>$x^2$</b>", "quickstart-word-problems", limit=1)
    page = await visitor.get(address(run))
    assert 'data-view="rendered"' in page
    assert "<strong>nine</strong> &lt;b&gt;<math" in page
    assert "**nine** &lt;b&gt;$x^2$&lt;/b&gt;" in page


async def test_tokens_are_a_strip_of_surprise_with_a_legend_and_numbers(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=ab", "quickstart-word-problems", limit=1)
    change(run, {"answer_tokens": [{"text": "a", "logprob": -0.34657359}, {"text": "b\n", "logprob": -6.93147181}]})
    page = await visitor.get(address(run))
    assert '<span class="s0" title="0.50 bits">a</span><span class="s5" title="10.00 bits">b↵\n</span>' in page
    assert '<span class="s5">10.0</span>' in page
    assert '<span class="heat s5">9 to 13</span>' in page


async def test_verdicts_tell_which_answer_stood_first(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=hm", "quickstart-word-problems", limit=1)
    said = [
        {"judge": "j", "prompt": "Which?", "reply": {"text": "**A**"}, "values": {"preference": 1.0}, "first": True},
        {"judge": "j", "prompt": "Which?", "reply": {"text": "B"}, "values": {"preference": 0.0}, "first": False},
    ]
    change(run, {"verdicts": json.dumps(said)})
    page = plain(await visitor.get(address(run)))
    assert "the answer shown first, the other second · preference 1" in page
    assert "the other shown first, the answer second · preference 0" in page


async def test_a_transcript_is_a_line_of_turns_and_calls(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=4", "quickstart-word-problems", limit=1)
    call = {"id": "c1", "name": "python", "arguments": '{"code": "2+2"}'}
    turns = [
        {"role": "assistant", "content": "I compute.", "tool_calls": [call]},
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
        {"role": "assistant", "content": "It is 4."},
    ]
    change(run, {"transcript": json.dumps(turns, separators=(",", ":"))})
    page = await visitor.get(address(run))
    line = page.split('<ol class="timeline">')[1].split("</ol>")[0]
    assert re.findall(r'<li class="(\w+)">', line) == ["assistant", "tool", "assistant"]
    assert "calls python" in plain(line)
    assert "&#34;code&#34;: &#34;2+2&#34;" in line
    assert "tool, of python" in plain(line)


def png(width: int, height: int) -> bytes:
    """A real picture, all black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x00" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def test_pictures_come_from_the_run_alone(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=4", "quickstart-word-problems", limit=1)
    data = base64.b64encode(png(3, 2)).decode()
    parts = [{"type": "text", "text": "What?"}, {"type": "image", "data": data, "media_type": "image/svg+xml"}]
    change(run, {"prompt": json.dumps([{"role": "user", "content": parts}], separators=(",", ":"))})
    page = await visitor.get(address(run))
    assert f'src="data:image/png;base64,{data}" width="3" height="2" alt="picture' in page


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(3, 2), (3, 2)),
        (b"GIF89a" + struct.pack("<HH", 7, 5), (7, 5)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x0f\0\0" + b"\x07\0\0", (16, 8)),
        (b"RIFF\0\0\0\0WEBPVP8L" + b"\0\0\0\0\x2f" + (9 | 4 << 14).to_bytes(4, "little") + b"\0" * 5, (10, 5)),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 11, 6), (11, 6)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 6, 9) + b"\x03", (9, 6)),
    ],
)
def test_pictures_are_measured_by_their_own_heads(data: bytes, size: tuple[int, int]) -> None:
    found = picture(data)
    assert (found.width, found.height, found.problem) == (*size, "")
    assert re.fullmatch(r"data:image/(png|gif|webp|jpeg);base64,[\w+/=]+", found.url)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<svg onload=alert(1)>", "no PNG, JPEG, GIF or WebP"),
        (b"", "no PNG"),
        (b"GIF89a", "no PNG"),
        (b"\xff\xd8" + b"\xff" * 50, "no PNG"),
        (b"RIFF\0\0\0\0WEBPVP8X", "no PNG"),
        (png(1, 1)[:16] + struct.pack(">II", 200_000, 200_000) + b"\0" * 9, "200,000 by 200,000 pixels, too large"),
        (png(1, 1) + b"\0" * 4_000_000, "too large to be shown"),
    ],
)
def test_other_pictures_are_told_not_shown(data: bytes, problem: str) -> None:
    found = picture(data)
    assert problem in found.problem
    assert found.url == ""


async def test_one_steps_through_what_the_filter_keeps(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, limit=30)
    wrong = [at for at, outcome in enumerate(run.trials["outcome"]) if outcome == "wrong"]
    assert 2 < len(wrong) < 30
    query = "?outcome=wrong"
    page = await visitor.get(address(run, wrong[1], query))
    assert f'<a rel="prev" href="{address(run, wrong[0], query)}">' in page
    assert f'<a rel="next" href="{address(run, wrong[2], query)}">' in page
    assert f'href="/runs/{run.path.name}/trials?outcome=wrong"' in page
    everything = await visitor.get(address(run, 1))
    assert f'<a rel="next" href="{address(run, 2)}">' in everything


async def test_a_trial_is_flagged_commented_and_corrected(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, limit=2)
    before = (run.path / "trials.parquet").read_bytes()
    where = address(run) + "/notes"
    told = await visitor.post(where, {"kind": "flag", "author": "ada"})
    assert (told["id"], told["author"], told["kind"]) == (run.trials["id"][0], "ada", "flag")
    await visitor.post(where, {"kind": "comment", "author": "ben", "text": "<b>odd</b>"})
    await visitor.post(where, {"kind": "correction", "author": "ben", "text": "C"})
    async with Visitor(visitor.studio) as later:
        page = await later.get(address(run))
    assert "⚑ flagged by <bdi>ada</bdi>" in page
    assert "&lt;b&gt;odd&lt;/b&gt;" in page
    assert "Should be: C says ben" in plain(page)
    assert "⚑" not in await visitor.get(address(run, 1))
    assert [note.kind for note in hg.notes(run)] == ["flag", "comment", "correction"]
    assert (run.path / "trials.parquet").read_bytes() == before
    await visitor.post(where, {"kind": "unflag", "author": "ada"})
    assert "⚑" not in await visitor.get(address(run))


@pytest.mark.parametrize(
    ("value", "status", "why"),
    [
        ({"kind": "flag", "author": "<i>"}, 409, "an author's name is of letters"),
        ({"kind": "comment", "author": "ada", "text": " "}, 409, "a comment has to say something"),
        ({"kind": "delete", "author": "ada"}, 400, "That cannot be read."),
        ({"kind": "comment", "author": "ada", "text": "x" * 5_000}, 400, "That is too long."),
    ],
)
async def test_what_is_no_note_is_refused(runs: Path, visitor: Visitor, value: Any, status: int, why: str) -> None:
    run = make_run(runs, limit=1)
    told = await visitor.post(address(run) + "/notes", value, status)
    assert why in told["error"]
    assert not (run.path / notes.FILE).exists()


async def test_notes_of_other_pages_and_other_trials_are_refused(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, limit=1)
    flag = {"kind": "flag", "author": "ada"}
    await visitor.post(address(run) + "/notes", flag, 403, Origin="https://evil.invalid")
    await visitor.post(f"/runs/{run.path.name}/trials/999999.0/notes", flag, 404)
    await visitor.post("/runs/nothing/trials/0.0/notes", flag, 404)
    assert not (run.path / notes.FILE).exists()


async def test_a_text_can_be_had_whole(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, "reference/constant,text=x", "quickstart-word-problems", limit=1)
    text = "<script>alert(1)</script>" + "é" * 60_000
    change(run, {"text": text})
    page = await visitor.get(address(run))
    assert "20,025 characters left out" in page
    assert await visitor.get(address(run) + "/text.txt") == text
    assert visitor.headers["Content-Type"] == "text/plain; charset=utf-8"
    await visitor.get(address(run) + "/cost.txt", 404)
    await visitor.get(address(run) + "/reasoning.txt", 404)


async def test_what_is_not_there_is_said(runs: Path, visitor: Visitor) -> None:
    run = make_run(runs, limit=1)
    for place in ("999999.0", "0.999", f"{2**70}.0", f"0.{2**40}"):
        assert "no such" in await visitor.get(f"/runs/{run.path.name}/trials/{place}", 404)
    await visitor.get("/runs/nothing/trials/0.0", 404)
    await visitor.get(address(run, query="?sort=nothing"), 400)


async def test_texts_are_turned_and_notes_made_by_keys(runs: Path, visitor: Visitor, browser: Any) -> None:
    run = make_run(runs, "reference/constant,text=**nine** eggs", "quickstart-word-problems", limit=2)
    make_run(runs, "reference/constant,text=**ten** eggs", "quickstart-word-problems", limit=2)
    page = await browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text))
    await page.goto(visitor.studio.url + address(run))
    seen = []
    for key in ("r", "r", "d", "d", "d"):
        await page.keyboard.press(key)
        seen.append(await page.locator(".own .views > *:visible").evaluate("(one) => one.className"))
    assert seen == ["raw", "rendered", "raw", "rendered", "raw"]  # this run's own answer is no change of itself
    assert await page.locator("ins:visible").all_inner_texts() == ["ten"]
    await page.keyboard.press("ArrowRight")
    await page.wait_for_url(f"**{address(run, 1)}")
    assert await page.locator("ins:visible").all_inner_texts() == ["ten"]  # as it was looked at before
    await page.keyboard.press("f")
    assert await page.evaluate("document.activeElement.name") == "author"
    await page.keyboard.type("ada")
    await page.locator("h1").click()
    await page.keyboard.press("f")
    await page.get_by_text("⚑ flagged by ada").wait_for()
    await page.keyboard.press("c")
    await page.keyboard.type("eggs <b>")
    await page.get_by_role("button", name="Comment").click()
    await page.get_by_text("ada said eggs <b>").wait_for()
    assert [(note.kind, note.text) for note in hg.notes(run)] == [("flag", ""), ("comment", "eggs <b>")]
    assert wrong == []
