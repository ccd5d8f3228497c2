"""The OpenAI dialect, as OpenAI and the many servers that speak it have it: /chat/completions and /completions.

Form of requests and replies: https://platform.openai.com/docs/api-reference/chat and .../completions; thinking comes
apart from the answer, as `reasoning_content` (DeepSeek, older vLLM) or `reasoning` (OpenRouter, vLLM), or inside the
text between `<think>` and `</think>`. Thinking is not passed back when a conversation goes on after a tool call: this
endpoint takes none.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.types import Generate, Image, Message, Prediction, StopReason, Token, Tool, ToolCall, Usage
from howgood.models.base import split_thinking
from howgood.models.dialects import (
    ErrorReply,
    MalformedReply,
    Takes,
    as_json,
    count,
    dollars,
    no_thinking,
    parse,
    plain,
)
from howgood.models.streaming import Unthought

STOP_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "filter",
    "tool_calls": "tool",
    "function_call": "tool",
}
BROKEN_OFF = ("error", "abort")
"""Finish reasons by which a gateway (OpenRouter) or an engine (vLLM, SGLang) says that generation broke off."""

FILTERED = ("content_filter", "content_policy_violation")
"""Error codes of a prompt that the provider's filter refused (Azure OpenAI, OpenAI)."""

MAX_STOPS = 4
"""How many stop strings OpenAI takes; the caller cuts at every one of them when the reply is there."""


class _Details(Struct):
    cached_tokens: Any = None
    cache_write_tokens: Any = None
    reasoning_tokens: Any = None


class _Usage(Struct):
    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    cost: Any = None


class _Function(Struct):
    name: str | None = None
    arguments: Any = ""


class _Call(Struct):
    index: int | None = 0
    id: str | None = None
    function: _Function | None = None


class _Part(Struct):
    """A part of an answer, as Mistral's models write that think: text, or thinking that is such parts again
    (https://docs.mistral.ai/capabilities/reasoning). Parts of other kinds, such as references, have neither."""

    text: str | None = None
    thinking: list[_Part] | None = None


class _Message(Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None

    @property
    def said(self) -> str | None:
        """The answer."""
        return _text(self.content) if isinstance(self.content, list) else self.content

    @property
    def thought(self) -> str | None:
        """The thinking that stands apart from the answer."""
        parts = self.content if isinstance(self.content, list) else []
        return self.reasoning_content or self.reasoning or "".join(_text(part.thinking or []) for part in parts) or None


def _text(parts: list[_Part]) -> str:
    return "".join(part.text or "" for part in parts)


class Choice(Struct):
    """One answer in a reply, or a piece of one."""

    index: int = 0
    message: _Message | None = None
    delta: _Message | None = None
    text: str | None = None
    logprobs: Any = None
    prompt_logprobs: Any = None
    finish_reason: str | None = None


class Reply(Struct):
    """What both endpoints answer with, whole or as a piece of a stream. Fields that are not read are not checked."""

    choices: list[Choice] = msgspec.field(default_factory=list)
    usage: _Usage | None = None
    error: Any = None


class _Alternative(Struct):
    token: str
    logprob: float


class _Scored(Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] = msgspec.field(default_factory=list)


class _TextLogprobs(Struct):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float] | None] | None = None


_decode = msgspec.json.Decoder(Reply).decode


