"""A studio from its first line to Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

from howgood.studio.library import place
from howgood.studio.server import Studio


async def serve_async(
    places: Sequence[str],
    models: Sequence[str],
    host: str,
    port: int,
    token: str | None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told where it listens. Raises `HowgoodError` for a place that holds no
    runs."""
    studio = Studio([place(text) for text in places], models=models, host=host, port=port, token=token)
    end, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    async with studio:
        runs = len(await studio.reading(studio.library.runs))
        say(f"a studio over {runs:,} run{'' if runs == 1 else 's'}: {studio.url}/; Ctrl-C ends it")
        if token is not None:
            say("  visitors are asked for the token")
        await end.wait()
        say("ending")
