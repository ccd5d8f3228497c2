"""The answer and the confidence that Humanity's Last Exam asks for, https://github.com/centerforaisafety/hle"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded, last_match, parse_number
from howgood.outputs.match import Match

CONFIDENCE = r"(?im)^[ \t>#*_]*confidence[*_]*[ \t]*:[ \t*_]*(\d{1,3}(?:\.\d+)?)"
ANSWER = r"(?im)^[ \t>#*_]*(?:final answer|exact answer|answer)[*_]*[ \t]*:[ \t*_]*"
LETTER = re.compile(r"[\s*_\"'(\[]*([A-Z])(?![\w'’])")


@dataclass(frozen=True)
class Confident(Outputs):
    """`acc`: whether the answer is the target, as a letter where the instance is a multiple choice, else as a number or
    in normal form; `confidence`: what the model states, from 0 to 1, and 1 where it states none."""

    ending: ClassVar[str | None] = ""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        answer, confidence = read_answer(prediction.text or "")
        right = answer is not None and is_right(answer, instance)
        values = {"acc": float(right), "confidence": confidence}
        return score_text(values, answer, prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "confident", "version": 1}


def read_answer(text: str) -> tuple[str | None, float]:
    """What stands after the last "Answer:" that begins a line, up to "Confidence:"; and the confidence."""
    text = bounded(text)
    stated = last_match(CONFIDENCE, text)
    confidence = min(float(stated[1]), 100.0) / 100 if stated else 1.0
    said = last_match(ANSWER, text)
    if said is None:
        return None, confidence
    end = stated.start() if stated and stated.start() >= said.end() else len(text)
    return text[said.end() : end].strip() or None, confidence


def is_right(answer: str, instance: Instance) -> bool:
    (target,) = instance.targets
    if instance.metadata["answer_type"] == "multipleChoice" and LETTER.fullmatch(target):
        found = LETTER.match(answer)
        return found is not None and found[1] == target.strip()
    number = parse_number(target.strip("$ "))
    if number is not None:
        return parse_number(answer.strip("$ ")) == number
    read = msgspec.structs.replace(Prediction(), text=answer)
    return Match("normalized")(instance, read).values["normalized_match"] == 1
