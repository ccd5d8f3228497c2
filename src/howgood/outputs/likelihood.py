"""What a model's likelihood of given text says: how surprised it was, and whether it would have written the same."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from howgood.core.errors import UnknownName
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs


@dataclass(frozen=True)
class ContinuationScore(Outputs):
    """`acc`: greedy decoding gives exactly the target (LAMBADA, arXiv:1606.06031); `nll`: its negative log-likelihood
    in nats; `tokens`: its length."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        (target,) = prediction.likelihoods
        values = {"acc": float(target.greedy), "nll": -target.logprob, "tokens": float(target.tokens)}
        return Score(values, "right" if target.greedy else "wrong")

    def describe(self) -> dict[str, Any]:
        return {"kind": "continuation", "version": 1}


@dataclass(frozen=True)
class GoldBits(Outputs):
    """`bpb`: bits per byte of the gold answer, -log2 p(answer | prompt) / bytes, the answer being the text that was
    scored, the space before it included, as OLMES counts it (`logits_per_byte`, arXiv:2406.08446); with the answer's
    `nll` in nats, `bytes` and `tokens`."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        (gold,) = prediction.likelihoods
        assert prediction.text is not None
        size = len(prediction.text.encode())
        values = {"bpb": -gold.logprob / math.log(2) / size, "nll": -gold.logprob}
        return Score(values | {"bytes": float(size), "tokens": float(gold.tokens)}, "scored", prediction.text)

    def describe(self) -> dict[str, Any]:
        return {"kind": "gold-bits", "version": 1}


Words = Literal["split", "plain", "lines"]


@dataclass(frozen=True)
class Surprise(Outputs):
    """The surprise of a whole text: `nll` in nats, over `words`, `bytes` and `tokens`.

    Words and bytes are counted on the text as it was stored, before any de-tokeniser. `words="split"` counts the pieces
    of a split at white space, the empty ones at both ends among them, as lm-evaluation-harness does; `"plain"` counts
    words; `"lines"` counts words and one end-of-sentence mark a line, as word-level sets such as Penn Treebank do.
    """

    words: Words = "plain"

    def __post_init__(self) -> None:
        ways = get_args(Words)
        if self.words not in ways:
            raise UnknownName("way to count words", str(self.words), ways, f"The ways are {', '.join(ways)}.")

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        assert isinstance(instance.input, str)
        (whole,) = prediction.likelihoods
        values = {
            "nll": -whole.logprob,
            "words": float(count_words(instance.input, self.words)),
            "bytes": float(len(instance.input.encode())),
            "tokens": float(whole.tokens),
        }
        return Score(values, "scored")

    def describe(self) -> dict[str, Any]:
        return {"kind": "surprise", "words": self.words, "version": 1}


def count_words(text: str, how: Words) -> int:
    """How many words a text has, under one of the field's conventions (see `Surprise`)."""
    if how == "split":
        return len(re.split(r"\s+", text))
    words = len(text.split())
    if how == "plain":
        return words
    return words + text.count("\n") + (not text.endswith("\n"))  # the last line may lack its line break
