"""A real server on 127.0.0.1 that speaks the batch APIs of OpenAI and Anthropic, and remembers what it was asked.

Forms: https://platform.openai.com/docs/api-reference/batch, https://docs.claude.com/en/api/creating-message-batches.
What a request says decides what becomes of it (see `FATES`); a batch stays in progress while the server `holds`.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

FATES = ("ERROR400", "ERROR500", "EXPIRED", "CANCELLED", "MISSING", "FILTERED", "GARBAGE")
"""Words in a question that spoil its item: always, or only in the first batch that holds it if `-ONCE` follows."""


@dataclass
class Batch:
    id: str
    made: float
    requests: list[tuple[str, dict[str, Any]]]
    metadata: dict[str, str] | None = None
    endpoint: str = ""
    file: str = ""
    status: str = "in_progress"
    ended: float | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class BatchServer:
    """`holds`: batches do not end; `cut_making`: so many batches are made, but the connection breaks before the word of
    it; `cut_looking`: so many looks at a batch find no server; `status`: what batches end as; `refusal`: the error that
    the making of a batch meets; `failure`: why batches fail as a whole."""

    url: str = ""
    holds: bool = False
    cut_making: int = 0
    cut_looking: int = 0
    status: str = "completed"
    refusal: str | None = None
    failure: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    _spoilt: set[str] = field(default_factory=set)
    _results: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    # OpenAI

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        file = form["file"]
        assert isinstance(file, web.FileField)
        id = f"file-{len(self.files)}"
        self.files[id] = file.file.read()
        told = {"id": id, "object": "file", "bytes": len(self.files[id]), "created_at": int(time.time())}
        return web.json_response(told | {"filename": file.filename, "purpose": "batch", "status": "processed"})

    async def make_openai(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if self.refusal:
            return web.json_response({"error": {"message": self.refusal, "type": "invalid_request_error"}}, status=400)
        assert body["completion_window"] == "24h"
        requests = []
        for line in self.files[body["input_file_id"]].decode().splitlines():
            item = json.loads(line)
            assert item.keys() == {"custom_id", "method", "url", "body"}
            assert (item["method"], item["url"]) == ("POST", body["endpoint"])
            requests.append((item["custom_id"], item["body"]))
        batch = self._make(requests, f"batch_{len(self.batches)}")
        batch.metadata, batch.endpoint, batch.file = body.get("metadata"), body["endpoint"], body["input_file_id"]
        return await self._told(request, self._openai(batch))

    def _openai(self, batch: Batch) -> dict[str, Any]:
        ended = None if batch.ended is None else int(batch.ended)
        told = {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": {"object": "list", "data": batch.errors} if batch.errors else None,
            "input_file_id": batch.file,
            "completion_window": "24h",
            "status": batch.status,
            "output_file_id": None,
            "error_file_id": None,
            "created_at": int(batch.made),
            "completed_at": ended if batch.status == "completed" else None,
            "expired_at": ended if batch.status == "expired" else None,
            "cancelled_at": ended if batch.status == "cancelled" else None,
            "request_counts": {"total": len(batch.requests), "completed": 0, "failed": 0},
            "metadata": batch.metadata,
        }
        if batch.status in ("completed", "expired", "cancelled"):
            for place, name in enumerate(("output_file_id", "error_file_id")):
                if self._results[batch.id][place]:
                    told[name] = f"file-{batch.id}-{place}"
                    self.files[f"file-{batch.id}-{place}"] = self._results[batch.id][place]
        return told

    async def get_openai(self, request: web.Request) -> web.StreamResponse:
        batch = self._look(request)
        return web.json_response(self._openai(batch)) if batch else self._not_found(request)

    async def list_openai(self, request: web.Request) -> web.Response:
        page, more = self._page(request.query.get("after"), int(request.query.get("limit", 20)))
        data = [self._openai(batch) for batch in page]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
        return web.json_response({"object": "list", "data": data, "has_more": more, **ends})

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]], content_type="application/octet-stream")

    # Anthropic

    async def make_anthropic(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if self.refusal:
            error = {"type": "invalid_request_error", "message": self.refusal}
            return web.json_response({"type": "error", "error": error}, status=400)
        assert body.keys() == {"requests"}
        assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", item["custom_id"]) for item in body["requests"])
        requests = [(item["custom_id"], item["params"]) for item in body["requests"]]
        return await self._told(request, self._anthropic(self._make(requests, f"msgbatch_{len(self.batches)}")))

    def _anthropic(self, batch: Batch) -> dict[str, Any]:
        ended = batch.ended is not None
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(batch.requests)
        address = f"{self.url}/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": _rfc3339(batch.made),
            "ended_at": None if batch.ended is None else _rfc3339(batch.ended),
            "expires_at": _rfc3339(batch.made + 86400),
            "cancel_initiated_at": None,
            "archived_at": None,
            # Not where it says: the key may go to the server's own address only.
            "results_url": address.replace("127.0.0.1", "attacker.invalid") if ended else None,
        }

    async def get_anthropic(self, request: web.Request) -> web.StreamResponse:
        batch = self._look(request)
        return web.json_response(self._anthropic(batch)) if batch else self._not_found(request)

    async def list_anthropic(self, request: web.Request) -> web.Response:
        page, more = self._page(request.query.get("after_id"), int(request.query.get("limit", 20)))
        data = [self._anthropic(batch) for batch in page]
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return web.json_response({"data": data, "has_more": more, **ends})

    async def results(self, request: web.Request) -> web.Response:
        body = b"".join(self._results[request.match_info["id"]])
        return web.Response(body=body, content_type="application/x-jsonl")

    # Both

    def _make(self, requests: list[tuple[str, dict[str, Any]]], id: str) -> Batch:
        assert len({custom for custom, _ in requests}) == len(requests)
        batch = Batch(id, time.time(), requests)
        self.batches.append(batch)
        for _, body in requests:
            self.asked[question(body)] += 1
        return batch

    async def _told(self, request: web.Request, batch: dict[str, Any]) -> web.StreamResponse:
        if self.cut_making:
            self.cut_making -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(batch)

    def _look(self, request: web.Request) -> Batch | None:
        if self.cut_looking:
            self.cut_looking -= 1
            assert request.transport is not None
            request.transport.abort()
        batch = next((b for b in self.batches if b.id == request.match_info["id"]), None)
        if batch and not self.holds and batch.ended is None:
            self._end(batch)
        return batch

    def _not_found(self, request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no such batch", "type": "not_found_error"}}, status=404)

    def _page(self, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        newest = list(reversed(self.batches))
        start = next((n + 1 for n, batch in enumerate(newest) if batch.id == after), 0)
        return newest[start : start + limit], len(newest) > start + limit

    def _end(self, batch: Batch) -> None:
        batch.ended = batch.made + 90
        openai = batch.id.startswith("batch_")
        if self.failure and openai:
            batch.status = "failed"
            batch.errors = [{"code": "token_limit_exceeded", "message": self.failure, "line": None, "param": None}]
            return
        batch.status = self.status
        good, bad = [], []
        for custom, body in reversed(batch.requests):  # results come in any order
            fate = self._fate(question(body))
            if fate == "MISSING":
                continue
            (good if fate in ("", "GARBAGE") else bad).append(
                (_openai_line if openai else _anthropic_line)(custom, body, fate)
            )
        self._results[batch.id] = (_jsonl(good), _jsonl(bad))

    def _fate(self, asked: str) -> str:
        for fate in FATES:
            if f"{fate}-ONCE" in asked:
                first = asked not in self._spoilt
                self._spoilt.add(asked)
                return fate if first else ""
            if fate in asked:
                return fate
        return ""


def question(body: dict[str, Any]) -> str:
    """The last user message of a request, or its raw text."""
    if "prompt" in body:
        return str(body["prompt"])
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def _openai_line(custom: str, body: dict[str, Any], fate: str) -> dict[str, Any]:
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    if fate == "EXPIRED":
        error = {"code": "batch_expired", "message": "the completion window expired"}
    elif fate == "CANCELLED":
        error = {"code": "batch_cancelled", "message": "the batch was cancelled"}
    elif fate == "FILTERED":
        told = {"error": {"message": "filtered", "code": "content_filter"}}
        response = {"status_code": 400, "request_id": "r", "body": told}
    elif fate.startswith("ERROR"):
        told = {"error": {"message": f"words of the server ({fate})", "type": "invalid_request_error"}}
        response = {"status_code": int(fate[5:]), "request_id": "r", "body": told}
    else:
        message = {"role": "assistant", "content": question(body)[::-1]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        if "prompt" in body:
            choice = {"index": 0, "text": question(body)[::-1], "finish_reason": "stop"}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        reply = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}
        response = {"status_code": 200, "request_id": "r", "body": {"choices": 7} if fate == "GARBAGE" else reply}
    return {"id": f"batch_req_{custom[:8]}", "custom_id": custom, "response": response, "error": error}


def _anthropic_line(custom: str, body: dict[str, Any], fate: str) -> dict[str, Any]:
    if fate in ("EXPIRED", "CANCELLED"):
        return {"custom_id": custom, "result": {"type": "expired" if fate == "EXPIRED" else "canceled"}}
    if fate.startswith("ERROR"):
        kind = "invalid_request_error" if fate == "ERROR400" else "api_error"
        told = {"type": "error", "error": {"type": kind, "message": f"words of the server ({fate})"}}
        return {"custom_id": custom, "result": {"type": "errored", "error": told}}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": question(body)[::-1]}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    }
    return {"custom_id": custom, "result": {"type": "succeeded", "message": 7 if fate == "GARBAGE" else message}}


def _jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def serve_batches() -> AsyncIterator[BatchServer]:
    """A running server; its `url` ends in /v1."""
    server = BatchServer()

    @web.middleware
    async def remember(request: web.Request, handler: Any) -> Any:
        server.seen.append(f"{request.method} {request.path}")
        return await handler(request)

    app = web.Application(client_max_size=2**26, middlewares=[remember])
    app.add_routes(
        [
            web.post("/v1/files", server.upload),
            web.get("/v1/files/{id}/content", server.content),
            web.post("/v1/batches", server.make_openai),
            web.get("/v1/batches", server.list_openai),
            web.get("/v1/batches/{id}", server.get_openai),
            web.post("/v1/messages/batches", server.make_anthropic),
            web.get("/v1/messages/batches", server.list_anthropic),
            web.get("/v1/messages/batches/{id}", server.get_anthropic),
            web.get("/v1/messages/batches/{id}/results", server.results),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
