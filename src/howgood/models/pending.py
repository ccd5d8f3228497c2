"""Batches under way, in the cache's file: what was handed in where, so that their answers are found after a restart.

A batch is written down before it is handed in (`made`), again just before the server is told to make it (`called`), and
once more when the server has said its id (`remote`). Its answers and the end of its record are one transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from msgspec import Struct

from howgood.models.responses import Key, Responses, keep, pack, unpack

COLUMNS = "id, model, size, made, owner, called, remote"
GONE = 30 * 86400.0
"""Seconds after which no server has a batch's results any more: Anthropic keeps them for 29 days, OpenAI for 30."""


class Pending(Struct, frozen=True):
    """A batch under way: its own `id`, how many requests of which `model` it holds, when it was `made` (unix time), the
    process that made it, when the server was `called` to make it, and its id there."""

    id: str
    model: str
    size: int
    made: float
    owner: str
    called: float | None = None
    remote: str | None = None


class Item(Struct, frozen=True):
    """A request of a batch, and how often it was tried in batches before."""

    key: Key
    tries: int


def pending(answers: Responses) -> list[Pending]:
    """All batches under way, oldest first."""
    return [Pending(*row) for row in answers.read(f"SELECT {COLUMNS} FROM batches ORDER BY made")]


def pending_batch(answers: Responses, id: str) -> Pending | None:
    """A batch under way as it stands now; None once it is done."""
    return next((Pending(*row) for row in answers.read(f"SELECT {COLUMNS} FROM batches WHERE id = ?", id)), None)


def holding(answers: Responses, digest: bytes) -> Pending | None:
    """The batch under way that holds a request; the latest where there are several. None where its results are gone."""
    holding = "id IN (SELECT batch FROM items WHERE key = ?) AND made > ?"
    found = answers.read(
        f"SELECT {COLUMNS} FROM batches WHERE {holding} ORDER BY made DESC LIMIT 1", digest, time.time() - GONE
    )
    return next((Pending(*row) for row in found), None)


def digests(answers: Responses, id: str) -> list[bytes]:
    """The digests of a batch's requests."""
    return [row[0] for row in answers.read("SELECT key FROM items WHERE batch = ?", id)]


def items(answers: Responses, batch: Pending) -> list[Item]:
    """The requests of a batch."""
    rows = answers.read("SELECT key, instance, prompt, fields, tries FROM items WHERE batch = ?", batch.id)
    return [
        Item(Key(key, unpack(fields), batch.model, instance, prompt), tries)
        for key, instance, prompt, fields, tries in rows
    ]


async def write_down(answers: Responses, batch: Pending, requests: Iterable[Item]) -> None:
    """Keep what is about to be handed in."""
    rows = [(batch.id, i.key.digest, i.key.instance, i.key.prompt, pack(i.key.fields), i.tries) for i in requests]

    def work(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, NULL, NULL)", _five(batch))
        db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)

    await answers.done(work)


def _five(batch: Pending) -> tuple[object, ...]:
    return batch.id, batch.model, batch.size, batch.made, batch.owner


async def write_called(answers: Responses, id: str) -> bool:
    """Keep that the server is called now; False if another process took the batch over, thinking this one dead."""
    sql = "UPDATE batches SET called = ? WHERE id = ? AND owner = ?"
    return await answers.done(lambda db: db.execute(sql, (time.time(), id, answers.owner)).rowcount == 1)


async def write_remote(answers: Responses, id: str, remote: str) -> None:
    """Keep the id that the server gave."""
    await answers.done(lambda db: db.execute("UPDATE batches SET remote = ? WHERE id = ?", (remote, id)))


async def take_over(answers: Responses, batch: Pending) -> bool:
    """Make this process the owner; False if another was quicker."""
    sql = "UPDATE batches SET owner = ? WHERE id = ? AND owner = ?"
    return await answers.done(lambda db: db.execute(sql, (answers.owner, batch.id, batch.owner)).rowcount == 1)


async def finish(answers: Responses, id: str, kept: list[tuple[Key, float | None, bytes]]) -> None:
    """Keep the answers of a batch, as (key, cost, packed answer), and let go of its record, both or none."""
    now = time.time()

    def work(db: sqlite3.Connection) -> None:
        for key, cost, answer in kept:
            keep(db, key, cost, answer, now)
        forget(db, id)

    await answers.done(work)


def forget(db: sqlite3.Connection, id: str) -> None:
    """Let go of a batch's record, inside a transaction."""
    db.execute("DELETE FROM items WHERE batch = ?", (id,))
    db.execute("DELETE FROM batches WHERE id = ?", (id,))
