"""A studio from its first line to Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from howgood.core.errors import HowgoodError
from howgood.studio.server import Studio


async def serve_async(
    folders: Sequence[Path], host: str, port: int, token: str | None, say: Callable[[str], None] = print
) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told where it listens. Raises `HowgoodError` for a folder that is not
    there."""
    for folder in folders:
        if not folder.is_dir():
            raise HowgoodError(f"{folder} is not a folder; give one that holds runs, or make some with howgood run")
    studio = Studio(folders, host=host, port=port, token=token)
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with studio:
        runs = len(studio.library.runs())
        say(f"a studio over {runs:,} run{'' if runs == 1 else 's'}: {studio.url}/; Ctrl-C ends it")
        if token is not None:
            say("  visitors are asked for the token")
        await end.wait()
        say("ending")
