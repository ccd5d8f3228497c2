"""A studio over a folder for runs, and a visitor who keeps its cookie."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from studio_visitor import Visitor

from howgood.studio.server import Studio


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder for runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
async def visitor(runs: Path) -> AsyncIterator[Visitor]:
    """A visitor of a studio over `runs`."""
    async with Studio([runs]) as studio, Visitor(studio) as one:
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """A real browser without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
        started = await playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        await started.close()
