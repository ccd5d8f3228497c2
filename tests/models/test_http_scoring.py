"""Scoring of given texts over HTTP, several at once, as vLLM does it; and the tokens of an echoed text.

The server scores with a source whose probabilities are known, so it must give the source's own numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec.structs import replace
from openai_server import echo, error, json_reply, prompt_logprobs, serve

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.types import Loglikelihood, Rolling
from howgood.models import http
from howgood.models.base import Echo
from howgood.models.http import HTTPModel
from howgood.models.reference import NgramSource
from howgood.models.servers import SERVERS, Server, server_at

SOURCE = NgramSource("source", alphabet="ab c", order=3, seed=1)
ASKED = Loglikelihood("abcab", (" a", " bcca", "c"))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOWGOOD_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def vllm(url: str, **options: Any) -> HTTPModel:
    return HTTPModel("vllm/m", replace(SERVERS["vllm"], url=url), "m", **options)


async def test_all_continuations_in_one_request() -> None:
    truth = await SOURCE.loglikelihood(ASKED)
    async with serve(prompt_logprobs(SOURCE)) as server:
        model = vllm(server.url)
        got = await model.loglikelihood(ASKED)
        await model.close()
    assert len(server.seen) == 1
    assert server.seen[0].path == "/v1/completions"
    assert server.seen[0].body == {
        "model": "m",
        "prompt": ["abcab a", "abcab bcca", "abcabc"],
        "prompt_logprobs": 1,
        "max_tokens": 1,
        "temperature": 0,
    }
    for mine, its in zip(got.likelihoods, truth.likelihoods, strict=True):
        assert mine.logprob == pytest.approx(its.logprob, abs=1e-12)
        assert (mine.tokens, mine.greedy) == (its.tokens, its.greedy)
    assert got.usage.input == 7 + 10 + 6
    assert got.cost == 0.0


async def test_greedy_is_told() -> None:
    from howgood.core.types import Generate

    written = (await SOURCE.generate(Generate("ab", max_tokens=4))).text or ""
    other = "c" if written[-1] != "c" else "a"
    async with serve(prompt_logprobs(SOURCE)) as server:
        model = vllm(server.url)
        got = await model.loglikelihood(Loglikelihood("ab", (written, written[:-1] + other)))
        await model.close()
    assert [likelihood.greedy for likelihood in got.likelihoods] == [True, False]


async def test_not_more_than_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LISTED", 2)
    truth = await SOURCE.loglikelihood(ASKED)
    async with serve(prompt_logprobs(SOURCE)) as server:
        model = vllm(server.url)
        got = await model.loglikelihood(ASKED)
        await model.close()
    assert sorted((seen.body["prompt"] for seen in server.seen), key=len) == [["abcab a", "abcab bcca"], "abcabc"]
    assert [x.logprob for x in got.likelihoods] == pytest.approx([x.logprob for x in truth.likelihoods])


async def test_by_echo_where_the_server_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = await SOURCE.loglikelihood(ASKED)
    async with serve(echo(SOURCE)) as server:
        lists = HTTPModel("x", Server(server.url, scoring="echo", lists=True), "m")
        single = HTTPModel("x", Server(server.url, scoring="echo"), "m")
        got = [await model.loglikelihood(ASKED) for model in (lists, single)]
        await lists.close()
        await single.close()
    assert len(server.seen) == 1 + 3
    for prediction in got:
        assert [x.logprob for x in prediction.likelihoods] == pytest.approx([x.logprob for x in truth.likelihoods])
        assert prediction.usage.output == 3


@pytest.mark.parametrize("bos", [True, False])
async def test_rolling(bos: bool) -> None:
    """vLLM tells nothing of the first token: it is a BOS token, or else it needs something before it."""
    whole = "abcab ccab"
    truth = await SOURCE.loglikelihood_rolling(Rolling(whole))
    async with serve(prompt_logprobs(SOURCE, bos=bos)) as server:
        model = vllm(server.url)
        if bos:
            got = await model.loglikelihood_rolling(Rolling(whole))
            assert got.likelihoods[0].tokens == 10
            assert got.likelihoods[0].logprob == pytest.approx(truth.likelihoods[0].logprob, abs=1e-12)
        else:
            with pytest.raises(RequestError, match="prefix="):
                await model.loglikelihood_rolling(Rolling(whole))
        await model.close()


@pytest.mark.parametrize("form", ["echo", "prompt_logprobs"])
async def test_echoed_tokens(form: Any) -> None:
    reply = echo(SOURCE) if form == "echo" else prompt_logprobs(SOURCE)
    async with serve(reply) as server:
        model = vllm(server.url, scoring=form)
        got = await model.echo(Echo("abca", alternatives=1))
        plain = await model.echo(Echo("abca"))
        await model.close()
    assert got.text == "a"
    assert [token.text for token in got.tokens] == ["b", "c", "a"]
    for place, token in enumerate(got.tokens, 1):
        history = b"abca"[max(0, place - 2) : place]
        assert token.logprob == pytest.approx(math.log(SOURCE.probability(history, b"abca"[place])))
        assert list(token.alternatives.values()) == pytest.approx([math.log(max(SOURCE.distribution(history)))])
    assert all(not token.alternatives for token in plain.tokens)
    assert got.usage.input >= 4


@pytest.mark.parametrize(
    ("reply", "words", "fatal"),
    [
        (json_reply({"choices": [{"index": 0, "text": "!"}]}), "scoring=echo", True),
        (json_reply({"choices": [{"index": 0, "prompt_logprobs": [{"1": {"logprob": -1}}]}]}), "second token", False),
        (json_reply({"choices": [{"index": 0, "prompt_logprobs": [None, None]}]}), "second token", False),
        (json_reply({"choices": [{"index": 0, "prompt_logprobs": "x"}]}), "another form", False),
        (error(400, "no list"), "no list", False),
    ],
)
async def test_what_is_no_score(reply: Any, words: str, fatal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from howgood.models import transport

    monkeypatch.setattr(transport, "FIRST_WAIT", 0.001)
    async with serve(reply) as server:
        model = vllm(server.url)
        with pytest.raises(RequestError, match=words) as caught:
            await model.loglikelihood(Loglikelihood("a", ("b",)))
        await model.close()
    assert caught.value.fatal is fatal


@pytest.mark.parametrize("indices", [[0], [0, 0], [1, 2], [0, 1, 2], [0, 5]])
async def test_each_prompt_has_its_own_answer(indices: list[int]) -> None:
    """No text is given another's score: a server that answers the first prompt only is found out."""
    place = [None, {"98": {"logprob": -1.0, "decoded_token": "b"}}]
    choices = [{"index": i, "text": "", "prompt_logprobs": place} for i in indices]
    async with serve(json_reply({"choices": choices})) as server:
        model = vllm(server.url)
        with pytest.raises(RequestError, match="of 2 prompts") as caught:
            await model.loglikelihood(Loglikelihood("a", ("b", "b")))
        await model.close()
    assert caught.value.fatal


def test_options() -> None:
    at = server_at("http://127.0.0.1:1/v1")
    assert not HTTPModel("x", at, "m").capabilities.loglikelihood
    scores = HTTPModel("x", at, "m", scoring="prompt_logprobs")
    assert scores.capabilities.loglikelihood
    assert scores.describe()["scoring"] == "prompt_logprobs"
    assert not HTTPModel("x", SERVERS["vllm"], "m", logprobs=False).capabilities.loglikelihood
    with pytest.raises(ModelError, match="raw text"):
        HTTPModel("x", at, "m", scoring="echo", dialect="google")
    with pytest.raises(ModelError, match="no log-probabilities"):
        HTTPModel("x", at, "m", logprobs=True, dialect="anthropic")


async def test_who_does_not_score_does_not_echo() -> None:
    with pytest.raises(Unsupported, match="no log-probabilities"):
        await HTTPModel("x", server_at("http://127.0.0.1:1/v1"), "m").echo(Echo("a"))
