"""The page on which people label a run's answers, and the one that says what their labels are worth."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from studio_visitor import Visitor, make_run

import howgood as hg
from howgood.models import registry
from howgood.models.reference import Echo
from howgood.report import numbers
from howgood.runs import labels
from howgood.studio.server import Studio
from judging_models import Judge, texts


@pytest.fixture
def make(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a run of 20 tasks, judged as it is told."""
    rows = "".join(f'task {n},"{"task" if n % 4 else "none"} {n}"\n' for n in range(20))
    (tmp_path / "tasks.csv").write_text(f"task,baseline\n{rows}")

    def made(check: str, reply: Any = None) -> Any:
        known, judge = registry.load_model, Judge(reply, "gpt")
        monkeypatch.setattr(registry, "load_model", lambda name: judge if name == "gpt" else known(name))
        more = {"judge": "gpt"} if reply else {}
        file = str(tmp_path / "tasks.csv")
        return hg.run(file, Echo(), ask="{task}", answer="baseline", check=check, cache=False, folder=runs, **more)

    return made


async def items(visitor: Visitor, run: Any, annotator: str, n: int = 8) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(await visitor.get(f"/runs/{run.id}/label/items?annotator={annotator}&n={n}"))
    return told


async def give(visitor: Visitor, run: Any, item: dict[str, Any], said: Any, by: str = "ann", status: int = 200) -> Any:
    value = {"annotator": by, "id": item["id"], "epoch": item["epoch"], "said": said, "seconds": 2.04}
    return await visitor.post(f"/runs/{run.id}/label", value, status)


async def test_a_label_is_blind_and_the_same_as_on_the_command_line(visitor: Visitor, make: Any) -> None:
    run = make("exact")
    page = await visitor.get(f"/runs/{run.id}/label?n=8")
    assert "Is the answer right?" in page
    assert "A random sample of 8" in page
    assert "reference" not in page.replace(f"/runs/{run.id}/", "").replace(run.id, "")
    told = await items(visitor, run, "ann")
    assert (told["total"], told["labelled"], len(told["items"])) == (8, 0, 5)
    asked = list(labels.items(run, "ann", 8))
    assert [item["id"] for item in told["items"]] == [item.id for item in asked[:5]]
    first = told["items"][0]
    number = int(first["id"]) - 1
    assert first == {
        "id": asked[0].id,
        "epoch": 0,
        "question": [["", f"task {number}"]],
        "answers": [f"task {number}"],
        "target": f"{'task' if number % 4 else 'none'} {number}",
    }
    for item, said in zip(told["items"], ("right", "wrong", "skip", "right", "right"), strict=True):
        await give(visitor, run, item, said)
    kept = labels.read(run)
    assert [(one.id, one.value) for one in kept] == [
        (item.id, value) for item, value in zip(asked, (1.0, 0.0, None, 1.0, 1.0), strict=False)
    ]
    assert {(one.annotator, one.first, one.seconds) for one in kept} == {("ann", None, 2.0)}
    assert [item.id for item in labels.items(run, "ann", 8)] == [item.id for item in asked[5:]]  # as before
    later = await items(visitor, run, "ann")
    assert (later["labelled"], [item["id"] for item in later["items"]]) == (5, [item.id for item in asked[5:]])
    assert (await items(visitor, run, "bob"))["labelled"] == 0
    assert hg.calibrate(run).labelled == 4


async def test_a_new_label_takes_the_place_and_the_old_one_stays_in_the_file(visitor: Visitor, make: Any) -> None:
    run = make("exact")
    item = (await items(visitor, run, "ann"))["items"][0]
    for said in ("right", "skip", "wrong"):
        await give(visitor, run, item, said)
    assert [one.value for one in labels.read(run)] == [0.0]
    lines = [json.loads(line) for line in (run.path / labels.FILE).read_bytes().splitlines()]
    assert [line.get("value") for line in lines] == [1.0, None, 0.0]


async def test_of_two_answers_the_page_knows_whose_is_which(visitor: Visitor, make: Any) -> None:
    run = make("compare", lambda _: '{"verdict": "A>B"}')
    assert "Which answer is better?" in await visitor.get(f"/runs/{run.id}/label")
    seen = {item.id: item for item in labels.items(run, "ann", 20)}
    values = {}
    for _ in range(4):
        for item in (await items(visitor, run, "ann", 20))["items"]:
            number = int(item["id"]) - 1
            own = item["answers"].index(f"task {number}") if number % 4 == 0 else None
            assert tuple(item["answers"]) == seen[item["id"]].answers
            said = "tie" if own is None else str(own + 1)  # the run's own is better where it can be told
            await give(visitor, run, item, said)
            values[item["id"]] = 0.5 if own is None else 1.0
    kept = labels.read(run)
    assert {one.id: one.value for one in kept} == values
    assert {one.id: one.first for one in kept} == {name: item.first for name, item in seen.items()}
    page = await visitor.get(f"/runs/{run.id}/labels")
    assert page.count(">the system&#39;s<") == 5


