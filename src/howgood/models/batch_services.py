"""The batch APIs of OpenAI and Anthropic: many requests handed in at once, answered within a day at half the price.

Forms: https://platform.openai.com/docs/api-reference/batch, https://docs.claude.com/en/api/creating-message-batches.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct, field

from howgood.core.errors import RequestError
from howgood.models.dialects import ErrorReply, MalformedReply, parse
from howgood.models.transport import Transport

T = TypeVar("T")
MEGABYTE = 10**6
TAG = "howgood"
"""The name under which a batch's own id stands in the metadata that OpenAI keeps with it."""
PAGES = 50
"""Pages of a list that are looked through."""


class State(Struct, frozen=True):
    """What a server says of a batch: its id there (`remote`), when it was `made` (unix time), how many requests it has
    (`size`; None: not known yet), whether it `ended` and after how many `seconds`, why it `failed` as a whole, the
    files its results are in, and our own `tag` where the server keeps one."""

    remote: str
    made: float
    size: int | None
    ended: bool
    seconds: float = 0.0
    failed: str | None = None
    files: tuple[str, ...] = ()
    tag: str | None = None


class Result(Struct, frozen=True):
    """What became of one request: the `reply`, as its endpoint would have sent it, or the body of an `error`; `again`
    says that another batch may answer it."""

    id: str
    reply: bytes | None = None
    error: bytes = b""
    again: bool = False


class Service(Protocol):
    """A batch API: `most` requests of `largest` bytes together go into one batch, each written as a `line`."""

    most: int
    largest: int

    def line(self, id: str, path: str, body: dict[str, Any]) -> bytes:
        """A request as it stands in a batch."""

    async def prepare(self, tag: str, lines: list[bytes]) -> str:
        """What comes before the batch can be made and costs nothing; returns what `create` needs of it."""

    async def create(self, tag: str, path: str, prepared: str, lines: list[bytes]) -> State:
        """Make the batch. Raises `Uncertain` if it may have been made all the same."""

    async def state(self, remote: str) -> State:
        """How far a batch is. Raises `Uncertain` where the server cannot be reached now."""

    async def recent(self, since: float) -> list[State]:
        """The account's batches made since a time (unix), newest first."""

    async def results(self, state: State) -> list[Result]:
        """The results of a batch that ended."""


class _List(Struct):
    data: list[Raw]
    has_more: bool = False
    last_id: str | None = None


class _OpenAIErrors(Struct):
    data: list[dict[str, Any]] | None = None


class _OpenAIBatch(Struct):
    id: str
    status: str
    created_at: float
    completed_at: float | None = None
    expired_at: float | None = None
    cancelled_at: float | None = None
    errors: _OpenAIErrors | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: dict[str, int] | None = None
    metadata: dict[str, Any] | None = None


class _OpenAIResponse(Struct):
    status_code: int
    body: Raw = Raw(b"")


class _OpenAILine(Struct):
    custom_id: str
    response: _OpenAIResponse | None = None
    error: Raw = Raw(b"")


class _File(Struct):
    id: str


class OpenAIBatches:
    """OpenAI's batches: a file of requests, a batch made of it, a file of answers and one of errors."""

    most, largest = 50_000, 200 * MEGABYTE

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def line(self, id: str, path: str, body: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"custom_id": id, "method": "POST", "url": f"/v1/{path}", "body": body}) + b"\n"

    async def prepare(self, tag: str, lines: list[bytes]) -> str:
        file = (f'name="file"; filename="{TAG}-{tag}.jsonl"', b"".join(lines))
        content, content_type = _multipart([('name="purpose"', b"batch"), file])
        answer = await self._transport.request(
            "POST", "files", _reader(_File), content=content, content_type=content_type
        )
        return answer.value.id

    async def create(self, tag: str, path: str, prepared: str, lines: list[bytes]) -> State:
        body = {
            "input_file_id": prepared,
            "endpoint": f"/v1/{path}",
            "completion_window": "24h",
            "metadata": {TAG: tag},
        }
        return _openai_state(await _post(self._transport, "batches", msgspec.json.encode(body), _OpenAIBatch))

    async def state(self, remote: str) -> State:
        path = f"batches/{quote(remote, safe='')}"
        return _openai_state(await _get(self._transport, path, _OpenAIBatch, once=True))

    async def recent(self, since: float) -> list[State]:
        return await _recent(self._transport, "batches", "after", _OpenAIBatch, _openai_state, since)

    async def results(self, state: State) -> list[Result]:
        found: list[Result] = []
        for file in state.files:
            path = f"files/{quote(file, safe='')}/content"
            answer = await self._transport.request("GET", path, lambda body: list(_lines(body, _OpenAILine)))
            found += map(_openai_result, answer.value)
        return found


def _openai_state(batch: _OpenAIBatch) -> State:
    errors = batch.errors.data if batch.errors and batch.errors.data else []
    failed = "; ".join(str(error.get("message") or error.get("code")) for error in errors[:3])
    files = tuple(file for file in (batch.output_file_id, batch.error_file_id) if file)
    end = batch.completed_at or batch.expired_at or batch.cancelled_at or batch.created_at
    tag = (batch.metadata or {}).get(TAG)
    return State(
        remote=batch.id,
        made=batch.created_at,
        seconds=max(0.0, end - batch.created_at),
        size=(batch.request_counts or {}).get("total"),
        ended=batch.status in ("completed", "failed", "expired", "cancelled"),
        failed=(failed or "the server does not say why") if batch.status == "failed" else None,
        files=files,
        tag=tag if isinstance(tag, str) else None,
    )


