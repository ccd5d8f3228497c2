"""HTTP to models: one way of sending a request, for every dialect. It tries again what another try may mend, fails at
once on what none will, and says which of the two it was in the server's own words."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from howgood.core.errors import ModelError, RequestError
from howgood.core.text import one_line, shorten
from howgood.models.deadline import Deadline
from howgood.models.dialects import ErrorReply, MalformedReply
from howgood.models.failures import Transient, Uncertain, refusal, told_status
from howgood.models.limits import Limiter, Turn, limiter_of
from howgood.models.replies import (
    Answer,
    Reading,
    Silent,
    StreamReader,
    Unusable,
    body_of,
    read_events,
    read_whole,
    unstreamed,
)
from howgood.models.secrets import scrub, secret

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

TRIES = 5
"""How often a request is tried that meets faults: errors of the server, broken connections, unreadable replies."""
PATIENT_TRIES = 9
"""How often one is tried that is asked to come later: the waits add up to more than a minute, for which most limits are
told."""
FIRST_WAIT = 0.5
"""Seconds before the second try; doubled before each further one, with jitter."""
LONGEST_WAIT = 120.0
"""Seconds that a server may ask to wait (Retry-After) before the request is given up instead."""
LONGEST_KNOCK = 5.0
"""Seconds that a server has to accept a connection when it is looked whether there is one."""
LONGEST_REPLY = 64 * 2**20
LONGEST_FILE = 1024 * 2**20
"""Bytes of a file that is fetched, such as the results of a batch."""
LONGEST_WORDS = 300
"""How many characters of a server's words an error repeats."""


class _Call(Struct, frozen=True):
    """A request as it is sent at every try, and how many tokens it may take (0: unknown). `once` says that it is not
    sent again after a fault, since it may have been carried out; `streamed`, that the reply is read as it comes in."""

    method: str
    url: str
    content: bytes | None
    content_type: str | None = "application/json"
    size: int = 0
    once: bool = False
    streamed: bool = False


