"""One GGUF file by two engines: which does what, and what is said where one is missing."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from howgood.calls.base import Settings
from howgood.calls.likelihood import WholeText
from howgood.core.errors import MissingExtra, ModelError, Unsupported
from howgood.core.types import Generate, Loglikelihood, Message, Prediction, Rolling
from howgood.models import embedded
from howgood.models.base import Echo
from howgood.models.gguf import GGUFModel
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.registry import load_model

pytestmark = pytest.mark.xdist_group("smollm2")  # one process loads the weights

HELLO = (Message("user", "What is the capital of Italy?"),)


@pytest.fixture(scope="module", autouse=True)
def _embedded() -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llamacpp`")
    try:
        embedded.smollm2_path()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of packages that are not to be found; those put in are gone."""
    gone: set[str] = set()
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in gone else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    return gone


def made(name: str) -> GGUFModel:
    model = load_model(name)
    assert isinstance(model, GGUFModel)
    return model


async def test_llama_cpp_writes_and_transformers_scores(smollm2: HuggingFaceModel) -> None:
    model = made("smollm2,slots=2,context=256")
    can = model.capabilities
    assert (can.generate, can.chat, can.completion, can.schema, can.logprobs) == (True,) * 5
    assert (can.loglikelihood, can.loglikelihood_rolling, can.tools) == (True, True, False)
    answer = await model.generate(Generate(HELLO, max_tokens=8, logprobs=1))
    assert answer.usage.output == len(answer.tokens) == 8
    assert model.writer.render(HELLO) == model.render(HELLO) == smollm2.render(HELLO)
    *pieces, last = [piece async for piece in model.stream(Generate(HELLO, max_tokens=8))]
    assert isinstance(last, Prediction)
    assert len(pieces) > 1
    assert last.text == answer.text
    scored = await model.loglikelihood(Loglikelihood("The capital of Italy is", (" Rome", " Paris")))
    same = await smollm2.loglikelihood(Loglikelihood("The capital of Italy is", (" Rome", " Paris")))
    assert [x.logprob for x in scored.likelihoods] == pytest.approx([x.logprob for x in same.likelihoods], rel=1e-5)
    # Quantised and float arithmetic agree about a token to a few hundredths of a nat.
    written = await model.generate(Generate("The capital of Italy is", max_tokens=1, logprobs=20))
    assert written.tokens[0].alternatives[" Rome"] == pytest.approx(same.likelihoods[0].logprob, abs=0.15)
    await model.close()


def test_both_engines_say_what_they_are() -> None:
    told = made("smollm2,context=1000,prefix=0").describe()
    assert (told["kind"], told["sha256"], told["quantisation"]) == ("gguf", embedded.FILE_SHA256, "Q4_1")
    assert told["writes"].items() >= {"engine": "llama.cpp", "context": 1000, "slots": 8}.items()
    assert told["scores"].items() >= {"engine": "transformers", "dtype": "float32", "max_length": 8192}.items()
    assert told["scores"]["prefix"] == {"id": 0, "text": "<|endoftext|>"}
    assert told["writes"]["chat_template"] == told["scores"]["chat_template"]
    alone = made("smollm2,engine=transformers").describe()
    assert (alone["kind"], alone["dtype"]) == ("huggingface", "float32")


async def test_transformers_can_do_both(smollm2: HuggingFaceModel) -> None:
    model = made("smollm2,engine=transformers")
    request = Generate(HELLO, max_tokens=6)
    assert (await model.generate(request)).text == (await smollm2.generate(request)).text
    assert not model.capabilities.schema
    await model.close()


async def test_without_transformers_it_writes_and_says_what_scoring_needs(installed: set[str]) -> None:
    installed.add("transformers")
    model = made("smollm2,slots=1,context=128")
    assert model.capabilities.generate
    assert not (model.capabilities.loglikelihood | model.capabilities.loglikelihood_rolling)
    with pytest.raises(Unsupported, match=r"perplexity needs \(pip install 'howgood\[local\]'\)"):
        WholeText().bind(model.capabilities, Settings())
    assert (await model.generate(Generate("one, two,", max_tokens=2))).text == " three,"
    for asked in (
        model.loglikelihood(Loglikelihood("a", ("b",))),
        model.loglikelihood_rolling(Rolling("a")),
        model.echo(Echo("a")),
    ):
        with pytest.raises(Unsupported, match=r"smollm2,.* pip install 'howgood\[local\]'"):
            await asked
    assert "howgood[local]" in model.describe()["scores"]
    await model.close()


def test_without_llama_cpp_transformers_writes(installed: set[str]) -> None:
    installed.add("xllamacpp")
    assert made("smollm2").engine == "transformers"
    with pytest.raises(MissingExtra, match=r"pip install 'howgood\[llamacpp\]'"):
        load_model("smollm2,engine=llamacpp")


def test_without_either_the_error_says_how_to_get_one(installed: set[str]) -> None:
    installed.update({"xllamacpp", "torch"})
    with pytest.raises(MissingExtra, match=r"^smollm2 .* pip install 'howgood\[llamacpp\]'"):
        load_model("smollm2")
    installed.remove("xllamacpp")
    with pytest.raises(MissingExtra, match=r"pip install 'howgood\[local\]'"):
        load_model("smollm2,engine=transformers")
