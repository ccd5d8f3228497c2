"""The official `anthropic` client drives the gateway as it drives Anthropic."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from scripted import Scripted, says, uses_tools

from howgood.core.errors import RequestError
from howgood.core.types import Generate, Image, Message, Text, Tool, ToolCall, Usage
from howgood.models.base import Capabilities, Model
from howgood.models.gateway import Gateway, Key
from howgood.models.reference import Constant

anthropic = pytest.importorskip("anthropic", reason="needs the extra `dev`")

HELLO: Any = [{"role": "user", "content": "Hello"}]
PIXEL: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/jpeg", "data": base64.b64encode(b"pixel").decode()},
}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"name": "weather", "description": "The weather in a city", "input_schema": CITY}


def client(gateway: Gateway, key: str = "none needed") -> Any:
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key=key)


async def test_a_message() -> None:
    model = Constant(text="Hello world")
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.messages.create(model=model.name, messages=HELLO, max_tokens=5)
        listed = await ask.models.list()
    [block] = reply.content
    assert (block.type, block.text) == ("text", "Hello")
    assert (reply.role, reply.type, reply.model, reply.stop_reason) == (
        "assistant", "message", model.name, "max_tokens",
    )  # fmt: skip
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (len("[user]\nHello"), 5)
    assert [m.id for m in listed.data] == [model.name]


async def test_every_field_reaches_the_model() -> None:
    usage = Usage(100, 20, cached=60, reasoning=12, cache_writes=30)
    model = Scripted(says("Sunny.", reasoning="Rome, so sunny.", usage=usage))
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, PIXEL]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "t2", "name": "weather", "input": {"city": "Bern"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "rain"}, PIXEL]},
            {"type": "text", "text": "So?"},
        ]},
    ]  # fmt: skip
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.messages.create(
            model="scripted",
            max_tokens=4096,
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            messages=messages,
            stop_sequences=["END"],
            tools=[WEATHER],
            thinking={"type": "enabled", "budget_tokens": 2048},
            output_config={"effort": "low", "format": {"type": "json_schema", "schema": CITY}},
            extra_body={"temperature": 0.5, "top_p": 0.9},
        )
    image = Image(b"pixel", "image/jpeg")
    calls = (ToolCall("t1", "weather", '{"city":"Rome"}'), ToolCall("t2", "weather", '{"city":"Bern"}'))
    assert model.asked == [
        Generate(
            (
                Message("system", "Be brief."),
                Message("user", (Text("What is this?"), image)),
                Message("assistant", "I look.", calls),
                Message("tool", "sunny", tool_call_id="t1"),
                Message("tool", (Text("rain"), image), tool_call_id="t2"),
                Message("user", "So?"),
            ),
            max_tokens=4096,
            temperature=0.5,
            top_p=0.9,
            stop=("END",),
            tools=(Tool("weather", "The weather in a city", CITY),),
            schema=CITY,
            effort="low",
            thinking=2048,
        )
    ]
    assert [block.type for block in reply.content] == ["thinking", "text"]
    assert reply.content[0].thinking == "Rome, so sunny."
    assert reply.usage.input_tokens == 10
    assert reply.usage.cache_read_input_tokens == 60
    assert reply.usage.cache_creation_input_tokens == 30
    assert reply.usage.output_tokens_details.thinking_tokens == 12


async def test_a_stream_has_the_documented_events() -> None:
    model = Scripted(says("one two ", usage=Usage(9, 4), stop_reason="length"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        stream = await ask.messages.create(model="scripted", max_tokens=9, messages=HELLO, stream=True)
        raw = [event.type async for event in stream]
        async with ask.messages.stream(model="scripted", max_tokens=9, messages=HELLO) as helped:
            pieces = [piece async for piece in helped.text_stream]
            whole = await helped.get_final_message()
    assert raw == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert pieces == ["one ", "two "]
    assert whole.content[0].text == "one two "
    assert whole.stop_reason == "max_tokens"
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (9, 4)


async def test_thinking_and_tools_are_streamed_in_blocks_of_their_own() -> None:
    calls = (ToolCall("t1", "weather", '{"city":"Rome"}'), ToolCall("t2", "weather", ""))
    model = Scripted(says("I look. ", reasoning="Hm.", tool_calls=calls, stop_reason="tool"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        kwargs: Any = {"model": "scripted", "max_tokens": 99, "messages": HELLO, "tools": [WEATHER]}
        async with ask.messages.stream(**kwargs) as stream:
            streamed = await stream.get_final_message()
        whole = await ask.messages.create(**kwargs)

    def told(message: Any) -> list[Any]:
        return sorted((b.type, getattr(b, "text", None), getattr(b, "input", None)) for b in message.content[:2])

    assert {b.type for b in streamed.content} == {"text", "thinking", "tool_use"}
    assert told(streamed) == told(whole)
    for message in (streamed, whole):
        assert [(b.id, b.name, b.input) for b in message.content[2:]] == [
            ("t1", "weather", {"city": "Rome"}),
            ("t2", "weather", {}),
        ]
        assert message.stop_reason == "tool_use"


async def test_a_tool_is_called_and_its_result_used() -> None:
    model = Scripted(uses_tools)
    async with Gateway(model) as gateway, client(gateway) as ask:
        asked: Any = [{"role": "user", "content": "Weather in Paris?"}]
        first = await ask.messages.create(model="scripted", max_tokens=99, messages=asked, tools=[WEATHER])
        [call] = first.content
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "raining"}
        more: Any = [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        second = await ask.messages.create(model="scripted", max_tokens=99, messages=asked + more, tools=[WEATHER])
    assert (call.type, call.name, call.input, first.stop_reason) == (
        "tool_use",
        "weather",
        {"city": "Paris"},
        "tool_use",
    )
    assert second.content[0].text == "It is raining."


async def test_arguments_that_are_no_object_are_an_error() -> None:
    model = Scripted(says("", tool_calls=(ToolCall("t1", "weather", '{"city": '),), stop_reason="tool"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        with pytest.raises(anthropic.InternalServerError, match="no JSON object"):
            await ask.messages.create(model="scripted", max_tokens=9, messages=HELLO, tools=[WEATHER])
        with pytest.raises(anthropic.APIError, match="no JSON object"):
            async with ask.messages.stream(model="scripted", max_tokens=9, messages=HELLO, tools=[WEATHER]) as stream:
                await stream.get_final_message()


NOTHING = Capabilities(generate=True, chat=True)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"model": "claude-9"}, "NotFoundError", "there is no model 'claude-9' here, only 'scripted'"),
        ({"messages": []}, "BadRequestError", "$.messages"),
        ({"max_tokens": 0}, "BadRequestError", "$.max_tokens"),
        ({"tools": [WEATHER]}, "BadRequestError", "scripted cannot call tools"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "BadRequestError", "$.tools[0]"),
        ({"tool_choice": {"type": "any"}}, "BadRequestError", "tool_choice"),
        ({"messages": [{"role": "user", "content": [PIXEL]}]}, "BadRequestError", "scripted cannot take images"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "BadRequestError", "fewer than max_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8}}, "BadRequestError", "told how long to think"),
        ({"extra_body": {"top_k": 5}}, "BadRequestError", "top_k"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
            "BadRequestError",
            "'document'",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "1", "name": "x", "input": {}}]}]},
            "BadRequestError",
            "belongs to a message of the assistant",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_with_words(fields: dict[str, Any], error: str, words: str) -> None:
    model = Scripted(says("yes"), NOTHING)
    async with Gateway(model) as gateway, client(gateway) as ask:
        with pytest.raises(getattr(anthropic, error)) as caught:
            await ask.messages.create(**{"model": "scripted", "max_tokens": 9, "messages": HELLO, **fields})
    assert words in str(caught.value)
    assert model.asked == []


async def test_errors_are_of_the_dialects_types() -> None:
    keys = {"alice": Key("alices-secret-key"), "bob": Key("bobs-secret-key", tokens=1)}
    model = Scripted(lambda request: RequestError("the server is gone", fatal=True))
    asked: Any = {"model": "scripted", "max_tokens": 9, "messages": HELLO}
    async with Gateway(model, keys=keys) as gateway:
        for key, error, kind in (
            ("wrong", "AuthenticationError", "authentication_error"),
            ("bobs-secret-key", "RateLimitError", "billing_error"),
            ("alices-secret-key", "InternalServerError", "api_error"),
        ):
            async with client(gateway, key) as ask:
                with pytest.raises(getattr(anthropic, error)) as caught:
                    await ask.messages.create(**asked)
            assert caught.value.body["type"] == "error"
            assert caught.value.body["error"]["type"] == kind
    assert len(model.asked) == 1


class Breaks(Model):
    """Breaks in the middle of its answer."""

    name, capabilities = "breaks", NOTHING

    async def stream(self, request: Generate) -> Any:
        yield "half "
        raise RequestError("the engine died")


async def test_a_stream_that_breaks_ends_in_an_error() -> None:
    async with Gateway(Breaks()) as gateway, client(gateway) as ask:
        stream = await ask.messages.create(model="breaks", max_tokens=9, messages=HELLO, stream=True)
        kinds = [(await anext(stream)).type for _ in range(3)]
        with pytest.raises(anthropic.APIError, match="the engine died"):
            await anext(stream)
    assert kinds == ["message_start", "content_block_start", "content_block_delta"]
