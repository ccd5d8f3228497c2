"""The transport against a server that goes wrong: what is tried again, how often, and what is passed on."""

from __future__ import annotations

import asyncio
import base64
import errno
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from faults import AFTER, in_turn, serve
from howgood.core.errors import RequestError
from howgood.models import replies, transport
from howgood.models.dialects import ErrorReply, MalformedReply
from howgood.models.failures import FilteredPrompt, Uncertain
from howgood.models.replies import Answer
from howgood.models.sse import Events
from howgood.models.transport import Transport


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.001)
    for name in ("HOWGOOD_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def read_error(body: bytes) -> ErrorReply:
    try:
        error = msgspec.json.decode(body)["error"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return ErrorReply(body.decode())
    return ErrorReply(error["message"], error.get("code"), filtered=error.get("code") == "content_filter")


def read(body: bytes) -> str:
    try:
        reply = msgspec.json.decode(body)
        if "error" in reply:
            raise read_error(body)
        return str(reply["choices"][0]["message"]["content"])
    except (msgspec.DecodeError, KeyError, IndexError):
        raise MalformedReply("there is no answer in it") from None


class Words:
    """Reads a stream of chat completions."""

    def __init__(self) -> None:
        self.text, self.ended = "", False

    def feed(self, event: str, data: str) -> str:
        if data == "[DONE]":
            self.ended = True
            return ""
        try:
            piece = msgspec.json.decode(data)
        except msgspec.DecodeError:
            raise MalformedReply("an event is not JSON") from None
        if "error" in piece:
            raise read_error(data.encode())
        text = "".join(choice["delta"].get("content", "") for choice in piece["choices"])
        self.text += text
        return text

    def result(self) -> str:
        if not (self.ended and self.text):
            raise MalformedReply("it ended before its end")
        return self.text


def to(url: str, **options: Any) -> Transport:
    settings = {"needs_key": False, "concurrency": 8, "timeout": 30.0} | options
    return Transport("m", url, "HOWGOOD_API_KEY", lambda key: {"x-key": key} if key else {}, read_error, **settings)


def asking(word: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"say {word}"}]}


async def ask(server: Transport, word: str = "a", streamed: bool = False, got: list[str] | None = None) -> Answer[str]:
    try:
        if streamed:
            body = asking(word) | {"stream": True}
            return await server.stream("chat/completions", body, Words, got.append if got is not None else None)
        return await server.ask("chat/completions", asking(word), read)
    finally:
        await server.close()


