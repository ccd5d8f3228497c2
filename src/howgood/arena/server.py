"""The arena's web server: one page to ask and vote on, one with the leaderboard, and what they write to.

Everything that comes in is hostile: bodies are bounded and typed, a write needs the same origin, the visitor's cookie
and its CSRF value, no path names a file, and pages have a content security policy under which only our own script runs.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Annotated, Any, Literal, Self, TypeVar

from msgspec import Meta, Struct

from howgood.arena.answers import Answered, Ended, Piece, check_writers, prompt_for, side_by_side
from howgood.arena.board import Board, read_board
from howgood.arena.database import Database, Denied, Turn, Winner
from howgood.arena.leaks import Leaks
from howgood.arena.limits import Gate, Limits, Window
from howgood.arena.pairs import Pairs
from howgood.core.errors import DataError, MissingExtra, ModelError
from howgood.core.text import visible
from howgood.core.types import Generate
from howgood.models.base import Model
from howgood.web.guard import Enter, Refused, admitted, body, check_serving, headers, remember
from howgood.web.visitors import Visitor, Visitors

try:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route

    from howgood.web.serving import EventStream, Served, event
except ImportError:
    raise MissingExtra("an arena's server", "arena") from None

LONGEST_PROMPT = 8_000
"""Characters."""
TOO_LONG = f"A question has at most {LONGEST_PROMPT:,} characters."
MOST_TURNS = 8
FRESH = 1.0
"""Seconds for which the votes known to the choice of pairs, and a leaderboard, are taken as they were."""
DAYS = 180
"""For which a browser keeps its cookie."""
VOTES_A_TURN = 3
"""Votes an address may try to give for each turn it may ask for."""
T = TypeVar("T")

Text = Annotated[str, Meta(max_length=LONGEST_PROMPT)]
Id = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Ask(Struct):
    """A question: in a new battle, or in the battle of this id. People do not see the field `website`, bots fill it."""

    prompt: Text
    battle: Id | None = None
    website: Annotated[str, Meta(max_length=2_000)] = ""


class Vote(Struct):
    battle: Id
    winner: Literal["a", "b", "tie", "bothbad"]
    website: Annotated[str, Meta(max_length=2_000)] = ""


class Arena:
    """Serves a blind arena of two or more models at `host` and `port` (0: a free one) until it is stopped. The models
    and the database stay their owner's to close.

        async with Arena(models, Database("arena.sqlite")) as arena:
            arena.url

    `token` is what a visitor has to give; without one `host` must be this machine's own. `max_tokens` and `temperature`
    are those of every answer. Raises `ModelError` for models that cannot meet.
    """

    def __init__(
        self,
        models: Sequence[Model],
        database: Database,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        max_tokens: int = 1024,
        temperature: float = 0.7,
        limits: Limits | None = None,
    ) -> None:
        check_arena(models, host, port, token, max_tokens, temperature)
        self._served = Served(host, port)
        self.limits = limits or Limits()
        self._database, self._max_tokens, self._temperature = database, max_tokens, temperature
        self._models = {database.register(one.name, self._details(one)): one for one in models}
        self._leaks = Leaks(one.name for one in models)
        self._pairs = Pairs(list(self._models))
        self._learned = 0.0
        self._boards: dict[bool, tuple[float, Board]] = {}
        self._board_lock = asyncio.Lock()
        self._visitors = Visitors(database.secret(), token)
        self._cookie = f"howgood_arena_{self._visitors.tag}"  # one for all servers of an arena, who share its database
        self._gate = Gate(self.limits)
        self._tries = Window(self.limits.tries, 60)
        self._votes = Window(VOTES_A_TURN * self.limits.address, 60)
        # One thread writes: SQLite has one writer anyhow, and votes that wait in line are not lost to a busy lock.
        self._writer = ThreadPoolExecutor(1, "arena-writes")
        self._reader = ThreadPoolExecutor(2, "arena-reads")

    @property
    def url(self) -> str:
        return self._served.url

    @property
    def names(self) -> list[str]:
        return [model.name for model in self._models.values()]

    def _details(self, model: Model) -> dict[str, Any]:
        """What a system is here: it never scores given text, so how it would is left out."""
        told = {name: value for name, value in model.describe().items() if name != "scores"}
        return {**told, "max_tokens": self._max_tokens, "temperature": self._temperature}

    async def start(self) -> None:
        """Listen. Raises `ModelError` where the port cannot be had."""
        await self._served.start(self.app())

    async def stop(self) -> None:
        """End; answers under way are cut off after a moment."""
        await self._served.stop()
        self._writer.shutdown()
        self._reader.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def app(self) -> Any:
        """The ASGI application."""
        routes = [
            Route("/", self._guarded(self._page), methods=["GET"]),
            Route("/board", self._guarded(self._board_page), methods=["GET"]),
            Route("/ask", self._guarded(self._ask), methods=["POST"]),
            Route("/vote", self._guarded(self._vote), methods=["POST"]),
            Route("/enter", self._guarded(self._enter), methods=["POST"]),
            Route("/static/{name}", self._guarded(self._static), methods=["GET"]),
        ]
        return Starlette(routes=routes)

    # Requests

    def _guarded(self, handle: Callable[[Request, Visitor], Any]) -> Callable[[Request], Any]:
        """What holds for all of them: who asks, from where, and how it is said that they may not."""

        async def guarded(request: Request) -> Response:
            nonce = request.state.nonce = secrets.token_urlsafe(16)
            try:
                visitor = admitted(request, self._visitors, self._cookie, "arena")
                response: Response = await handle(request, visitor)
            except Refused as refused:
                response = JSONResponse({"error": str(refused)}, refused.status)
            except Denied as denied:
                response = JSONResponse({"error": str(denied)}, 409)
            except DataError:
                response = JSONResponse({"error": "The arena cannot reach its database. Try again later."}, 503)
            for name, value in headers(nonce).items():
                response.headers.setdefault(name, value)
            return response

        return guarded

    def _address(self, request: Request) -> str:
        return self._visitors.address(request.client.host if request.client else "")

    async def _page(self, request: Request, visitor: Visitor) -> Response:
        from howgood.arena.pages import enter_page, vote_page

        if not self._visitors.admits(visitor):
            return self._with_cookie(HTMLResponse(enter_page(visitor, request.state.nonce)), request, visitor)
        page = vote_page(visitor, request.state.nonce, len(self._models), LONGEST_PROMPT)
        return self._with_cookie(HTMLResponse(page), request, visitor)

    async def _board_page(self, request: Request, visitor: Visitor) -> Response:
        from howgood.arena.pages import board_page, enter_page

        if not self._visitors.admits(visitor):
            return self._with_cookie(HTMLResponse(enter_page(visitor, request.state.nonce)), request, visitor)
        style = request.query_params.get("style") == "1"
        board = await self._board(style)
        page = await self._reading(board_page, board, style, set(self._models), visitor, request.state.nonce)
        return self._with_cookie(HTMLResponse(page), request, visitor)

    async def _static(self, request: Request, visitor: Visitor) -> Response:
        from howgood.arena.pages import static_files

        return static_files().answer(request.path_params["name"])

    async def _enter(self, request: Request, visitor: Visitor) -> Response:
        given, address = await body(request, Enter, TOO_LONG), self._address(request)
        self._count(self._tries, address)
        if not self._visitors.knows(given.token):
            raise Refused(401, "That is not the token.")
        return self._with_cookie(JSONResponse({}), request, self._visitors.entered(visitor))

    async def _ask(self, request: Request, visitor: Visitor) -> Response:
        asked, address = await body(request, Ask, TOO_LONG), self._address(request)
        if not asked.prompt.strip():
            raise Refused(400, "Write a question first.")
        if asked.website:  # a bot: it costs no answers, and learns nothing from a refusal that others get too
            raise Refused(503, "All systems are busy answering others. Try again in a minute.")
        if why := self._gate.refusal(visitor.id, address):
            raise Refused(429, why)
        self._gate.enter(visitor.id, address)
        try:
            before: tuple[Turn, ...] = ()
            if asked.battle is None:
                await self._learn()
                systems = self._pairs.draw()
                battle = await self._writing(self._database.begin, visitor.id, address, systems, asked.prompt)
            else:
                found = await self._writing(self._database.go_on, asked.battle, visitor.id, asked.prompt, MOST_TURNS)
                if not set(found.systems) <= set(self._models):
                    raise Refused(409, "One of the two systems is gone. Start a new battle.")
                battle, systems, before = found.id, found.systems, found.turns
            return EventStream(self._answers(battle, systems, before, asked.prompt), lambda: self._gate.leave(address))
        except BaseException:
            self._gate.leave(address)
            raise

    async def _answers(
        self, battle: str, systems: tuple[int, int], before: tuple[Turn, ...], prompt: str
    ) -> AsyncIterator[bytes]:
        """The answers as server-sent events; the turn is kept before the last of them is sent."""
        yield event({"type": "battle", "battle": battle, "turn": len(before) + 1})
        models = self._models[systems[0]], self._models[systems[1]]
        requests = [
            Generate(
                prompt_for(model, before, side, prompt), max_tokens=self._max_tokens, temperature=self._temperature
            )
            for side, model in enumerate(models)
        ]
        ended: dict[int, Answered] = {}
        async with aclosing(side_by_side(models, requests, self._leaks)) as events:
            async for came in events:
                if isinstance(came, Piece):
                    yield event({"type": "piece", "side": "ab"[came.side], "text": visible(came.text)})
                elif isinstance(came, Ended):
                    ended[came.side] = came.answer
                    if came.answer.error is None:
                        yield event({"type": "ended", "side": "ab"[came.side], "text": visible(came.answer.text)})
                    else:
                        yield event({"type": "failed", "side": "ab"[came.side]})
                else:
                    yield b":\n\n"
        await self._writing(self._database.end_turn, battle, len(before), (ended[0], ended[1]))
        fine = not any(answer.error for answer in ended.values())
        yield event({"type": "end", "fine": fine, "more": fine and len(before) + 1 < MOST_TURNS})

    async def _vote(self, request: Request, visitor: Visitor) -> Response:
        given, address = await body(request, Vote, TOO_LONG), self._address(request)
        self._count(self._votes, address)
        winner: Winner = given.winner
        keep = functools.partial(self._database.vote, bot=bool(given.website), read=self.limits.read)
        ballot = await self._writing(keep, given.battle, visitor.id, winner)
        names = await self._reading(self._database.labels)
        told = {
            "model_a": visible(names[ballot.systems[0]]),
            "model_b": visible(names[ballot.systems[1]]),
            "left_out": TOLD.get(ballot.left_out, ""),
        }
        return JSONResponse(told)

    def _count(self, window: Window, address: str) -> None:
        if wait := window.wait(address):
            raise Refused(429, f"That was tried too often. Try again in {max(1, round(wait))} seconds.")
        window.note(address)

    def _with_cookie(self, response: Response, request: Request, visitor: Visitor) -> Response:
        remember(response, request, self._cookie, visitor, DAYS)
        return response

    # What is known

    async def _learn(self) -> None:
        if time.monotonic() - self._learned > FRESH and len(self._models) > 2:
            self._learned = time.monotonic()
            self._pairs.learn(await self._reading(self._database.pairs))

    async def _board(self, style: bool) -> Board:
        """The leaderboard; those who ask at once wait for one."""
        async with self._board_lock:
            made, board = self._boards.get(style, (0.0, None))
            if board is None or time.monotonic() > made:
                begun = time.monotonic()
                board = await self._reading(functools.partial(read_board, self._database, style=style))
                # A board that took long is kept for longer, so that boards never take most of the machine.
                now = time.monotonic()
                self._boards[style] = (now + max(FRESH, 10 * (now - begun)), board)
            return board

    async def _writing(self, do: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, do, *given)

    async def _reading(self, do: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, do, *given)


TOLD = {
    "leak": "It does not count: an answer says who wrote it, so the vote was not blind.",
    "duplicate": "It does not count again: there is a vote on these two systems and this question already.",
    "bot": "",
}


def check_arena(
    models: Sequence[Model], host: str, port: int, token: str | None, max_tokens: int = 1024, temperature: float = 0.7
) -> None:
    """Raises `ModelError` for models that cannot meet, for answers of no length, for a port that there is not, and
    where strangers could use the models; `Unsupported` for what one of them cannot be asked."""
    if len(models) < 2:
        raise ModelError("an arena needs two systems or more: give --model twice")
    if max_tokens < 1:
        raise ModelError(f"--max-tokens must be at least 1, not {max_tokens}")
    if not 0 <= temperature <= 2:
        raise ModelError(f"--temperature must be between 0 and 2, not {temperature}")
    check_writers(models)
    for model in models:
        model.check_request(Generate("", max_tokens=max_tokens, temperature=temperature))
    check_serving(host, port, token, "use the models")
