"""An application served from its start to its stop, inside a process that has other things to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from howgood.core.errors import MissingExtra
from howgood.core.listening import cannot_listen

try:
    import uvicorn
    from starlette.responses import StreamingResponse
except ImportError:
    raise MissingExtra("a server of pages", "studio") from None

LAST_MOMENT = 3
"""Seconds that answers under way have when a server ends."""


class Served:
    """An ASGI application that listens at `host` and `port` (0: a free one) until it is stopped."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def start(self, app: Any) -> None:
        """Listen. Raises `ModelError` where the port cannot be had."""
        listening = listener(self.host, self.port)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=LAST_MOMENT,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End; answers under way are cut off after a moment."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None


class _Server(uvicorn.Server):
    """Leaves signals to the process it is in."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class EventStream(StreamingResponse):
    """Server-sent events; `after` is done however they end, also where they never began."""

    def __init__(self, content: AsyncIterator[bytes], after: Callable[[], None] = lambda: None) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._content, self._after = content, after

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._after()
            await self._content.aclose()  # type: ignore[attr-defined]


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    import msgspec

    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to an address. Raises `ModelError`."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    return made
