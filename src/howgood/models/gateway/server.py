"""The gateway: an HTTP server in front of one model, for programs that speak to OpenAI or to Anthropic."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from howgood.core.errors import ModelError
from howgood.core.listening import cannot_listen, check_port, is_own
from howgood.core.types import Usage
from howgood.models import prices
from howgood.models.base import Model
from howgood.models.gateway.anthropic import Messages
from howgood.models.gateway.asked import Endpoint, Refusal
from howgood.models.gateway.chat import Chat
from howgood.models.gateway.completions import Completions
from howgood.models.gateway.exchange import Exchange, refused
from howgood.models.gateway.keys import Account, Key, Spent
from howgood.models.gateway.log import Log

LARGEST_REQUEST = 32 * 2**20
"""Bytes, as at Anthropic."""
SHORTEST_KEY = 8
LAST_MOMENT = 1.0
"""Seconds that calls which were cut off have to come to their end (for aiohttp 0 would be for ever)."""
CONNECTIONS = logging.getLogger("howgood.gateway.connections")
CONNECTIONS.setLevel(logging.CRITICAL)
"""For what is no HTTP; whoever knocks with it is not to fill the owner's screen with tracebacks."""
ENDPOINTS: dict[str, Endpoint] = {
    "/v1/chat/completions": Chat(),
    "/v1/completions": Completions(),
    "/v1/messages": Messages(),
}


class Gateway:
    """Serves `model` at `host` and `port` (0: a free one) until it is stopped; the model stays its owner's to close.

        async with Gateway(model, keys={"agent": Key("a-secret", tokens=100_000)}, log=Path("calls.jsonl")) as gateway:
            ...                          # OpenAI's base_url is gateway.url + "/v1", Anthropic's gateway.url
            gateway.usage("agent")

    `keys` are the clients' keys by name (None: none is needed, and `host` must be this machine's own). `log` is a file
    to which a line is added for each call as it ends (see `log.Call`). Budgets count from the gateway's start.

    Raises `ModelError` for a port that there is not, and for keys that cannot be kept to: two that are the same, or
    dollars where no price is known.
    """

    def __init__(
        self,
        model: Model,
        *,
        keys: Mapping[str, Key] | None = None,
        log: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        check_port(port)
        if keys is None and not is_own(host):
            raise ModelError(
                f"without keys anyone who reaches {host} could use {model.name}: give keys, or serve at 127.0.0.1"
            )
        self.model, self.host, self.port = model, host, port
        self._open = keys is None
        self._accounts: dict[str, Account] = {}
        self._names: dict[bytes, str] = {}
        for name, key in (keys or {}).items():
            if len(key.secret) < SHORTEST_KEY or _digest(key.secret) in self._names:
                raise ModelError(f"the key {name} must have at least {SHORTEST_KEY} characters and be no other's too")
            if key.dollars is not None and prices.cost_of(model, Usage(1, 1)) is None:
                raise ModelError(f"the key {name} is good for dollars, but the price of {model.name} is not known")
            self._names[_digest(key.secret)] = name
            self._accounts[name] = Account(name, key.tokens, key.dollars, key.seconds)
        if self._open:
            self._accounts[""] = Account(None)
        self._log = None if log is None else Log(log, [key.secret for key in (keys or {}).values()])
        self._running: set[asyncio.Task[Any] | None] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def usage(self, key: str = "") -> Spent:
        """What was spent with a key, by its name (with none, where no key is needed). Raises `KeyError`."""
        return self._accounts[key].spent()

    async def start(self) -> None:
        """Listen. Raises `ModelError` where the port cannot be had."""
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=CONNECTIONS,
            handler_cancellation=True,  # the client's going away is the end of its call
            auto_decompress=False,
            shutdown_timeout=LAST_MOMENT,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            await runner.cleanup()
            raise cannot_listen(self.host, self.port, error) from None
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self, patience: float = 0.0) -> None:
        """End: no new calls are taken, those under way have so many seconds, what is left is cut off."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            await self._finish(patience)
            await self._runner.cleanup()
            self._runner = None
        if self._log is not None:
            self._log.close()

    async def _finish(self, patience: float) -> None:
        """Let the calls under way end, then cancel them."""
        for seconds in (patience, LAST_MOMENT):
            if tasks := {task for task in self._running if task}:
                _, late = await asyncio.wait(tasks, timeout=seconds)
                for task in late:
                    task.cancel()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        anthropic = "anthropic-version" in http.headers or http.path.startswith("/v1/messages")
        endpoint = ENDPOINTS.get(http.path) or ENDPOINTS["/v1/messages" if anthropic else "/v1/chat/completions"]
        try:
            account = self._account(http)
            if http.path == "/v1/models" and http.method == "GET":
                return web.json_response(self._models(anthropic))
            if http.path not in ENDPOINTS or http.method != "POST":
                raise Refusal("path", f"there is no {http.method} {http.path[:100]} here: POST {', '.join(ENDPOINTS)}")
            if http.content_type != "application/json":
                raise Refusal("request", "the Content-Type must be application/json")
            if http.headers.get("Content-Encoding", "identity") != "identity":
                raise Refusal("request", "a compressed request is not taken: leave out Content-Encoding")
        except Refusal as refusal:
            return refused(endpoint, refusal)
        exchange, task = Exchange(self.model, endpoint, http, account), asyncio.current_task()
        self._running.add(task)
        try:
            return await exchange.answer()
        finally:
            self._running.discard(task)
            if self._log is not None:
                self._log.write(exchange.call())

    def _account(self, http: web.Request) -> Account:
        """Whose call it is. Raises `Refusal`."""
        if self._open:
            # Without keys a page in a browser must not get in by a name of its own for this machine (DNS rebinding).
            # Nor by a form, which cannot send application/json.
            if not is_own(re.sub(r":\d*$", "", http.host).strip("[]")):
                raise Refusal("key", "a gateway without keys answers to localhost only")
            return self._accounts[""]
        bearer = http.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        for given in (http.headers.get("x-api-key", ""), bearer):
            name = self._names.get(_digest(given))
            if name is not None:
                return self._accounts[name]
        raise Refusal(
            "key", "this gateway wants a key, as x-api-key or as Authorization: Bearer, and knows no such one"
        )

    def _models(self, anthropic: bool) -> dict[str, object]:
        name = self.model.name
        if anthropic:
            entry = {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
            return {"data": [entry], "has_more": False, "first_id": name, "last_id": name}
        return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "howgood"}]}


def _digest(key: str) -> bytes:
    """What keys are told apart by: looking one up takes the same time however near it is to a right one."""
    return hashlib.sha256(key.encode(errors="replace")).digest()
