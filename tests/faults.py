"""A real server on 127.0.0.1 that goes wrong as it is told to, in the OpenAI, Anthropic and Google dialects.

A `script` names the reply to each try of each question (`good` is the answer, which is the question's last word). Reply
names: `good`, `usage-less`; `429`, `429 after`, `429 after ms`, `429 date`, `429 never`, `503`, `529`; `500`, `408`,
`409`; `cut` (half a reply, then the connection is gone), `half` (half a reply that ends as if it were whole),
`garbage`, `html`, `no choices`; `hang`, `drip` (something all the time, and never an end); `400`, `413`, `422`,
`context`, `filter`; `401`, `403`, `404`, `quota`, `redirect`, and `echo 400`, `echo 500` and `echo good`, which repeat
the headers that were sent.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

AFTER = 0.02
"""Seconds that a `429 after` asks to wait."""
ERRORS = {
    "context": (400, "prompt is too long: 9000 tokens, the maximum context length is 8192", "context_length_exceeded"),
    "filter": (400, "Output blocked by content filtering policy", "content_filter"),
    "quota": (429, "You exceeded your current quota, check your plan", "insufficient_quota"),
}
"""Status, words and code of errors whose status does not say it all."""

# A throw-away key and certificate that nobody trusts.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRIVASf8g3DD4wumB
s1VYTSZH98ox3gsXphUygNVOMe+hRANCAAROuMUA1lSaHMyzuDmHYMuitm9q0pXO
ve+i91qDVkewplX+eSpOkjzuA0IwsQe0CmLBwAOEncZrhtplkRW5v4We
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUXVmWnMZsBMK+fQtBQgXBOhVTaQAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNDAzNTg0MFoYDzIxMjYxMDMx
MDM1ODQwWjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAROuMUA1lSaHMyzuDmHYMuitm9q0pXOve+i91qDVkewplX+eSpOkjzu
A0IwsQe0CmLBwAOEncZrhtplkRW5v4Weo2QwYjAdBgNVHQ4EFgQU1GjeF6YtRWG+
IKPwbnxeUyQ+dckwHwYDVR0jBBgwFoAU1GjeF6YtRWG+IKPwbnxeUyQ+dckwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IF+aVAHmB6cbYVnPX7OVI7GPFv+a2l+G/pqOKKau7wCCAiEAzdCwZwWyf48D7A+W
KgMX20JtCLNU423tWD6SNOE7kYU=
-----END CERTIFICATE-----
"""

Script = Callable[[str, int], str]


def in_turn(**replies: str | list[str]) -> Script:
    """A script by the last word of the question: its replies one after the other, then `good`; a single name is given
    for ever."""

    def script(word: str, before: int) -> str:
        mine = replies.get(word, [])
        if isinstance(mine, str):
            return mine
        return mine[before] if before < len(mine) else "good"

    return script


@dataclass
class FaultServer:
    """`requests` counts the tries of each question, by its last word; `seen` holds the path and the headers of each.
    Every reply takes `seconds`."""

    script: Script
    seconds: float = 0.0
    root: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    @property
    def url(self) -> str:
        """The base URL of an OpenAI-compatible server; Anthropic's is the same, and Google's ends in /v1beta."""
        return f"{self.root}/v1"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        word = _last_text(body.get("messages") or body.get("contents") or body.get("input") or body["prompt"]).split()[
            -1
        ]
        name = self.script(word, self.requests[word])
        self.requests[word] += 1
        self.seen.append((request.path, dict(request.headers)))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self.seconds)
            return await _answer(name, word, request, bool(body.get("stream")) or "stream" in request.path)
        finally:
            self._now -= 1


@asynccontextmanager
async def serve(script: Script, *, seconds: float = 0.0, tls: bool = False) -> AsyncIterator[FaultServer]:
    """A running server; with `tls`, under a certificate that nobody trusts."""
    server = FaultServer(script, seconds)
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_untrusted() if tls else None).start()
    server.root = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def _answer(name: str, word: str, request: web.Request, streamed: bool) -> web.StreamResponse:
    kind, _, more = name.partition(" ")
    sent = " ".join(f"{key}: {value}" for key, value in request.headers.items())
    if name in ERRORS:
        status, words, code = ERRORS[name]
        return _error(request, status, words, code)
    if kind == "echo":
        if more == "good":
            return await _good(f"{sent} {word}", request, streamed)
        return _error(request, int(more), f"these headers are wrong: {sent}", None)
    if kind.isdecimal():
        after = {
            "after": {"Retry-After": str(AFTER)},
            "after ms": {"retry-after-ms": str(1000 * AFTER)},
            "date": {"Retry-After": formatdate(time.time(), usegmt=True)},
            "never": {"x-should-retry": "false"},
        }
        return _error(request, int(kind), f"no, says {kind}", None, after.get(more))
    if name == "redirect":
        return web.Response(status=307, headers={"Location": f"{request.url.origin()}/elsewhere/{word}"})
    if name == "html":
        return web.Response(text=f"<html>Welcome, {word}!</html>", content_type="text/html")
    if name == "hang":
        await asyncio.sleep(3600)
    if name == "garbage" and not streamed:
        return web.Response(text='{"choices": [{"mess', content_type="application/json")
    return await _good(word, request, streamed, name)


