"""OpenAI's /responses (https://platform.openai.com/docs/api-reference/responses), used without any state at OpenAI:
nothing is stored there (`store` false).

The endpoint takes no stop strings and no seed. Of the thinking only summaries come back, where the account gets them;
the reasoning items themselves are not passed back when a conversation goes on after a tool call, so the model thinks
anew.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.types import Generate, Image, Message, Prediction, StopReason, Tool, ToolCall, Usage
from howgood.models.base import text_of
from howgood.models.dialects import ErrorReply, MalformedReply, Takes, as_json, count, no_thinking, parse
from howgood.models.dialects.openai import data_url, headers, read_error, scored_token

__all__ = ["Stream", "decode", "encode", "headers", "read_error", "streamed"]

PASSING = ("server_error", "rate_limit_exceeded", "vector_store_timeout")
"""Codes of failed responses that another try may mend; the others lie in the request, as status 400 says."""
FILTERED = ("bio_policy", "misalignment_policy_violation", "image_content_policy_violation", "content_filter")
CUT: dict[str, StopReason] = {"max_output_tokens": "length", "content_filter": "filter"}


class _Details(Struct):
    cached_tokens: Any = None
    cache_write_tokens: Any = None
    reasoning_tokens: Any = None


class _Usage(Struct):
    input_tokens: Any = None
    output_tokens: Any = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Part(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    logprobs: list[Any] | None = None


class _Item(Struct):
    type: str = ""
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = ""


class _Incomplete(Struct):
    reason: str | None = None


class _Response(Struct):
    status: str | None = None
    output: list[_Item] = msgspec.field(default_factory=list)
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None
    error: Any = None


class _Event(Struct):
    type: str = ""
    delta: Any = None
    response: _Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None


_decode = msgspec.json.Decoder(_Response).decode
_event = msgspec.json.Decoder(_Event).decode


def encode(model: str, request: Generate, takes: Takes) -> tuple[str, dict[str, Any]]:
    assert not isinstance(request.prompt, str)
    no_thinking(model, request, effort=takes.thinking is None)
    items = [item for message in request.prompt for item in _items(message)]
    body: dict[str, Any] = {"model": model, "input": items, "max_output_tokens": request.max_tokens, "store": False}
    if takes.sampling:
        body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
    if request.effort is not None:
        body["reasoning"] = {"effort": request.effort}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": request.schema, "strict": True}
        body["text"] = {"format": form}
    if request.logprobs is not None:
        body |= {"include": ["message.output_text.logprobs"], "top_logprobs": request.logprobs}
    return "responses", body


def streamed(path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return path, body | {"stream": True}


def decode(body: bytes) -> Prediction:
    return _prediction(parse(_decode, body))


class Stream:
    """Reads a stream of typed events; the last holds the whole response
    (https://platform.openai.com/docs/api-reference/responses-streaming)."""

    def __init__(self) -> None:
        self._response: _Response | None = None

    def feed(self, event: str, data: str) -> str:
        piece = parse(_event, data)
        if piece.type in ("response.completed", "response.incomplete", "response.failed"):
            self._response = piece.response
        elif piece.type == "error" or piece.error:
            raise _error(piece.error or {"code": piece.code, "message": piece.message})
        elif piece.type == "response.output_text.delta" and isinstance(piece.delta, str):
            return piece.delta
        return ""

    def result(self) -> Prediction:
        if self._response is None:
            raise MalformedReply("the stream ended before the answer did")
        return _prediction(self._response)


def _items(message: Message) -> list[dict[str, Any]]:
    """What stands for a message: itself, the tool calls it makes, or the result of one."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": text_of(message)}]
    items: list[dict[str, Any]] = []
    if message.content:
        items.append({"role": message.role, "content": _content(message)})
    items += [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return items


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "input_image", "detail": "auto", "image_url": data_url(part)}
        if isinstance(part, Image)
        else {"type": "output_text" if message.role == "assistant" else "input_text", "text": part.text}
        for part in message.content
    ]


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", **described, "strict": False}  # left out, it would be true, which few schemas bear


def _prediction(response: _Response) -> Prediction:
    if response.status == "failed" or response.error:
        raise _error(response.error)
    if response.status not in ("completed", "incomplete"):
        raise MalformedReply(f"the response is not complete (status {response.status})")
    if response.status == "completed" and not response.output:
        raise MalformedReply("the response's output is empty")
    said = [part for item in response.output if item.type == "message" for part in item.content or ()]
    thought = [
        part.text for item in response.output if item.type == "reasoning" for part in item.content or item.summary or ()
    ]
    calls = tuple(_called(item) for item in response.output if item.type == "function_call")
    refusal = "".join(part.refusal or "" for part in said)
    reason: StopReason | None = "refusal" if refusal else "tool" if calls else "stop"
    if response.status == "incomplete":
        reason = CUT.get((response.incomplete_details or _Incomplete()).reason or "", "length")
    return Prediction(
        text="".join(part.text or "" for part in said) or refusal,
        reasoning="\n\n".join(text for text in thought if text) or None,
        stop_reason=reason,
        tokens=tuple(scored_token(token) for part in said for token in part.logprobs or ()),
        tool_calls=calls,
        usage=_usage(response.usage),
    )


def _called(item: _Item) -> ToolCall:
    if not (item.name and item.call_id):
        raise MalformedReply("the reply calls a tool without a name or an id")
    return ToolCall(item.call_id, item.name, as_json(item.arguments))


def _usage(usage: _Usage | None) -> Usage:
    if usage is None:
        return Usage()
    sent, made = usage.input_tokens_details or _Details(), usage.output_tokens_details or _Details()
    return Usage(
        input=count(usage.input_tokens) or 0,
        output=count(usage.output_tokens) or 0,
        cached=count(sent.cached_tokens) or 0,
        reasoning=count(made.reasoning_tokens) or 0,
        cache_writes=count(sent.cache_write_tokens) or 0,
    )


def _error(error: Any) -> ErrorReply:
    """Why a response failed."""
    if not isinstance(error, dict):
        return ErrorReply(str(error or "the response failed"))
    code, message = error.get("code"), str(error.get("message") or error)
    filtered = code in FILTERED or (code == "invalid_prompt" and "usage policy" in message)
    return ErrorReply(message, 400 if isinstance(code, str) and code not in PASSING else code, filtered)
