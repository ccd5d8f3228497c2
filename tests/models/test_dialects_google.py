"""Google's generateContent against the examples of its documentation, in words of our own."""

from __future__ import annotations

from typing import Any

import pytest
from exchanges import AFTER_TOOLS, PLAIN, SCHEMA, WEATHER, body, read
from msgspec.structs import replace

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Message, Prediction, Token, ToolCall, Usage
from howgood.models.dialects import ErrorReply, MalformedReply, Takes
from howgood.models.dialects.google import Stream, decode, encode, headers, read_error, streamed

BUDGET, LEVEL = Takes(stops=False, thinking="budget"), Takes(stops=False, thinking="level")
COUNTS = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 900,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 300,
    "toolUsePromptTokenCount": 5,
    "totalTokenCount": 1325,
}
USAGE = Usage(input=1005, output=320, cached=900, reasoning=300)


def reply(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse"""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0} | more
    return {"candidates": [candidate], "usageMetadata": COUNTS, "modelVersion": "gemini-3.8-flash", "responseId": "r"}


CALL = {"functionCall": {"name": "weather", "args": {"city": "Rome"}, "id": "f1"}, "thoughtSignature": "EpcB"}
SCORED = {
    "chosenCandidates": [{"token": "42", "tokenId": 7, "logProbability": -0.5}],
    "topCandidates": [{"candidates": [{"token": "42", "logProbability": -0.5}, {"token": "43", "logProbability": -2}]}],
}
BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 8}}
REPLIES: dict[str, tuple[dict[str, Any], Prediction]] = {
    "plain": (reply({"text": "42"}), Prediction(text="42", stop_reason="stop", usage=USAGE)),
    "cut": (reply({"text": "4"}, finish="MAX_TOKENS"), Prediction(text="4", stop_reason="length", usage=USAGE)),
    # https://ai.google.dev/gemini-api/docs/thinking
    "reasoning": (
        reply({"text": "six sevens", "thought": True}, {"text": "42"}),
        Prediction(text="42", reasoning="six sevens", stop_reason="stop", usage=USAGE),
    ),
    "cut inside the thinking": (
        {"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}], "usageMetadata": COUNTS},
        Prediction(text="", stop_reason="length", usage=USAGE),
    ),
    # https://ai.google.dev/gemini-api/docs/function-calling
    "tool": (
        reply(CALL),
        Prediction(
            text="", stop_reason="tool", tool_calls=(ToolCall("f1", "weather", '{"city":"Rome"}'),), usage=USAGE
        ),
    ),
    "tools without ids": (
        reply({"functionCall": {"name": "f"}}, {"functionCall": {"name": "g", "args": {}}}),
        Prediction(
            text="",
            stop_reason="tool",
            tool_calls=(ToolCall("howgood-call-0", "f", "{}"), ToolCall("howgood-call-1", "g", "{}")),
            usage=USAGE,
        ),
    ),
    "logprobs": (
        reply({"text": "42"}, logprobsResult=SCORED),
        Prediction(text="42", stop_reason="stop", tokens=(Token("42", -0.5, {"42": -0.5, "43": -2.0}),), usage=USAGE),
    ),
    # https://ai.google.dev/gemini-api/docs/safety-settings
    "blocked prompt": (BLOCKED, Prediction(text="", stop_reason="filter", usage=Usage(input=8))),
    "malformed call": (
        reply(finish="MALFORMED_FUNCTION_CALL"),
        Prediction(text="", stop_reason=None, usage=USAGE),
    ),
} | {
    reason: (reply(finish=reason), Prediction(text="", stop_reason="filter", usage=USAGE))
    for reason in ("SAFETY", "PROHIBITED_CONTENT", "RECITATION", "SPII", "BLOCKLIST")
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    given, prediction = REPLIES[name]
    assert decode(body(given)) == prediction


@pytest.mark.parametrize("name", [name for name in REPLIES if name != "tools without ids"])
def test_streams_come_to_the_same(name: str) -> None:
    """Each piece is a reply of its own; the last one tells why it ended, and what it all took."""
    given, prediction = REPLIES[name]
    pieces: list[Any] = []
    for candidate in given.get("candidates", ()):
        for part in candidate.get("content", {}).get("parts", ()):
            words = part.get("text", "")
            split = [part | {"text": words[:1]}, part | {"text": words[1:]}] if words else [part]
            pieces += [
                {"candidates": [{"content": {"parts": [p], "role": "model"}, "index": 0}], "usageMetadata": {}}
                for p in split
            ]
        last = {key: value for key, value in candidate.items() if key != "content"}
        pieces.append({"candidates": [last], "usageMetadata": given["usageMetadata"]})
    got, result = read(Stream(), pieces or [given])
    assert result == prediction
    assert "".join(got) == prediction.text


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    half = {"candidates": [{"content": {"parts": [{"text": "4"}], "role": "model"}, "index": 0}]}
    with pytest.raises(MalformedReply, match="ended before"):
        read(Stream(), [half])
    with pytest.raises(ErrorReply, match="overloaded") as caught:
        read(Stream(), [half, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}])
    assert caught.value.code == 503


@pytest.mark.parametrize(
    "given", [{"candidates": []}, {}, reply({"text": "4"}, finish=None), reply(finish="OTHER"), {"candidates": [{}]}]
)
def test_what_is_no_answer(given: dict[str, Any]) -> None:
    with pytest.raises(MalformedReply):
        decode(body(given))


class TestEncode:
    def test_plain(self) -> None:
        request = replace(PLAIN, stop=("\n",), seed=4, temperature=0.5, top_p=0.9)
        path, sent = encode("gemini-2.0-flash", request, Takes())
        assert path == "models/gemini-2.0-flash:generateContent"
        assert sent == {
            "contents": [{"role": "user", "parts": [{"text": "6 x 7?"}]}],
            "generationConfig": {
                "maxOutputTokens": 32,
                "temperature": 0.5,
                "topP": 0.9,
                "seed": 4,
                "stopSequences": ["\n"],
            },
        }
        assert streamed(path, sent) == ("models/gemini-2.0-flash:streamGenerateContent?alt=sse", sent)

    def test_names(self) -> None:
        assert encode("tunedModels/mine", PLAIN, Takes())[0] == "tunedModels/mine:generateContent"
        assert encode("a?key=b#c", PLAIN, Takes())[0] == "models/a%3Fkey%3Db%23c:generateContent"

    def test_tools_images_and_results(self) -> None:
        _, sent = encode("m", AFTER_TOOLS, LEVEL)
        assert sent["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        assert sent["contents"] == [
            {
                "role": "user",
                "parts": [
                    {"text": "Where is this, and is it warm?"},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "I look."},
                    {
                        "functionCall": {"name": "weather", "args": {"city": "Rome"}, "id": "a1"},
                        "thoughtSignature": "skip_thought_signature_validator",
                    },
                    {"functionCall": {"name": "weather", "args": {"invalid": "{oops"}, "id": "a2"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"result": "21 degrees"}, "id": "a1"}},
                    {"functionResponse": {"name": "weather", "response": {"result": "no such city"}, "id": "a2"}},
                ],
            },
        ]
        assert sent["tools"] == [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "The weather in a city.",
                        "parametersJsonSchema": WEATHER.parameters,
                    }
                ]
            }
        ]

    def test_ids_of_our_own_are_not_sent_and_name_the_call_before(self) -> None:
        turns = [
            Message("user", "?"),
            Message("assistant", "", (ToolCall("howgood-call-0", "f", "{}"),)),
            Message("tool", "1", tool_call_id="howgood-call-0"),
            Message("assistant", "", (ToolCall("howgood-call-0", "g", "{}"),)),
            Message("tool", "2", tool_call_id="howgood-call-0"),
        ]
        _, sent = encode("m", Generate(tuple(turns)), LEVEL)
        results = [
            part["functionResponse"] for c in sent["contents"] for part in c["parts"] if "functionResponse" in part
        ]
        assert results == [{"name": "f", "response": {"result": "1"}}, {"name": "g", "response": {"result": "2"}}]

    @pytest.mark.parametrize(
        ("change", "takes", "config"),
        [
            ({"effort": "low"}, LEVEL, {"thinkingLevel": "low", "includeThoughts": True}),
            ({"thinking": 500}, LEVEL, {"thinkingBudget": 500, "includeThoughts": True}),
            ({"thinking": 500}, BUDGET, {"thinkingBudget": 500, "includeThoughts": True}),
            ({"thinking": 0}, BUDGET, {"thinkingBudget": 0, "includeThoughts": False}),
            ({"effort": "none"}, BUDGET, {"thinkingBudget": 0}),
        ],
    )
    def test_thinking(self, change: dict[str, Any], takes: Takes, config: dict[str, Any]) -> None:
        _, sent = encode("m", replace(PLAIN, **change, stop=("\n",)), takes)
        assert sent["generationConfig"]["thinkingConfig"] == config
        assert "stopSequences" not in sent["generationConfig"]

    @pytest.mark.parametrize(
        ("change", "takes", "words"),
        [
            ({"effort": "max"}, LEVEL, "minimal, low, medium, high"),
            ({"effort": "none"}, LEVEL, "minimal, low, medium, high"),
            ({"effort": "low"}, BUDGET, "takes a thinking budget"),
            ({"effort": "low"}, Takes(), "cannot be told"),
            ({"thinking": 5}, Takes(), "no thinking budget"),
            ({"thinking": 5, "effort": "low"}, LEVEL, "not both"),
        ],
    )
    def test_what_cannot_be_said_is_not_sent(self, change: dict[str, Any], takes: Takes, words: str) -> None:
        with pytest.raises(Unsupported, match=words):
            encode("m", replace(PLAIN, **change), takes)

    def test_schema_and_logprobs(self) -> None:
        _, sent = encode("m", replace(PLAIN, schema=SCHEMA, logprobs=3), Takes())
        config = sent["generationConfig"]
        assert (config["responseMimeType"], config["responseJsonSchema"]) == ("application/json", SCHEMA)
        assert (config["responseLogprobs"], config["logprobs"]) == (True, 3)


def test_headers() -> None:
    assert headers("k") == {"x-goog-api-key": "k"}
    assert headers("") == {}


def test_errors() -> None:
    # https://ai.google.dev/gemini-api/docs/troubleshooting
    wrong = {
        "code": 400,
        "message": "API key not valid.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
    got = read_error(body({"error": wrong}))
    assert (str(got), got.code, got.fatal) == ("API key not valid.", 400, True)
    long = {"code": 400, "message": "The input token count exceeds the maximum.", "status": "INVALID_ARGUMENT"}
    got = read_error(body([{"error": long}]))  # as a stream begins
    assert (str(got), got.code, got.fatal) == (long["message"], 400, False)
    with pytest.raises(ErrorReply, match="exceeds"):
        decode(body({"error": long}))
