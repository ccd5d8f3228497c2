"""The HTTP path in all four dialects, whole and streamed, against a real server; and what is common to them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from exchanges import AFTER_TOOLS, PLAIN, SCHEMA, WEATHER
from msgspec.structs import replace
from openai_server import Reply, chat, error, json_reply, serve, sse
from test_dialects_anthropic import REPLIES as ANTHROPIC
from test_dialects_anthropic import events_of
from test_dialects_google import REPLIES as GOOGLE
from test_dialects_openai import LAST, chunk
from test_dialects_openai import REPLIES as OPENAI
from test_dialects_responses import REPLIES as RESPONSES

from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Message, Prediction, Token
from howgood.models import transport
from howgood.models.http import HTTPModel
from howgood.models.servers import SERVERS, Server, server_at

PATHS = {
    "openai": ("/v1/chat/completions", "/v1/chat/completions"),
    "responses": ("/v1/responses", "/v1/responses"),
    "anthropic": ("/v1/messages", "/v1/messages"),
    "google": ("/v1/models/m:generateContent", "/v1/models/m:streamGenerateContent"),
}
WHOLE: dict[str, tuple[Any, Prediction]] = {
    "openai": OPENAI["reasoning"],
    "responses": RESPONSES["reasoning"],
    "anthropic": ANTHROPIC["reasoning"],
    "google": GOOGLE["reasoning"],
}
STREAMED: dict[str, list[Any]] = {
    "openai": [
        *(chunk({"reasoning": piece}) for piece in ("six ", "sevens")),
        chunk({"content": "4"}),
        chunk({"content": "2"}),
        chunk({}, "stop"),
        LAST,
        "[DONE]",
    ],
    "responses": [
        *({"type": "response.output_text.delta", "delta": piece} for piece in "42"),
        {"type": "response.completed", "response": WHOLE["responses"][0]},
    ],
    "anthropic": events_of(WHOLE["anthropic"][0]),
    "google": [
        {"candidates": [{"content": {"parts": [part]}}]}
        for part in ({"text": "six sevens", "thought": True}, {"text": "4"}, {"text": "2"})
    ]
    + [{"candidates": [{"finishReason": "STOP"}], "usageMetadata": WHOLE["google"][0]["usageMetadata"]}],
}
AFTER_TEXT = {"openai": 3, "responses": 2, "anthropic": 3, "google": 1}
"""How many events at a stream's end come after some text, and are needed for an answer."""
KEYS = {"openai": "Authorization", "responses": "Authorization", "anthropic": "x-api-key", "google": "x-goog-api-key"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.01)
    for name in ("HOWGOOD_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def local(url: str, **options: Any) -> HTTPModel:
    return HTTPModel(f"{url}#m", server_at(url), "m", **options)


async def ask(model: HTTPModel, request: Generate = PLAIN) -> Prediction:
    try:
        return await model.generate(request)
    finally:
        await model.close()


async def written(model: HTTPModel, request: Generate = PLAIN) -> tuple[list[str], Prediction]:
    """The pieces of a streamed answer, and the prediction at its end."""
    out = [piece async for piece in model.stream(request)]
    await model.close()
    assert isinstance(out[-1], Prediction)
    return [piece for piece in out[:-1] if isinstance(piece, str)], out[-1]


def timeless(prediction: Prediction) -> Prediction:
    return replace(prediction, latency=0.0, first_token=None)


@pytest.mark.parametrize("dialect", PATHS)
async def test_whole_and_streamed_are_the_same(dialect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_API_KEY", "sk-0123456789")
    reply, prediction = WHOLE[dialect]
    async with serve(json_reply(reply), sse(STREAMED[dialect])) as server:
        whole = await ask(local(server.url, dialect=dialect))
        streamed = await ask(local(server.url, dialect=dialect, stream=True))
        pieces, at_last = await written(local(server.url, dialect=dialect))
    assert timeless(whole) == timeless(streamed) == timeless(at_last) == prediction
    assert whole.first_token is None
    assert streamed.first_token is not None
    assert 0 < streamed.first_token <= streamed.latency
    assert pieces == ["4", "2"]
    once, often = PATHS[dialect]
    assert [seen.path for seen in server.seen] == [once, often, often]
    assert all("sk-0123456789" in seen.headers[KEYS[dialect]] for seen in server.seen)
    if dialect != "google":
        assert [seen.body.get("stream", False) for seen in server.seen] == [False, True, True]


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_broken_stream_is_asked_for_again_unless_some_was_passed_on(dialect: Any) -> None:
    half = sse(STREAMED[dialect], cut_at=len(STREAMED[dialect]) - AFTER_TEXT[dialect])
    async with serve(half, sse(STREAMED[dialect])) as server:
        got = await ask(local(server.url, dialect=dialect, stream=True))
        assert (got.text, got.retries, len(server.seen)) == ("42", 1, 2)
    async with serve(half) as server:
        model = local(server.url, dialect=dialect)
        stream = model.stream(PLAIN)
        assert await anext(stream) == "4"
        await stream.aclose()  # type: ignore[attr-defined]
        with pytest.raises(RequestError, match="already passed on"):
            await written(model, PLAIN)
        await model.close()
        assert len(server.seen) == 2


@pytest.mark.parametrize("dialect", PATHS)
async def test_encode_and_decode_are_what_is_sent_and_read(dialect: Any) -> None:
    reply, prediction = WHOLE[dialect]
    async with serve(json_reply(reply)) as server:
        model = local(server.url, dialect=dialect)
        await ask(model)
    path, sent = model.encode(PLAIN)
    assert (f"/v1/{path}", sent) == (server.seen[0].path, server.seen[0].body)
    assert model.decode(PLAIN, json.dumps(reply).encode()) == prediction
    assert model.dialect == dialect


class TestStops:
    @pytest.mark.parametrize(
        ("pieces", "stops", "shown"),
        [
            (("4", "2\n", "Q: next"), ("\nQ:",), ["4", "2"]),
            (("42", "\nQ", "uick"), ("\nQ:",), ["4", "2", "\nQuick"]),
            (("42Q:", "more", "more"), ("Q:", ""), ["42"]),
            (("42",), (), ["42"]),
        ],
    )
    async def test_in_a_stream(self, pieces: tuple[str, ...], stops: tuple[str, ...], shown: list[str]) -> None:
        events = [chunk({"content": piece}) for piece in pieces]
        async with serve(sse([*events, chunk({}, "length"), "[DONE]"])) as server:
            got, last = await written(local(server.url), replace(PLAIN, stop=stops))
        assert "".join(got) == "".join(shown) == last.text
        met = any(stop and stop in "".join(pieces) for stop in stops)
        assert last.stop_reason == ("stop" if met else "length")

    async def test_none_is_sent_to_a_model_that_thinks(self) -> None:
        request = replace(PLAIN, stop=("\n\n",))
        async with serve(chat("<think>\n\nsix\n\nsevens</think>\n\n42\n\nmore")) as server:
            thinks = local(server.url, thinks=True)
            got = await ask(thinks, request)
            await ask(local(server.url), request)
            known = HTTPModel("ollama/qwen3:8b", replace(SERVERS["ollama"], url=server.url), "qwen3:8b")
            await ask(known, request)
        assert [seen.body.get("stop") for seen in server.seen] == [None, ["\n\n"], None]
        assert (got.text, got.reasoning, got.stop_reason) == ("42", "six\n\nsevens", "stop")
        assert "stops" in thinks.describe()
        assert "stops" not in local(server.url).describe()

    @pytest.mark.parametrize(
        "reply", [chat("<think>\nsix"), chat("", reasoning="six"), chat(None, reasoning_content="six")]
    )
    async def test_one_that_fired_inside_the_thinking_is_found_out(self, reply: Reply) -> None:
        async with serve(reply) as server:
            with pytest.raises(RequestError, match="thinks=true"):
                await ask(local(server.url), replace(PLAIN, stop=("\n",)))
            assert (await ask(local(server.url))).text == ""  # without stops it is just an empty answer
        assert len(server.seen) == 2

    async def test_thinking_that_was_cut_off_stays_cut_off(self) -> None:
        async with serve(chat("<think>\nsix\n\nsev", "length")) as server:
            got = await ask(local(server.url, thinks=True), replace(PLAIN, stop=("\n",)))
        assert (got.text, got.reasoning, got.stop_reason) == ("", "six\n\nsev", "length")


class TestTokens:
    async def test_without_thinking_and_without_what_was_cut_off(self) -> None:
        texts = ["<think>", "six", "</think>", "\n\n", "4", "2", "\n", "Q"]
        scored = {"content": [{"token": t, "logprob": -float(i), "top_logprobs": []} for i, t in enumerate(texts)]}
        choice = {"message": {"content": "".join(texts)}, "finish_reason": "length", "logprobs": scored}
        async with serve(json_reply({"choices": [choice]})) as server:
            got = await ask(local(server.url, thinks=True), replace(PLAIN, logprobs=0, stop=("\n",)))
        assert (got.text, got.tokens) == ("42", (Token("4", -4.0), Token("2", -5.0)))

    async def test_none_where_they_were_asked_for(self) -> None:
        async with serve(chat("42"), chat(None, refusal="no")) as server:
            model = local(server.url)
            with pytest.raises(RequestError, match="no log-probabilities") as caught:
                await model.generate(replace(PLAIN, logprobs=1))
            assert (await model.generate(replace(PLAIN, logprobs=1))).stop_reason == "refusal"
            await model.close()
        assert caught.value.fatal


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_schema_that_was_passed_over_is_found_out(dialect: Any) -> None:
    """As llama.cpp does in the Anthropic dialect."""
    reply = OPENAI["plain"][0] if dialect == "openai" else ANTHROPIC["plain"][0]
    words = json.loads(json.dumps(reply).replace('"42"', '"It is 42."'))
    async with serve(json_reply(words), json_reply(reply)) as server:
        model = local(server.url, dialect=dialect)
        with pytest.raises(RequestError, match="pass over the schema") as caught:
            await model.generate(replace(PLAIN, schema=SCHEMA))
        assert (await model.generate(replace(PLAIN, schema=SCHEMA))).text == "42"
        await model.close()
    assert not caught.value.fatal


class TestUnsupported:
    @pytest.mark.parametrize(
        ("options", "request_", "words"),
        [
            ({}, AFTER_TOOLS, "images=true"),
            ({}, replace(PLAIN, effort="low"), "cannot be told how hard"),
            ({"effort": True}, replace(PLAIN, thinking=100), "no thinking budget"),
            ({"dialect": "anthropic"}, replace(PLAIN, logprobs=1), "no log-probabilities"),
            ({"logprobs": False}, replace(PLAIN, logprobs=1), "no log-probabilities"),
            ({"dialect": "anthropic"}, Generate("raw"), "takes messages"),
            ({"completion": True}, Generate("raw", tools=(WEATHER,)), "not with raw text"),
            ({"completion": True}, Generate("raw", schema=SCHEMA), "not with raw text"),
            ({"completion": True}, Generate("raw", effort="low"), "cannot be told"),
        ],
    )
    async def test_nothing_is_sent(self, options: dict[str, Any], request_: Generate, words: str) -> None:
        async with serve(chat()) as server:
            model = local(server.url, **options)
            with pytest.raises(Unsupported, match=words):
                await model.generate(request_)
            with pytest.raises(Unsupported, match=words):
                await anext(model.stream(request_))
            await model.close()
        assert server.seen == []

    async def test_a_server_that_can_do_little(self) -> None:
        async with serve(chat()) as server:
            model = HTTPModel("x", Server(server.url, tools=False, schema=False), "m")
            for request in (
                replace(PLAIN, tools=(WEATHER,)),
                replace(AFTER_TOOLS, tools=()),
                replace(PLAIN, schema=SCHEMA),
            ):
                with pytest.raises(Unsupported):
                    await model.generate(replace(request, prompt=(*request.prompt[:1], *request.prompt[2:])))  # type: ignore[arg-type]
            await model.close()
        assert server.seen == []


class TestMoney:
    @pytest.mark.parametrize(
        ("name", "model", "cost"),
        [
            # $3 a million tokens in, $0.30 read from the cache, $3.75 written into it, $15 out: claude.com/pricing
            ("anthropic", "claude-sonnet-4-5", 21 * 3e-6 + 1000 * 0.3e-6 + 100 * 3.75e-6 + 393 * 15e-6),
            # $0.30 in, $0.03 from the cache, $2.50 out: ai.google.dev/gemini-api/docs/pricing
            ("google", "gemini-2.5-flash", 105 * 0.3e-6 + 900 * 0.03e-6 + 320 * 2.5e-6),
        ],
    )
    async def test_from_all_kinds_of_tokens(
        self, name: str, model: str, cost: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = SERVERS[name]
        monkeypatch.setenv(server.key, "sk-0123456789")
        async with serve(json_reply(WHOLE[name][0])) as local_server:
            asked = HTTPModel(f"{name}/{model}", replace(server, url=local_server.url), model)
            got = await ask(asked)
        assert got.cost == pytest.approx(cost)
        assert asked.price(got.usage) == pytest.approx(cost)
        assert asked.paid

    async def test_a_filtered_prompt_in_a_stream(self) -> None:
        async with serve(error(400, "the policy", code="content_filter")) as server:
            assert (await ask(local(server.url, stream=True))).stop_reason == "filter"
            pieces, last = await written(local(server.url))
        assert (pieces, last.text, last.stop_reason, last.cost) == ([], "", "filter", 0.0)


async def test_googles_wrong_key_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "sk-0123456789")
    details = [{"reason": "API_KEY_INVALID"}]
    async with serve(error(400, "API key not valid", details=details)) as server:
        model = HTTPModel("google/g", replace(SERVERS["google"], url=server.url), "g")
        with pytest.raises(RequestError, match="API key not valid") as caught:
            await ask(model)
    assert caught.value.fatal
    assert len(server.seen) == 1


async def test_anthropic_overloaded_in_a_stream_is_tried_again() -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    broken = sse([*STREAMED["anthropic"][:4], overloaded])
    async with serve(broken, sse(STREAMED["anthropic"])) as server:
        got = await ask(local(server.url, dialect="anthropic", stream=True))
    assert (got.text, got.retries, len(server.seen)) == ("42", 1, 2)


async def test_whoever_stops_listening_lets_the_request_go() -> None:
    gone = asyncio.Event()

    async def drip(request: Any, _: dict[str, Any]) -> Any:
        from aiohttp import web

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    async with serve(drip) as server:
        model = local(server.url)
        stream = model.stream(PLAIN)
        assert await anext(stream) == "x"
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(gone.wait(), 5)
        await model.close()


async def test_tools_in_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is made, its result goes back, and the answer comes: over the wire, in each dialect."""
    for dialect, (reply, first), last in (
        ("openai", OPENAI["tool"], OPENAI["plain"]),
        ("responses", RESPONSES["tool"], RESPONSES["plain"]),
        ("anthropic", ANTHROPIC["tool"], ANTHROPIC["plain"]),
        ("google", GOOGLE["tool"], GOOGLE["plain"]),
    ):
        async with serve(json_reply(reply), json_reply(last[0])) as server:
            model = local(server.url, dialect=dialect)
            request = replace(PLAIN, tools=(WEATHER,))
            called = await model.generate(request)
            assert called.tool_calls == first.tool_calls
            turn = Message("assistant", called.text or "", called.tool_calls)
            result = Message("tool", "21 degrees", tool_call_id=called.tool_calls[0].id)
            answer = await model.generate(replace(request, prompt=(*PLAIN.prompt, turn, result)))  # type: ignore[arg-type]
            await model.close()
        assert (answer.text, answer.stop_reason) == ("42", "stop")
        assert "21 degrees" in str(server.seen[1].body)
