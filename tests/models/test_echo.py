"""Log-probabilities of tokens, of given texts and of generated ones: those that the model scores texts by."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Loglikelihood, Rolling, Usage
from howgood.models.base import Echo
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.reference import Constant, FittedNgram, NgramSource, Uniform

TEXT = "naïve 🙂 the cat"


@pytest.fixture
def fitted(tmp_path: Path) -> FittedNgram:
    (tmp_path / "text").write_text("the naïve cat sat on the mat 🙂. " * 3)
    return FittedNgram(file=str(tmp_path / "text"))


async def test_bytes_are_echoed_as_they_are_scored(fitted: FittedNgram) -> None:
    for model, text in ((fitted, TEXT), (NgramSource(order=3), "abcdbca"), (Uniform(), TEXT)):
        echo = await model.echo(Echo(text, 3))
        [whole] = (await model.loglikelihood_rolling(Rolling(text))).likelihoods
        assert echo.text == ""
        assert "".join(token.text for token in echo.tokens) == text
        assert len(echo.tokens) == whole.tokens == len(text.encode())
        assert math.fsum(token.logprob for token in echo.tokens) == pytest.approx(whole.logprob, rel=1e-12)
        assert echo.usage == Usage(len(text.encode()))


async def test_the_last_byte_of_a_character_has_its_text(fitted: FittedNgram) -> None:
    echo = await fitted.echo(Echo("ï🙂", 1))
    assert [token.text for token in echo.tokens] == ["", "ï", "", "", "", "🙂"]


async def test_alternatives_are_the_likeliest(fitted: FittedNgram) -> None:
    echo = await fitted.echo(Echo("the c", 256))
    for place, token in enumerate(echo.tokens):
        history = b"the c"[max(0, place - 3) : place]
        given = list(token.alternatives.values())
        assert given == sorted(given, reverse=True)
        assert given[0] == math.log(max(fitted.distribution(history)))
        assert token.alternatives[token.text] == token.logprob


async def test_generated_tokens_are_those_of_the_text(fitted: FittedNgram) -> None:
    for request in (
        Generate("the ", max_tokens=30, logprobs=2),
        Generate("the ", max_tokens=30, logprobs=0, stop=("at",)),
        Generate("the ", max_tokens=30, logprobs=1, temperature=1.5, seed=4),
    ):
        answer = await fitted.generate(request)
        [scored] = (await fitted.loglikelihood(Loglikelihood("the ", (answer.text or "",)))).likelihoods
        assert "".join(token.text for token in answer.tokens) == answer.text
        if "\ufffd" not in (answer.text or ""):
            assert tuple(token.logprob for token in answer.tokens) == scored.token_logprobs
        assert {len(token.alternatives) for token in answer.tokens} == {request.logprobs}
    assert (await fitted.generate(Generate("the ", max_tokens=3))).tokens == ()


async def test_a_model_that_cannot_says_so() -> None:
    with pytest.raises(Unsupported, match="no log-probabilities of the tokens of a given text"):
        await Constant().echo(Echo("a"))


@pytest.mark.xdist_group("smollm2")
class TestHuggingFace:
    async def test_texts_of_several_lengths_at_once(self, smollm2: HuggingFaceModel) -> None:
        texts = ["The cat sat on the mat.", "One", f"The {TEXT}", "The end of the " + "long " * 30 + "road"]
        echoes = await asyncio.gather(*(smollm2.echo(Echo(text, 2)) for text in texts))
        for text, echo in zip(texts, echoes, strict=True):
            first = echo.text or ""
            assert first + "".join(token.text for token in echo.tokens) == text
            assert echo.usage == Usage(len(echo.tokens) + 1)
            if not echo.tokens:
                assert text == "One"
                continue
            [rest] = (await smollm2.loglikelihood(Loglikelihood(first, (text[len(first) :],)))).likelihoods
            assert [token.logprob for token in echo.tokens] == pytest.approx(rest.token_logprobs, abs=1e-3)
            best = [max(token.alternatives.values()) for token in echo.tokens]
            assert all(token.logprob <= p for token, p in zip(echo.tokens, best, strict=True))
            assert {len(token.alternatives) for token in echo.tokens} == {2}

    async def test_a_text_may_begin_with_the_prefix(self, smollm2: HuggingFaceModel) -> None:
        """Then it is scored as a text that nothing precedes."""
        prefix = smollm2._encoder.prefix_text
        echo = await smollm2.echo(Echo(f"{prefix}The cat"))
        [whole] = (await smollm2.loglikelihood_rolling(Rolling("The cat"))).likelihoods
        assert echo.text == prefix
        assert [token.logprob for token in echo.tokens] == pytest.approx(whole.token_logprobs, abs=1e-3)

    @pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a " * 9000, 9000)])
    async def test_what_cannot_be_read_is_an_error(self, smollm2: HuggingFaceModel, text: str, tokens: int) -> None:
        with pytest.raises(RequestError, match=rf"the text has \d+ tokens and {smollm2.name} reads 1 to"):
            await smollm2.echo(Echo(text))

    async def test_a_samples_tokens_end_at_its_stop_string(self, smollm2: HuggingFaceModel) -> None:
        request = Generate("One, two, three, four,", max_tokens=20, stop=("ven",), logprobs=3, temperature=0.01, seed=1)
        answer = await smollm2.generate(request)
        spelled = "".join(token.text for token in answer.tokens)
        assert (answer.text, answer.stop_reason) == (" five, six, se", "stop")
        assert spelled.startswith(answer.text or "")
        assert all(token.logprob == max(token.alternatives.values()) for token in answer.tokens)
