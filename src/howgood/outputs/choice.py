"""Choice questions: the most likely choice, or the letter the model wrote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from howgood.core.text import LETTERS
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import letter


@dataclass(frozen=True)
class ChoiceAccuracy(Outputs):
    """Accuracy on a choice question, whichever way it was asked.

    By likelihood: `acc` takes the choice of highest log-likelihood. Where choices were scored as texts (cloze) there is
    also `acc_norm`, highest log-likelihood per character of the choice; `normalized=True` makes it the headline. Both
    are lm-evaluation-harness's definitions; ties go to the first. By generation: `acc` is whether the letter read from
    the answer is right.
    """

    ending: ClassVar[str | None] = "End with a line 'Answer: X', where X is the letter of the right choice."

    normalized: bool = False
    cloze: bool = False

    def bind(self, call: dict[str, Any]) -> ChoiceAccuracy:
        return replace(self, cloze=call.get("method") == "cloze-likelihood")

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        if not prediction.likelihoods:
            answer = letter(prediction.text or "", instance.choices)
            right = answer is not None and LETTERS.index(answer) in instance.gold
            return score_text({"acc": float(right)}, answer, prediction)
        logprobs = [x.logprob for x in prediction.likelihoods]
        picked = {"acc": _first_highest(logprobs)}
        if self.cloze:
            lengths = [max(1, len(choice)) for choice in instance.choices]
            picked["acc_norm"] = _first_highest([p / n for p, n in zip(logprobs, lengths, strict=True)])
        if self.cloze and self.normalized:
            picked = {"acc_norm": picked["acc_norm"], "acc": picked["acc"]}
        headline = next(iter(picked.values()))
        values = {name: float(index in instance.gold) for name, index in picked.items()}
        answer = instance.choices[headline] if self.cloze else LETTERS[headline]
        return Score(values, "right" if headline in instance.gold else "wrong", answer)

    def describe(self) -> dict[str, Any]:
        return {"kind": "choice", "normalized": self.normalized, "version": 1}


def _first_highest(values: list[float]) -> int:
    return values.index(max(values))
