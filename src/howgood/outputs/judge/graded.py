"""A grade for one answer, or one on each of several criteria: with a reference, a checklist, or neither."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from howgood.core.errors import HowgoodError
from howgood.core.types import Instance, Prediction, Token, Verdict
from howgood.outputs.judge.base import Judged, Question, is_silent, mean, told
from howgood.outputs.judge.reading import grade, json_object, reply_text, weights
from howgood.outputs.judge.template import Template

SYSTEM = (
    "You grade answers that were given to a task. You are strict, consistent, and explain a grade before you give it."
)
GRADING = """The task:
{question}

What was said before it, if anything:
{history}

A reference answer, if there is one; an answer may be as good in other words:
{reference}

What to look for:
{rubric}
{checklist}

The answer to grade:
{answer}

{ask}"""
RUBRIC = (
    "Whether the answer does what the task asks, fully and correctly; whether what it says is true; and whether it "
    "is clear and no longer than it helps."
)


@dataclass(frozen=True)
class Graded(Judged):
    """A judge's grade of the answer from `low` (worst) to `high`, asked for by `rubric`: as JSON, or by the
    probabilities of the grades at the first token (their mean: Liu et al., arXiv:2303.16634), which needs a scale of
    single digits. With `criteria` (name, what it asks) each has a grade of its own and `score` is their mean. An empty
    answer gets the lowest grade, and no judge is asked.

    The score's values are `score` and each criterion, on the judge's scale. `template` replaces our own words by others
    that hold their own wording of the scale; then the verdict is the last JSON object's `key`.
    """

    rubric: str = RUBRIC
    low: float = 1
    high: float = 10
    criteria: tuple[tuple[str, str], ...] = ()
    verdict_by: Literal["json", "logprobs"] = "json"
    template: Template | None = None
    key: str = "score"
    shows: tuple[str, ...] = field(default=("question", "history", "reference", "checklist", "answer"))

    def __post_init__(self) -> None:
        if self.by_logprobs and not (self.low == int(self.low) and self.high == int(self.high) <= 9 and self.low >= 0):
            raise HowgoodError("verdict_by='logprobs' reads one digit; give a scale of whole numbers from 0 to 9")

    @property
    def scale(self) -> tuple[float, float]:
        return float(self.low), float(self.high)

    @property
    def by_logprobs(self) -> bool:
        return self.verdict_by == "logprobs"

    def words(self) -> Template:
        """The template that is used."""
        return self.template or Template("howgood grade (version 1)", GRADING, SYSTEM, guarded=self.shows)

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if is_silent(prediction):
            return ()
        words = self.words()
        parts = told(instance, prediction, words, rubric=self._rubric(), ask=self._ask_words())
        return (Question(words.fill(parts)),)

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        if self.by_logprobs:
            given = weights(reply, tuple(self._digits()))
            total = sum(given.values())
            return {"score": sum(int(digit) * weight for digit, weight in given.items()) / total}
        text = reply_text(reply)
        if not self.criteria:
            return {"score": grade(json_object(text, self.key)[self.key], self.low, self.high)}
        found = json_object(text, self.criteria[0][0])
        grades = {name: grade(found.get(name), self.low, self.high) for name, _ in self.criteria}
        return {"score": fmean(grades.values()), **grades}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        names = ["score", *(name for name, _ in self.criteria)]
        if not verdicts:
            return dict.fromkeys(names, float(self.low))
        return {name: mean(verdicts, name) for name in names}

    def imagined(self, question: Question, right: bool) -> Prediction:
        best = self.high if right else self.low
        if self.by_logprobs:
            return Prediction(text=f"{best:g}", tokens=(Token(f"{best:g}", 0.0),))
        names = [name for name, _ in self.criteria] or [self.key]
        return Prediction(text=json.dumps({"reasons": "", **dict.fromkeys(names, best)}))

    def describe(self) -> dict[str, Any]:
        scale = {"low": self.low, "high": self.high, "verdict": self.verdict_by, "key": self.key}
        rules = {"kind": "graded", "version": 1, **scale, **self.words().describe(), **super().describe()}
        if self.template is None:
            rules["rubric"] = self._rubric()
        return rules

    def _digits(self) -> list[str]:
        return [str(digit) for digit in range(int(self.low), int(self.high) + 1)]

    def _rubric(self) -> str:
        return "\n".join([self.rubric, *(f"- {name}: {words}" for name, words in self.criteria)])

    def _ask_words(self) -> str:
        scale = f"from {self.low:g} (worst) to {self.high:g} (best)"
        if self.by_logprobs:
            return f"Reply with the grade alone, one digit {scale}."
        names = [name for name, _ in self.criteria] or [self.key]
        form = json.dumps({"reasons": "...", **dict.fromkeys(names, "...")})
        return f"Grade it {scale}. Reply with one JSON object and nothing else, with numbers as grades: {form}"
