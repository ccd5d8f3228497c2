"""A real model under `howgood trust`: SmolLM2-135M-Instruct by transformers, in float32 on the CPU."""

from __future__ import annotations

import msgspec
import pytest

from howgood.core.errors import ModelError
from howgood.core.types import Loglikelihood
from howgood.models.embedded import smollm2_path
from howgood.models.huggingface import HuggingFaceModel
from howgood.validity.trust import trust_async
from howgood.validity.trust.probabilities import adds_up, sums_to_one
from howgood.validity.trust.probe import Probe
from howgood.validity.trust.tokens import begins_right, round_trip


@pytest.fixture(scope="module")
def smollm2() -> HuggingFaceModel:
    pytest.importorskip("torch", reason="needs the extra `local`")
    try:
        path = smollm2_path()
    except ModelError as error:
        pytest.skip(str(error))
    return HuggingFaceModel("smollm2", str(path.parent), gguf_file=path.name)


async def test_what_it_tells_of_its_inside_is_what_it_scores(smollm2: HuggingFaceModel) -> None:
    prompt = "The capital of France is"
    logprobs = await smollm2.next_token(prompt)
    assert len(logprobs) == 49152
    [paris] = smollm2.tokenize(" Paris")
    scored = (await smollm2.loglikelihood(Loglikelihood(prompt, (" Paris",)))).likelihoods[0]
    assert logprobs[paris] == pytest.approx(scored.logprob, abs=1e-5)
    assert smollm2.detokenize([0, paris]) == "<|endoftext|> Paris"
    assert smollm2.prompt_tokens("<|im_start|>a") == smollm2.tokenize("<|im_start|>a")

    probe = Probe(smollm2)
    sums = await sums_to_one(probe)
    assert (sums.verdict, sums.tolerance) == ("ok", 1e-4)
    assert sums.value is not None
    assert 0 < sums.value < 5e-5
    parts = await adds_up(probe)
    assert (parts.verdict, parts.tolerance) == ("ok", 1e-4)
    tokens = await round_trip(probe)
    assert (tokens.verdict, tokens.value) == ("ok", 0)
    assert "<|endoftext|>, <|im_start|> as text is read as a control token" in tokens.figure


async def test_its_declared_bos_is_doubted(smollm2: HuggingFaceModel) -> None:
    """Its tokenizer declares <|im_start|>, but the texts it was trained on began with <|endoftext|>."""
    declared = await begins_right(Probe(smollm2))
    assert declared.verdict == "doubtful"
    assert declared.value == pytest.approx(0.105, abs=0.01)  # bits a byte
    assert "after <|im_start|>" in declared.figure


@pytest.mark.slow
async def test_the_token_it_was_trained_with_is_not_doubted(smollm2: HuggingFaceModel) -> None:
    path = smollm2_path()
    trained = HuggingFaceModel("smollm2,prefix=0", str(path.parent), gguf_file=path.name, prefix=0)
    try:
        found = await begins_right(Probe(trained))
    finally:
        await trained.close()
    assert found.verdict == "ok", found


@pytest.mark.slow
async def test_nothing_else_is_doubted(smollm2: HuggingFaceModel) -> None:
    report = await trust_async(smollm2)
    assert {f.name: f.verdict for f in report if f.verdict != "ok"} == {"begins right": "doubtful"}
    assert all(finding.figure for finding in report)
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