def headers(secret: str) -> dict[str, str]:
    """The key as a bearer token."""
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def encode(model: str, request: Generate, takes: Takes) -> tuple[str, dict[str, Any]]:
    """A chat request for messages, a completion request for raw text."""
    if isinstance(request.prompt, str):
        no_thinking(model, request)
        body: dict[str, Any] = {"model": model, "prompt": request.prompt, "max_tokens": request.max_tokens}
        if request.logprobs is not None:
            body["logprobs"] = request.logprobs
        return "completions", body | _sampling(request, takes)
    body = {"model": model, "messages": [_message(m) for m in request.prompt], takes.length: request.max_tokens}
    body |= _sampling(request, takes) | _thinking(model, request, takes)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.schema is not None:
        form = {"name": "answer", "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    if request.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.logprobs}
    if takes.thinking == "openrouter" and (request.schema is not None or request.logprobs is not None):
        # It would go to a provider that leaves them out: https://openrouter.ai/docs/features/provider-routing
        body["provider"] = {"require_parameters": True}
    return "chat/completions", body


def streamed(path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return path, body | {"stream": True, "stream_options": {"include_usage": True}}


def decode(body: bytes) -> Prediction:
    """The prediction in a reply to a chat or completion request."""
    reply = read_reply(body)
    return _prediction(reply.choices[0], reply.usage)


class Stream:
    """Reads a stream of pieces, the last of which is `[DONE]`
    (https://platform.openai.com/docs/api-reference/chat-streaming)."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning": []}
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[Any] = []
        self._finish: str | None = None
        self._usage: _Usage | None = None
        self._done = False
        self._answer = Unthought()

    def feed(self, event: str, data: str) -> str:
        if data.strip() == "[DONE]":
            self._done = True
            return self._answer.end()
        piece = parse(_decode, data)
        if piece.error or event == "error":
            raise _error(piece.error or data)
        self._usage = piece.usage or self._usage
        return "".join([self._add(choice) for choice in piece.choices if choice.index == 0])

    def result(self) -> Prediction:
        if self._finish is None and not self._done:
            raise MalformedReply("the stream ended before the answer did")
        content, refusal, reasoning = ("".join(pieces) for pieces in self._parts.values())
        said = content if content or self._finish else None  # a stream without a single choice says nothing
        message = _Message(said, refusal or None, reasoning or None, tool_calls=list(self._calls.values()))
        return _prediction(Choice(message=message, logprobs=self._logprobs, finish_reason=self._finish), self._usage)

    def _add(self, choice: Choice) -> str:
        delta = choice.delta or _Message(content=choice.text)
        text, thought = delta.said or "", delta.thought or ""
        for name, piece in (("content", text), ("refusal", delta.refusal or ""), ("reasoning", thought)):
            if piece:
                self._parts[name].append(piece)
        for call in delta.tool_calls or ():
            index = self._place(call) if call.index is None else call.index
            known = self._calls.setdefault(index, _Call(index, function=_Function()))
            given = call.function or _Function()
            assert known.function is not None
            known.id = known.id or call.id
            known.function.name = known.function.name or given.name
            known.function.arguments += as_json(given.arguments or "")
        if choice.logprobs:
            self._logprobs.append(choice.logprobs)
        self._finish = choice.finish_reason or self._finish
        return self._answer.feed(text) if text else ""

    def _place(self, call: _Call) -> int:
        """Which call a piece without an index belongs to: one with another id, or with a name and no id, is a new
        one."""
        last = max(self._calls, default=-1)
        new = call.id != self._calls[last].id if self._calls and call.id else bool(call.function and call.function.name)
        return last + 1 if new or not self._calls else last


def read_error(body: bytes) -> ErrorReply:
    """What an error's body says, in whichever of the usual forms; raw text where it has none."""
    parsed = plain(body)
    return _error(parsed.get("error", parsed) if isinstance(parsed, dict) else parsed)


def read_reply(body: bytes) -> Reply:
    """A reply with at least one choice. Raises `MalformedReply`, or `ErrorReply` for an error in a reply's clothes."""
    reply = parse(_decode, body)
    if reply.error:
        raise _error(reply.error)
    if not reply.choices:
        raise MalformedReply("the reply's list of choices is empty")
    return reply


def usage_of(usage: _Usage | None) -> Usage:
    """The tokens that a reply tells of; 0 for what it does not tell, or what cannot be."""
    if usage is None:
        return Usage()
    prompt, completion = usage.prompt_tokens_details or _Details(), usage.completion_tokens_details or _Details()
    read, written = count(usage.prompt_tokens) or 0, count(usage.completion_tokens) or 0
    return Usage(
        input=read,
        # xAI counts thinking in the total alone: docs.x.ai/docs/key-information/consumption-and-rate-limits
        output=max(written, (count(usage.total_tokens) or 0) - read),
        cached=count(prompt.cached_tokens) or 0,
        reasoning=count(completion.reasoning_tokens) or 0,
        cache_writes=count(prompt.cache_write_tokens) or 0,
    )


def data_url(image: Image) -> str:
    """An image as a URL that holds it."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def scored_token(token: Any) -> Token:
    """A generated token as the chat and the responses endpoint describe it. Raises `MalformedReply`."""
    try:
        scored = msgspec.convert(token, _Scored)
    except msgspec.ValidationError as error:
        raise MalformedReply(f"the reply's log-probabilities have another form ({error})") from None
    return Token(scored.token, scored.logprob, {other.token: other.logprob for other in scored.top_logprobs})


def _sampling(request: Generate, takes: Takes) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if takes.sampling:
        fields["temperature"] = request.temperature
        if request.top_p is not None:
            fields["top_p"] = request.top_p
        if request.seed is not None and request.temperature > 0:
            fields["seed"] = request.seed
    if request.stop and takes.stops:
        fields["stop"] = list(request.stop[:MAX_STOPS])
    return fields


def _thinking(model: str, request: Generate, takes: Takes) -> dict[str, Any]:
    """How long to think: `reasoning_effort` for OpenAI and those that follow it; OpenRouter's `reasoning`
    (https://openrouter.ai/docs/use-cases/reasoning-tokens); vLLM's `thinking_token_budget` beside the effort
    (https://docs.vllm.ai/en/latest/features/reasoning_outputs)."""
    if request.effort is None and request.thinking is None:
        return {}
    no_thinking(model, request, effort=takes.thinking is None, budget=takes.thinking not in ("openrouter", "vllm"))
    told = {"effort": request.effort, "max_tokens": request.thinking}
    told = {key: value for key, value in told.items() if value is not None}
    if takes.thinking == "openrouter":
        return {"reasoning": told}
    names = {"effort": "reasoning_effort", "max_tokens": "thinking_token_budget"}
    return {names[key]: value for key, value in told.items()}


def _message(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        out["content"] = out["content"] or None
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "image_url", "image_url": {"url": data_url(part)}}
        if isinstance(part, Image)
        else {"type": "text", "text": part.text}
        for part in message.content
    ]


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _prediction(choice: Choice, usage: _Usage | None) -> Prediction:
    if choice.finish_reason in BROKEN_OFF:
        raise MalformedReply(f"the server broke generation off (finish_reason {choice.finish_reason})")
    message = choice.message or _Message(content=choice.text)
    calls = tuple(_called(place, call) for place, call in enumerate(message.tool_calls or ()))
    if message.said is None and message.refusal is None and not calls and choice.finish_reason is None:
        raise MalformedReply("the reply's choice holds no answer and no reason why")
    reasoning, text = message.thought, message.said or ""
    if not reasoning:
        reasoning, text = split_thinking(text)
    reason = STOP_REASONS.get(choice.finish_reason or "")
    if message.refusal:
        reason = "refusal"
    elif calls and reason in (None, "stop"):  # of a call that was forced, some servers say that it just stopped
        reason = "tool"
    return Prediction(
        text=text or message.refusal or "",
        reasoning=reasoning or None,
        stop_reason=reason,
        tokens=_tokens(choice.logprobs),
        tool_calls=calls,
        usage=usage_of(usage),
        cost=dollars(usage.cost) if usage else None,
    )


def _called(place: int, call: _Call) -> ToolCall:
    if call.function is None or not call.function.name:
        raise MalformedReply("the reply calls a tool without a name")
    return ToolCall(call.id or f"call_{place}", call.function.name, as_json(call.function.arguments))


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    """The generated tokens of a chat reply, a completion, or (as a list) of the pieces of a stream of either."""
    if isinstance(logprobs, list):
        return tuple(token for piece in logprobs for token in _tokens(piece if isinstance(piece, dict) else None))
    if not isinstance(logprobs, dict):
        return ()
    if "content" in logprobs:
        content = logprobs["content"]
        return tuple(scored_token(token) for token in content) if isinstance(content, list) else ()
    try:
        given = msgspec.convert(logprobs, _TextLogprobs)
    except msgspec.ValidationError:
        return ()
    top = given.top_logprobs or [None] * len(given.tokens)
    if not len(given.tokens) == len(given.token_logprobs) == len(top):
        raise MalformedReply("the reply's lists of tokens and log-probabilities differ in length")
    return tuple(
        Token(t, p, places or {}) for t, p, places in zip(given.tokens, given.token_logprobs, top, strict=True)
    )


def _error(error: Any) -> ErrorReply:
    if not isinstance(error, dict):
        return ErrorReply(str(error))
    code = error.get("code") or error.get("type")
    metadata = error.get("metadata")
    message = str(error.get("message") or error.get("detail") or error)
    # OpenRouter's form: https://openrouter.ai/docs/api-reference/errors; OpenAI's, for reasoning models: invalid_prompt
    filtered = (
        code in FILTERED
        or (isinstance(metadata, dict) and "flagged_input" in metadata)
        or (code == "invalid_prompt" and "usage policy" in message)
    )
    return ErrorReply(message, code if isinstance(code, str | int) else None, filtered)
