"""POST /v1/messages in the Anthropic dialect (https://docs.anthropic.com/en/api/messages)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from howgood.core.types import (
    Effort,
    Generate,
    Message,
    Part,
    Prediction,
    StopReason,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from howgood.models.gateway.asked import Asked, Reason, Refusal, decode, read_image

STOP: dict[StopReason | None, str] = {
    None: "end_turn",
    "stop": "end_turn",
    "length": "max_tokens",
    "tool": "tool_use",
    "refusal": "refusal",
    "filter": "refusal",
}
"""A model here does not say whether its answer ended by itself or at a stop sequence: both are end_turn."""
ERRORS: dict[Reason, str] = {
    "request": "invalid_request_error",
    "key": "authentication_error",
    "model": "not_found_error",
    "path": "not_found_error",
    "size": "request_too_large",
    "budget": "billing_error",
    "failure": "api_error",
}
"""https://docs.anthropic.com/en/api/errors"""


class _Text(Struct, tag="text"):
    text: str


class _Source(Struct):
    type: Literal["base64"]
    media_type: str
    data: str


class _Image(Struct, tag="image"):
    source: _Source


class _ToolUse(Struct, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


class _ToolResult(Struct, tag="tool_result"):
    tool_use_id: str
    content: str | list[_Text | _Image] = ""
    is_error: bool = False


class _Thinking(Struct, tag="thinking"):
    pass


class _Redacted(Struct, tag="redacted_thinking"):
    pass


_Block = _Text | _Image | _ToolUse | _ToolResult | _Thinking | _Redacted


class _Message(Struct):
    role: Literal["system", "user", "assistant"]
    content: str | list[_Block]


class _Tool(Struct):
    name: str
    input_schema: dict[str, Any]
    description: str = ""
    type: Literal["custom"] | None = None


class _Choice(Struct):
    type: Literal["auto", "any", "tool", "none"]
    disable_parallel_tool_use: bool = False


class _Think(Struct):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=1, le=2**31)] | None = None


class _Format(Struct):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class _Output(Struct):
    effort: Effort | None = None
    format: _Format | None = None


class _Request(Struct):
    model: str
    max_tokens: Annotated[int, Meta(ge=1, le=2**31)]
    messages: Annotated[list[_Message], Meta(min_length=1, max_length=10_000)]
    system: str | list[_Text] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=8191)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: int | None = None
    tools: Annotated[list[_Tool], Meta(max_length=1024)] | None = None
    tool_choice: _Choice | None = None
    thinking: _Think | None = None
    output_config: _Output | None = None
    stream: bool = False


_decoder = msgspec.json.Decoder(_Request)


class Messages:
    """The endpoint."""

    dialect = "anthropic"
    prefix = "msg_"

    def read(self, body: bytes) -> Asked:
        asked = decode(body, _decoder)
        if asked.top_k is not None:
            raise Refusal("request", "top_k is not supported here: leave it out")
        choice, output = asked.tool_choice or _Choice("auto"), asked.output_config or _Output()
        if choice.type in ("any", "tool") or choice.disable_parallel_tool_use:
            raise Refusal("request", "tool_choice can be auto or none here: no model is forced to call a tool")
        system = [Message("system", _content(asked.system))] if asked.system else []
        request = Generate(
            (*system, *(message for m in asked.messages for message in _messages(m))),
            max_tokens=asked.max_tokens,
            temperature=1.0 if asked.temperature is None else asked.temperature,
            top_p=asked.top_p,
            stop=tuple(stop for stop in asked.stop_sequences or () if stop),
            tools=() if choice.type == "none" else tuple(map(_tool, asked.tools or ())),
            schema=output.format.schema if output.format else None,
            effort=output.effort,
            thinking=_budget(asked),
        )
        return Asked(asked.model, (request,), stream=asked.stream)

    def reply(self, asked: Asked, predictions: list[Prediction], id: str) -> dict[str, Any]:
        [prediction] = predictions
        return _envelope(id, asked.model) | {
            "content": _blocks(prediction),
            "stop_reason": STOP[prediction.stop_reason],
            "usage": _usage(prediction.usage),
        }

    def events(self, asked: Asked, id: str) -> MessageEvents:
        return MessageEvents(asked, id)

    def error(self, refusal: Refusal) -> dict[str, Any]:
        return {"type": "error", "error": {"type": ERRORS[refusal.reason], "message": str(refusal)}}


