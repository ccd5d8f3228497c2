"""howgood's own HTTP models in front of the gateway say what the model behind it says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from scripted import Scripted, says, uses_tools

from howgood.core.errors import RequestError
from howgood.core.types import (
    Generate,
    Image,
    Loglikelihood,
    Message,
    Prediction,
    Prompt,
    Rolling,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from howgood.models.base import Echo
from howgood.models.gateway import Gateway, Key
from howgood.models.http import HTTPModel
from howgood.models.reference import FittedNgram, NgramSource, Uniform
from howgood.models.registry import load_model

ASKED = (Message("system", "Be brief."), Message("user", (Text("What is this?"), Image(b"pixel", "image/png"))))
WEATHER = Tool("weather", "The weather in a city", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOWGOOD_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def served(gateway: Gateway, *options: str) -> HTTPModel:
    """The gateway's model, over HTTP."""
    model = load_model(",".join((f"{gateway.url}/v1#{gateway.model.name}", *options)))
    assert isinstance(model, HTTPModel)
    return model


def said(prediction: Prediction) -> Prediction:
    """A prediction without what depends on the way that it came."""
    return replace(prediction, latency=0.0, first_token=None, cost=None)


@pytest.mark.parametrize("stream", ["stream=false", "stream=true"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "answer",
    [
        says("An answer of some words. "),
        says("cut off ", stop_reason="length"),
        says("I cannot. ", stop_reason="refusal"),
        says("42 ", reasoning="6 times 7.", usage=Usage(50, 40, cached=20, reasoning=30, cache_writes=10)),
        says("", tool_calls=(ToolCall("c1", "weather", '{"city":"Rome"}'),), stop_reason="tool"),
        says('Ünïcode 🙂\n\n\u2028 and "quotes" '),
    ],
    ids=["plain", "length", "refusal", "reasoning", "tool", "unicode"],
)
async def test_a_prediction_comes_through_whole(answer: Any, dialect: str, stream: str) -> None:
    model = Scripted(answer)
    request = Generate(ASKED, max_tokens=64, temperature=0.25, top_p=0.5, stop=("END",), tools=(WEATHER,))
    async with Gateway(model) as gateway:
        http = served(gateway, f"dialect={dialect}", "images=true", stream)
        over_http = await http.generate(request)
        await http.close()
    assert model.asked == [request]
    assert said(over_http) == said(await model.generate(request))


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_conversation_with_a_tool(dialect: str) -> None:
    model = Scripted(uses_tools)
    question: tuple[Message, ...] = (Message("user", "Weather in Paris?"),)
    async with Gateway(model) as gateway:
        http = served(gateway, f"dialect={dialect}")
        first = await http.generate(Generate(question, tools=(WEATHER,)))
        turns = (Message("assistant", "", first.tool_calls), Message("tool", "raining", tool_call_id="call_1"))
        second = await http.generate(Generate(question + turns, tools=(WEATHER,)))
        await http.close()
    assert first.tool_calls == (ToolCall("call_1", "weather", '{"city":"Paris"}'),)
    assert second.text == "It is raining."
    assert model.asked[1].prompt == question + turns


async def test_samples_and_log_probabilities_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("the cat sat on the mat. " * 5)
    fitted = FittedNgram(file=str(tmp_path / "text"))
    prompts: tuple[Prompt, ...] = ("the c", (Message("user", "the c"),))
    requests = [
        *(Generate(prompt, max_tokens=20, temperature=0.0, logprobs=2) for prompt in prompts),
        Generate("the c", max_tokens=20, temperature=0.7, seed=3),
    ]
    async with Gateway(fitted) as gateway:
        http = served(gateway, "completion=true")
        for request in requests:
            assert said(await http.generate(request)) == said(await fitted.generate(request))
        await http.close()


@pytest.mark.parametrize("model", [NgramSource(order=3), Uniform()], ids=lambda m: m.name)
async def test_given_texts_are_scored_the_same(model: NgramSource | Uniform) -> None:
    request = Loglikelihood("abca", ("bcd", "d", "aaaabbbb"))
    async with Gateway(model) as gateway:
        http = served(gateway, "logprobs=true")
        scored = await http.loglikelihood(request)
        whole = await http.loglikelihood_rolling(Rolling("abcdabcd"))
        echoed = await http.echo(Echo("abcd", 2))
        await http.close()
    direct = (await model.loglikelihood(request)).likelihoods
    for found, likelihood in zip(scored.likelihoods, direct, strict=True):
        assert found.logprob == pytest.approx(likelihood.logprob, rel=1e-12)
        assert found.tokens == likelihood.tokens
        if isinstance(model, NgramSource):  # of equally likely tokens each is the likeliest, or none
            assert found.token_logprobs == likelihood.token_logprobs
            assert found.greedy == likelihood.greedy
    [rolled] = (await model.loglikelihood_rolling(Rolling("abcdabcd"))).likelihoods
    assert whole.likelihoods[0].logprob == pytest.approx(rolled.logprob, rel=1e-12)
    expected = await model.echo(Echo("abcd", 2))
    assert echoed.text == expected.text == ""
    assert [(t.text, t.logprob) for t in echoed.tokens] == [(t.text, t.logprob) for t in expected.tokens]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_key_over_its_budget_is_not_tried_again(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_API_KEY", "a-secret-key-0123456789")
    model = Scripted(says("yes"))
    async with Gateway(model, keys={"agent": Key("a-secret-key-0123456789", tokens=1500)}) as gateway:
        http = served(gateway, f"dialect={dialect}")
        assert (await http.generate(Generate((Message("user", "x"),), max_tokens=1000))).text == "yes"
        with pytest.raises(RequestError, match=r"the key agent has 1495 of 1500 tokens left") as caught:
            await asyncio.wait_for(http.generate(Generate((Message("user", "x"),), max_tokens=2000)), 5)
        await http.close()
    assert "a-secret-key" not in str(caught.value)
    assert len(model.asked) == 1
