"""Every page over runs that mean harm, in a real browser: they are shown, and nothing of them is obeyed."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from hostile import CANARY, LABEL, make_hostile, trials

import howgood as hg
from howgood.studio.pages import PAGES
from howgood.studio.server import Studio

pytestmark = [pytest.mark.xdist_group("studio-hostile")]
LARGEST = 3_000_000
"""Characters that a page may have, whatever is in the runs."""
SLOWEST = 15.0
"""Seconds that a page may take, on a machine that does other things too."""
ENDLESS = {"/runs/live"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("hostile")
    return folder, make_hostile(folder)


def addresses(runs: list[Path]) -> dict[str, list[str]]:
    """The addresses that the pages have, by the page's path: over all trials of the first run, and some of the others,
    whose cells are the same in another order."""
    names = [quote(path.name, safe="") for path in runs]
    found: dict[str, list[str]] = {}
    for one in PAGES:
        for method, path, _ in one.ROUTES:
            if method != "GET" or path in ENDLESS:
                continue
            made = found.setdefault(path, [])
            for place, name in enumerate(names):
                filled = path.replace("{run}", name).replace("{part}", "text")
                if "{index" not in path:
                    made.append(filled)
                    continue
                keys = trials(runs[place])
                few = place == 1 or "{part}" in path or ("surprise" in path) != (place == 2)
                for index, epoch in keys[:1] if few else keys:
                    made.append(re.sub(r"\{index:int\}\.\{epoch:int\}", f"{index}.{epoch}", filled))
    for path in ("/compare", "/leaderboard", "/beside"):
        found.setdefault(path, []).append(f"{path}?{'&'.join(f'run={name}' for name in names[:2])}")
    label = quote(LABEL, safe="")
    found["/"] += [f"/?q={label}", f"/?tag={label}", f"/?benchmark={label}&system={label}0"]
    found["/runs/{run}/trials"] = [
        *found.get("/runs/{run}/trials", []),
        f"/runs/{names[0]}/trials?with={names[1]}&differ=any",
        f"/runs/{names[0]}/trials?q={label}",
        f"/runs/{names[0]}/trials?group={label}",
        f"/runs/{names[0]}/trials?flagged=1",
    ]
    return {path: list(dict.fromkeys(made)) for path, made in found.items()}


async def test_no_page_obeys_what_it_shows(browser: Any, hostile: tuple[Path, list[Path]]) -> None:
    folder, runs = hostile
    wrong: list[str] = []
    seen = 0
    async with Studio([folder]) as studio, aiohttp.ClientSession() as session:
        host = urlsplit(studio.url).netloc
        context = await browser.new_context(viewport={"width": 1280, "height": 800})

        async def gate(route: Any) -> None:
            asked = urlsplit(route.request.url)
            if asked.netloc == host or asked.scheme == "data":
                await route.continue_()
            else:
                wrong.append(f"asked {route.request.url[:200]}")
                await route.abort()

        await context.route("**/*", gate)

        async def look(page: Any, address: str) -> None:
            nonlocal seen
            begun = time.perf_counter()
            async with session.get(
                studio.url + address, headers={"Accept": "text/html"}, allow_redirects=False
            ) as response:
                content = await response.read()
                kind = response.headers.get("Content-Type", "")
                status = response.status
            took = time.perf_counter() - begun
            if status >= 500 or took > SLOWEST or (kind.startswith("text/html") and len(content) > LARGEST):
                wrong.append(f"{address[:160]}: {status}, {took:.1f} s, {len(content):,} bytes")
            if not kind.startswith("text/html"):
                return
            answer = await page.goto(studio.url + address, timeout=20_000)
            if answer is None or answer.status >= 500:
                wrong.append(f"{address[:160]}: {answer and answer.status} in the browser")
            for view in await page.locator("[data-show]").all():
                await view.click()
            if await page.evaluate(f"window.{CANARY}"):
                wrong.append(f"{address[:160]}: a script of the run ran")
            # What the run wrote made no element of its own.
            if await page.locator(
                "iframe, object, embed, base, main script, main style, main link, [onerror], [onload], "
                "main meta, a[href^='javascript:' i], main img:not([src^='data:image/png;base64,'])"
            ).count():
                wrong.append(f"{address[:160]}: holds an element of the run's")
            seen += 1

        def complain(page: Any, told: str) -> None:
            if "status of 4" not in told:  # a page that says that something is not there
                wrong.append(f"{page.url[:160]}: {told[:300]}")

        async def worker(mine: list[str]) -> None:
            page = await context.new_page()
            page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss())[1])
            page.on("pageerror", lambda error: wrong.append(f"{page.url[:160]}: {error}"))
            page.on("console", lambda told: told.type in ("error", "warning") and complain(page, told.text))
            for address in mine:
                await look(page, address)

        every = [address for made in addresses(runs).values() for address in made]
        await asyncio.gather(worker(every[::2]), worker(every[1::2]))
        await context.close()
    assert not wrong, "\n".join(wrong)
    assert seen > 30


async def test_no_report_obeys_what_it_shows(browser: Any, hostile: tuple[Path, list[Path]], tmp_path: Path) -> None:
    written = hg.write_report(*hostile[1], out=tmp_path / "report.html")
    assert written.stat().st_size < LARGEST
    wrong: list[str] = []
    page = await browser.new_page()
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss())[1])
    page.on("console", lambda told: wrong.append(told.text[:300]))
    page.on(
        "request", lambda asked: asked.url.startswith(("file:", "data:")) or wrong.append(f"asked {asked.url[:200]}")
    )
    await page.goto(written.as_uri())
    assert not await page.evaluate(f"window.{CANARY}")
    assert not wrong, "\n".join(wrong)
    assert "Title <script>" in (await page.locator("body").text_content() or "")


async def test_what_was_written_is_there_to_be_read(hostile: tuple[Path, list[Path]]) -> None:
    """Harmless by being shown as text, not by being left out."""
    folder, runs = hostile
    async with Studio([folder]) as studio, aiohttp.ClientSession() as session:

        async def get(place: int, of: str = "") -> str:
            index, epoch = trials(runs[0])[place]
            address = f"{studio.url}/runs/{quote(runs[0].name, safe='')}/trials/{index}.{epoch}{of}"
            async with session.get(address, headers={"Accept": "text/html"}) as response:
                assert response.status == 200
                return await response.text()

        page = await get(0)
        assert "&lt;script&gt;window.__canary=1;alert(1)&lt;/script&gt;" in page
        assert "{{ 7*7 }}" in page
        assert "1,000 more" not in page
        assert "characters left out" in await get(1)
        unseen = await get(2)
        assert "pay⟨U+202E⟩txt.exe" in unseen
        assert "\u202e" not in unseen
        choices = await get(6)
        assert re.search(r"19,9\d\d more choices are not shown", choices)
        broken = await get(7)
        assert "not read: what is stored cannot be read" in broken
        pictures = await get(8)
        assert "a picture of 200,000 by 200,000 pixels, too large to be shown" in pictures
        kinds = re.findall(r'<img [^>]*src="data:([^;"]*)', pictures)
        assert set(kinds) == {"image/png"}
        assert pictures.count("one more picture") > 10
        # The whole of a text is one link away, as text that no browser reads as a page.
        async with session.get(
            f"{studio.url}/runs/{quote(runs[0].name, safe='')}/trials/{trials(runs[0])[1][0]}.0/text.txt"
        ) as response:
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert len(await response.text()) == 5_001_008
