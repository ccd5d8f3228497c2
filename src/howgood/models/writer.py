"""A thread that does all writing of a process to an SQLite file, many writes in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

TOGETHER = 500
"""Writes put into one transaction at most, so that other processes get their turn."""


class Writer:
    """Writes through a connection that is its alone. `always` is done in every transaction; where `idle` gives a
    number, also after so many seconds without any other work."""

    def __init__(self, db: sqlite3.Connection, always: Work[None], idle: Callable[[], float | None]) -> None:
        self._db, self._always, self._idle = db, always, idle
        self._queue: queue.SimpleQueue[tuple[Work[Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="howgood-cache", daemon=True).start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Have `work` done inside a transaction; the future is done when that is in the file. The work may be called
        twice, the first time for nothing, when another of the same transaction fails."""
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def _write(self) -> None:
        while True:
            works = self._gather()
            try:
                self._commit(self._db, works)
            except _NoTurn as error:
                for _, future in works:
                    future.set_exception(error.why)
            except Exception:
                for work, future in works:  # one by one, so that each gets its own error and spoils no other
                    try:
                        self._commit(self._db, [(work, future)])
                    except Exception as error:
                        future.set_exception(error.why if isinstance(error, _NoTurn) else error)

    def _gather(self) -> list[tuple[Work[Any], Future[Any]]]:
        """What is to be written now: waits for something, or until there has been nothing for too long."""
        works: list[tuple[Work[Any], Future[Any]]] = []
        with contextlib.suppress(queue.Empty):
            works.append(self._queue.get(timeout=self._idle()))
            while len(works) < TOGETHER:
                works.append(self._queue.get_nowait())
        return works

    def _commit(self, db: sqlite3.Connection, works: list[tuple[Work[Any], Future[Any]]]) -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _NoTurn(error) from error
        try:
            results = [work(db) for work, _ in works]
            self._always(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # some errors have rolled back already
                db.execute("ROLLBACK")
            raise
        for (_, future), result in zip(works, results, strict=True):
            future.set_result(result)


class _NoTurn(Exception):
    """Another process does not let go of the file, or it cannot be written at all."""

    def __init__(self, why: sqlite3.Error) -> None:
        super().__init__(str(why))
        self.why = why


async def waited(future: Future[T]) -> T:
    """The result of the writing thread's work, in the running event loop. Cancelling the wait does not cancel it."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def tell(_: Future[T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and who waited with it
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await waiter
    return future.result()
