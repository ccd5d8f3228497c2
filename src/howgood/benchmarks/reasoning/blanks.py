"""Choices that fill a blank in a sentence, by partial evaluation: Trinh & Le, https://arxiv.org/abs/1806.02847"""

from __future__ import annotations

from typing import Any

import msgspec

from howgood.calls.base import Settings
from howgood.calls.choices import Choices, text_of
from howgood.core.errors import Unsupported
from howgood.core.types import Instance, Likelihood, Loglikelihood, Prediction, Request, Score
from howgood.models.base import Capabilities
from howgood.outputs.choice import ChoiceAccuracy

BLANK = "_"


class Fillings(Choices):
    """Choices that fill a blank. By likelihood the requested continuations are the fillings, then the fillings with the
    words after the blank: log p(words | filling) is the difference of the two."""

    def bind(self, can: Capabilities, settings: Settings) -> Fillings:
        call = super().bind(can, settings)
        assert isinstance(call, Fillings)
        if call.method == "cloze-likelihood" and call.shots is not None and call.shots.n > 0:
            raise Unsupported("partial evaluation has no worked examples; leave out --shots")
        return call

    def describe(self) -> dict[str, Any]:
        scored = {"scored": "what follows the blank"} if self.method == "cloze-likelihood" else {}
        return super().describe() | scored

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Request:
        if self.method != "cloze-likelihood":
            return super().request(instance, shots, seed)
        before, _, after = text_of(instance).rpartition(f"{BLANK} ")
        space = " " if before.endswith(" ") else ""
        fillings = [space + filling for filling in instance.choices]
        wholes = [f"{filling} {after}" for filling in fillings]
        return Loglikelihood(before.removesuffix(" "), (*fillings, *wholes))

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        prediction = super().imagine(instance, right)
        if self.method != "cloze-likelihood":
            return prediction
        certain = (Likelihood(0.0, 1),) * len(prediction.likelihoods)
        return msgspec.structs.replace(prediction, likelihoods=(*certain, *prediction.likelihoods))


class AfterFilling(ChoiceAccuracy):
    """Accuracy from the likelihood of what follows each filling."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        if not self.cloze:
            return super().__call__(instance, prediction)
        half = len(prediction.likelihoods) // 2
        fillings, wholes = prediction.likelihoods[:half], prediction.likelihoods[half:]
        after = tuple(
            Likelihood(whole.logprob - filling.logprob, whole.tokens - filling.tokens)
            for filling, whole in zip(fillings, wholes, strict=True)
        )
        score = super().__call__(instance, msgspec.structs.replace(prediction, likelihoods=after))
        # Per character of the filling means nothing here.
        return msgspec.structs.replace(score, values={"acc": score.values["acc"]})
