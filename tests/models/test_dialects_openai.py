"""The OpenAI dialect against the examples of its documentation, in words of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from exchanges import AFTER_TOOLS, PLAIN, SCHEMA, WEATHER, body, read
from msgspec.structs import replace

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Message, Prediction, Token, ToolCall, Usage
from howgood.models.dialects import ErrorReply, MalformedReply, Takes
from howgood.models.dialects.openai import Stream, decode, encode, read_error, streamed

REASONING = Takes(sampling=False, stops=False, length="max_completion_tokens", thinking="effort")


def completion(message: dict[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/chat/object"""
    choice = {"index": 0, "finish_reason": finish, "logprobs": None} | more
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-5-mini",
        "choices": [choice | {"message": {"role": "assistant", "content": None, "refusal": None} | message}],
        "usage": {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 64, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0},
        },
        "service_tier": "default",
    }


CALLS = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}]
SCORED = {
    "content": [
        {
            "token": "4",
            "logprob": -0.1,
            "bytes": [52],
            "top_logprobs": [{"token": "4", "logprob": -0.1, "bytes": [52]}],
        },
        {"token": "2", "logprob": -0.5, "bytes": [50], "top_logprobs": []},
    ],
    "refusal": None,
}
USAGE = Usage(input=2006, output=300, cached=1920, reasoning=256, cache_writes=64)
REPLIES: dict[str, tuple[dict[str, Any], Prediction]] = {
    "plain": (completion({"content": "42"}), Prediction(text="42", stop_reason="stop", usage=USAGE)),
    "cut": (completion({"content": "4"}, "length"), Prediction(text="4", stop_reason="length", usage=USAGE)),
    "filtered": (
        completion({"content": ""}, "content_filter"),
        Prediction(text="", stop_reason="filter", usage=USAGE),
    ),
    # https://platform.openai.com/docs/guides/structured-outputs#refusals
    "refusal": (
        completion({"refusal": "I cannot help."}),
        Prediction(text="I cannot help.", stop_reason="refusal", usage=USAGE),
    ),
    # https://platform.openai.com/docs/guides/function-calling
    "tool": (
        completion({"tool_calls": CALLS}, "tool_calls"),
        Prediction(
            text="", stop_reason="tool", tool_calls=(ToolCall("call_1", "weather", '{"city":"Rome"}'),), usage=USAGE
        ),
    ),
    "logprobs": (
        completion({"content": "42"}, logprobs=SCORED),
        Prediction(
            text="42", stop_reason="stop", tokens=(Token("4", -0.1, {"4": -0.1}), Token("2", -0.5)), usage=USAGE
        ),
    ),
    # https://api-docs.deepseek.com/guides/reasoning_model
    "reasoning_content": (
        completion({"content": "42", "reasoning_content": "six sevens"}),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    # https://openrouter.ai/docs/use-cases/reasoning-tokens
    "reasoning": (
        completion({"content": "42", "reasoning": "six sevens"}),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    "inline": (
        completion({"content": "<think>\nsix sevens\n</think>\n\n42"}),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    "cut inside the thinking": (
        completion({"content": "<think>\nsix sev"}, "length"),
        Prediction(text="", reasoning="six sev", stop_reason="length", usage=USAGE),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    reply, prediction = REPLIES[name]
    assert decode(body(reply)) == prediction


@pytest.mark.parametrize("name", REPLIES)
def test_the_recorded_replies_have_the_official_form(name: str) -> None:
    types = pytest.importorskip("openai.types.chat")
    types.ChatCompletion.model_validate(REPLIES[name][0])


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/chat-streaming"""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish} | more]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": None}


LAST = chunk() | {"usage": REPLIES["plain"][0]["usage"]}


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **fields}]}


STREAMS: dict[str, tuple[list[Any], list[str]]] = {
    "plain": (
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "4"}), chunk({"content": "2"})],
        ["4", "2"],
    ),
    "refusal": ([chunk({"refusal": "I cannot "}), chunk({"refusal": "help."})], []),
    "reasoning": ([chunk({"reasoning": "six "}), chunk({"reasoning": "sevens"}), chunk({"content": "42"})], ["42"]),
    "reasoning_content": ([chunk({"reasoning_content": "six sevens"}), chunk({"content": "42"})], ["42"]),
    "inline": ([chunk({"content": c}) for c in ("<thi", "nk>\nsix sevens\n</", "think>\n", "\n4", "2")], ["4", "2"]),
    "tool": (
        [
            chunk(call(0, id="call_1", type="function", function={"name": "weather", "arguments": ""})),
            chunk(call(0, function={"arguments": '{"city":'})),
            chunk(call(0, function={"arguments": '"Rome"}'})),
            chunk({}, "tool_calls"),
        ],
        [],
    ),
    "logprobs": (
        [
            chunk({"content": token["token"]}, logprobs={"content": [token]})
            for token in SCORED["content"] or []
            if isinstance(token, dict)
        ],
        ["4", "2"],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_come_to_the_same(name: str) -> None:
    chunks, pieces = STREAMS[name]
    end = [] if name == "tool" else [chunk({}, "stop")]
    assert read(Stream(), [*chunks, *end, LAST, "[DONE]"]) == (pieces, REPLIES[name][1])


@pytest.mark.parametrize("name", STREAMS)
def test_the_recorded_pieces_have_the_official_form(name: str) -> None:
    types = pytest.importorskip("openai.types.chat")
    for piece in (*STREAMS[name][0], LAST):
        types.ChatCompletionChunk.model_validate(piece)


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(MalformedReply, match="ended before"):
        read(Stream(), [chunk({"content": "4"})])
    with pytest.raises(ErrorReply, match="overloaded") as caught:
        read(Stream(), [chunk({"content": "4"}), {"error": {"message": "overloaded", "code": 502}}])
    assert caught.value.code == 502
    with pytest.raises(MalformedReply, match="broke generation off"):
        read(Stream(), [chunk({"content": "4"}, "error")])


def test_streams_of_raw_text() -> None:
    pieces = [{"choices": [{"index": 0, "text": t, "finish_reason": None}]} for t in (" 4", "2")]
    scored = {"tokens": [" 42"], "token_logprobs": [-0.25], "top_logprobs": [{" 42": -0.25}]}
    last = {"choices": [{"index": 0, "text": "", "finish_reason": "length", "logprobs": scored}]}
    got = read(Stream(), [*pieces, last, "[DONE]"])
    assert got == (
        [" 4", "2"],
        Prediction(text=" 42", stop_reason="length", tokens=(Token(" 42", -0.25, {" 42": -0.25}),)),
    )


def test_a_call_that_was_forced_and_one_without_id() -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]
    got = decode(body(completion({"tool_calls": calls}, "stop")))
    assert (got.stop_reason, got.tool_calls) == ("tool", (ToolCall("call_0", "f", '{"x":1}'),))
    with pytest.raises(MalformedReply, match="without a name"):
        decode(body(completion({"tool_calls": [{"id": "1"}]}, "tool_calls")))


class TestEncode:
    def test_plain(self) -> None:
        path, sent = encode("m", PLAIN, Takes())
        assert path == "chat/completions"
        assert sent == {
            "model": "m",
            "messages": [{"role": "user", "content": "6 x 7?"}],
            "max_tokens": 32,
            "temperature": 0.0,
        }
        assert streamed(path, sent) == (path, sent | {"stream": True, "stream_options": {"include_usage": True}})

    def test_tools_images_and_results(self) -> None:
        _, sent = encode("m", AFTER_TOOLS, Takes())
        assert sent["messages"][1]["content"][1] == {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64,iVBORw=="},
        }
        assert sent["messages"][2]["tool_calls"][0] == {
            "id": "a1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
        }
        assert sent["messages"][3:] == [
            {"role": "tool", "content": "21 degrees", "tool_call_id": "a1"},
            {"role": "tool", "content": "no such city", "tool_call_id": "a2"},
        ]
        assert sent["tools"] == [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": WEATHER.parameters,
                },
            }
        ]

    def test_official_forms(self) -> None:
        types = pytest.importorskip("openai.types.chat")
        adapter = pytest.importorskip("pydantic").TypeAdapter
        request = replace(AFTER_TOOLS, schema=SCHEMA, effort="low", logprobs=2, stop=("\n",), seed=1, temperature=1.0)
        _, sent = encode("m", request, Takes(thinking="effort"))
        known = adapter(types.completion_create_params.CompletionCreateParamsNonStreaming)
        known.validate_python(sent)
        assert set(sent) <= set(
            types.completion_create_params.CompletionCreateParamsNonStreaming.__annotations__
        ) | set(types.completion_create_params.CompletionCreateParamsBase.__annotations__)
        for message in sent["messages"]:
            adapter(types.ChatCompletionMessageParam).validate_python(message)
        for tool in sent["tools"]:
            adapter(types.ChatCompletionToolUnionParam).validate_python(tool)

    def test_reasoning_models(self) -> None:
        request = replace(PLAIN, effort="high", stop=("\n",), seed=3, top_p=0.9, temperature=0.7)
        _, sent = encode("gpt-5", request, REASONING)
        assert sent == {
            "model": "gpt-5",
            "messages": [{"role": "user", "content": "6 x 7?"}],
            "max_completion_tokens": 32,
            "reasoning_effort": "high",
        }

    def test_schema_and_logprobs(self) -> None:
        _, sent = encode("m", replace(PLAIN, schema=SCHEMA, logprobs=3), Takes())
        assert sent["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        }
        assert (sent["logprobs"], sent["top_logprobs"]) == (True, 3)
        assert "provider" not in sent

    def test_openrouter_may_not_leave_out_what_is_asked(self) -> None:
        _, sent = encode("m", replace(PLAIN, schema=SCHEMA, thinking=500), Takes(thinking="openrouter"))
        assert sent["provider"] == {"require_parameters": True}
        assert sent["reasoning"] == {"max_tokens": 500}

    def test_vllm(self) -> None:
        _, sent = encode("m", replace(PLAIN, effort="none", thinking=9), Takes(thinking="vllm"))
        assert (sent["reasoning_effort"], sent["thinking_token_budget"]) == ("none", 9)

    def test_what_cannot_be_said_is_not_sent(self) -> None:
        for request, takes in (
            (replace(PLAIN, effort="low"), Takes()),
            (replace(PLAIN, thinking=9), REASONING),
            (Generate("raw", effort="low"), Takes(thinking="effort")),
        ):
            with pytest.raises(Unsupported):
                encode("m", request, takes)

    def test_raw_text(self) -> None:
        request = Generate("Q:", max_tokens=4, logprobs=2, stop=("\n",), temperature=1.0, seed=5, top_p=0.5)
        path, sent = encode("m", request, Takes())
        assert path == "completions"
        assert sent == {
            "model": "m",
            "prompt": "Q:",
            "max_tokens": 4,
            "logprobs": 2,
            "temperature": 1.0,
            "top_p": 0.5,
            "seed": 5,
            "stop": ["\n"],
        }


@pytest.mark.parametrize(
    ("reply", "words", "code", "filtered"),
    [
        # https://platform.openai.com/docs/guides/error-codes
        (
            {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}},
            "too long",
            "context_length_exceeded",
            False,
        ),
        ({"error": {"message": "wrong key", "code": "invalid_api_key"}}, "wrong key", "invalid_api_key", False),
        ({"error": {"message": "busy", "type": "server_error", "code": None}}, "busy", "server_error", False),
        ({"error": {"message": "no", "code": "content_filter"}}, "no", "content_filter", True),
        (
            {"error": {"message": "your prompt was flagged: usage policy", "code": "invalid_prompt"}},
            "your prompt was flagged: usage policy",
            "invalid_prompt",
            True,
        ),
        # https://openrouter.ai/docs/api-reference/errors
        ({"error": {"message": "no", "code": 403, "metadata": {"flagged_input": "x"}}}, "no", 403, True),
        ({"detail": "a form"}, "a form", None, False),
        ({"error": "a form"}, "a form", None, False),
        ([1], "[1]", None, False),
    ],
)
def test_errors(reply: Any, words: str, code: Any, filtered: bool) -> None:
    got = read_error(json.dumps(reply).encode())
    assert (str(got), got.code, got.filtered) == (words, code, filtered)


def test_a_conversation_without_words() -> None:
    silent = Generate((Message("assistant", "", (ToolCall("1", "f", "{}"),)), Message("tool", "x", tool_call_id="1")))
    assert encode("m", silent, Takes())[1]["messages"][0]["content"] is None


def test_thinking_that_only_the_total_counts_is_counted() -> None:
    """As xAI tells it: https://docs.x.ai/docs/key-information/consumption-and-rate-limits"""
    reply = completion({"content": "42"})
    reply["usage"] = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 112,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    assert decode(json.dumps(reply).encode()).usage == Usage(input=10, output=102, reasoning=100)


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "6 times "}, {"type": "text", "text": "7"}]},
    {"type": "text", "text": "It is "},
    {"type": "text", "text": "42."},
]


def test_an_answer_in_parts_and_its_thinking() -> None:
    """https://docs.mistral.ai/capabilities/reasoning"""
    found = decode(body(completion({"content": PARTS})))
    assert (found.text, found.reasoning) == ("It is 42.", "6 times 7")
    stream = Stream()
    deltas = [{"content": [part]} for part in PARTS[:2]] + [{"content": "42."}]
    said = [stream.feed("", json.dumps({"choices": [{"index": 0, "delta": delta}]})) for delta in deltas]
    stream.feed("", "[DONE]")
    assert "".join(said) == "It is 42."
    assert (stream.result().text, stream.result().reasoning) == ("It is 42.", "6 times 7")


def test_calls_without_an_index() -> None:
    calls = [call | {"index": None} for call in CALLS]
    assert decode(body(completion({"tool_calls": calls}, "tool_calls"))).tool_calls[0].name == "weather"
    stream = Stream()
    rest = [{"index": None, "id": None, "function": {"name": None, "arguments": " "}}]
    other = [{"index": None, "id": "call_2", "function": {"name": "weather", "arguments": "{}"}}]
    for piece in (calls, rest, other):
        stream.feed("", json.dumps({"choices": [{"index": 0, "delta": {"tool_calls": piece}}]}))
    stream.feed("", "[DONE]")
    first, second = stream.result().tool_calls
    assert (first, second) == (ToolCall("call_1", "weather", '{"city":"Rome"} '), ToolCall("call_2", "weather", "{}"))
