"""A real server on 127.0.0.1 that speaks the OpenAI dialect and answers as a test tells it to, faults included."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from howgood.models.reference import NgramSource

Reply = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request the server saw."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class OpenAIServer:
    """Answers the n-th request with the n-th of `replies`, and all further ones with the last."""

    replies: list[Reply]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(Seen(request.path, dict(request.headers), body))
        reply = self.replies[min(len(self.seen), len(self.replies)) - 1]
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await reply(request, body)
        finally:
            self._now -= 1


@asynccontextmanager
async def serve(*replies: Reply) -> AsyncIterator[OpenAIServer]:
    """A running server; its `url` ends in /v1."""
    server = OpenAIServer(list(replies))
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def chat(content: str | None = "42", finish: str | None = "stop", usage: Any = None, **message: Any) -> Reply:
    """A chat completion."""

    async def reply(request: web.Request, body: dict[str, Any]) -> web.Response:
        choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
        used = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13} if usage is None else usage
        return web.json_response({"id": "1", "object": "chat.completion", "choices": [choice], "usage": used})

    return reply


def text(content: str, finish: str = "stop") -> Reply:
    """A completion of raw text."""

    async def reply(request: web.Request, body: dict[str, Any]) -> web.Response:
        usage = {"prompt_tokens": 5, "completion_tokens": 2}
        return web.json_response({"choices": [{"index": 0, "text": content, "finish_reason": finish}], "usage": usage})

    return reply


def json_reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    async def reply(request: web.Request, _: dict[str, Any]) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    return reply


def error(status: int, message: str = "no", headers: dict[str, str] | None = None, **fields: Any) -> Reply:
    """An error in OpenAI's form."""
    return json_reply({"error": {"message": message, **fields}}, status, headers)


def raw(body: str, content_type: str = "application/json") -> Reply:
    async def reply(request: web.Request, _: dict[str, Any]) -> web.Response:
        return web.Response(text=body, content_type=content_type)

    return reply


def redirect(to: str) -> Reply:
    async def reply(request: web.Request, _: dict[str, Any]) -> web.Response:
        return web.Response(status=307, headers={"Location": to})

    return reply


def slow(seconds: float, then: Reply) -> Reply:
    async def reply(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await then(request, body)

    return reply


async def cut(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Half a reply, then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


def sse(events: list[Any], cut_at: int | None = None) -> Reply:
    """A stream of events, named by their `type` where they have one; with `cut_at` the connection is gone after so
    many of them."""

    async def reply(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events[:cut_at]:
            name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
            data = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"{name}data: {data}\n\n".encode())
        if cut_at is not None:
            assert request.transport is not None
            await asyncio.sleep(0.02)
            request.transport.abort()
        return response

    return reply


def leak(status: int = 401) -> Reply:
    """An error that repeats the key it was sent."""

    async def reply(request: web.Request, body: dict[str, Any]) -> web.Response:
        message = f"the header {request.headers.get('Authorization')} is wrong"
        return web.json_response({"error": {"message": message}}, status=status)

    return reply


def prompt_logprobs(source: NgramSource, bos: bool = False) -> Reply:
    """Log-probabilities of one or more prompts under `source`, one token a character, in the form of vLLM's
    `prompt_logprobs`: nothing of the first token, of each further one itself and then the likeliest."""

    def places(text: str) -> list[Any]:
        out: list[Any] = [None]
        data = text.encode()
        for at in range(0 if bos else 1, len(data)):
            weights = source.distribution(data[max(0, at - source.order + 1) : at])
            best = max(range(len(weights)), key=weights.__getitem__)
            told = {data[at]: math.log(source.probability(data[max(0, at - source.order + 1) : at], data[at]))}
            told |= {source.tokens[best]: math.log(weights[best])}
            out.append({str(t): {"logprob": p, "rank": 1, "decoded_token": chr(t)} for t, p in told.items()})
        return out

    async def reply(request: web.Request, body: dict[str, Any]) -> web.Response:
        assert body["prompt_logprobs"] >= 1
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        choices = [
            {"index": i, "text": "a", "logprobs": None, "finish_reason": "length", "prompt_logprobs": places(prompt)}
            for i, prompt in enumerate(prompts)
        ]
        usage = {"prompt_tokens": sum(map(len, prompts)) + bos * len(prompts), "completion_tokens": len(prompts)}
        return web.json_response({"choices": choices[::-1], "usage": usage})

    return reply


def echo(
    source: NgramSource, split: Callable[[str], list[str]] = list, bos: str | None = None, offsets: bool = True
) -> Reply:
    """Log-probabilities of the prompt under `source`, in the form that vLLM gives them.

    `split` cuts the prompt into tokens (by default one a character); `bos` is a token set in front (without it the
    first one has no log-probability). One generated token follows.
    """

    def score(index: int, prompt: str) -> dict[str, Any]:
        tokens: list[str] = [] if bos is None else [bos]
        logprobs: list[float | None] = [None for _ in tokens]
        top: list[dict[str, float] | None] = [None for _ in tokens]
        before = b""
        for token in [*split(prompt), source.tokens[:1].decode()]:
            p, best = 0.0, 0.0
            for byte in token.encode():
                history = before[len(before) - source.order + 1 :] if len(before) >= source.order else before
                p += math.log(source.probability(history, byte))
                best += math.log(max(source.distribution(history)))
                before += bytes([byte])
            tokens.append(token)
            logprobs.append(p if logprobs else None)
            top.append({token: p, "(best)": best} if len(logprobs) > 1 else None)
        given: dict[str, Any] = {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": top}
        if offsets:
            given["text_offset"] = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        return {"index": index, "text": prompt + tokens[-1], "logprobs": given, "finish_reason": "length"}

    async def reply(request: web.Request, body: dict[str, Any]) -> web.Response:
        assert body["echo"] is True
        assert body["logprobs"] >= 1
        assert body["max_tokens"] == 1
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        choices = [score(index, prompt) for index, prompt in enumerate(prompts)]
        read = sum(len(choice["logprobs"]["tokens"]) - 1 for choice in choices)
        return web.json_response(
            {"choices": choices, "usage": {"prompt_tokens": read, "completion_tokens": len(prompts)}}
        )

    return reply
