"""The arena: people ask, two systems without names answer side by side, and a vote says which answer is better.

A battle is one conversation with two systems, of one or more turns, and its vote. What is asked, answered and voted is
kept in a database (`database`); who may ask and vote, and how often, is said by `visitors` and `limits`; `leaks`,
`database.vote` and `export` hold the rules by which a vote counts; `pairs` chooses whom to show; `server` has the page.
`answers` has systems answer side by side, here and in the studio, whose `preferences` become a benchmark or votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from howgood.models.base import Model


def serve(
    models: Sequence[str | Model],
    *,
    database: str = "arena.sqlite",
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    max_tokens: int = 1024,
    temperature: float = 0.7,
) -> None:
    """Serve an arena of two or more models (or names of models) until Ctrl-C; it says where when it listens.

    `database` is an SQLite file or the URL of a PostgreSQL database. Another `host` than this machine's own needs a
    `token`, which each visitor is asked for. `max_tokens` and `temperature` are those of every answer. Raises
    `ModelError` for models that cannot meet or a port that cannot be had, and `DataError` for a database that cannot be
    reached.
    """
    import asyncio

    from howgood.arena.serving import serve_async

    asyncio.run(serve_async(models, database, host, port, token, max_tokens, temperature))
