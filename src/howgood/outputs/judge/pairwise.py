"""Which of two answers is better: the system's beside a baseline's, shown in both orders."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from howgood.core.types import Instance, Prediction, Token, Verdict
from howgood.outputs.judge.base import Judged, Question, is_silent, mean, told
from howgood.outputs.judge.reading import json_object, label, reply_text, weights
from howgood.outputs.judge.template import Template

SYSTEM = "You compare two answers that were given to one task. You are impartial: which stands first means nothing."
COMPARING = """The task:
{question}

What was said before it, if anything:
{history}

What to look for:
{rubric}
{checklist}

Answer A:
{first}

Answer B:
{second}

{ask}"""
RUBRIC = (
    "Which answer serves the one who asked better: does what the task asks, is right, and is clear. A longer answer is "
    "not better for its length."
)
GRADES = {"A>>B": 1.0, "A>B": 0.75, "A=B": 0.5, "B>A": 0.25, "B>>A": 0.0}
"""What our own verdicts stand for: how far A is preferred, from 0 to 1."""


def first_target(instance: Instance) -> str:
    return instance.targets[0]


@dataclass(frozen=True)
class Pairwise(Judged):
    """How far judges prefer the answer to a `baseline`'s, from 0 to 1: `preference`, the mean over orders and judges.

    `orders` is "both", or a function from an instance to whether the judged answer is shown first, where a protocol
    shows one order alone. A verdict is a label of `labels` under `key` in a JSON object, or (`verdict_by` "logprobs")
    the probability of the first of the two `names` against the second at the first token. An empty answer loses to one
    that is not, without a judge. The values are `preference`, with both orders `consistent` (1 where all verdicts of a
    judge favour the same answer, or none does, or none was asked; the share of judges for which that is so), and the
    `length` of both answers in characters, which preferences lean on. `extra` adds what is known of an instance.
    """

    baseline: Callable[[Instance], str] = first_target
    orders: Literal["both"] | Callable[[Instance], bool] = "both"
    rubric: str = RUBRIC
    verdict_by: Literal["json", "logprobs"] = "json"
    labels: tuple[tuple[str, float], ...] = tuple(GRADES.items())
    names: tuple[str, str] = ("A", "B")
    key: str = "verdict"
    template: Template | None = None
    shows: tuple[str, ...] = field(default=("question", "history", "checklist", "first", "second"))
    extra: Callable[[Instance], dict[str, float]] | None = None

    @property
    def scale(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def verdict_scale(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def by_logprobs(self) -> bool:
        return self.verdict_by == "logprobs"

    def words(self) -> Template:
        """The template that is used."""
        return self.template or Template("howgood comparison (version 1)", COMPARING, SYSTEM, guarded=self.shows)

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if is_silent(prediction) or not self.baseline(instance).strip():
            return ()
        firsts = (True, False) if self.orders == "both" else (self.orders(instance),)
        return tuple(self._question(instance, prediction, first) for first in firsts)

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        if self.by_logprobs:
            given = weights(reply, self.names)
            liked = given[self.names[0]] / sum(given.values())
        else:
            liked = label(json_object(reply_text(reply), self.key)[self.key], dict(self.labels))
        return {"preference": liked if question.first else 1 - liked}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        ours, theirs = prediction.text or "", self.baseline(instance)
        if verdicts:
            preference, consistent = mean(verdicts, "preference"), _consistent(verdicts)
        else:
            preference, consistent = 0.5 + 0.5 * (bool(ours.strip()) - bool(theirs.strip())), 1.0
        steady = {"consistent": consistent} if self.orders == "both" else {}
        lengths = {"length": float(len(ours)), "baseline_length": float(len(theirs))}
        more = self.extra(instance) if self.extra else {}
        return {"preference": preference, **steady, **lengths, **more}

    def imagined(self, question: Question, right: bool) -> Prediction:
        wins = bool(question.first) == right
        if self.by_logprobs:
            token = Token(self.names[0 if wins else 1], 0.0)
            return Prediction(text=token.text, tokens=(token,))
        best = (max if wins else min)(self.labels, key=lambda one: one[1])
        return Prediction(text=json.dumps({"reasons": "", self.key: best[0]}))

    def describe(self) -> dict[str, Any]:
        both = self.orders == "both"
        rules: dict[str, Any] = {
            "kind": "pairwise",
            "version": 1,
            "orders": "both" if both else "one",
            "verdict": self.verdict_by,
        }
        rules |= {"names": self.names} if self.by_logprobs else {"key": self.key, "labels": dict(self.labels)}
        rules |= {"extra": self.extra.__name__} if self.extra else {}
        rules |= {**self.words().describe(), **super().describe()}
        if self.template is None:
            rules["rubric"] = self.rubric
        return rules

    def _question(self, instance: Instance, prediction: Prediction, first: bool) -> Question:
        words = self.words()
        parts = told(instance, prediction, words, rubric=self.rubric, ask=self._ask_words())
        pair = (parts["answer"], self.baseline(instance))
        parts["first"], parts["second"] = pair if first else pair[::-1]
        del parts["answer"], parts["reference"]
        return Question(words.fill(parts), first)

    def _ask_words(self) -> str:
        if self.by_logprobs:
            return f"Which answer is better? Reply with {self.names[0]} or {self.names[1]} alone."
        form = json.dumps({"reasons": "...", self.key: "..."})
        labels = ", ".join(name for name, _ in self.labels)
        return (
            f"Reply with one JSON object and nothing else: {form}, where the {self.key} is one of {labels} "
            "(much better, better, as good)."
        )


def _consistent(verdicts: Sequence[Verdict]) -> float:
    """The share of judges whose verdicts in all orders favour the same answer."""
    sides: dict[str, set[float]] = {}
    for verdict in verdicts:
        favour = verdict.values["preference"] - 0.5
        sides.setdefault(verdict.judge, set()).add(0.0 if favour == 0 else math.copysign(1.0, favour))
    return fmean(float(len(found) == 1) for found in sides.values())
