"""The final answer of a text that reasons first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded, last_match

MARK = r"(?im)^[ \t>#*_]*(?:final answer|answer)[*_]*[ \t]*:[ \t*_]*"


@dataclass(frozen=True)
class Final(Outputs):
    """Judges what stands after the last line that begins with "Answer:", by other outputs. A text without one has no
    answer."""

    inner: Outputs
    ending: ClassVar[str] = "End with a line 'Answer: ...' that holds your final answer alone."

    def bind(self, call: dict[str, Any]) -> Final:
        return replace(self, inner=self.inner.bind(call))

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        texts = [final_answer(text) for text in (prediction.text or "", *prediction.attempts)]
        answers = tuple(text or "" for text in texts)
        score = self.inner(instance, msgspec.structs.replace(prediction, text=answers[0], attempts=answers[1:]))
        return score if any(answers) else score_text(score.values, None, prediction)

    def describe(self) -> dict[str, Any]:
        return self.inner.describe() | {"read": "after the last 'Answer:' (version 1)"}


def final_answer(text: str) -> str | None:
    """What follows the last "Answer:" that begins a line; None where there is none."""
    text = bounded(text)
    mark = last_match(MARK, text)
    return text[mark.end() :].strip() if mark else None
