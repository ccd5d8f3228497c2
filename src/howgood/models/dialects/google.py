"""Google's generateContent, as the Gemini API has it (https://ai.google.dev/api/generate-content).

Thought summaries come as parts marked `thought`, asked for where the request says how long to think. Signatures of
thoughts are not kept: when a conversation goes on after a tool call, the marker that Google gives for calls without one
is sent in their place, and the model thinks anew (https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Image, Message, Prediction, StopReason, Token, ToolCall, Usage
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

STOP_REASONS: dict[str, StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "filter",
    "RECITATION": "filter",
    "LANGUAGE": "filter",
    "BLOCKLIST": "filter",
    "PROHIBITED_CONTENT": "filter",
    "SPII": "filter",
    "IMAGE_SAFETY": "filter",
    "IMAGE_PROHIBITED_CONTENT": "filter",
    "IMAGE_RECITATION": "filter",
}
EFFORTS = ("minimal", "low", "medium", "high")
MAX_STOPS = 5
UNSIGNED = "skip_thought_signature_validator"
OWN_ID = "howgood-call-"
"""How ids begin that are made up here for calls without one; they are not sent."""


class _FunctionCall(Struct):
    name: str | None = None
    id: str | None = None
    args: Any = None


class _Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    function_call: _FunctionCall | None = None


class _Content(Struct):
    parts: list[_Part] = msgspec.field(default_factory=list)


class _Chosen(Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Places(Struct):
    candidates: list[_Chosen] = msgspec.field(default_factory=list)


class _Logprobs(Struct, rename="camel"):
    chosen_candidates: list[_Chosen] = msgspec.field(default_factory=list)
    top_candidates: list[_Places] = msgspec.field(default_factory=list)


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    logprobs_result: _Logprobs | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(Struct, rename="camel"):
    prompt_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None
    cached_content_token_count: Any = None
    tool_use_prompt_token_count: Any = None


class _Reply(Struct, rename="camel"):
    candidates: list[_Candidate] = msgspec.field(default_factory=list)
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Reply).decode


def headers(secret: str) -> dict[str, str]:
    """The key, in a header and not in the URL."""
    return {"x-goog-api-key": secret} if secret else {}


def encode(model: str, request: Generate, takes: Takes) -> tuple[str, dict[str, Any]]:
    assert not isinstance(request.prompt, str)
    config: dict[str, Any] = {"maxOutputTokens": request.max_tokens}
    if takes.sampling:
        config["temperature"] = request.temperature
        if request.top_p is not None:
            config["topP"] = request.top_p
        if request.seed is not None and request.temperature > 0:
            config["seed"] = request.seed
    if request.stop and takes.stops:
        config["stopSequences"] = list(request.stop[:MAX_STOPS])
    config |= _thinking(model, request, takes)
    if request.schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
    if request.logprobs is not None:
        config |= {"responseLogprobs": True} | ({"logprobs": request.logprobs} if request.logprobs else {})
    body: dict[str, Any] = {"contents": _contents(request.prompt), "generationConfig": config}
    system = "\n\n".join(text_of(message) for message in request.prompt if message.role == "system")
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if request.tools:
        declared = [
            {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}
            for tool in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    place = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    return f"{quote(place)}:generateContent", body


def streamed(path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"{path.removesuffix(':generateContent')}:streamGenerateContent?alt=sse", body


def decode(body: bytes) -> Prediction:
    return _prediction(parse(_decode, body))


class Stream:
    """Reads a stream of replies, each with the next parts of the answer; the last tells why it finished."""

    def __init__(self) -> None:
        self._whole = _Candidate(content=_Content())
        self._reply = _Reply(candidates=[self._whole])

    def feed(self, event: str, data: str) -> str:
        piece = parse(_decode, data)
        if piece.error:
            raise _error(piece.error)
        self._reply.usage_metadata = piece.usage_metadata or self._reply.usage_metadata
        self._reply.prompt_feedback = piece.prompt_feedback or self._reply.prompt_feedback
        said = []
        for candidate in piece.candidates[:1]:
            parts = candidate.content.parts if candidate.content else []
            assert self._whole.content is not None
            self._whole.content.parts += parts
            self._whole.finish_reason = candidate.finish_reason or self._whole.finish_reason
            if candidate.logprobs_result:
                scored = self._whole.logprobs_result = self._whole.logprobs_result or _Logprobs()
                scored.chosen_candidates += candidate.logprobs_result.chosen_candidates
                scored.top_candidates += candidate.logprobs_result.top_candidates
            said += [part.text for part in parts if part.text and not part.thought]
        return "".join(said)

    def result(self) -> Prediction:
        if self._whole.finish_reason is None and not _blocked(self._reply):
            raise MalformedReply("the stream ended before the answer did")
        return _prediction(self._reply)


def read_error(body: bytes) -> ErrorReply:
    parsed = plain(body)
    if isinstance(parsed, list) and parsed:  # as a stream of replies begins
        parsed = parsed[0]
    return _error(parsed.get("error", parsed) if isinstance(parsed, dict) else parsed)


def _thinking(model: str, request: Generate, takes: Takes) -> dict[str, Any]:
    """How long to think: by level for Gemini 3 and later, by a budget for all that think, and never by both
    (https://ai.google.dev/gemini-api/docs/thinking)."""
    if request.effort is None and request.thinking is None:
        return {}
    no_thinking(model, request, effort=takes.thinking is None, budget=takes.thinking is None)
    if request.effort is not None and request.thinking is not None:
        raise Unsupported(f"{model} takes either an effort or a thinking budget, not both")
    if request.thinking is not None:
        return {"thinkingConfig": {"thinkingBudget": request.thinking, "includeThoughts": request.thinking != 0}}
    if takes.thinking == "budget":
        if request.effort == "none":
            return {"thinkingConfig": {"thinkingBudget": 0}}
        raise Unsupported(f"{model} takes a thinking budget in tokens, no effort but none")
    if request.effort not in EFFORTS:
        raise Unsupported(f"{model} takes the efforts {', '.join(EFFORTS)}, not {request.effort}")
    return {"thinkingConfig": {"thinkingLevel": request.effort, "includeThoughts": True}}


def _contents(prompt: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation without its system messages. Results of tools carry the tool's name, and those of one turn stand
    in one content."""
    out: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for before, message in zip((None, *prompt), prompt, strict=False):
        if message.role == "system":
            continue
        names |= {call.id: call.name for call in message.tool_calls}
        parts = _result(message, names) if message.role == "tool" else _parts(message)
        if message.role == "tool" and before is not None and before.role == "tool":
            out[-1]["parts"] += parts
        else:
            out.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
    return out


def _result(message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    known = message.tool_call_id or ""
    given = {"name": names.get(known, known), "response": {"result": text_of(message)}}
    return [{"functionResponse": given | _id(known)}]


def _parts(message: Message) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if isinstance(message.content, str):
        parts += [{"text": message.content}] if message.content or not message.tool_calls else []
    else:
        parts += [_part(part) if isinstance(part, Image) else {"text": part.text} for part in message.content]
    for place, call in enumerate(message.tool_calls):
        made = {"name": call.name, "args": as_object(call.arguments)} | _id(call.id)
        parts.append({"functionCall": made} | ({"thoughtSignature": UNSIGNED} if place == 0 else {}))
    return parts


def _part(image: Image) -> dict[str, Any]:
    return {"inlineData": {"mimeType": image.media_type, "data": base64.b64encode(image.data).decode()}}


def _id(known: str) -> dict[str, str]:
    return {"id": known} if known and not known.startswith(OWN_ID) else {}


def _blocked(reply: _Reply) -> bool:
    return bool(reply.prompt_feedback and reply.prompt_feedback.block_reason)


def _prediction(reply: _Reply) -> Prediction:
    if reply.error:
        raise _error(reply.error)
    if _blocked(reply):
        return Prediction(text="", stop_reason="filter", usage=_usage(reply.usage_metadata))
    if not reply.candidates:
        raise MalformedReply("the reply's list of candidates is empty")
    candidate = reply.candidates[0]
    parts = candidate.content.parts if candidate.content else []
    if candidate.finish_reason is None or (candidate.finish_reason == "OTHER" and not parts):
        raise MalformedReply(f"the server broke generation off (finishReason {candidate.finish_reason})")
    calls = tuple(_called(place, p.function_call) for place, p in enumerate(parts) if p.function_call is not None)
    reason = STOP_REASONS.get(candidate.finish_reason)
    return Prediction(
        text="".join(part.text or "" for part in parts if not part.thought),
        reasoning="".join(part.text or "" for part in parts if part.thought) or None,
        stop_reason="tool" if calls and reason == "stop" else reason,
        tokens=_tokens(candidate.logprobs_result),
        tool_calls=calls,
        usage=_usage(reply.usage_metadata),
    )


def _called(place: int, call: _FunctionCall) -> ToolCall:
    if not call.name:
        raise MalformedReply("the reply calls a tool without a name")
    return ToolCall(call.id or f"{OWN_ID}{place}", call.name, as_json({} if call.args is None else call.args))


def _tokens(scored: _Logprobs | None) -> tuple[Token, ...]:
    if scored is None:
        return ()
    top = scored.top_candidates or [_Places()] * len(scored.chosen_candidates)
    if len(top) != len(scored.chosen_candidates):
        raise MalformedReply("the reply's lists of tokens and log-probabilities differ in length")
    return tuple(
        Token(chosen.token, chosen.log_probability, {c.token: c.log_probability for c in places.candidates})
        for chosen, places in zip(scored.chosen_candidates, top, strict=True)
    )


def _usage(usage: _Usage | None) -> Usage:
    """`promptTokenCount` counts cached tokens too; thoughts are counted apart from the candidates' tokens."""
    if usage is None:
        return Usage()
    thoughts = count(usage.thoughts_token_count) or 0
    return Usage(
        input=(count(usage.prompt_token_count) or 0) + (count(usage.tool_use_prompt_token_count) or 0),
        output=(count(usage.candidates_token_count) or 0) + thoughts,
        cached=count(usage.cached_content_token_count) or 0,
        reasoning=thoughts,
    )


def _error(error: Any) -> ErrorReply:
    """Google's form of errors (https://cloud.google.com/apis/design/errors). A wrong key comes under status 400."""
    if not isinstance(error, dict):
        return ErrorReply(str(error))
    details = error.get("details")
    reasons = [d.get("reason") for d in details if isinstance(d, dict)] if isinstance(details, list) else []
    code = error.get("code")
    return ErrorReply(
        str(error.get("message") or error),
        code if isinstance(code, int | str) else None,
        fatal="API_KEY_INVALID" in reasons,
    )
