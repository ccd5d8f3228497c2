"""The studio's web server: who may ask, and which page answers.

Everything that is shown is hostile: pages are escaped and load nothing but our own style and scripts; a write needs the
same origin, the visitor's cookie and its CSRF value; a run is found by its id in a table, never by a path.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from msgspec import ValidationError

from howgood.core.errors import HowgoodError, MissingExtra
from howgood.core.text import one_line, shorten
from howgood.models.base import Model
from howgood.runs.remote import Mirror
from howgood.studio.beside import Beside
from howgood.studio.library import Library
from howgood.web.guard import Enter, Refused, admitted, body, check_serving, headers, remember
from howgood.web.visitors import Visitors

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    from howgood.studio.page import page, static_files
    from howgood.web.serving import Served
except ImportError:
    raise MissingExtra("the studio", "studio") from None

DAYS = 30
"""For which a browser keeps its cookie."""
READERS = 4
"""Threads that read runs for pages."""
T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class Studio:
    """Serves pages over the runs in `places` at `host` and `port` (0: a free one) until it is stopped.

        async with Studio([Path("runs")]) as studio:
            studio.url

    `models` can be asked side by side; those given by name are closed at the end. `token` is what a visitor has to
    give; without one `host` must be this machine's own. Raises `ModelError` for a host that strangers reach without
    one, for a port that there is not, and for models that cannot answer.
    """

    def __init__(
        self,
        places: Sequence[Path | Mirror],
        *,
        models: Sequence[str | Model] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
    ) -> None:
        check_serving(host, port, token, "read the runs")
        self.library = Library(places)
        self.beside = Beside(models, next((place for place in places if isinstance(place, Path)), None))
        self._served = Served(host, port)
        self._visitors = Visitors(secrets.token_bytes(32), token)
        self._readers = ThreadPoolExecutor(READERS, "studio-reads")

    @property
    def url(self) -> str:
        return self._served.url

    @property
    def _cookie(self) -> str:
        """The cookie's name: browsers keep one jar for all ports of a host, where there may be several studios."""
        return f"howgood_studio_{self._served.port}"

    async def start(self) -> None:
        """Listen. Raises `ModelError` where the port cannot be had."""
        await self._served.start(self.app())
        for name in ("duckdb", "polars"):  # the first page of a run would wait for them
            self._readers.submit(importlib.import_module, name)

    async def stop(self) -> None:
        """End; answers under way are cut off after a moment."""
        await self._served.stop()
        await self.beside.close()
        self._readers.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def app(self) -> Any:
        """The ASGI application."""
        from howgood.studio.pages import PAGES

        routes = [
            Route("/static/{name}", self._guarded(self._static), methods=["GET"]),
            Route("/enter", self._guarded(self._enter), methods=["POST"]),
        ]
        for one in PAGES:
            routes += [
                Route(path, self._guarded(functools.partial(handle, self)), methods=[method])
                for method, path, handle in one.ROUTES
            ]
        return Starlette(routes=routes, exception_handlers={404: self._guarded(self._nothing), 500: self._broken})

    async def reading(self, do: Callable[..., T], *given: Any, **named: Any) -> T:
        """What reads from disk or takes long, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, functools.partial(do, *given, **named))

    def _guarded(self, handle: Handler) -> Callable[..., Awaitable[Response]]:
        """What holds for all requests: who asks, from where, and how it is said that they may not."""

        async def guarded(request: Request, *_: object) -> Response:
            request.state.nonce = secrets.token_urlsafe(16)
            request.state.visitor = self._visitors.new()
            try:
                visitor = request.state.visitor = admitted(request, self._visitors, self._cookie, "studio")
                if not self._visitors.admits(visitor) and request.url.path not in ("/enter",) and not _static(request):
                    response: Response = page(request, "enter.html.j2", 401, place="studio")
                else:
                    response = await handle(request)
            except Refused as refused:
                response = self._told(request, refused.status, str(refused))
            except ValidationError as error:  # of the query in an address
                response = self._told(request, 400, f"This address asks for what cannot be shown: {error}.")
            except HowgoodError as error:
                response = self._told(request, 409, str(error))
            except OSError as error:  # a file of a run that may not be read, or was just removed
                what = f" ({error.filename}: {error.strerror})" if error.filename else ""
                response = self._told(request, 409, f"What this page needs cannot be read now{what}.")
            for name, value in headers(request.state.nonce, "'self'").items():
                response.headers.setdefault(name, value)
            if request.state.visitor.cookie != request.cookies.get(self._cookie):
                remember(response, request, self._cookie, request.state.visitor, DAYS)
            return response

        return guarded

    def _told(self, request: Request, status: int, why: str) -> Response:
        """A refusal: as a page where one was asked for, else as JSON."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return page(request, "refused.html.j2", status, why=why)
        return JSONResponse({"error": why}, status)

    async def _nothing(self, request: Request) -> Response:
        raise Refused(404, "There is no such page.")

    async def _broken(self, request: Request, error: Exception) -> Response:
        """What nobody thought of: told where the studio was started, without words of the request's query or body."""
        told = one_line(f"{request.method} {request.url.path[:200]}: {type(error).__name__}: {error}")
        print(f"howgood: a page could not be made: {shorten(told, 600)}", file=sys.stderr)

        async def answer(request: Request) -> Response:
            raise Refused(500, "This page could not be made, which is a mistake of howgood; its terminal says more.")

        return await self._guarded(answer)(request)

    async def _static(self, request: Request) -> Response:
        return static_files().answer(request.path_params["name"])

    async def _enter(self, request: Request) -> Response:
        given = await body(request, Enter)
        if not self._visitors.knows(given.token):
            await asyncio.sleep(0.5)
            raise Refused(401, "That is not the token.")
        request.state.visitor = self._visitors.entered(request.state.visitor)
        return JSONResponse({})


def _static(request: Request) -> bool:
    return request.url.path.startswith("/static/")
