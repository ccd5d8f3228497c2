"""The event loop that calls are driven by: what was answered first goes on first.

asyncio's own loop reads all sockets that have something to say before it lets anything go on that waited for one of
them. Hundreds of requests in flight so come to move in flocks: what is answered together is read, judged and asked
again together, and each waits for all of its flock. Taken one by one they stay apart (docs/performance.md, "HTTP").
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Event = tuple[selectors.SelectorKey, int]

FLOCK = 32
"""Of so many that are ready, one is taken at a time; of more, the same share, since each turn of the loop costs."""


class InTurn(selectors.DefaultSelector):
    """Tells of what is ready little by little, in the order in which the system told of it."""

    def __init__(self) -> None:
        super().__init__()
        self._told: deque[Event] = deque()

    def select(self, timeout: float | None = None) -> list[Event]:
        if not self._told:
            self._told.extend(super().select(timeout))
        registered, ready = self.get_map(), []
        for _ in range(min(len(self._told), 1 + len(self._told) // FLOCK)):
            key, events = self._told.popleft()
            # What was closed since, or is waited for in another way, the system tells of again if it is still so.
            if registered.get(key.fd) is key:
                ready.append((key, events))
        return ready


def drive(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, in turn where the system's loop is one of sockets."""
    if sys.platform == "win32":
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(InTurn())) as runner:
        return runner.run(work)