async def failure(server: Transport, word: str = "a", streamed: bool = False, **more: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await ask(server, word, streamed, **more)
    return caught.value


@asynccontextmanager
async def answering(handle: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """The base URL of a server with one handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def replying(words: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port of a server that says these words to each connection and closes it; and what it was sent."""
    heard: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(words)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def test_a_proxy_s_password_is_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with replying(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as (port, heard):
        monkeypatch.setenv("https_proxy", f"http://user:s%40same@127.0.0.1:{port}")
        got = await failure(to("https://models.example/v1"))
    sent = base64.b64encode(b"user:s@same")
    assert [b"Proxy-Authorization: Basic " + sent in words for words in heard] == [True] * 5
    assert "is not let through by the proxy: 407, Proxy Authentication Required (tried 5 times)" in str(got)
    assert got.fatal
    assert "same" not in str(got)


def test_too_many_connections_are_no_dead_server() -> None:
    words = to("http://localhost:1/v1", concurrency=5000)._unreached(OSError(errno.EMFILE, "Too many open files"))
    assert words == (
        "m: this process may open no more connections; lower ,concurrency=5000, or raise the limit (ulimit -n)"
    )


async def test_a_broken_handshake_is_tried_again() -> None:
    async with replying(b"no TLS here\r\n") as (port, heard):
        got = await failure(to(f"https://127.0.0.1:{port}/v1"))
    assert len(heard) == 5
    assert "could not agree on TLS" in str(got)
    assert got.fatal


@pytest.mark.parametrize("streamed", [False, True])
class TestTries:
    @pytest.mark.parametrize("name", ["500", "408", "409", "cut", "half", "garbage", "html", "no choices"])
    async def test_faults(self, name: str, streamed: bool) -> None:
        async with serve(in_turn(a=[name, name], b=name)) as server:
            answer = await ask(to(server.url), "a", streamed)
            assert (answer.value, answer.retries) == ("a", 2)
            got = await failure(to(server.url), "b", streamed)
        assert server.requests == {"a": 3, "b": 5}
        assert "(tried 5 times)" in str(got)
        assert not got.fatal

    @pytest.mark.parametrize("name", ["429", "429 after ms", "429 date", "503", "529"])
    async def test_push_backs(self, name: str, streamed: bool) -> None:
        async with serve(in_turn(a=[name] * 6, b=name)) as server:
            assert (await ask(to(server.url), "a", streamed)).retries == 6
            got = await failure(to(server.url), "b", streamed)
        assert server.requests == {"a": 7, "b": 9}
        assert f"answered {name[:3]}: no, says {name[:3]} (tried 9 times)" in str(got)

    async def test_faults_and_push_backs_are_counted_apart(self, streamed: bool) -> None:
        mixed = ["429", "cut", "500", "529", "garbage", "503", "429", "408", "429", "429", "429", "429"]
        async with serve(in_turn(a=mixed, b=[*mixed, "500"])) as server:
            assert (await ask(to(server.url), "a", streamed)).retries == 12
            await failure(to(server.url), "b", streamed)
        assert server.requests == {"a": 13, "b": 13}

    @pytest.mark.parametrize(
        ("name", "fatal", "words"),
        [
            ("400", False, "no, says 400"),
            ("413", False, "no, says 413"),
            ("422", False, "no, says 422"),
            ("429 never", False, "no, says 429"),
            ("context", False, "maximum context length is 8192"),
            ("401", True, "check the key in HOWGOOD_API_KEY"),
            ("403", True, "no, says 403"),
            ("404", True, "no, says 404"),
            ("quota", True, "exceeded your current quota"),
            ("redirect", True, "not followed"),
        ],
    )
    async def test_what_no_try_mends_is_tried_once(self, name: str, fatal: bool, words: str, streamed: bool) -> None:
        async with serve(in_turn(a=name)) as server:
            got = await failure(to(server.url), "a", streamed)
        assert server.requests == {"a": 1}
        assert got.fatal is fatal
        assert words in str(got)

    async def test_a_filtered_prompt(self, streamed: bool) -> None:
        async with serve(in_turn(a="filter")) as server:
            assert isinstance(await failure(to(server.url), "a", streamed), FilteredPrompt)
        assert server.requests == {"a": 1}

    async def test_a_certificate_that_nobody_trusts(self, streamed: bool) -> None:
        async with serve(in_turn(), tls=True) as server:
            got = await failure(to(server.url), "a", streamed)
        assert got.fatal
        assert "no valid certificate" in str(got)
        assert server.requests == {}

    @pytest.mark.parametrize("name", ["hang", "drip"])
    async def test_a_try_takes_only_so_long(self, name: str, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "TRIES", 2)
        async with serve(in_turn(a=name)) as server:
            got = await failure(to(server.url, timeout=0.3), "a", streamed)
        assert server.requests == {"a": 2}
        assert "within 0.3 s" in str(got)

    async def test_waiting_is_no_latency(self, streamed: bool) -> None:
        async with serve(in_turn(a=["429 after"] * 2)) as server:
            begun = time.monotonic()
            answer = await ask(to(server.url), "a", streamed)
            assert time.monotonic() - begun - answer.latency >= 2 * AFTER
        assert (answer.first is not None) is streamed
        assert (answer.first or 0) <= answer.latency


class TestStreams:
    async def test_text_goes_on_as_it_comes(self) -> None:
        go_on = asyncio.Event()

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b'data: {"choices": [{"delta": {"content": "4"}}]}\n\n: a comment\n\n')
            await go_on.wait()
            await response.write(b'data: {"choices": [{"delta": {"content": "2"}}]}\n\ndata: [DO')
            await response.write(b"NE]")  # without the empty line at its end
            return response

        got: list[str] = []

        def take(text: str) -> None:
            got.append(text)
            go_on.set()

        async with answering(handle) as url:
            server = to(url)
            answer = await server.stream("x", {}, Words, take)
            await server.close()
        assert got == ["4", "2"]
        assert answer.value == "42"
        assert answer.first is not None
        assert 0 < answer.first <= answer.latency

    @pytest.mark.parametrize("name", ["cut", "half", "garbage"])
    async def test_what_was_passed_on_is_not_tried_again(self, name: str) -> None:
        got: list[str] = []
        async with serve(in_turn(long=name, short=["500"])) as server:
            failed = await failure(to(server.url), "long", True, got=got)
            assert (await ask(to(server.url), "short", True, got=got)).value == "short"
        broken = got[:-1]
        assert got[-1] == "short"
        if broken:
            assert server.requests["long"] == 1
            assert "part of the answer was already passed on" in str(failed)
        else:  # it broke before the first word, so there was nothing to take back
            assert server.requests["long"] == 5
        assert server.requests["short"] == 2

    @pytest.mark.parametrize("ending", ["aborts", "stays open"])
    async def test_what_breaks_after_the_end_does_no_harm(self, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replies, "LINGER", 0.05)

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b'data: {"choices": [{"delta": {"content": "42"}}]}\n\ndata: [DONE]\n\n')
            if ending == "aborts":
                assert request.transport is not None
                await asyncio.sleep(0.02)
                request.transport.abort()
            await asyncio.sleep(60)
            return response

        async with answering(handle) as url:
            server = to(url)
            answer = await server.stream("x", {}, Words)
            await server.close()
        assert (answer.value, answer.retries) == ("42", 0)

    async def test_standing_still_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replies, "LONGEST_SILENCE", 0.1)
        monkeypatch.setattr(transport, "TRIES", 2)
        seen = []

        async def handle(request: web.Request) -> web.StreamResponse:
            seen.append(request.path)
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b": here I am\n\n")
            await asyncio.sleep(60)
            return response

        async with answering(handle) as url:
            got = await failure(to(url), streamed=True)
        assert "stood still in the middle of its reply (tried 2 times)" in str(got)
        assert len(seen) == 2

    async def test_an_endless_stream_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "LONGEST_REPLY", 2**20)

        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            while True:
                await response.write(b"data: " + b"x" * 2**16)
            return response

        async with answering(handle) as url:
            got = await failure(to(url), streamed=True)
        assert "sent a reply of more than 1 MB" in str(got)

    @pytest.mark.parametrize(
        ("code", "requests", "fatal"),
        [
            ("overloaded_error", 9, False),
            ("rate_limit_exceeded", 9, False),
            ("server_error", 5, False),
            (502, 5, False),
            (400, 1, False),
            ("context_length_exceeded", 1, False),
            ("authentication_error", 1, True),
            ("insufficient_quota", 1, True),
        ],
    )
    async def test_an_error_among_the_events(self, code: str | int, requests: int, fatal: bool) -> None:
        seen = []

        async def handle(request: web.Request) -> web.Response:
            seen.append(request.path)
            event = msgspec.json.encode({"error": {"message": "its own words", "code": code}}).decode()
            return web.Response(text=f"data: {event}\n\n", content_type="text/event-stream")

        async with answering(handle) as url:
            got = await failure(to(url), streamed=True)
        assert len(seen) == requests
        assert got.fatal is fatal
        assert "its own words" in str(got)

    @pytest.mark.parametrize(
        ("reply", "requests", "words"),
        [
            ({"error": {"message": "upstream is down", "code": 502}}, 5, "answered 502: upstream is down"),
            ({"choices": [{"message": {"content": "42"}}]}, 1, "in one piece where a stream was asked for"),
        ],
    )
    async def test_json_where_a_stream_was_asked_for(self, reply: Any, requests: int, words: str) -> None:
        seen = []

        async def handle(request: web.Request) -> web.Response:
            seen.append(request.path)
            return web.json_response(reply)

        async with answering(handle) as url:
            got = await failure(to(url), streamed=True)
        assert len(seen) == requests
        assert words in str(got)


