"""A limit on the time that a request may take, at next to no cost."""

from __future__ import annotations

import asyncio


class Deadline:
    """`asyncio.timeout` for many tasks at once, each of which may take the same `seconds`: entered by a task, it raises
    `TimeoutError` there when the time is over. What began first ends first, so that one timer does for all, where one
    for each request takes a twentieth of a call. Belongs to one event loop; a task enters it once at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}  # the first to end first
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        assert task not in self._ends
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._look()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._ends.pop(task, None) is not None:
            return
        if not task.uncancel() and kind is asyncio.CancelledError:  # and it was cancelled by nobody else
            raise TimeoutError from error

    def _look(self) -> None:
        """End what is over, and come back when the next is."""
        self._timer, loop = None, asyncio.get_running_loop()
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if end > loop.time():
                self._timer = loop.call_at(end, self._look)
                return
            del self._ends[task]
            task.cancel()
