"""How many requests may be in flight on one account, and when the next may go.

Nobody tells how many requests a server takes, so it is found out as TCP finds out how much a network takes (RFC 5681):
the limit doubles every window of answers until the server pushes back for the first time, is cut at every push-back,
and grows by one a window between them. It grows only while it is used: an answer that came while fewer were in flight
says nothing about more. What the server does tell (Retry-After, what remains of a minute's requests and tokens) is
kept to.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

FIRST_LIMIT = 64
"""Few servers refuse so many, and with fewer the way to hundreds costs a second."""
CUT, TOUCHED = 0.7, 0.9
"""What is left of the limit after a push-back, as in CUBIC (RFC 9438, section 4.6): the second where the limit had
grown since it was last cut, and so has only touched what the server takes; this holds it within a tenth of that."""
LONGEST_PAUSE = 60.0
"""Seconds to wait for a quota that is used up; then the server is asked again, and says itself what it thinks."""

QUOTAS = {
    "requests": (
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
        ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ),
    "tokens": (
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ),
}
"""Headers that tell what remains and when it is filled up again, by what is counted.
https://platform.openai.com/docs/guides/rate-limits, https://docs.claude.com/en/api/rate-limits"""
UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")


class Pace:
    """The decisions, without a clock: every time is given, in seconds of one and the same clock.

    At most `limit` requests (a fraction of one does not count) are `in_flight`, never more than `ceiling`.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = float(min(FIRST_LIMIT, ceiling))
        self.in_flight = 0
        self.cuts = 0
        """How often the limit was cut. A request that began before the last cut says nothing about the limit since."""
        self._doubling = True
        self._last_cut = math.inf
        self._paused_until = -math.inf
        self._remaining: dict[str, tuple[int, float]] = {}

    def delay(self, now: float, size: int) -> float:
        """Seconds until a request of `size` tokens (0: unknown) may begin; infinite where another must end first."""
        if self.in_flight >= int(self.limit):
            return math.inf
        until = self._paused_until
        for what, (remaining, reset) in self._remaining.items():
            if remaining < (1 if what == "requests" else max(1, size)):
                until = max(until, reset)
        return max(0.0, until - now)

    def begin(self, size: int) -> None:
        self.in_flight += 1
        for what, (remaining, reset) in self._remaining.items():
            self._remaining[what] = (remaining - (1 if what == "requests" else size), reset)

    def end(self) -> None:
        self.in_flight -= 1

    def answered(self, cuts: int) -> None:
        """A request that is still counted, and began after so many `cuts`, was answered: more may go if all that may
        were on their way."""
        if cuts == self.cuts and self.in_flight >= int(self.limit):
            more = 1.0 if self._doubling else 1.0 / self.limit
            self.limit = min(float(self.ceiling), self.limit + more)

    def pushed_back(self, now: float, cuts: int, after: float | None = None) -> None:
        """The server refused a request, which began after so many `cuts`, or did not get to it in time; nothing more
        goes before the seconds that it asked to wait have passed."""
        self._doubling = False
        if cuts == self.cuts:  # once for all requests that were in flight together
            self.cuts += 1
            left = TOUCHED if self.limit >= self._last_cut + 1 else CUT
            self.limit = self._last_cut = max(1.0, left * min(self.limit, self.in_flight))
        if after is not None:
            self._paused_until = max(self._paused_until, now + after)

    def told(self, now: float, wall: float, headers: Mapping[str, str]) -> None:
        """What the headers of a reply tell; `wall` is the same moment as a Unix time."""
        for what, names in QUOTAS.items():
            for remaining_header, reset_header in names:
                if (remaining := headers.get(remaining_header)) is None or (reset := headers.get(reset_header)) is None:
                    continue
                seconds = seconds_until(reset, wall)
                if seconds is not None and remaining.isdecimal() and len(remaining) < 16:
                    self._remaining[what] = (int(remaining), now + min(seconds, LONGEST_PAUSE))


def seconds_until(reset: str, wall: float) -> float | None:
    """Seconds until a reset, told as a duration (`6m0s`, `20ms`, `1.5`) or as a time of RFC 3339; `wall` is the Unix
    time of now. None for what is neither."""
    parts = DURATION.findall(reset)
    if parts and "".join(number + unit for number, unit in parts) == reset:
        return math.fsum(float(number) * UNITS[unit] for number, unit in parts)
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", reset):
        return float(reset)
    try:
        moment = datetime.fromisoformat(reset)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall)


class Turn:
    """A request's turn: entered when it may begin, left when it has ended."""

    __slots__ = ("_cuts", "_limiter", "_size")

    def __init__(self, limiter: Limiter, size: int) -> None:
        self._limiter, self._size, self._cuts = limiter, size, 0

    async def __aenter__(self) -> Turn:
        await self._limiter.wait(self._size)
        self._cuts = self._limiter.pace.cuts
        return self

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave()

    def told(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of the reply."""
        self._limiter.pace.told(time.monotonic(), time.time(), headers)

    def answered(self) -> None:
        self._limiter.pace.answered(self._cuts)

    def pushed_back(self, after: float | None = None) -> None:
        """The server wants fewer requests, and none for `after` seconds."""
        self._limiter.pace.pushed_back(time.monotonic(), self._cuts, after)


class Limiter:
    """Lets requests go at the pace of their account, in the order in which they came. Belongs to one event loop."""

    def __init__(self, ceiling: int) -> None:
        self.pace = Pace(ceiling)
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def turn(self, size: int) -> Turn:
        return Turn(self, size)

    async def wait(self, size: int) -> None:
        """Wait until a request may begin, and count it from then on."""
        if not self._waiting and self.pace.delay(time.monotonic(), size) == 0:
            self.pace.begin(size)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        self._let_go()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had come
                self.pace.end()
            self._let_go()
            raise

    def leave(self) -> None:
        """A request has ended."""
        self.pace.end()
        if self._waiting:
            self._let_go()

    def _let_go(self) -> None:
        """Begin those that may; where it is for time to pass, come back when it has."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            turn, size = self._waiting[0]
            if not turn.done():  # else it was cancelled
                delay = self.pace.delay(time.monotonic(), size)
                if delay > 0:
                    if delay < math.inf:
                        self._timer = asyncio.get_running_loop().call_later(delay, self._let_go)
                    return
                self.pace.begin(size)
                turn.set_result(None)
            self._waiting.popleft()


_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Limiter]] = WeakKeyDictionary()


def limiter_of(url: str, key: str, ceiling: int) -> Limiter:
    """The limiter of an account, which is a server's base `url` and the name of a `key`, for the running event loop:
    one for all models of the process that call it, whose limit never grows above the highest `ceiling` of theirs."""
    accounts = _limiters.setdefault(asyncio.get_running_loop(), {})
    limiter = accounts.get((url, key))
    if limiter is None:
        limiter = accounts[url, key] = Limiter(ceiling)
    limiter.pace.ceiling = max(limiter.pace.ceiling, ceiling)
    return limiter
