"""An arena from its first line to Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence

from howgood.arena.database import Database
from howgood.arena.server import Arena, check_arena
from howgood.models.base import Model
from howgood.models.registry import load_model


async def serve_async(
    models: Sequence[str | Model],
    database: str,
    host: str,
    port: int,
    token: str | None,
    max_tokens: int,
    temperature: float,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told where it listens. Models given by name are closed at the end."""
    loaded = [load_model(one) if isinstance(one, str) else one for one in models]
    async with contextlib.AsyncExitStack() as stack:
        for model, given in zip(loaded, models, strict=True):
            if isinstance(given, str):
                stack.push_async_callback(model.close)
        check_arena(loaded, host, port, token, max_tokens, temperature)  # before a database is made
        kept = stack.enter_context(contextlib.closing(Database(database)))
        arena = Arena(loaded, kept, host=host, port=port, token=token, max_tokens=max_tokens, temperature=temperature)
        for model in loaded:
            await model.check()
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end.set)
        async with arena:
            say(f"an arena of {len(loaded)} systems: {arena.url}/ (leaderboard: {arena.url}/board); Ctrl-C ends it")
            say(f"  votes are kept in {kept.name}")
            if token is not None:
                say("  visitors are asked for the token")
            await end.wait()
            say("ending")
