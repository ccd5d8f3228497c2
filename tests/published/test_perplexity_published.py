"""Published perplexities and bits per byte, and what one says about another."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import howgood as hg
from howgood.core.errors import ModelError
from howgood.core.types import Instance, Likelihood, Prediction, Trial
from howgood.inputs.files import read_rows
from howgood.interpret.estimate import Perplexity
from howgood.interpret.table import Table
from howgood.models.embedded import smollm2_path
from howgood.models.huggingface import HuggingFaceModel
from howgood.outputs.base import judge
from howgood.outputs.likelihood import GoldBits, Surprise

GETTYSBURG = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, "
    "and dedicated to the proposition that all men are created equal."
)
UMBRELLAS = (
    "The committee purchased eleven orange umbrellas from a warehouse in Tromso before the parade was moved indoors."
)


@pytest.mark.parametrize(
    ("answer", "logprob", "published"),
    [
        ("Planetary density will decrease.", -23.55691146850586, 1.029861798615096),
        ("Planetary years will become longer.", -27.946788787841797, 1.1199637109172114),
        ("Planetary days will become shorter.", -26.21829605102539, 1.05069460259445),
    ],
)
def test_bits_per_byte_of_datadecide(answer: str, logprob: float, published: float) -> None:
    """`logits_per_byte` of three answers to ARC's question Mercury_7175875, as the data set DataDecide-eval-instances
    (https://huggingface.co/datasets/allenai/DataDecide-eval-instances) shows them: the space before the answer counts.
    """
    found = Prediction(text=f" {answer}", likelihoods=(Likelihood(logprob, 6),))
    score = judge(GoldBits(), Instance("Mercury_7175875", "?", targets=(answer,)), found)
    assert score.values["bpb"] == pytest.approx(published, rel=1e-14)


def readings(nats: float, words: int, size: int, tokens: int) -> dict[str, float]:
    score = judge(Surprise(), Instance("1", "a"), Prediction(likelihoods=(Likelihood(-nats, tokens),)))
    values = score.values | {"words": float(words), "bytes": float(size)}
    score = hg.core.types.Score(values, "scored")
    trial = Trial(Instance("1", "a"), 0, 0, "", Prediction(), score)
    return {estimate.name: estimate.value for estimate in Perplexity()(Table.of([trial]))[0]}


def test_what_29_94_and_37_37_say_of_one_another() -> None:
    """GPT-2 (117M) on WikiText-2: 29.94 by the guide of Hugging Face, 37.37 by lm-evaluation-harness. The guide's text
    has 287,644 tokens of GPT-2, lm-eval's pages 271,9xx; both have the same words."""
    guide = readings(math.log(29.94) * 287_644, 245_569, 1_290_590, 287_644)
    assert guide["token_perplexity"] == pytest.approx(29.94)
    assert guide["word_perplexity"] == pytest.approx(53.6, abs=0.05)
    assert guide["bits_per_byte"] == pytest.approx(1.0930, abs=1e-4)
    harness = readings(math.log(37.37) * 241_335, 241_335, 1_290_527, 271_982)
    assert harness["word_perplexity"] == pytest.approx(37.37)
    assert harness["bits_per_byte"] == pytest.approx(0.9768, abs=1e-4)


def test_the_sets_are_as_large_as_published(shared: Path) -> None:
    """LAMBADA's test split has 5,153 passages (Paperno et al., Table 2)."""
    folder = shared / "data" / "perplexity"
    assert sum(1 for _ in read_rows(folder / "lambada" / "lambada_openai_test.jsonl")) == 5_153
    hellaswag = list(read_rows(folder / "hellaswag" / "hellaswag_val_first2000.jsonl.gz"))
    assert [row["ind"] for row in hellaswag] == list(range(2_000))
    assert all(len(row["endings"]) == 4 for row in hellaswag)


@pytest.fixture(scope="module")
def smollm2() -> HuggingFaceModel:
    """Its texts begin with <|endoftext|> (token 0), as those that it was trained on."""
    pytest.importorskip("torch", reason="needs the extra `local`")
    try:
        path = smollm2_path()
    except ModelError as error:
        pytest.skip(str(error))
    return HuggingFaceModel("smollm2,prefix=0", str(path.parent), gguf_file=path.name, prefix=0)


@pytest.mark.parametrize(
    ("text", "tokens", "size", "nats"),
    [(GETTYSBURG, 34, 176, 94.8922), (UMBRELLAS, 22, len(UMBRELLAS), 114.9871)],
    ids=["gettysburg", "umbrellas"],
)
def test_the_surprise_of_two_sentences_is_kept_for_each_token(
    text: str, tokens: int, size: int, nats: float, smollm2: HuggingFaceModel, tmp_path: Path
) -> None:
    """Measured with transformers in float32. Their bits per byte are those of the nats over the stored bytes."""
    (tmp_path / "text.txt").write_text(text)
    run = hg.run("own-text", smollm2, file=str(tmp_path / "text.txt"))
    row = run.trials.row(0, named=True)
    assert (row["tokens"], row["bytes"]) == (tokens, size)
    assert row["nll"] == pytest.approx(nats, abs=5e-4)
    each = row["likelihoods"][0]["token_logprobs"]
    assert len(each) == tokens
    assert -sum(each) == pytest.approx(nats, abs=5e-4)
    told = {estimate.name: estimate.value for estimate in run.estimates}
    assert told["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, abs=1e-5)
    assert told["token_perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
