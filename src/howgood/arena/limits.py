"""How often one visitor, and one address, may ask: against bots, and so that no one uses up the machine."""

from __future__ import annotations

import time
from collections import deque

from msgspec import Struct

MOST_KEYS = 20_000
"""Visitors that are kept in mind; beyond it those who were quiet for longest are forgotten."""


class Limits(Struct, frozen=True):
    """Turns that a visitor may ask for in a minute (`visitor`), and all visitors of one address in a minute (`address`)
    and in an hour (`hour`); answers under way for one address (`at_once`) and for all (`all_at_once`); `tries` at the
    token an address has in a minute. A vote within `read` seconds of the last answer was not read, and is refused."""

    visitor: int = 12
    address: int = 40
    hour: int = 600
    at_once: int = 8
    all_at_once: int = 64
    tries: int = 10
    read: float = 1.5


class Window:
    """At most `most` events of one key in `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds = most, seconds
        self._seen: dict[str, deque[float]] = {}

    def wait(self, key: str, now: float | None = None) -> float:
        """Seconds until this key may do it again; 0 where it may now."""
        now = time.monotonic() if now is None else now
        events = self._seen.get(key, deque())
        while events and events[0] <= now - self.seconds:
            events.popleft()
        return 0.0 if len(events) < self.most else events[0] + self.seconds - now

    def note(self, key: str, now: float | None = None) -> None:
        """The key did it."""
        events = self._seen.pop(key, None) or deque()
        events.append(time.monotonic() if now is None else now)
        self._seen[key] = events
        if len(self._seen) > MOST_KEYS:
            del self._seen[next(iter(self._seen))]


class Gate:
    """Whether a turn may be asked for now."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._windows = (Window(limits.visitor, 60), Window(limits.address, 60), Window(limits.hour, 3600))
        self._running: dict[str, int] = {}

    def refusal(self, visitor: str, address: str) -> str:
        """Why not, in words for the visitor; empty where it may."""
        if sum(self._running.values()) >= self.limits.all_at_once:
            return "All systems are busy answering others. Try again in a minute."
        if self._running.get(address, 0) >= self.limits.at_once:
            return "Answers to your earlier questions are still being written. Try again when they are there."
        keys = (visitor, address, address)
        wait = max(window.wait(key) for window, key in zip(self._windows, keys, strict=True))
        return (
            f"That was a lot of questions in a short time. Try again in {max(1, round(wait))} seconds." if wait else ""
        )

    def enter(self, visitor: str, address: str) -> None:
        for window, key in zip(self._windows, (visitor, address, address), strict=True):
            window.note(key)
        self._running[address] = self._running.get(address, 0) + 1

    def leave(self, address: str) -> None:
        left = self._running.get(address, 0) - 1
        if left > 0:
            self._running[address] = left
        else:
            self._running.pop(address, None)
