"""Every page of the studio in a real browser, on runs of a real model: nothing breaks or runs over, axe-core finds no
serious fault of accessibility, and the keys do what they say."""

from __future__ import annotations

import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from real_runs import Runs, make_runs, pages

from howgood.studio.server import Studio

pytestmark = [pytest.mark.xdist_group("studio-browser")]
AXE = Path(__file__).parents[2] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = sorted(
    "runs runs-none run run-judged run-perplexity run-imported instances instances-with instances-none "
    "instance-choices instance-grids instance-checked instance-judged instance-imported compare compare-pick "
    "compare-one leaderboard beside label surprise surprise-two no-such-run".split()
)


def inspect_log(path: Path) -> Path:
    """A small log as Inspect writes it (version 2), without Inspect."""
    header = {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": "e1", "run_id": "r1", "created": "2026-11-01T10:00:00+00:00", "task": "capitals",
            "task_id": "t1", "task_version": 0, "task_args": {}, "dataset": {"name": "capitals", "samples": 3},
            "model": "mockllm/model", "config": {}, "packages": {"inspect_ai": "0.3.285"},
        },
        "plan": {"steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {"total_samples": 3, "completed_samples": 3, "scores": [
            {"name": "includes", "scorer": "includes", "params": {}, "metrics": {
                "accuracy": {"name": "accuracy", "value": 0.6666666, "params": {}}}}]},
        "stats": {"started_at": "2026-11-01T10:00:00+00:00", "completed_at": "2026-11-01T10:00:09+00:00"},
    }  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (country, capital, said) in enumerate(
            (("France", "Paris", "Paris."), ("Italy", "Rome", "It is Rome"), ("Spain", "Madrid", "Barcelona"))
        ):
            sample = {
                "id": f"s{number}", "epoch": 1, "input": f"What is the capital of {country}?", "target": capital,
                "messages": [{"role": "user", "content": f"What is the capital of {country}?"},
                             {"role": "assistant", "content": said}],
                "output": {"model": "mockllm/model", "choices": [
                    {"message": {"role": "assistant", "content": said}, "stop_reason": "stop"}],
                    "usage": {"input_tokens": 8, "output_tokens": 3, "total_tokens": 11}},
                "scores": {"includes": {"value": "C" if capital in said else "I", "answer": said}},
            }  # fmt: skip
            archive.writestr(f"samples/s{number}_epoch_1.json", msgspec.json.encode(sample))
        archive.writestr("header.json", msgspec.json.encode(header))
    return path


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Runs]]:
    """A folder of runs of SmolLM2 and simpler systems, and one imported log."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("studio-runs")
    before = os.environ.get("HOWGOOD_CACHE")
    os.environ["HOWGOOD_CACHE"] = str(tmp_path_factory.mktemp("studio-cache") / "responses.sqlite")
    try:
        log = inspect_log(tmp_path_factory.mktemp("studio-log") / "capitals.eval")
        yield folder, make_runs(folder, shared / "data", log, limit=4, max_tokens=24)
    finally:
        os.environ.pop("HOWGOOD_CACHE")
        if before is not None:
            os.environ["HOWGOOD_CACHE"] = before


@pytest.fixture
async def studio(real: tuple[Path, Runs]) -> AsyncIterator[Studio]:
    async with Studio([real[0]], models=["reference/echo", "reference/constant,text=yes"]) as started:
        yield started


async def open_page(browser: Any, studio: Studio, path: str, **options: Any) -> tuple[Any, list[str]]:
    """A page, and what went wrong on it: errors of scripts, refusals of its policy, requests to other hosts."""
    page = await browser.new_page(reduced_motion="reduce", **options)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith((studio.url, "data:")) else wrong.append(asked.url))
    await page.goto(studio.url + path)
    return page, wrong


async def test_every_page_holds_together_wide_and_narrow_light_and_dark(
    browser: Any, studio: Studio, real: tuple[Path, Runs]
) -> None:
    found = pages(real[1])
    assert sorted(found) == NAMES
    for width, scheme in ((1440, "light"), (390, "dark")):
        for name, path in found.items():
            page, wrong = await open_page(
                browser, studio, path, viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            if name == "no-such-run":
                wrong = [what for what in wrong if "404" not in what]
            assert wrong == [], name
            over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, f"{name} is {over} pixels wider than a window of {width}"
            assert await page.locator("h1").count() == 1, name
            assert await page.locator("main").count() == 1, name
            await page.close()


async def test_axe_finds_no_serious_fault(browser: Any, studio: Studio, real: tuple[Path, Runs]) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core (make .venv/test installs it where there is npm)")
    axe = AXE.read_text()
    faults = []
    for scheme in ("light", "dark"):
        for name, path in pages(real[1]).items():
            page, _ = await open_page(browser, studio, path, color_scheme=scheme)
            await page.evaluate(axe)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            faults += [
                f"{name} ({scheme}): {fault['id']}, {fault['help']}: {fault['nodes'][0]['html'][:200]}"
                for fault in found["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            await page.close()
    assert faults == []


async def test_from_the_runs_to_an_instance_by_keys_alone(
    browser: Any, studio: Studio, real: tuple[Path, Runs]
) -> None:
    page, wrong = await open_page(browser, studio, "/?q=mmlu+smollm2")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/runs/{real[1]['mmlu'].id}")
    await page.goto(f"{studio.url}/runs/{real[1]['mmlu'].id}/trials")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/trials/*.*")
    first = page.url
    await page.keyboard.press("ArrowRight")
    await page.wait_for_function("first => location.href !== first", arg=first)
    await page.keyboard.press("ArrowLeft")
    await page.wait_for_function("first => location.href === first", arg=first)
    assert wrong == []


async def test_runs_are_chosen_and_compared(browser: Any, studio: Studio, real: tuple[Path, Runs]) -> None:
    page, wrong = await open_page(browser, studio, "/?benchmark=mmlu")
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await page.get_by_role("button", name="Compare").click()
    await page.wait_for_url("**/compare?run=*&run=*")
    text = await page.locator("main").inner_text()
    assert "reference/random" in text
    assert "smollm2" in text
    assert wrong == []


async def test_a_tag_is_given_and_found(browser: Any, studio: Studio, real: tuple[Path, Runs]) -> None:
    page, wrong = await open_page(browser, studio, "/?q=ifeval+echo")
    await page.get_by_role("row").nth(1).hover()
    await page.get_by_role("button", name="Change the tags of ifeval on reference/echo").click()
    await page.get_by_label("Words between spaces").fill("baseline <b>")
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_text("'<b>' cannot be a tag").wait_for()
    await page.get_by_label("Words between spaces").fill("baseline")
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_role("link", name="baseline").click()
    await page.wait_for_url("**/?tag=baseline")
    assert await page.locator("tr[data-run]").count() == 1
    assert [what for what in wrong if "409" not in what] == []
