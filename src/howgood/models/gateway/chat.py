"""POST /v1/chat/completions (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from howgood.core.types import Effort, Generate, Message, Part, Prediction, Text, Token, Tool, ToolCall
from howgood.models.gateway import openai
from howgood.models.gateway.asked import Asked, Refusal, decode, read_image

MAX_TOKENS = Generate("").max_tokens
"""The longest answer where the client names none."""
Length = Annotated[int, Meta(ge=1, le=2**31)]


class _Text(Struct, tag="text"):
    text: str


class _Refused(Struct, tag="refusal"):
    refusal: str


class _URL(Struct):
    url: str


class _Image(Struct, tag="image_url"):
    image_url: _URL


class _Function(Struct):
    name: str
    arguments: str


class _ToolCall(Struct):
    id: str
    function: _Function


class _Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Text | _Refused | _Image] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None


class _Declared(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(Struct):
    type: Literal["function"]
    function: _Declared


class _Schema(Struct):
    schema: dict[str, Any] | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Chat(openai.Common, kw_only=True):
    messages: Annotated[list[_Message], Meta(min_length=1, max_length=10_000)]
    max_tokens: Length | None = None
    max_completion_tokens: Length | None = None
    tools: Annotated[list[_Tool], Meta(max_length=1024)] | None = None
    tool_choice: Any = None
    response_format: _Format | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: Effort | None = None
    thinking_token_budget: Length | None = None  # vLLM's
    parallel_tool_calls: Any = None
    functions: Any = None
    function_call: Any = None
    modalities: Any = None
    audio: Any = None
    verbosity: Any = None
    web_search_options: Any = None


_decoder = msgspec.json.Decoder(_Chat)


class Chat:
    """The endpoint."""

    dialect = "openai"
    prefix = "chatcmpl-"

    def read(self, body: bytes) -> Asked:
        asked = decode(body, _decoder)
        openai.check_neutral(asked)
        if asked.tool_choice not in (None, "auto", "none"):
            raise Refusal("request", "tool_choice can be auto or none here: no model is forced to call a tool")
        if asked.top_logprobs and not asked.logprobs:
            raise Refusal("request", "top_logprobs needs logprobs to be true")
        tools = () if asked.tool_choice == "none" else tuple(_tool(tool.function) for tool in asked.tools or ())
        common: dict[str, Any] = {
            "prompt": tuple(_message(m) for m in asked.messages),
            "max_tokens": asked.max_completion_tokens or asked.max_tokens or MAX_TOKENS,
            "tools": tools,
            "schema": _schema(asked.response_format),
            "effort": asked.reasoning_effort,
            "thinking": asked.thinking_token_budget,
            "logprobs": (asked.top_logprobs or 0) if asked.logprobs else None,
            **openai.sampling(asked),
        }
        return Asked(
            asked.model,
            tuple(Generate(seed=seed, **common) for seed in openai.seeds(asked)),
            stream=bool(asked.stream),
            usage=bool(asked.stream_options and asked.stream_options.include_usage),
        )

    def reply(self, asked: Asked, predictions: list[Prediction], id: str) -> dict[str, Any]:
        choices = [_choice(number, prediction) for number, prediction in enumerate(predictions)]
        return openai.envelope(id, "chat.completion", asked.model) | {
            "choices": choices,
            "usage": openai.usage_of(predictions),
        }

    def events(self, asked: Asked, id: str) -> ChatEvents:
        return ChatEvents(asked, id)

    def error(self, refusal: Refusal) -> dict[str, Any]:
        return openai.error(refusal)


class ChatEvents:
    """The chunks of a streamed answer (https://platform.openai.com/docs/api-reference/chat-streaming)."""

    def __init__(self, asked: Asked, id: str) -> None:
        self.asked = asked
        self.envelope = openai.envelope(id, "chat.completion.chunk", asked.model)

    def start(self) -> bytes:
        return b"".join(
            self._chunk(index, {"role": "assistant", "content": ""}) for index in range(len(self.asked.requests))
        )

    def text(self, index: int, piece: str) -> bytes:
        return self._chunk(index, {"content": piece})

    def finish(self, index: int, prediction: Prediction, told: bool) -> bytes:
        message = _answer(prediction)
        delta = {name: message[name] for name in ("reasoning_content", "refusal") if message.get(name)}
        if not told and message["content"]:
            delta["content"] = message["content"]
        if calls := message.get("tool_calls"):
            delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
        rest = b""
        if delta or prediction.tokens:
            rest = self._chunk(index, delta, logprobs=_logprobs(prediction))
        return rest + self._chunk(index, {}, finish_reason=openai.FINISH[prediction.stop_reason])

    def end(self, predictions: list[Prediction]) -> bytes:
        used = openai.usage_of(predictions)
        last = openai.event(self.envelope | {"choices": [], "usage": used}) if self.asked.usage else b""
        return last + openai.DONE

    def error(self, refusal: Refusal) -> bytes:
        return openai.event(openai.error(refusal))

    def _chunk(self, index: int, delta: dict[str, Any], **rest: Any) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **rest}
        return openai.event(self.envelope | {"choices": [choice]})


