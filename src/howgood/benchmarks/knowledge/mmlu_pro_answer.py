"""How MMLU-Pro's authors read an answer, https://github.com/TIGER-AI-Lab/MMLU-Pro (evaluate_from_api.py)."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from howgood.core.text import LETTERS
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded, last_match

SAID = re.compile(r"answer is \(?([A-J])\)?")
# Ahead, since one "answer:" may begin inside what another one matches.
MARKED = re.compile(r"(?=[aA]nswer:\s*([A-J]))")
SEED = 12345


@dataclass(frozen=True)
class LastLetter(Outputs):
    """Whether the letter read from a chain of thought is right (`read_letter`). Without one there is no answer; with
    `fallback="random"` one of the question's letters is drawn from the authors' seed, which is set anew for each
    question: questions with equally many choices get the same letter."""

    ending: ClassVar[str | None] = 'Finish with "the answer is (X)", where X is the letter of the right choice.'

    fallback: Literal["none", "random"] = "none"

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        answer, why = read_letter(prediction.text or ""), None
        if answer is None and self.fallback == "random":
            answer, why = drawn_letter(len(instance.choices)), "no answer could be read; a letter was drawn"
        right = answer is not None and LETTERS.index(answer) in instance.gold
        return score_text({"acc": float(right)}, answer, prediction, why)

    def describe(self) -> dict[str, Any]:
        return {"kind": "mmlu-pro", "fallback": self.fallback, "version": 1}


def read_letter(text: str) -> str | None:
    """The first "answer is (X)"; else the last "Answer: X" of the first line that has one; else the last capital letter
    from A to J that stands alone."""
    text = bounded(text)
    if said := SAID.search(text):
        return said[1]
    if first := MARKED.search(text):
        end = text.find("\n", first.start())
        return [mark[1] for mark in MARKED.finditer(text, first.start()) if end < 0 or mark.start() < end][-1]
    alone = last_match(r"\b[A-J]\b", text)
    return alone[0] if alone else None


def drawn_letter(choices: int) -> str:
    """The letter that the authors' seed draws for a question with so many choices."""
    return LETTERS[random.Random(SEED).randint(0, choices - 1)]
