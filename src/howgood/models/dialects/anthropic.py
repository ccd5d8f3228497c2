"""Anthropic's /messages (https://platform.claude.com/docs/en/api/messages), also spoken by some other servers.

The API takes no seed and gives no log-probabilities. Thinking comes in blocks of its own, of which newer models give a
summary. The blocks' signatures are not kept, so they cannot be passed back when a conversation goes on after a tool
call: with adaptive thinking the model thinks anew; with a budget the API refuses such a request, which is said before
anything is sent (https://platform.claude.com/docs/en/build-with-claude/extended-thinking).
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Image, Message, Prediction, StopReason, ToolCall, Usage
from howgood.models.base import text_of
from howgood.models.dialects import (
    ErrorReply,
    MalformedReply,
    Takes,
    as_json,
    as_object,
    count,
    no_thinking,
    parse,
    plain,
)

VERSION = "2023-06-01"
STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # the turn is not over: what there is, is no whole answer
    "tool_use": "tool",
    "refusal": "refusal",
}
LEAST_BUDGET = 1024
"""Tokens, the smallest thinking budget the API takes; it must also be less than max_tokens."""
EFFORTS = ("low", "medium", "high", "xhigh", "max")


class _Details(Struct):
    thinking_tokens: Any = None


class _Usage(Struct):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None
    output_tokens_details: _Details | None = None


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    partial_json: str | None = None


class _StopDetails(Struct):
    explanation: str | None = None


class _Reply(Struct):
    type: str = ""
    content: list[_Block] = msgspec.field(default_factory=list)
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None
    error: Any = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Reply | None = None
    content_block: _Block | None = None
    delta: Any = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Reply).decode
_event = msgspec.json.Decoder(_Event).decode


def headers(secret: str) -> dict[str, str]:
    """The version of the API, and the key."""
    return {"anthropic-version": VERSION} | ({"x-api-key": secret} if secret else {})


def encode(model: str, request: Generate, takes: Takes) -> tuple[str, dict[str, Any]]:
    assert not isinstance(request.prompt, str)
    body: dict[str, Any] = {"model": model, "max_tokens": request.max_tokens, "messages": _messages(request.prompt)}
    system = "\n\n".join(text_of(message) for message in request.prompt if message.role == "system")
    if system:
        body["system"] = system
    body |= _thinking(model, request, takes)
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    if takes.sampling and not thinks:  # what thinks takes no other temperature than its own
        body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
    if request.stop and takes.stops and not thinks:
        body["stop_sequences"] = [stop for stop in request.stop if stop.strip()]  # of white space alone it takes none
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
    if request.schema is not None:  # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        form = {"type": "json_schema", "schema": request.schema}
        body["output_config"] = body.get("output_config", {}) | {"format": form}
    return "messages", body


def streamed(path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return path, body | {"stream": True}


def decode(body: bytes) -> Prediction:
    return _prediction(parse(_decode, body))


class Stream:
    """Reads a stream of typed events (https://platform.claude.com/docs/en/build-with-claude/streaming). Token counts
    of later events replace those of earlier ones."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._pieces: dict[int, list[str]] = {}
        self._reply = _Reply()
        self._usage = _Usage()

    def feed(self, event: str, data: str) -> str:
        piece = parse(_event, data)
        if piece.type == "error":
            raise _error(piece.error)
        if piece.type == "message_start" and piece.message is not None:
            self._count(piece.message.usage)
        elif piece.type == "content_block_start" and piece.content_block is not None:
            block = self._blocks[piece.index] = piece.content_block
            return block.text or "" if block.type == "text" else ""
        elif piece.type == "content_block_delta":
            return self._add(piece.index, _converted(piece.delta, _Block))
        elif piece.type == "message_delta":
            ending = _converted(piece.delta, _Reply)
            self._reply.stop_reason = ending.stop_reason or self._reply.stop_reason
            self._reply.stop_details = ending.stop_details or self._reply.stop_details
            self._count(piece.usage)
        return ""

    def result(self) -> Prediction:
        if self._reply.stop_reason is None:
            raise MalformedReply("the stream ended before the answer did")
        for index, block in self._blocks.items():
            added = "".join(self._pieces.pop(index, ()))
            if block.type == "text":
                block.text = (block.text or "") + added
            elif block.type == "thinking":
                block.thinking = (block.thinking or "") + added
            elif block.type == "tool_use" and added:
                block.input = added
        self._reply.content = [self._blocks[index] for index in sorted(self._blocks)]
        self._reply.usage = self._usage
        return _prediction(self._reply)

    def _add(self, index: int, delta: _Block) -> str:
        piece = delta.text or delta.thinking or delta.partial_json or ""
        self._pieces.setdefault(index, []).append(piece)
        if index not in self._blocks:
            raise MalformedReply("the stream adds to a block that it never began")
        return piece if self._blocks[index].type == "text" else ""

    def _count(self, usage: _Usage | None) -> None:
        for name in _Usage.__struct_fields__ if usage is not None else ():
            value = getattr(usage, name)
            if value is not None:
                setattr(self._usage, name, value)


def read_error(body: bytes) -> ErrorReply:
    parsed = plain(body)
    return _error(parsed.get("error", parsed) if isinstance(parsed, dict) else parsed)


def _thinking(model: str, request: Generate, takes: Takes) -> dict[str, Any]:
    """How long to think. Claude 4.6 and later are told by level and decide themselves (adaptive thinking); those up to
    4.6 by a budget (https://platform.claude.com/docs/en/build-with-claude/thinking)."""
    level, budget = takes.thinking in ("adaptive", "either"), takes.thinking in ("budget", "either")
    no_thinking(model, request, effort=not level and request.effort != "none", budget=not budget)
    if request.effort not in (None, "none", *EFFORTS):
        raise Unsupported(f"{model} takes the efforts none, {', '.join(EFFORTS)}, not {request.effort}")
    fields: dict[str, Any] = {}
    if request.effort == "none":
        if request.thinking is not None:
            raise Unsupported(f"{model}: effort none and a thinking budget of {request.thinking} contradict each other")
        return {"thinking": {"type": "disabled"}} if takes.thinking else {}
    if request.effort is not None:
        fields = {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": request.effort},
        }
    if request.thinking is not None:
        if not LEAST_BUDGET <= request.thinking < request.max_tokens:
            raise Unsupported(
                f"{model} takes a thinking budget of at least {LEAST_BUDGET} tokens and less than max_tokens "
                f"({request.max_tokens}), not {request.thinking}"
            )
        if any(message.tool_calls for message in request.prompt if isinstance(message, Message)):
            raise Unsupported(f"{model} with a thinking budget cannot go on after a tool call; leave the budget out")
        fields["thinking"] = {"type": "enabled", "budget_tokens": request.thinking}
    return fields


def _messages(prompt: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation without its system messages; tool results are the user's, and those of one turn stand in one
    message."""
    out: list[dict[str, Any]] = []
    for message in prompt:
        if message.role == "system":
            continue
        if message.role == "tool":
            block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": _content(message)}
            last = out[-1]["content"] if out and out[-1]["role"] == "user" else None
            if isinstance(last, list) and last and last[-1]["type"] == "tool_result":
                last.append(block)
            else:
                out.append({"role": "user", "content": [block]})
        elif message.tool_calls:
            said = [{"type": "text", "text": text_of(message)}] if text_of(message) else []
            calls = [
                {"type": "tool_use", "id": call.id, "name": call.name, "input": as_object(call.arguments)}
                for call in message.tool_calls
            ]
            out.append({"role": message.role, "content": said + calls})
        else:
            out.append({"role": message.role, "content": _content(message)})
    return out


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "image", "source": _source(part)} if isinstance(part, Image) else {"type": "text", "text": part.text}
        for part in message.content
    ]


def _source(image: Image) -> dict[str, str]:
    return {"type": "base64", "media_type": image.media_type, "data": base64.b64encode(image.data).decode()}


def _converted(value: Any, form: type[Any]) -> Any:
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise MalformedReply(f"the stream has another form ({error})") from None


def _prediction(reply: _Reply) -> Prediction:
    if reply.type == "error" or reply.error:
        raise _error(reply.error)
    if reply.stop_reason is None:
        raise MalformedReply("the reply has no stop_reason")
    thought = [block.thinking for block in reply.content if block.type == "thinking" and block.thinking]
    text = "".join(block.text or "" for block in reply.content if block.type == "text")
    reason = STOP_REASONS.get(reply.stop_reason)
    if reason == "refusal" and not text and reply.stop_details:
        text = reply.stop_details.explanation or ""
    return Prediction(
        text=text,
        reasoning="\n\n".join(thought) or None,
        stop_reason=reason,
        tool_calls=tuple(_called(block) for block in reply.content if block.type == "tool_use"),
        usage=_usage(reply.usage),
    )


def _called(block: _Block) -> ToolCall:
    if not (block.name and block.id):
        raise MalformedReply("the reply calls a tool without a name or an id")
    return ToolCall(block.id, block.name, as_json({} if block.input is None else block.input))


def _usage(usage: _Usage | None) -> Usage:
    """`input_tokens` counts only what comes after the last cached token; what was read from the cache and written into
    it comes on top (https://platform.claude.com/docs/en/build-with-claude/prompt-caching)."""
    if usage is None:
        return Usage()
    read, written = count(usage.cache_read_input_tokens) or 0, count(usage.cache_creation_input_tokens) or 0
    return Usage(
        input=(count(usage.input_tokens) or 0) + read + written,
        output=count(usage.output_tokens) or 0,
        cached=read,
        reasoning=count((usage.output_tokens_details or _Details()).thinking_tokens) or 0,
        cache_writes=written,
    )


def _error(error: Any) -> ErrorReply:
    if not isinstance(error, dict):
        return ErrorReply(str(error or "the server reports an error without a word"))
    kind, message = error.get("type"), str(error.get("message") or error)
    code = kind if isinstance(kind, str) else None
    return ErrorReply(message, code, filtered="blocked by content filtering" in message)
