"""Reading what a server sends, whole or event by event: bounded in size and in time, and without the key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from howgood.models.dialects import ErrorReply, MalformedReply, Reader, plain
from howgood.models.secrets import scrub, scrub_bytes
from howgood.models.sse import Events

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

LONGEST_SILENCE = 300.0
"""Seconds that a stream which has begun may stand still."""
LAST_WORD, LINGER = "[DONE]", 1.0
"""The event after which nothing comes, and the seconds that a server has to end the stream after it."""


class Answer(Struct, Generic[T]):
    """What came back: the `value` that was read, the `latency` of the try that brought it and its time to the `first`
    text (seconds from the sending, waits left out; `first` of streams only), and how many tries had failed before."""

    value: T
    latency: float
    first: float | None = None
    retries: int = 0


StreamReader = Callable[[], Reader[T]]
Reading = Callable[["aiohttp.ClientResponse", float], Awaitable[Answer[T]]]
"""What makes an answer of a response to a request that was sent at a (monotonic) time."""


class Unusable(Exception):
    """A reply that nothing can be made of, and that another try would bring again."""

    def __init__(self, message: str, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


class Silent(TimeoutError):
    """A stream that stands still."""


async def body_of(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body of a reply. Raises `Unusable` for one of more than `most` bytes."""
    chunks, size = [], 0
    while not response.content.at_eof():
        chunk = await response.content.readany()
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return scrub_bytes(b"".join(chunks))


async def read_whole(
    response: aiohttp.ClientResponse, begun: float, read: Callable[[bytes], T], most: int
) -> Answer[T]:
    """What `read` makes of the body of a reply to a request that was sent at `begun`."""
    body = await body_of(response, most)
    latency = time.monotonic() - begun
    return Answer(read(body), latency)


async def read_events(
    response: aiohttp.ClientResponse, begun: float, reader: Reader[T], hand_on: Callable[[str], None], most: int
) -> Answer[T]:
    """What `reader` makes of a stream; its text goes to `hand_on`. What breaks after the answer's end does no harm."""
    import aiohttp

    events, size, first, latest = Events(), 0, None, begun
    silence: float | None = None  # before it begins, the time for the whole try is the only limit
    try:
        while True:
            chunk = await _next(response, silence)
            size, silence = size + len(chunk), LONGEST_SILENCE
            if size > most:
                raise _too_large(most)
            for event, data in events.feed(chunk) if chunk else events.end():
                latest = time.monotonic()
                text = reader.feed(event, scrub(data))
                if text:
                    first = latest - begun if first is None else first
                    hand_on(text)
                if data == LAST_WORD:
                    silence = LINGER
            if not chunk:
                return Answer(reader.result(), latest - begun, first)
    except (aiohttp.ClientError, OSError) as broken:
        try:
            return Answer(reader.result(), latest - begun, first)
        except MalformedReply:
            raise broken from None


def unstreamed(body: bytes, read_error: Callable[[bytes], ErrorReply]) -> Exception:
    """What a JSON body means where a stream was asked for: an error, or a server that cannot stream."""
    told = plain(body)
    if isinstance(told, dict) and not told.get("error") and told.get("type") != "error":
        return Unusable("answered in one piece where a stream was asked for", fatal=True)
    return read_error(body)


async def _next(response: aiohttp.ClientResponse, silence: float | None) -> bytes:
    """The next bytes of a stream; none at its end. Raises `Silent` when none came for so many seconds."""
    try:
        async with asyncio.timeout(silence) as limit:
            return await response.content.readany()
    except TimeoutError:
        if limit.expired():
            raise Silent from None
        raise


def _too_large(most: int) -> Unusable:
    return Unusable(f"sent a reply of more than {most >> 20} MB")
