"""Anthropic's messages against the examples of its documentation, in words of our own."""

from __future__ import annotations

from typing import Any

import pytest
from exchanges import AFTER_TOOLS, PLAIN, SCHEMA, WEATHER, body, read
from msgspec.structs import replace

from howgood.core.errors import Unsupported
from howgood.core.types import Message, Prediction, ToolCall, Usage
from howgood.models.dialects import ErrorReply, MalformedReply, Takes
from howgood.models.dialects.anthropic import Stream, decode, encode, headers, read_error, streamed

ADAPTIVE = Takes(sampling=False, stops=False, thinking="adaptive")
COUNTS = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "output_tokens": 393,
    "output_tokens_details": {"thinking_tokens": 300},
}
USAGE = Usage(input=1121, output=393, cached=1000, reasoning=300, cache_writes=100)


def message(*content: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    """https://platform.claude.com/docs/en/api/messages"""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": COUNTS,
    } | more


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": None}


THOUGHT = {"type": "thinking", "thinking": "six sevens", "signature": "EqQBCg"}
HIDDEN = {"type": "redacted_thinking", "data": "EmwKAhgB"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
DECLINED = {"type": "refusal", "category": "cyber", "explanation": "It could do harm."}
REPLIES: dict[str, tuple[dict[str, Any], Prediction]] = {
    "plain": (message(text("42")), Prediction(text="42", stop_reason="stop", usage=USAGE)),
    "stopped": (
        message(text("42"), stop="stop_sequence", stop_sequence="\n\n"),
        Prediction(text="42", stop_reason="stop", usage=USAGE),
    ),
    "cut": (message(text("4"), stop="max_tokens"), Prediction(text="4", stop_reason="length", usage=USAGE)),
    "window": (
        message(text("4"), stop="model_context_window_exceeded"),
        Prediction(text="4", stop_reason="length", usage=USAGE),
    ),
    "paused": (message(text("4"), stop="pause_turn"), Prediction(text="4", stop_reason="length", usage=USAGE)),
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    "reasoning": (
        message(THOUGHT, HIDDEN, text("42")),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    "cut inside the thinking": (
        message(THOUGHT, stop="max_tokens"),
        Prediction(text="", reasoning="six sevens", stop_reason="length", usage=USAGE),
    ),
    # https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    "refusal": (
        message(stop="refusal", stop_details=DECLINED),
        Prediction(text="It could do harm.", stop_reason="refusal", usage=USAGE),
    ),
    "refusal in words": (
        message(text("No."), stop="refusal", stop_details=DECLINED),
        Prediction(text="No.", stop_reason="refusal", usage=USAGE),
    ),
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
    "tool": (
        message(text("I look."), CALL, stop="tool_use"),
        Prediction(
            text="I look.",
            stop_reason="tool",
            tool_calls=(ToolCall("toolu_1", "weather", '{"city":"Rome"}'),),
            usage=USAGE,
        ),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    reply, prediction = REPLIES[name]
    assert decode(body(reply)) == prediction


@pytest.mark.parametrize("name", REPLIES)
def test_the_recorded_replies_have_the_official_form(name: str) -> None:
    types = pytest.importorskip("anthropic.types")
    types.Message.model_validate(REPLIES[name][0])


def events_of(reply: dict[str, Any]) -> list[Any]:
    """A message as it is streamed: https://platform.claude.com/docs/en/build-with-claude/streaming"""
    started = reply | {"content": [], "stop_reason": None, "usage": COUNTS | {"output_tokens": 1}}
    events: list[Any] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for index, block in enumerate(reply["content"]):
        deltas: list[dict[str, Any]] = []
        if block["type"] == "text":
            begun = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in block["text"]]
        elif block["type"] == "thinking":
            begun = block | {"thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": piece}
                for piece in (block["thinking"][:3], block["thinking"][3:])
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif block["type"] == "tool_use":
            begun = block | {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"city":', '"Rome"}')]
        else:
            begun = block
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {key: reply.get(key) for key in ("stop_reason", "stop_sequence", "stop_details")}
    used = {"output_tokens": 393, "output_tokens_details": {"thinking_tokens": 300}}
    return [*events, {"type": "message_delta", "delta": ending, "usage": used}, {"type": "message_stop"}]


@pytest.mark.parametrize("name", REPLIES)
def test_streams_come_to_the_same(name: str) -> None:
    reply, prediction = REPLIES[name]
    pieces, got = read(Stream(), events_of(reply))
    assert got == prediction
    assert pieces == [c for block in reply["content"] if block["type"] == "text" for c in block["text"]]


@pytest.mark.parametrize("name", REPLIES)
def test_the_recorded_events_have_the_official_form(name: str) -> None:
    types = pytest.importorskip("anthropic.types")
    adapter = pytest.importorskip("pydantic").TypeAdapter(types.RawMessageStreamEvent)
    for event in events_of(REPLIES[name][0]):
        if event["type"] != "ping":  # which the SDK drops before its types
            adapter.validate_python(event)


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    whole = events_of(REPLIES["plain"][0])
    for end in range(len(whole) - 2):
        with pytest.raises(MalformedReply, match="ended before"):
            read(Stream(), whole[: end + 1])
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(ErrorReply, match="Overloaded") as caught:
        read(Stream(), [*whole[:4], error])
    assert caught.value.code == "overloaded_error"


def test_a_tool_without_arguments() -> None:
    bare = message(CALL | {"input": {}}, stop="tool_use")
    events = [e for e in events_of(bare) if e["type"] != "content_block_delta"]
    assert (
        decode(body(bare)).tool_calls == read(Stream(), events)[1].tool_calls == (ToolCall("toolu_1", "weather", "{}"),)
    )


class TestEncode:
    def test_plain(self) -> None:
        path, sent = encode("claude-3-5-haiku-latest", replace(PLAIN, stop=("\n\nQ:", "\n"), seed=4), Takes())
        assert path == "messages"
        assert sent == {
            "model": "claude-3-5-haiku-latest",
            "max_tokens": 32,
            "messages": [{"role": "user", "content": "6 x 7?"}],
            "temperature": 0.0,
            "stop_sequences": ["\n\nQ:"],
        }
        assert streamed(path, sent) == (path, sent | {"stream": True})

    def test_tools_images_and_results(self) -> None:
        _, sent = encode("m", AFTER_TOOLS, ADAPTIVE)
        assert sent["system"] == "Be brief."
        assert sent["messages"] == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Where is this, and is it warm?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "a1", "name": "weather", "input": {"city": "Rome"}},
                    {"type": "tool_use", "id": "a2", "name": "weather", "input": {"invalid": "{oops"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a1", "content": "21 degrees"},
                    {"type": "tool_result", "tool_use_id": "a2", "content": "no such city"},
                ],
            },
        ]
        assert sent["tools"] == [
            {"name": "weather", "description": "The weather in a city.", "input_schema": WEATHER.parameters}
        ]

    def test_effort_and_schema(self) -> None:
        _, sent = encode("m", replace(PLAIN, effort="xhigh", schema=SCHEMA, stop=("x",), top_p=0.5), ADAPTIVE)
        assert sent == {
            "model": "m",
            "max_tokens": 32,
            "messages": [{"role": "user", "content": "6 x 7?"}],
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "xhigh", "format": {"type": "json_schema", "schema": SCHEMA}},
        }

    @pytest.mark.parametrize("form", ["budget", "either"])
    def test_budget(self, form: Any) -> None:
        request = replace(PLAIN, max_tokens=5000, thinking=2000, stop=("x",))
        _, sent = encode("m", request, Takes(thinking=form))
        assert sent["thinking"] == {"type": "enabled", "budget_tokens": 2000}
        assert "temperature" not in sent  # what thinks takes none
        assert "stop_sequences" not in sent  # none may fire inside the thinking

    def test_no_thinking(self) -> None:
        assert encode("m", replace(PLAIN, effort="none"), ADAPTIVE)[1]["thinking"] == {"type": "disabled"}
        assert "thinking" not in encode("m", replace(PLAIN, effort="none"), Takes())[1]

    @pytest.mark.parametrize(
        ("change", "takes", "words"),
        [
            ({"effort": "minimal"}, ADAPTIVE, "none, low, medium, high, xhigh, max"),
            ({"effort": "low"}, Takes(thinking="budget"), "cannot be told how hard"),
            ({"effort": "low"}, Takes(), "cannot be told how hard"),
            ({"thinking": 2000}, ADAPTIVE, "no thinking budget"),
            ({"thinking": 1023, "max_tokens": 9999}, Takes(thinking="budget"), "at least 1024"),
            ({"thinking": 2000, "max_tokens": 2000}, Takes(thinking="budget"), "less than max_tokens"),
            ({"thinking": 2000, "max_tokens": 9999, "effort": "none"}, Takes(thinking="either"), "contradict"),
            (
                {"thinking": 2000, "max_tokens": 9999, "prompt": AFTER_TOOLS.prompt},
                Takes(thinking="budget"),
                "after a tool call",
            ),
        ],
    )
    def test_what_cannot_be_said_is_not_sent(self, change: dict[str, Any], takes: Takes, words: str) -> None:
        with pytest.raises(Unsupported, match=words):
            encode("m", replace(PLAIN, **change), takes)

    def test_official_forms(self) -> None:
        types = pytest.importorskip("anthropic.types")
        adapter = pytest.importorskip("pydantic").TypeAdapter
        params = types.message_create_params
        for change, takes in (
            ({"effort": "low", "schema": SCHEMA}, ADAPTIVE),
            ({"stop": ("x",), "top_p": 0.5}, Takes()),
        ):
            _, sent = encode("m", replace(AFTER_TOOLS, **change), takes)  # type: ignore[arg-type]
            adapter(params.MessageCreateParamsNonStreaming).validate_python(sent)
            # The SDK's form no longer has the sampling parameters that models up to 4.6 take.
            assert set(sent) - {"temperature", "top_p"} <= set(params.MessageCreateParamsBase.__annotations__)
            for turn in sent["messages"]:
                adapter(types.MessageParam).validate_python(turn)
            for tool in sent["tools"]:
                adapter(types.ToolParam).validate_python(tool)

    def test_system_messages_are_joined(self) -> None:
        prompt = (Message("system", "A."), Message("user", "?"), Message("system", "B."))
        _, sent = encode("m", replace(PLAIN, prompt=prompt), Takes())
        assert (sent["system"], sent["messages"]) == ("A.\n\nB.", [{"role": "user", "content": "?"}])


def test_headers() -> None:
    assert headers("k") == {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert headers("") == {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("kind", "words", "filtered"),
    [
        # https://platform.claude.com/docs/en/api/errors
        ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", False),
        ("authentication_error", "invalid x-api-key", False),
        ("overloaded_error", "Overloaded", False),
        ("invalid_request_error", "Output blocked by content filtering policy", True),
    ],
)
def test_errors(kind: str, words: str, filtered: bool) -> None:
    error = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}
    got = read_error(body(error))
    assert (str(got), got.code, got.filtered) == (words, kind, filtered)
    with pytest.raises(ErrorReply, match=words[:20]):  # under status 200
        decode(body(error))
    assert str(read_error(b"<html>")) == "<html>"