def _openai_result(line: _OpenAILine) -> Result:
    response = line.response
    if response is None:
        told = bytes(line.error)
        return Result(line.custom_id, error=told, again=b"batch_expired" in told)
    body = bytes(response.body)
    if 200 <= response.status_code < 300:
        return Result(line.custom_id, reply=body)
    again = response.status_code in (408, 409, 429) or response.status_code >= 500
    return Result(line.custom_id, error=body, again=again)


class _AnthropicBatch(Struct):
    id: str
    processing_status: str
    created_at: datetime
    ended_at: datetime | None = None
    request_counts: dict[str, int] = field(default_factory=dict)


class _AnthropicResult(Struct):
    type: Literal["succeeded", "errored", "canceled", "expired"]
    message: Raw = Raw(b"")
    error: Raw = Raw(b"")


class _AnthropicLine(Struct):
    custom_id: str
    result: _AnthropicResult


AGAIN = (b"api_error", b"overloaded_error", b"rate_limit_error", b"timeout_error")
"""Errors of Anthropic's that are not the request's fault (https://docs.claude.com/en/api/errors)."""


class AnthropicBatches:
    """Anthropic's message batches: one request that holds all, one stream of results."""

    most, largest = 100_000, 256 * MEGABYTE

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def line(self, id: str, path: str, body: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"custom_id": id, "params": body})

    async def prepare(self, tag: str, lines: list[bytes]) -> str:
        return ""

    async def create(self, tag: str, path: str, prepared: str, lines: list[bytes]) -> State:
        content = b'{"requests":[' + b",".join(lines) + b"]}"
        return _anthropic_state(await _post(self._transport, f"{path}/batches", content, _AnthropicBatch))

    async def state(self, remote: str) -> State:
        path = f"messages/batches/{quote(remote, safe='')}"
        return _anthropic_state(await _get(self._transport, path, _AnthropicBatch, once=True))

    async def recent(self, since: float) -> list[State]:
        transport = self._transport
        return await _recent(transport, "messages/batches", "after_id", _AnthropicBatch, _anthropic_state, since)

    async def results(self, state: State) -> list[Result]:
        # Not by the results_url that the server gives: the key goes to its own address only.
        path = f"messages/batches/{quote(state.remote, safe='')}/results"
        answer = await self._transport.request("GET", path, lambda body: list(_lines(body, _AnthropicLine)))
        return list(map(_anthropic_result, answer.value))


def _anthropic_state(batch: _AnthropicBatch) -> State:
    seconds = (batch.ended_at - batch.created_at).total_seconds() if batch.ended_at else 0.0
    return State(
        remote=batch.id,
        made=batch.created_at.timestamp(),
        seconds=max(0.0, seconds),
        size=sum(batch.request_counts.values()),
        ended=batch.processing_status == "ended",
    )


def _anthropic_result(line: _AnthropicLine) -> Result:
    kind = line.result.type
    if kind == "succeeded":
        return Result(line.custom_id, reply=bytes(line.result.message))
    if kind == "errored":
        told = bytes(line.result.error)
        return Result(line.custom_id, error=told, again=any(b'"%s"' % name in told for name in AGAIN))
    return Result(
        line.custom_id,
        error=b"the batch expired" if kind == "expired" else b"it was cancelled",
        again=kind == "expired",
    )


async def _post(transport: Transport, path: str, content: bytes, kind: type[T]) -> T:
    """Make something that must not be made twice. Raises `Uncertain` where it is not known whether it was."""
    return (
        await transport.request(
            "POST", path, _reader(kind), content=content, content_type="application/json", once=True
        )
    ).value


async def _get(transport: Transport, path: str, kind: type[T], once: bool = False) -> T:
    return (await transport.request("GET", path, _reader(kind), once=once)).value


async def _recent(
    transport: Transport, path: str, after: str, kind: type[T], state: Callable[[T], State], since: float
) -> list[State]:
    """The batches in a list that goes page by page, newest first, down to those made before `since`."""
    found: list[State] = []
    query = "limit=100"
    for _ in range(PAGES):
        page = await _get(transport, f"{path}?{query}", _List)
        try:
            states = [state(msgspec.json.decode(item, type=kind)) for item in page.data]
        except msgspec.DecodeError as error:
            raise RequestError(f"{transport.name}: the list of batches has another form ({error})") from None
        found += [s for s in states if s.made >= since]
        if not page.has_more or not states or states[-1].made < since:
            break
        query = f"limit=100&{after}={quote(states[-1].remote, safe='')}"
    return found


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda body: parse(decode, body)


def _lines(body: bytes, kind: type[T]) -> Iterator[T]:
    """The lines of a file of results. One that has another form is passed over: the others were paid for."""
    decode = msgspec.json.Decoder(kind).decode
    for line in body.splitlines():
        try:
            yield parse(decode, line)
        except (MalformedReply, ErrorReply):
            continue


def _multipart(parts: list[tuple[str, bytes]]) -> tuple[bytes, str]:
    """Parts, each with its disposition, as multipart/form-data (RFC 7578), and the content type."""
    boundary = secrets.token_hex(16)
    form = "--{}\r\nContent-Disposition: form-data; {}\r\n\r\n"
    content = b"".join(form.format(boundary, name).encode() + value + b"\r\n" for name, value in parts)
    return content + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