async def test_what_is_no_label(visitor: Visitor, make: Any) -> None:
    run = make("grade", lambda asked: f'{{"score": {1 + int(texts(asked)[0].split()[1]) % 10}}}')
    assert "How good is the answer, from 1 to 10?" in await visitor.get(f"/runs/{run.id}/label")
    item = (await items(visitor, run, "ann"))["items"][0]
    for said in (0, 11, "right", "1", "tie"):
        assert await give(visitor, run, item, said, status=400) == {"error": "That is no label of this run."}
    for said in ("great", None, [1]):
        await give(visitor, run, item, said, status=400)
    assert "letters, digits" in (await give(visitor, run, item, 5, by="<b>", status=400))["error"]
    await give(visitor, run, {"id": "999", "epoch": 0}, 5, status=404)
    await give(visitor, run, {"id": item["id"], "epoch": 1}, 5, status=404)
    told = {"annotator": "ann", **item, "said": 5}
    await visitor.post(f"/runs/{run.id}/label", told, 403, **{"X-CSRF": "0" * 64})
    await visitor.post(f"/runs/{run.id}/label", told, 403, Origin="http://elsewhere.example")
    for query in ("annotator=a/b", "annotator=ann&n=0", "annotator=ann&n=x", "annotator=" + "a" * 65):
        await visitor.get(f"/runs/{run.id}/label/items?{query}", 409 if "/" in query else 400)
    await visitor.get("/runs/no-such-run/label", 404)
    assert labels.read(run) == []
    await give(visitor, run, item, 4.5)
    assert [one.value for one in labels.read(run)] == [4.5]


async def test_what_several_annotators_said(visitor: Visitor, make: Any) -> None:
    run = make("exact")
    empty = await visitor.get(f"/runs/{run.id}/labels")
    assert "Nobody has labelled anything yet." in empty
    said = {}
    for name in ("ann", "bob"):
        for _ in range(2):
            for item in (await items(visitor, run, name, 10))["items"]:
                number = int(item["id"]) - 1
                right = number % 4 != 0 if name == "ann" else number % 2 == 0
                said[name, item["id"]] = right
                await give(visitor, run, item, "right" if right else "wrong", name)
    page = await visitor.get(f"/runs/{run.id}/labels")
    found = hg.calibrate(run)
    assert found.labelled == 10
    assert found.agree is not None
    assert f"of people, alpha {found.agree.value:.2f} [{found.agree.low:.2f}, {found.agree.high:.2f}]" in page
    estimate = found.powered.estimate
    assert f"<b>{numbers.value(estimate)}</b> {numbers.interval(estimate)}" in page
    ids = [name for by, name in said if by == "ann"]
    # ann says what the run's verdict is (right unless the number is a multiple of 4), so only bob differs
    differing = [name for name in ids if said["bob", name] != said["ann", name]]
    assert f"{len(differing)} of 10 where not all say the same" in page
    order = re.findall(rf'/runs/{run.id}/trials/\d+\.0">(\d+)<', page)
    assert sorted(order) == sorted(ids)
    assert set(order[: len(differing)]) == set(differing)
    assert page.count('<td class="number" data-name="Labelled">10</td>') == 2


async def test_a_run_without_written_answers_says_so(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=4)
    page = await visitor.get(f"/runs/{run.id}/label")
    assert "has no written answers, so there is nothing to label." in page
    assert "<form" not in page


async def test_hostile_answers_are_only_text(visitor: Visitor, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps({"q": "<img src=x onerror=alert(1)>\u202e", "a": "y"}) + "\n")
    run = hg.run(str(tmp_path / "x.jsonl"), Echo(), ask="{q}", answer="a", folder=runs)
    [item] = (await items(visitor, run, "ann"))["items"]
    assert item["answers"] == ["<img src=x onerror=alert(1)>⟨U+202E⟩"]
    assert "nosniff" in visitor.headers["X-Content-Type-Options"]
    assert visitor.headers["Content-Type"] == "application/json"


async def test_a_person_labels_by_keys_and_goes_back(runs: Path, make: Any, browser: Any) -> None:
    run = make("exact")
    async with Studio([runs]) as studio:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        await page.goto(f"{studio.url}/runs/{run.id}/label?n=7")
        await page.get_by_label("Your name").fill("ann")
        await page.keyboard.press("Enter")
        order = [item.id for item in labels.items(run, "ann", 7)]
        count = page.locator("#count")
        for place, key in enumerate("ynyss"):
            await page.get_by_text(f"{place} of 7", exact=True).wait_for()
            number = int(order[place]) - 1
            assert await page.locator("#question").inner_text() == f"task {number}"
            await page.keyboard.press(key)
        await page.get_by_text("5 of 7", exact=True).wait_for()
        await page.keyboard.press("u")
        await page.get_by_text("Labelled before: skipped.").wait_for()
        await page.keyboard.press("n")
        await page.get_by_text("The one before: wrong.").wait_for()
        assert await count.inner_text() == "5 of 7"
        await page.reload()  # the name is asked once
        await page.get_by_text("5 of 7", exact=True).wait_for()
        assert not await page.get_by_label("Your name").is_visible()
        await page.get_by_role("button", name="Right").click()
        await page.get_by_text("6 of 7", exact=True).wait_for()
        await page.keyboard.press("y")
        await page.get_by_text("You have seen them all.").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await page.get_by_role("link", name="What the labels say so far").click()
        await page.get_by_role("heading", name="What people would say of all answers").wait_for()
        assert wrong == []
    values = {one.id: one.value for one in labels.read(run)}
    assert [values[name] for name in order] == [1.0, 0.0, 1.0, None, 0.0, 1.0, 1.0]
    assert len((run.path / labels.FILE).read_bytes().splitlines()) == 8
