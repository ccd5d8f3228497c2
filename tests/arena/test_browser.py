"""Two systems on this machine are voted on in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from howgood.arena.database import Database
from howgood.arena.limits import Limits
from howgood.arena.server import Arena
from howgood.models.registry import load_model

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        await started.close()


async def test_a_person_asks_twice_votes_and_sees_who_it_was(browser: Any, tmp_path: Path) -> None:
    constant = f"reference/constant,text={HOSTILE}"
    models = [load_model("reference/echo"), load_model(constant)]
    with Database(str(tmp_path / "arena.sqlite")) as database:
        async with Arena(models, database, limits=Limits(read=0.0)) as arena:
            page = await browser.new_page(viewport={"width": 390, "height": 844})
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            await page.goto(arena.url)
            title = await page.title()
            await page.get_by_label("Your question").fill("What is a lake?")
            await page.get_by_role("button", name="Ask both").click()
            await page.get_by_role("button", name="A is better").wait_for()
            said = await page.locator(".answer").all_text_contents()
            assert sorted(said) == [HOSTILE, "What is a lake?"]
            assert "reference" not in await page.locator("body").inner_text()
            await page.get_by_label("Go on with both, or vote").fill("And a pond?")
            await page.keyboard.press("Control+Enter")
            await page.get_by_text("And a pond?").nth(1).wait_for()
            winner = "A" if said[0] == "What is a lake?" else "B"
            await page.get_by_role("button", name=f"{winner} is better").click()
            await page.get_by_text("Thank you: your vote is kept.").wait_for()
            other = "B" if winner == "A" else "A"
            result = await page.locator("#result").inner_text()
            named = {winner: "reference/echo", other: constant}
            assert result == f"You chose {winner}. A was {named['A']}, B was {named['B']}."
            heading = await page.locator(f".turn:nth-child(2) [data-side={winner.lower()}] h2").inner_text()
            assert heading == f"System {winner}: reference/echo"
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390  # nothing stands out of a phone's screen
            await page.get_by_role("button", name="New battle").click()
            assert await page.locator(".turn").count() == 0
            assert await page.get_by_label("Your question").is_visible()
            assert await page.title() == title
            await page.get_by_role("link", name="Leaderboard").click()
            await page.get_by_role("heading", name="Leaderboard").wait_for()
            first = await page.locator("tbody tr").first.inner_text()
            assert "reference/echo" in first
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            assert wrong == []
        votes = database.votes()
        assert votes[f"model_{winner.lower()}"] == ["reference/echo"]
        assert votes["winner"] == [f"model_{winner.lower()}"]
        [turns] = database.texts(votes["battle"])
        assert [turn.prompt for turn in turns] == ["What is a lake?", "And a pond?"]