class MessageEvents:
    """The events of a streamed message (https://docs.anthropic.com/en/api/messages-streaming): message_start, then for
    each content block its start, deltas and stop, then message_delta and message_stop. What the model read is known
    when it has answered, so message_delta tells it."""

    def __init__(self, asked: Asked, id: str) -> None:
        self.asked, self.id = asked, id
        self.blocks = 0
        self.open = False

    def start(self) -> bytes:
        message = _envelope(self.id, self.asked.model) | {"content": [], "stop_reason": None, "usage": _usage(Usage())}
        return _event("message_start", message=message)

    def text(self, index: int, piece: str) -> bytes:
        begin = b"" if self.open else self._begin({"type": "text", "text": ""})
        self.open = True
        return begin + self._delta({"type": "text_delta", "text": piece})

    def finish(self, index: int, prediction: Prediction, told: bool) -> bytes:
        out = self._stop() if self.open else b""
        for block in _blocks(prediction):
            if block["type"] == "text" and not told:
                out += self.text(index, block["text"]) + self._stop()
            elif block["type"] == "thinking":
                out += self._begin(block | {"thinking": ""})
                out += self._delta({"type": "thinking_delta", "thinking": block["thinking"]})
                out += self._delta({"type": "signature_delta", "signature": ""}) + self._stop()
            elif block["type"] == "tool_use":
                arguments = msgspec.json.encode(block["input"]).decode()
                out += self._begin(block | {"input": {}})
                out += self._delta({"type": "input_json_delta", "partial_json": arguments}) + self._stop()
        delta = {"stop_reason": STOP[prediction.stop_reason], "stop_sequence": None}
        return out + _event("message_delta", delta=delta, usage=_usage(prediction.usage))

    def end(self, predictions: list[Prediction]) -> bytes:
        return _event("message_stop")

    def error(self, refusal: Refusal) -> bytes:
        return _event("error", error={"type": ERRORS[refusal.reason], "message": str(refusal)})

    def _begin(self, block: dict[str, Any]) -> bytes:
        return _event("content_block_start", index=self.blocks, content_block=block)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self.blocks, delta=delta)

    def _stop(self) -> bytes:
        stop = _event("content_block_stop", index=self.blocks)
        self.blocks += 1
        self.open = False
        return stop


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def _messages(message: _Message) -> list[Message]:
    """A message of the dialect as messages of ours: each tool result is one of its own, in its place."""
    if isinstance(message.content, str):
        return [Message(message.role, message.content)]
    out: list[Message] = []
    parts: list[_Text | _Image] = []
    calls: list[ToolCall] = []

    def put() -> None:
        if parts or calls:
            out.append(Message(message.role, _content(parts) if parts else "", tuple(calls)))
            parts.clear()

    for block in message.content:
        if isinstance(block, _Text | _Image):
            parts.append(block)
        elif isinstance(block, _ToolUse):
            if message.role != "assistant":
                raise Refusal("request", "a tool_use block belongs to a message of the assistant")
            calls.append(ToolCall(block.id, block.name, msgspec.json.encode(block.input).decode()))
        elif isinstance(block, _ToolResult):
            if message.role != "user":
                raise Refusal("request", "a tool_result block belongs to a message of the user")
            put()
            out.append(Message("tool", _content(block.content), tool_call_id=block.tool_use_id))
    put()
    return out


def _content(blocks: str | Sequence[_Text | _Image]) -> str | tuple[Part, ...]:
    """Text where there is nothing but one, else parts."""
    if isinstance(blocks, str):
        return blocks
    if len(blocks) == 1 and isinstance(blocks[0], _Text):
        return blocks[0].text
    return tuple(
        Text(block.text) if isinstance(block, _Text) else read_image(block.source.media_type, block.source.data)
        for block in blocks
    )


def _tool(tool: _Tool) -> Tool:
    return Tool(tool.name, tool.description, tool.input_schema)


def _budget(asked: _Request) -> int | None:
    think = asked.thinking
    if think is None or think.type != "enabled":
        return None
    if think.budget_tokens is None or think.budget_tokens >= asked.max_tokens:
        raise Refusal("request", "thinking needs budget_tokens, fewer than max_tokens")
    return think.budget_tokens


def _envelope(id: str, model: str) -> dict[str, Any]:
    return {"id": id, "type": "message", "role": "assistant", "model": model, "stop_sequence": None}


def _blocks(prediction: Prediction) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if prediction.reasoning is not None:
        blocks.append({"type": "thinking", "thinking": prediction.reasoning, "signature": ""})
    if prediction.text:
        blocks.append({"type": "text", "text": prediction.text})
    for call in prediction.tool_calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)})
    return blocks


def _input(call: ToolCall) -> dict[str, Any]:
    """The arguments of a call. Raises `Refusal` for what is no JSON object: the dialect has no way to say so."""
    try:
        return msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(
            "failure", f"the model called the tool {call.name[:80]} with arguments that are no JSON object"
        ) from None


def _usage(usage: Usage) -> dict[str, Any]:
    """In this dialect input_tokens are those that the cache had no part in."""
    return {
        "input_tokens": max(0, usage.input - usage.cached - usage.cache_writes),
        "cache_creation_input_tokens": usage.cache_writes,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }
