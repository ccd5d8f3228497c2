"""The final answer of a text that reasons first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Around, score_text
from howgood.outputs.extract import bounded, last_match

MARK = r"(?im)^[ \t>#*_]*(?:final answer|answer)[*_]*[ \t]*:[ \t*_]*"


@dataclass(frozen=True)
class Final(Around):
    """Judges what stands after the last line that begins with "Answer:", by other outputs. A text without one has no
    answer."""

    ending: ClassVar[str] = "End with a line 'Answer: ...' that holds your final answer alone."

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        read = _read(prediction)
        return _told(self.inner(instance, read), read, prediction)

    async def judged(self, instance: Instance, prediction: Prediction) -> Score:
        read = _read(prediction)
        score = await self.inner.judged(instance, read)
        told = _told(
            score, read, prediction
        )  # no answer is the worst there is on the judges' scale, which may not be 0
        return msgspec.structs.replace(told, values=score.values) if self.judges else told

    def describe(self) -> dict[str, Any]:
        return self.inner.describe() | {"read": "after the last 'Answer:' (version 1)"}


def _read(prediction: Prediction) -> Prediction:
    """The prediction with its final answers in place of its texts."""
    answers = [final_answer(text) or "" for text in (prediction.text or "", *prediction.attempts)]
    return msgspec.structs.replace(prediction, text=answers[0], attempts=tuple(answers[1:]))


def _told(score: Score, read: Prediction, prediction: Prediction) -> Score:
    return score if any((read.text, *read.attempts)) else score_text(score.values, None, prediction)


def final_answer(text: str) -> str | None:
    """What follows the last "Answer:" that begins a line; None where there is none."""
    text = bounded(text)
    mark = last_match(MARK, text)
    return text[mark.end() :].strip() if mark else None