class TestEvents:
    LINES = (
        b"\xef\xbb\xbfdata: one\n\n"
        b": a comment\nevent: named\ndata:two\ndata:  lines\r\n\r\n"
        b"id: 7\nretry: 9\n\n"
        b"event: without data\n\n"
        b"data\n\n"
        b"data: \xe7\x81\xab\n\n"
    )
    READ = (("message", "one"), ("named", "two\n lines"), ("message", ""), ("message", "火"))

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
    def test_however_they_arrive(self, size: int) -> None:
        events = Events()
        got = [
            event
            for place in range(0, len(self.LINES), size)
            for event in events.feed(self.LINES[place : place + size])
        ]
        assert (*got, *events.end()) == self.READ

    def test_the_last_one_needs_no_empty_line(self) -> None:
        events = Events()
        assert list(events.feed(b"data: [DONE]")) == []
        assert list(events.end()) == [("message", "[DONE]")]
        assert list(events.end()) == []


class TestRequests:
    async def test_files_go_up_and_come_down(self) -> None:
        files: dict[str, tuple[bytes, str]] = {}

        async def handle(request: web.Request) -> web.Response:
            if request.method == "POST":
                files[request.path] = (await request.read(), request.content_type)
                return web.json_response({"id": "file-1"}, status=201)
            if "late" in request.path and len(files) == 1:
                files["waited"] = (b"", "")
                return web.json_response({"error": {"message": "later"}}, status=503)
            return web.Response(body=files["/v1/files"][0])

        async with answering(handle) as url:
            server = to(f"{url}/v1")
            up = await server.request("POST", "files", bytes, content=b"a\nb\n", content_type="application/jsonl")
            down = await server.request("GET", "files/late/content", bytes)
            await server.close()
        assert up.value == b'{"id": "file-1"}'
        assert (down.value, down.retries) == (b"a\nb\n", 1)
        assert files["/v1/files"] == (b"a\nb\n", "application/jsonl")

    @pytest.mark.parametrize("status", [500, 408])
    async def test_what_must_not_be_done_twice(self, status: int) -> None:
        statuses = [429, 503, status, 200]

        async def handle(request: web.Request) -> web.Response:
            return web.json_response({"error": {"message": "its words"}}, status=statuses.pop(0))

        async with answering(handle) as url:
            server = to(url)
            with pytest.raises(Uncertain, match=f"answered {status}: its words"):
                await server.request("POST", "batches", bytes, content=b"{}", once=True)
            await server.close()
        assert statuses == [200]  # a refusal is not done; after a fault nobody knows

    async def test_the_dialects_headers_go_along(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOWGOOD_API_KEY", "sk-0123456789")
        async with serve(in_turn()) as server:
            await ask(to(server.url))
        assert server.seen[0][1]["x-key"] == "sk-0123456789"
        assert server.seen[0][1]["Content-Type"] == "application/json"


class TestPace:
    async def test_models_of_one_account_share_its_limit(self) -> None:
        async with serve(in_turn(), seconds=0.01) as server:
            one, other = to(server.url, concurrency=6), to(server.url, concurrency=6)
            words = [f"w{i}" for i in range(40)]
            asked = [t.ask("chat/completions", asking(w), read) for w in words for t in (one, other)]
            answers = await asyncio.gather(*asked)
            await one.close()
            await other.close()
        assert [a.value for a in answers] == [w for w in words for _ in range(2)]
        assert server.most_at_once == 6

    async def test_a_server_that_takes_few_gets_few_and_everyone_is_answered(self) -> None:
        now, most, refused = 0, 0, 0

        async def handle(request: web.Request) -> web.Response:
            nonlocal now, most, refused
            if now >= 3:
                refused += 1
                return web.json_response({"error": {"message": "too many"}}, status=429)
            now += 1
            most = max(most, now)
            try:
                await asyncio.sleep(0.002)
            finally:
                now -= 1
            return web.json_response({"choices": [{"message": {"content": "42"}}]})

        async with answering(handle) as url:
            server = to(url, concurrency=32)
            answers = await asyncio.gather(*(server.ask("x", {}, read) for _ in range(200)))
            limit = server._limiter.pace.limit
            await server.close()
        assert {a.value for a in answers} == {"42"}
        assert sum(a.retries for a in answers) == refused
        assert refused < 100
        assert limit < 8

    async def test_retry_after_stops_the_others_too(self) -> None:
        seen: list[float] = []

        async def handle(request: web.Request) -> web.Response:
            seen.append(time.monotonic())
            if len(seen) == 1:
                return web.json_response({}, status=429, headers={"Retry-After": "0.3"})
            return web.json_response({"choices": [{"message": {"content": "42"}}]})

        async with answering(handle) as url:
            server = to(url)
            first = asyncio.create_task(server.ask("x", {}, read))
            while not seen or server._limiter.pace.in_flight:
                await asyncio.sleep(0.001)
            other = await server.ask("x", {}, read)
            assert (await first).retries == 1
            await server.close()
        assert seen[1] - seen[0] >= 0.3
        assert other.retries == 0
        assert other.latency < 0.25

    async def test_a_used_up_quota_is_waited_for(self) -> None:
        seen: list[float] = []

        async def handle(request: web.Request) -> web.Response:
            seen.append(time.monotonic())
            told = {"x-ratelimit-remaining-tokens": "50", "x-ratelimit-reset-tokens": "300ms"}
            return web.json_response({"choices": [{"message": {"content": "42"}}]}, headers=told)

        async with answering(handle) as url:
            server = to(url)
            for size in (100, 50, 51):
                await server.ask("x", {}, read, size=size)
            await server.close()
        assert seen[2] - seen[1] >= 0.25
