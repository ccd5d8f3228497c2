"""The official `openai` client drives the gateway as it drives OpenAI."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, says, uses_tools

from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Image, Loglikelihood, Message, Text, Token, Tool, ToolCall, Usage
from howgood.models.base import Capabilities, Echo, Model
from howgood.models.gateway import Gateway, Key
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.reference import Constant, FittedNgram, NgramSource, Uniform

openai = pytest.importorskip("openai", reason="needs the extra `dev`")

HELLO: Any = [{"role": "user", "content": "Hello"}]
PIXEL = base64.b64encode(b"\x89PNG pixel").decode()
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def client(gateway: Gateway, key: str = "none needed") -> Any:
    return openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=key)


@pytest.fixture
def fitted(tmp_path: Path) -> FittedNgram:
    file = tmp_path / "text"
    file.write_text("the cat sat on the mat, the rat ate the hat of the cat. " * 3 + "é")
    return FittedNgram(file=str(file))


async def test_a_chat() -> None:
    model = Constant(text="Hello world")
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.chat.completions.create(model=model.name, messages=HELLO, max_tokens=5)
        listed = await ask.models.list()
    [choice] = reply.choices
    assert choice.message.content == "Hello"
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "length"
    assert reply.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": len("[user]\nHello"),
        "completion_tokens": 5,
        "total_tokens": len("[user]\nHello") + 5,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "cost": 0.0,
    }
    assert [m.id for m in listed.data] == [model.name]


async def test_every_field_reaches_the_model() -> None:
    model = Scripted(says("{}", reasoning="Let me think."))
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]  # fmt: skip
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.chat.completions.create(
            model="scripted",
            messages=messages,
            max_completion_tokens=77,
            temperature=0.5,
            top_p=0.9,
            stop=["\n", "END"],
            seed=5,
            tools=[WEATHER],
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
            reasoning_effort="low",
            logprobs=True,
            top_logprobs=2,
            user="somebody",
            metadata={"ignored": "yes"},
        )
    assert model.asked == [
        Generate(
            (
                Message("system", "Be brief."),
                Message("user", (Text("What is this?"), Image(b"\x89PNG pixel", "image/png"))),
                Message("assistant", "", (ToolCall("c1", "weather", '{"city": "Rome"}'),)),
                Message("tool", "sunny", tool_call_id="c1"),
            ),
            max_tokens=77,
            temperature=0.5,
            top_p=0.9,
            stop=("\n", "END"),
            seed=5,
            tools=(Tool("weather", "The weather in a city", WEATHER["function"]["parameters"]),),
            schema=schema,
            effort="low",
            logprobs=2,
        )
    ]
    assert reply.choices[0].message.reasoning_content == "Let me think."


async def test_what_is_not_said_is_openais_default() -> None:
    model = Scripted(says("yes"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        await ask.chat.completions.create(model="scripted", messages=HELLO)
        await ask.completions.create(model="scripted", prompt="Hello")
    assert model.asked == [
        Generate((Message("user", "Hello"),), max_tokens=1024, temperature=1.0),
        Generate("Hello", max_tokens=16, temperature=1.0),
    ]


async def test_a_stream_comes_piece_by_piece() -> None:
    tokens = (Token("one ", -0.5, {"one ": -0.5}), Token("two", -0.25))
    model = Scripted(says("one two", reasoning="hm", tokens=tokens, stop_reason="length"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        stream = await ask.chat.completions.create(
            model="scripted", messages=HELLO, stream=True, logprobs=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert [c.choices[0].delta.content for c in chunks[:3]] == ["", "one ", "two "]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[3].choices[0].delta.reasoning_content == "hm"
    assert [(t.token, t.logprob) for t in chunks[3].choices[0].logprobs.content] == [("one ", -0.5), ("two", -0.25)]
    assert [c.choices[0].finish_reason for c in chunks[:-1]] == [None, None, None, None, "length"]
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (3, 2)
    assert len({c.id for c in chunks}) == 1


async def test_a_tool_is_called_and_its_result_used() -> None:
    model = Scripted(uses_tools)
    async with Gateway(model) as gateway, client(gateway) as ask:
        asked: Any = [{"role": "user", "content": "Weather in Paris?"}]
        first = await ask.chat.completions.create(model="scripted", messages=asked, tools=[WEATHER])
        message = first.choices[0].message
        [call] = message.tool_calls
        result: Any = {"role": "tool", "tool_call_id": call.id, "content": "raining"}
        second = await ask.chat.completions.create(
            model="scripted", messages=[*asked, message, result], tools=[WEATHER]
        )
        stream = await ask.chat.completions.create(model="scripted", messages=asked, tools=[WEATHER], stream=True)
        deltas = [chunk.choices[0] async for chunk in stream]
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    assert second.choices[0].message.content == "It is raining."
    [streamed] = [c for d in deltas for c in d.delta.tool_calls or ()]
    assert (streamed.index, streamed.id, streamed.function.arguments) == (0, "call_1", '{"city":"Paris"}')
    assert deltas[-1].finish_reason == "tool_calls"


async def test_an_answer_is_parsed_by_its_schema() -> None:
    pydantic = pytest.importorskip("pydantic")

    class City(pydantic.BaseModel):  # type: ignore[name-defined,misc]
        name: str
        inhabitants: int

    model = Scripted(says('{"name": "Bern", "inhabitants": 134000}'))
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.chat.completions.parse(model="scripted", messages=HELLO, response_format=City)
        await ask.chat.completions.create(model="scripted", messages=HELLO, response_format={"type": "json_object"})
    assert reply.choices[0].message.parsed == City(name="Bern", inhabitants=134000)
    assert model.asked[0].schema is not None
    assert model.asked[0].schema["required"] == ["name", "inhabitants"]
    assert model.asked[1].schema == {"type": "object"}


async def test_log_probabilities_of_an_answer_are_the_models(fitted: FittedNgram) -> None:
    async with Gateway(fitted) as gateway, client(gateway) as ask:
        reply = await ask.chat.completions.create(
            model=fitted.name, messages=HELLO, temperature=0, max_tokens=12, logprobs=True, top_logprobs=3
        )
    [choice] = reply.choices
    places = choice.logprobs.content
    prompt = (Message("user", "Hello"),)
    direct = await fitted.loglikelihood(Loglikelihood(prompt, (choice.message.content,)))
    assert "".join(place.token for place in places) == choice.message.content
    assert tuple(place.logprob for place in places) == direct.likelihoods[0].token_logprobs
    assert all(len(place.top_logprobs) == 3 for place in places)
    assert all(place.top_logprobs[0].logprob == place.logprob for place in places)  # greedy


async def test_several_answers_are_several_samples() -> None:
    model = Uniform()
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.completions.create(model=model.name, prompt=["a", "b"], n=2, seed=7, max_tokens=8)
    texts = [choice.text for choice in reply.choices]
    direct = [
        (await model.generate(Generate(prompt, max_tokens=8, temperature=1.0, seed=seed))).text
        for prompt in "ab"
        for seed in (7, 8)
    ]
    assert texts == direct
    assert len(set(texts)) == 4
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]
    assert reply.usage.completion_tokens == 32


async def test_an_echo_has_the_texts_own_log_probabilities() -> None:
    model = NgramSource(order=3)
    async with Gateway(model) as gateway, client(gateway) as ask:
        reply = await ask.completions.create(
            model=model.name, prompt=["abcd", "dda"], echo=True, logprobs=2, max_tokens=1, temperature=0
        )
        alone = await ask.completions.create(model=model.name, prompt="abcd", echo=True, logprobs=1, max_tokens=0)
        plain = await ask.completions.create(model=model.name, prompt="ab", echo=True, max_tokens=2, temperature=0)
    for prompt, choice in zip(["abcd", "dda"], reply.choices, strict=True):
        direct = await model.loglikelihood(Loglikelihood("", (choice.text,)))
        assert choice.text.startswith(prompt)
        assert choice.logprobs.tokens == list(choice.text)
        assert tuple(choice.logprobs.token_logprobs) == direct.likelihoods[0].token_logprobs
        assert choice.logprobs.text_offset == list(range(len(prompt) + 1))
        best = [max(top, key=top.get) for top in choice.logprobs.top_logprobs]
        assert best[-1] == choice.text[-1]
        assert all(len(top) in (2, 3) for top in choice.logprobs.top_logprobs)
    assert alone.choices[0].text == "abcd"
    assert alone.choices[0].logprobs.token_logprobs == reply.choices[0].logprobs.token_logprobs[:4]
    assert alone.usage.completion_tokens == 0
    assert plain.choices[0].text[:2] == "ab"
    assert plain.choices[0].logprobs is None


async def test_a_completion_is_streamed() -> None:
    model = Scripted(says("one two"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        stream = await ask.completions.create(model="scripted", prompt="x", stream=True)
        chunks = [chunk async for chunk in stream]
    assert [c.choices[0].text for c in chunks] == ["one ", "two ", ""]
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_refusal_and_a_filter_are_told_apart() -> None:
    for reason, finish in (("refusal", "stop"), ("filter", "content_filter")):
        async with Gateway(Scripted(says("I cannot", stop_reason=reason))) as gateway, client(gateway) as ask:
            reply = await ask.chat.completions.create(model="scripted", messages=HELLO)
        [choice] = reply.choices
        assert choice.finish_reason == finish
        assert choice.message.refusal == ("I cannot" if reason == "refusal" else None)


NOTHING = Capabilities(generate=True, chat=True)


def sees(url: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"model": "gpt-9"}, "NotFoundError", "there is no model 'gpt-9' here, only 'scripted'"),
        ({"messages": []}, "BadRequestError", "$.messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "BadRequestError", "$.messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "BadRequestError", "tool_call_id"),
        ({"messages": [{"role": "user"}]}, "BadRequestError", "no content"),
        (sees("http://x/y.png"), "BadRequestError", "nothing is fetched"),
        (sees("data:image/png;base64,?"), "BadRequestError", "not base64"),
        (sees("data:text/html;base64,AAAA"), "BadRequestError", "media type"),
        ({"max_tokens": 0}, "BadRequestError", "$.max_tokens"),
        ({"temperature": -1}, "BadRequestError", "$.temperature"),
        ({"tools": [WEATHER]}, "BadRequestError", "scripted cannot call tools"),
        ({"logprobs": True}, "BadRequestError", "scripted cannot give log-probabilities"),
        ({"top_logprobs": 2}, "BadRequestError", "needs logprobs"),
        ({"response_format": {"type": "json_object"}}, "BadRequestError", "scripted cannot hold its answer"),
        ({"reasoning_effort": "high"}, "BadRequestError", "scripted cannot be told how long to think"),
        ({"frequency_penalty": 0.5}, "BadRequestError", "frequency_penalty is not supported"),
        ({"tool_choice": "required"}, "BadRequestError", "tool_choice"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_words(fields: dict[str, Any], error: str, words: str) -> None:
    model = Scripted(says("yes"), NOTHING)
    async with Gateway(model) as gateway, client(gateway) as ask:
        with pytest.raises(getattr(openai, error)) as caught:
            await ask.chat.completions.create(**{"model": "scripted", "messages": HELLO, **fields})
        with pytest.raises(openai.BadRequestError, match="cannot continue raw text"):
            await ask.completions.create(model="scripted", prompt="x")
    assert words in str(caught.value)
    assert model.asked == []


async def test_penalties_that_change_nothing_are_no_reason_to_refuse() -> None:
    model = Scripted(says("yes"))
    async with Gateway(model) as gateway, client(gateway) as ask:
        await ask.chat.completions.create(
            model="scripted", messages=HELLO, frequency_penalty=0, presence_penalty=0.0, parallel_tool_calls=True
        )
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (Unsupported("it cannot"), "BadRequestError", "it cannot"),
        (RequestError("the prompt is too long"), "BadRequestError", "the prompt is too long"),
        (RequestError("the server is gone", fatal=True), "InternalServerError", "the server is gone"),
        (ZeroDivisionError("secret path"), "InternalServerError", "ZeroDivisionError"),
    ],
)
async def test_errors_of_the_model_are_the_clients_typed_errors(raised: Exception, error: str, words: str) -> None:
    model = Scripted(lambda request: raised)
    async with Gateway(model) as gateway, client(gateway) as ask:
        for stream in (False, True):
            with pytest.raises(getattr(openai, error)) as caught:
                await ask.chat.completions.create(model="scripted", messages=HELLO, stream=stream)
            assert words in str(caught.value)
            assert "secret path" not in str(caught.value)
    assert len(model.asked) == 2  # no client tried again


async def test_a_prediction_that_is_an_error_is_no_answer() -> None:
    async with Gateway(Scripted(says("", error="no recorded answer"))) as gateway, client(gateway) as ask:
        with pytest.raises(openai.BadRequestError, match="no recorded answer"):
            await ask.chat.completions.create(model="scripted", messages=HELLO)


class Breaks(Model):
    """Breaks in the middle of its answer."""

    name, capabilities = "breaks", NOTHING

    async def stream(self, request: Generate) -> Any:
        yield "half "
        raise RequestError("the engine died")


async def test_a_stream_that_breaks_ends_in_an_error() -> None:
    async with Gateway(Breaks()) as gateway, client(gateway) as ask:
        stream = await ask.chat.completions.create(model="breaks", messages=HELLO, stream=True)
        pieces = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
        with pytest.raises(openai.APIError, match="the engine died"):
            await anext(stream)
    assert pieces == ["", "half "]


async def test_a_key_is_asked_for() -> None:
    keys = {"alice": Key("alices-secret-key"), "bob": Key("bobs-secret-key", tokens=1)}
    model = Constant()
    async with Gateway(model, keys=keys) as gateway:
        async with client(gateway, "wrong") as ask:
            with pytest.raises(openai.AuthenticationError, match="wants a key") as wrong:
                await ask.models.list()
        async with client(gateway, "alices-secret-key") as ask:
            await ask.chat.completions.create(model=model.name, messages=HELLO)
        async with client(gateway, "bobs-secret-key") as ask:
            with pytest.raises(openai.RateLimitError, match="has 1 of 1 tokens left") as over:
                await ask.chat.completions.create(model=model.name, messages=HELLO)
    assert wrong.value.code == "invalid_api_key"
    assert (over.value.code, over.value.type) == ("insufficient_quota", "insufficient_quota")


@pytest.mark.xdist_group("smollm2")
async def test_a_real_model_is_served(smollm2: HuggingFaceModel) -> None:
    """Its answer is its own, and the log-probabilities of a text's tokens are those that it scores texts by."""
    text = "The capital of France is Paris, naïvely 🙂."
    async with Gateway(smollm2) as gateway, client(gateway) as ask:
        question: Any = [{"role": "user", "content": "What is the capital of France?"}]
        reply = await ask.chat.completions.create(
            model=smollm2.name, messages=question, temperature=0, max_tokens=12, logprobs=True, top_logprobs=2
        )
        echoed = await ask.completions.create(
            model=smollm2.name, prompt=text, echo=True, logprobs=1, max_tokens=1, temperature=0
        )
    prompt = (Message("user", "What is the capital of France?"),)
    direct = await smollm2.generate(Generate(prompt, max_tokens=12, logprobs=2))
    [choice] = reply.choices
    assert choice.message.content == direct.text
    assert "Paris" in (direct.text or "")
    assert "".join(place.token for place in choice.logprobs.content) == direct.text
    [scored] = (await smollm2.loglikelihood(Loglikelihood(prompt, (direct.text or "",)))).likelihoods
    found = [place.logprob for place in choice.logprobs.content]
    assert found == pytest.approx(scored.token_logprobs[1:], abs=1e-3)  # the first is the template's line break
    given = echoed.choices[0].logprobs
    assert "".join(given.tokens) == echoed.choices[0].text
    assert given.tokens[0] == "The"
    assert given.token_logprobs[0] is None
    [rest] = (await smollm2.loglikelihood(Loglikelihood("The", (text[3:],)))).likelihoods
    assert given.token_logprobs[1:-1] == pytest.approx(rest.token_logprobs, abs=1e-3)
    greedy = [p >= max(top.values()) for p, top in zip(given.token_logprobs[1:], given.top_logprobs[1:], strict=True)]
    assert all(greedy[:-1]) is rest.greedy
    assert greedy[-1]
    echo = await smollm2.echo(Echo(text))
    assert (echo.text, len(echo.tokens)) == ("The", rest.tokens)
    assert echo.usage == Usage(rest.tokens + 1)
    assert math.isclose(sum(token.logprob for token in echo.tokens), rest.logprob, rel_tol=1e-4)
