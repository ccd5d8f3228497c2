"""A studio over a folder for runs, and a visitor who keeps its cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

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