def _message(message: _Message) -> Message:
    role = "system" if message.role == "developer" else message.role
    calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ())
    if (calls and role != "assistant") or ((message.tool_call_id is None) == (role == "tool")):
        raise Refusal("request", "tool_calls belong to messages of the assistant, tool_call_id to those of role tool")
    if message.content is None and message.refusal is None and not calls:
        raise Refusal("request", f"a message of role {message.role} has no content")
    content: str | tuple[Part, ...] = message.refusal or ""
    if isinstance(message.content, str):
        content = message.content
    elif message.content is not None:
        content = tuple(map(_part, message.content))
    return Message(role, content, calls, message.tool_call_id)


def _part(part: _Text | _Refused | _Image) -> Part:
    if isinstance(part, _Text):
        return Text(part.text)
    if isinstance(part, _Refused):
        return Text(part.refusal)
    head, comma, data = part.image_url.url.partition(";base64,")
    if not head.startswith("data:") or not comma:
        raise Refusal("request", "an image is given as data:image/png;base64,...; nothing is fetched from an address")
    return read_image(head.removeprefix("data:"), data)


def _tool(declared: _Declared) -> Tool:
    nothing: dict[str, Any] = {"type": "object", "properties": {}}
    return Tool(declared.name, declared.description or "", declared.parameters or nothing)


def _schema(form: _Format | None) -> dict[str, Any] | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {"type": "object"}
    if form.json_schema is None or form.json_schema.schema is None:
        raise Refusal("request", "response_format json_schema needs json_schema.schema")
    return form.json_schema.schema


def _choice(number: int, prediction: Prediction) -> dict[str, Any]:
    return {
        "index": number,
        "message": {"role": "assistant", **_answer(prediction)},
        "logprobs": _logprobs(prediction),
        "finish_reason": openai.FINISH[prediction.stop_reason],
    }


def _answer(prediction: Prediction) -> dict[str, Any]:
    text = prediction.text or ""
    refused = prediction.stop_reason == "refusal"
    message: dict[str, Any] = {
        "content": None if refused or (prediction.tool_calls and not text) else text,
        "refusal": text if refused else None,
    }
    if prediction.reasoning is not None:
        message["reasoning_content"] = prediction.reasoning
    if prediction.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in prediction.tool_calls
        ]
    return message


def _logprobs(prediction: Prediction) -> dict[str, Any] | None:
    if not prediction.tokens:
        return None
    return {"content": [_token(token) for token in prediction.tokens], "refusal": None}


def _token(token: Token) -> dict[str, Any]:
    top = [_place(text, logprob) for text, logprob in token.alternatives.items()]
    return _place(token.text, token.logprob) | {"top_logprobs": top}


def _place(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": max(logprob, openai.LOWEST), "bytes": list(text.encode(errors="replace"))}