class Transport:
    """Sends requests to the server at base `url` for the model `name`, at most `concurrency` at a time and fewer where
    the limiter of the account says so, each given `timeout` seconds a try. `headers` makes a dialect's headers of the
    key (empty: there is none), `read_error` reads the body of an error.

    The key is the secret called `key`, read when a connection is made and kept nowhere else; with `needs_key`, nothing
    is sent without one. Redirects are not followed, since the key would go along.
    """

    def __init__(
        self,
        name: str,
        url: str,
        key: str,
        headers: Callable[[str], dict[str, str]],
        read_error: Callable[[bytes], ErrorReply],
        *,
        needs_key: bool,
        concurrency: int,
        timeout: float,
    ) -> None:
        self.name, self.url, self.key, self.headers, self.read_error = name, url, key, headers, read_error
        self.needs_key, self.concurrency, self.timeout = needs_key, concurrency, timeout
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots: asyncio.Semaphore
        self._limiter: Limiter
        self._deadline: Deadline
        self._timeout: aiohttp.ClientTimeout
        self._untimed: aiohttp.ClientTimeout

    async def ask(self, path: str, body: dict[str, Any], read: Callable[[bytes], T], *, size: int = 0) -> Answer[T]:
        """What `read` makes of the reply to a JSON `body`, which may take `size` tokens (0: unknown).

        Raises `RequestError` when no try brought one; `FilteredPrompt` is one of them.
        """
        call = _Call("POST", f"{self.url}/{path}", msgspec.json.encode(body), size=size)
        return await self._persist(call, lambda response, begun: read_whole(response, begun, read, LONGEST_REPLY))

    async def stream(
        self,
        path: str,
        body: dict[str, Any],
        reader: StreamReader[T],
        on_text: Callable[[str], None] | None = None,
        *,
        size: int = 0,
    ) -> Answer[T]:
        """What a `reader` makes of the events of the reply; every try has its own. Text goes to `on_text` as it comes
        in, and a stream that broke after some did is not tried again. Raises as `ask`."""
        handed: list[bool] = []

        def hand_on(text: str) -> None:
            if on_text is not None:
                handed.append(True)
                on_text(text)

        call = _Call("POST", f"{self.url}/{path}", msgspec.json.encode(body), size=size, streamed=True)

        async def read(response: aiohttp.ClientResponse, begun: float) -> Answer[T]:
            if response.content_type == "application/json":
                raise unstreamed(await body_of(response, LONGEST_REPLY), self.read_error)
            return await read_events(response, begun, reader(), hand_on, LONGEST_REPLY)

        return await self._persist(call, read, again=lambda: not handed)

    async def request(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        *,
        content: bytes | None = None,
        content_type: str | None = None,
        once: bool = False,
    ) -> Answer[T]:
        """What `read` makes of the reply to a request of any `method`, such as the upload or the fetching of a file.
        Raises as `ask`; with `once`, `Uncertain` at the first fault, since the server may have done what was asked."""
        call = _Call(method, f"{self.url}/{path}", content, content_type, once=once)
        return await self._persist(call, lambda response, begun: read_whole(response, begun, read, LONGEST_FILE))

    async def check(self) -> None:
        """Whether there is a key where one is needed, and a server (or the proxy to it) that accepts a connection;
        nothing is sent. Raises `ModelError`."""
        try:
            self._own_headers()
        except RequestError as error:
            raise ModelError(str(error)) from None
        place = urlsplit(_proxy(self.url) or self.url)
        port = place.port or (443 if place.scheme == "https" else 80)
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(place.hostname, port), LONGEST_KNOCK)
        except (OSError, UnicodeError) as error:  # a TimeoutError is the former, a name that can be none the latter
            raise ModelError(self._unreached(error)) from None
        writer.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None and not self._session.closed:
            await self._session.close()
        self._session = None

    async def _persist(
        self,
        call: _Call,
        read: Reading[T],
        again: Callable[[], bool] = lambda: True,
    ) -> Answer[T]:
        """Try until there is an answer or no further try is due. Faults and push-backs are counted apart."""
        faults = refusals = 0
        while True:
            try:
                answer = await self._try(call, read)
            except Transient as failure:
                if failure.kind == "push-back":
                    refusals += 1
                    tried, last = refusals, refusals == PATIENT_TRIES
                else:
                    faults += 1
                    tried, last = faults, faults == TRIES
                if call.once and failure.kind != "push-back":
                    raise Uncertain(str(failure)) from None
                if not again():
                    ending = "(not tried again: part of the answer was already passed on)"
                elif failure.after is not None and failure.after > LONGEST_WAIT:
                    ending = f"(and asks to wait {failure.after:.0f} s)"
                elif last:
                    ending = f"(tried {faults + refusals} times)"
                else:
                    await asyncio.sleep(_wait(tried, failure.after))
                    continue
                raise RequestError(f"{failure} {ending}", fatal=failure.fatal) from None
            answer.retries = faults + refusals
            return answer

    async def _try(self, call: _Call, read: Reading[T]) -> Answer[T]:
        """One try, when its turn has come. Raises `Transient` for what another may mend, else `RequestError`."""
        session = self._connect()
        async with self._slots, self._limiter.turn(call.size) as turn:
            try:
                answer = await self._exchange(session, call, read, turn)
            except Transient as failure:
                if failure.kind != "fault":
                    waits = failure.after is not None and failure.after <= LONGEST_WAIT
                    turn.pushed_back(failure.after if waits else None)
                raise
            turn.answered()
            return answer

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        call: _Call,
        read: Reading[T],
        turn: Turn,
    ) -> Answer[T]:
        import aiohttp

        begun = time.monotonic()
        headers = {"Content-Type": call.content_type} if call.content_type else None
        # A stream that is whole when its time is over is an answer, so what reads it has to be told there.
        timeout, deadline = (self._timeout, nullcontext()) if call.streamed else (self._untimed, self._deadline)
        try:
            async with (
                deadline,
                session.request(
                    call.method, call.url, data=call.content, headers=headers, allow_redirects=False, timeout=timeout
                ) as response,
            ):
                turn.told(response.headers)
                if not 200 <= response.status < 300:
                    raise self._refused(
                        response, response.status, self.read_error(await body_of(response, LONGEST_REPLY))
                    )
                try:
                    return await read(response, begun)
                except ErrorReply as error:  # told in a stream, and by gateways under status 200
                    raise self._refused(response, told_status(error), error) from None
                except MalformedReply as error:
                    words = f"answered {response.status} ({response.content_type}): {error}"
                    raise Transient(self._say(call.url, words)) from None
        except Unusable as error:
            raise RequestError(self._say(call.url, str(error)), fatal=error.fatal) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise RequestError(self._say(call.url, f"has no valid certificate: {error}"), fatal=True) from None
        except aiohttp.ClientSSLError as error:
            raise Transient(self._say(call.url, f"could not agree on TLS: {error}"), fatal=True) from None
        except aiohttp.ConnectionTimeoutError as error:
            raise Transient(self._unreached(error), "timeout", fatal=True) from None
        except aiohttp.ClientConnectorError as error:
            raise Transient(self._unreached(error.os_error), fatal=True) from None
        except aiohttp.ClientHttpProxyError as error:  # whose text has the proxy's URL, with user and password
            words = f"is not let through by the proxy: {error.status}, {error.message}"
            raise Transient(self._say(call.url, words), fatal=True) from None
        except Silent:
            raise Transient(self._say(call.url, "stood still in the middle of its reply"), "timeout") from None
        except TimeoutError:
            raise Transient(self._say(call.url, f"gave no reply within {self.timeout:g} s"), "timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            words = f"broke the connection: {type(error).__name__}: {error}"
            raise Transient(self._say(call.url, words)) from None

    def _refused(self, response: aiohttp.ClientResponse, status: int, error: ErrorReply) -> RequestError | Transient:
        """What an error means for the request, in the server's words."""
        if error.filtered:
            words = f"filtered the prompt: {error}"
        elif status < 400:
            place = response.headers.get("Location")
            words = f"redirects (not followed: the key would go along) to {place}"
        elif status == 401:
            words = f"answered 401 (check the key in {self.key}): {error}"
        else:
            words = f"answered {status}: {error}"
        return refusal(status, response.headers, error, self._say(str(response.url), words))

    def _unreached(self, error: Exception) -> str:
        """Why there is no connection, in plain words."""
        proxy = _proxy(self.url)
        place = urlsplit(proxy or self.url)
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return (
                f"{self.name}: this process may open no more connections; lower ,concurrency={self.concurrency}, or "
                "raise the limit (ulimit -n)"
            )
        if isinstance(error, socket.gaierror | UnicodeError):
            return f"{self.name}: the name {place.hostname} leads to no host; check the URL and the network"
        if proxy:  # without the user and password that its URL may hold
            return (
                f"{self.name}: the proxy {place.hostname}:{place.port} does not answer; check HTTP_PROXY, HTTPS_PROXY"
            )
        return f"{self.name}: no server answers at {place.scheme}://{place.netloc}; is it running?"

    def _say(self, url: str, words: str) -> str:
        """An error's text: one bounded line without keys and control characters, whatever the server says."""
        return f"{self.name}: {url} {shorten(one_line(scrub(words[: 100 * LONGEST_WORDS])), LONGEST_WORDS)}"

    def _connect(self) -> aiohttp.ClientSession:
        """The session of the running event loop, made when it is first needed."""
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is loop and not self._session.closed:
            return self._session
        if self._session is not None and not self._session.closed:
            self._session.detach()  # its event loop is gone, and its connections with it
        connect = min(30.0, self.timeout)
        self._timeout = aiohttp.ClientTimeout(total=self.timeout, sock_connect=connect)
        self._untimed = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._session = aiohttp.ClientSession(
            headers=self._own_headers(),
            connector=aiohttp.TCPConnector(limit=0),  # the limits are our own
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy(self.url),
        )
        self._loop, self._slots, self._deadline = loop, asyncio.Semaphore(self.concurrency), Deadline(self.timeout)
        self._limiter = limiter_of(self.url, self.key, self.concurrency)
        return self._session

    def _own_headers(self) -> dict[str, str]:
        key = secret(self.key)
        if not key and self.needs_key:
            raise RequestError(f"{self.name} needs an API key: set {self.key} in the environment", fatal=True)
        if not (key.isascii() and key.isprintable()):
            raise RequestError(f"{self.name}: the key in {self.key} holds characters no key has", fatal=True)
        return {"User-Agent": "howgood"} | self.headers(key)


def _wait(tried: int, after: float | None) -> float:
    """Seconds before the next try: at least what the server asked for, and never the same for many clients."""
    backoff = FIRST_WAIT * 2.0 ** (tried - 1)
    return backoff * (0.5 + random.random() / 2) if after is None else after + backoff * random.random()


def _proxy(url: str) -> str | None:
    """The proxy for a URL by the usual environment variables, looked up once a session and not once a request."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
