"""OpenAI's /responses against the examples of its documentation, in words of our own."""

from __future__ import annotations

from typing import Any

import pytest
from exchanges import AFTER_TOOLS, PLAIN, SCHEMA, WEATHER, body, read
from msgspec.structs import replace

from howgood.core.errors import Unsupported
from howgood.core.types import Prediction, Token, ToolCall, Usage
from howgood.models.dialects import ErrorReply, MalformedReply, Takes
from howgood.models.dialects.responses import Stream, decode, encode, headers

USAGE = Usage(input=75, output=120, cached=64, reasoning=96, cache_writes=8)


def response(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/responses/object"""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476777,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-mini",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
            "output_tokens": 120,
            "output_tokens_details": {"reasoning_tokens": 96},
            "total_tokens": 195,
        },
    } | more


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": list(content)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []} | more


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "six sevens"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'}
SCORED = [{"token": "42", "bytes": [52, 50], "logprob": -0.5, "top_logprobs": []}]
REPLIES: dict[str, tuple[dict[str, Any], Prediction]] = {
    "plain": (response(message(text("42"))), Prediction(text="42", stop_reason="stop", usage=USAGE)),
    "reasoning": (
        response(THOUGHT, message(text("42"))),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    "refusal": (
        response(message({"type": "refusal", "refusal": "I cannot help."})),
        Prediction(text="I cannot help.", stop_reason="refusal", usage=USAGE),
    ),
    "tool": (
        response({"type": "reasoning", "id": "rs_1", "summary": []}, CALL),
        Prediction(
            text="", stop_reason="tool", tool_calls=(ToolCall("call_1", "weather", '{"city":"Rome"}'),), usage=USAGE
        ),
    ),
    "logprobs": (
        response(message(text("42", logprobs=SCORED))),
        Prediction(text="42", stop_reason="stop", tokens=(Token("42", -0.5),), usage=USAGE),
    ),
    # https://platform.openai.com/docs/guides/reasoning: a budget that ends inside the thinking
    "cut inside the thinking": (
        response(THOUGHT, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        Prediction(text="", reasoning="six sevens", stop_reason="length", usage=USAGE),
    ),
    "filtered": (
        response(message(text("4")), status="incomplete", incomplete_details={"reason": "content_filter"}),
        Prediction(text="4", stop_reason="filter", usage=USAGE),
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    reply, prediction = REPLIES[name]
    assert decode(body(reply)) == prediction


@pytest.mark.parametrize("name", REPLIES)
def test_the_recorded_replies_have_the_official_form(name: str) -> None:
    types = pytest.importorskip("openai.types.responses")
    types.Response.model_validate(REPLIES[name][0])


@pytest.mark.parametrize("name", REPLIES)
def test_streams_come_to_the_same(name: str) -> None:
    """https://platform.openai.com/docs/api-reference/responses-streaming"""
    reply, prediction = REPLIES[name]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 2, "logprobs": []}
    events: list[Any] = [
        {"type": "response.created", "response": reply | {"status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "delta": "4", **place},
        {"type": "response.reasoning_summary_text.delta", "delta": "six", **place},
        {"type": "response.output_text.delta", "delta": "2", **place},
        {"type": f"response.{reply['status']}", "response": reply},
    ]
    assert read(Stream(), events) == (["4", "2"], prediction)
    with pytest.raises(MalformedReply, match="ended before"):
        read(Stream(), events[:-1])


@pytest.mark.parametrize(
    ("error", "code", "filtered"),
    [
        ({"code": "server_error", "message": "sorry"}, "server_error", False),
        ({"code": "rate_limit_exceeded", "message": "sorry"}, "rate_limit_exceeded", False),
        ({"code": "invalid_image", "message": "sorry"}, 400, False),
        ({"code": "bio_policy", "message": "sorry"}, 400, True),
        ({"code": "invalid_prompt", "message": "sorry: usage policy"}, 400, True),
    ],
)
def test_failures(error: dict[str, str], code: Any, filtered: bool) -> None:
    failed = response(status="failed", error=error)
    for act in (
        lambda: decode(body(failed)),
        lambda: read(Stream(), [{"type": "response.failed", "response": failed}]),
        lambda: read(Stream(), [{"type": "error", **error, "param": None, "sequence_number": 1}]),
    ):
        with pytest.raises(ErrorReply, match="sorry") as caught:
            act()
        assert (caught.value.code, caught.value.filtered) == (code, filtered)


def test_what_is_not_over_is_no_answer() -> None:
    for status in ("in_progress", "queued", "cancelled", None):
        with pytest.raises(MalformedReply, match="not complete"):
            decode(body(response(message(text("4")), status=status)))  # type: ignore[arg-type]


class TestEncode:
    def test_plain(self) -> None:
        path, sent = encode("gpt-4o", replace(PLAIN, stop=("\n",), seed=3, temperature=0.5), Takes())
        assert path == "responses"
        assert sent == {
            "model": "gpt-4o",
            "input": [{"role": "user", "content": "6 x 7?"}],
            "max_output_tokens": 32,
            "store": False,
            "temperature": 0.5,
        }

    def test_tools_images_and_results(self) -> None:
        _, sent = encode("m", AFTER_TOOLS, Takes())
        assert sent["input"] == [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Where is this, and is it warm?"},
                    {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw=="},
                ],
            },
            {"role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "a1", "name": "weather", "arguments": '{"city": "Rome"}'},
            {"type": "function_call", "call_id": "a2", "name": "weather", "arguments": "{oops"},
            {"type": "function_call_output", "call_id": "a1", "output": "21 degrees"},
            {"type": "function_call_output", "call_id": "a2", "output": "no such city"},
        ]
        assert sent["tools"] == [
            {
                "type": "function",
                "name": "weather",
                "description": "The weather in a city.",
                "parameters": WEATHER.parameters,
                "strict": False,
            }
        ]

    def test_reasoning_schema_and_logprobs(self) -> None:
        takes = Takes(sampling=False, thinking="effort")
        _, sent = encode("m", replace(PLAIN, effort="minimal", schema=SCHEMA, logprobs=4), takes)
        assert sent["reasoning"] == {"effort": "minimal"}
        assert sent["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}}
        assert (sent["include"], sent["top_logprobs"]) == (["message.output_text.logprobs"], 4)
        assert "temperature" not in sent
        for request in (replace(PLAIN, effort="low"), replace(PLAIN, thinking=5)):
            with pytest.raises(Unsupported):
                encode("m", request, Takes())

    def test_official_forms(self) -> None:
        types = pytest.importorskip("openai.types.responses")
        adapter = pytest.importorskip("pydantic").TypeAdapter
        request = replace(AFTER_TOOLS, schema=SCHEMA, effort="low", logprobs=2)
        _, sent = encode("m", request, Takes(thinking="effort"))
        adapter(types.response_create_params.ResponseCreateParamsNonStreaming).validate_python(sent)
        assert set(sent) <= set(types.response_create_params.ResponseCreateParamsBase.__annotations__)
        for item in sent["input"]:
            adapter(types.ResponseInputItemParam).validate_python(item)


def test_headers() -> None:
    assert headers("k") == {"Authorization": "Bearer k"}
    assert headers("") == {}