async def _good(word: str, request: web.Request, streamed: bool, name: str = "good") -> web.StreamResponse:
    """The answer, or what is left of it."""
    dialect = _dialect(request.path)
    usage, empty = name != "usage-less", name == "no choices"
    if not streamed:
        whole = json.dumps(WHOLE[dialect](word, usage, empty)).encode()
        pieces, content_type = [whole[: len(whole) // 2], whole[len(whole) // 2 :]], "application/json"
    else:
        pieces, content_type = [piece.encode() for piece in STREAMED[dialect](word, usage, empty)], "text/event-stream"
        if name == "garbage":
            pieces[1:2] = [b'data: {"choices": [{"del\n\n']
    response = web.StreamResponse(headers={"Content-Type": content_type})
    if name == "cut" and not streamed:
        response.content_length = len(whole)
    await response.prepare(request)
    broken = name in ("cut", "half", "drip")
    for piece in pieces[: len(pieces) // 2] if broken else pieces:
        await response.write(piece)
    while name == "drip":
        await asyncio.sleep(0.02)
        await response.write(b": still here\n\n" if streamed else b" ")
    if name == "cut":
        assert request.transport is not None
        request.transport.abort()
    return response


def _error(
    request: web.Request, status: int, words: str, code: str | None, headers: dict[str, str] | None = None
) -> web.Response:
    """An error in the form of the dialect."""
    dialect = _dialect(request.path)
    if dialect == "anthropic":
        body: dict[str, Any] = {"type": "error", "error": {"type": code or "an_error", "message": words}}
    elif dialect == "google":
        body = {"error": {"code": status, "message": words, "status": code or "UNKNOWN"}}
    else:
        body = {"error": {"message": words, "type": "an_error", "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _dialect(path: str) -> str:
    ends = {"/messages": "anthropic", "/responses": "responses", "/chat/completions": "chat", "/completions": "text"}
    return next((dialect for end, dialect in ends.items() if path.endswith(end)), "google")


def _last_text(value: Any) -> str:
    """The last text of a prompt in any dialect."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _last_text(value[-1])
    return _last_text(value.get("content") or value.get("parts") or value["text"])


def _chat(word: str, usage: bool, empty: bool) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": word}, "finish_reason": "stop"}
    used = {"usage": {"prompt_tokens": 10, "completion_tokens": 3}} if usage else {}
    return {"id": "1", "object": "chat.completion", "choices": [] if empty else [choice], **used}


def _text(word: str, usage: bool, empty: bool) -> dict[str, Any]:
    used = {"usage": {"prompt_tokens": 10, "completion_tokens": 3}} if usage else {}
    return {"choices": [] if empty else [{"index": 0, "text": word, "finish_reason": "stop"}], **used}


def _responses(word: str, usage: bool, empty: bool) -> dict[str, Any]:
    content = [{"type": "output_text", "text": word, "annotations": []}]
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}
    used = {"usage": {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}} if usage else {}
    return {"id": "r", "object": "response", "status": "completed", "output": [] if empty else [message], **used}


def _anthropic(word: str, usage: bool, empty: bool) -> dict[str, Any]:
    content = [] if empty else [{"type": "text", "text": word}]
    used = {"usage": {"input_tokens": 10, "output_tokens": 3}} if usage else {}
    reason = None if empty else "end_turn"
    return {"id": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": reason, **used}


def _google(word: str, usage: bool, empty: bool) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": word}]}, "finishReason": "STOP"}
    used = {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3}} if usage else {}
    return {"candidates": [] if empty else [candidate], **used}


def _events(*events: dict[str, Any], last: str = "") -> Iterator[str]:
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        yield f"{name}data: {json.dumps(event)}\n\n"
    if last:
        yield f"data: {last}\n\n"


def _chat_stream(word: str, usage: bool, empty: bool) -> Iterator[str]:
    def piece(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
        return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    used = [{"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3}}] if usage else []
    parts = [] if empty else [piece({"role": "assistant"}), piece({"content": word}), piece({}, "stop")]
    return _events(*parts, *used, last="[DONE]")


def _text_stream(word: str, usage: bool, empty: bool) -> Iterator[str]:
    begun = {"choices": [{"index": 0, "text": word, "finish_reason": None}]}
    return _events(*([] if empty else [begun]), _text("", usage, empty), last="[DONE]")


def _responses_stream(word: str, usage: bool, empty: bool) -> Iterator[str]:
    whole = _responses(word, usage, empty)
    return _events(
        {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
        *(
            []
            if empty
            else [{"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": word}]
        ),
        {"type": "response.completed", "response": whole},
    )


def _anthropic_stream(word: str, usage: bool, empty: bool) -> Iterator[str]:
    used = {"input_tokens": 10, "output_tokens": 1} if usage else {}
    opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    closed = {"type": "content_block_stop", "index": 0}
    return _events(
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": used}},
        *([] if empty else [opened, text, closed]),
        {
            "type": "message_delta",
            "delta": {"stop_reason": None if empty else "end_turn"},
            "usage": {"output_tokens": 3} if usage else {},
        },
        {"type": "message_stop"},
    )


def _google_stream(word: str, usage: bool, empty: bool) -> Iterator[str]:
    begun = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": word}]}}]}
    ended = _google("", usage, empty)
    return _events(*([] if empty else [begun]), ended)


WHOLE = {"chat": _chat, "text": _text, "responses": _responses, "anthropic": _anthropic, "google": _google}
STREAMED = {
    "chat": _chat_stream,
    "text": _text_stream,
    "responses": _responses_stream,
    "anthropic": _anthropic_stream,
    "google": _google_stream,
}


def _untrusted() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "self-signed.pem"
        path.write_text(SELF_SIGNED)
        context.load_cert_chain(path)
    return context
