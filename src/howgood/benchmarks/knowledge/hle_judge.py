"""Humanity's Last Exam as its authors judge it: a model says whether an answer is the right one.

Their judge (run_judge_results.py of https://github.com/centerforaisafety/hle) is asked for the final answer that it
reads out of a response, its reasons, yes or no, and the confidence that the response states. It is asked here in our
own words; the confidence is read out of the response itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from howgood.benchmarks.knowledge.hle_answer import read_answer
from howgood.core.types import Instance, Prediction, Verdict
from howgood.outputs.judge import Judged, Question, Template
from howgood.outputs.judge.base import is_silent, mean, told
from howgood.outputs.judge.reading import json_object, label, reply_text

WORDS = Template(
    "howgood HLE judge (version 1)",
    """The question:
{question}

The right answer:
{reference}

The response to judge:
{answer}

Read the final answer out of the response ("none" where it gives none). Say what tells it from the right answer, if
anything does, and nothing else: do not answer the question yourself, and argue for no other answer. It is right if it
says the same as the right answer, or is within a small margin of error where the question asks for a number.
Reply with one JSON object and nothing else: {"final_answer": "...", "reasons": "...", "correct": "yes or no"}""",
    "You compare a response to an exam question with the right answer.",
    guarded=("question", "reference", "answer"),
)


@dataclass(frozen=True)
class Examiner(Judged):
    """`acc`: the share of judges who find the answer right; `confidence`: what the response states, from 0 to 1, and 1
    where it states none."""

    @property
    def scale(self) -> tuple[float, float]:
        return 0.0, 1.0

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        return () if is_silent(prediction) else (Question(WORDS.fill(told(instance, prediction, WORDS))),)

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        said = json_object(reply_text(reply), "correct")["correct"]
        return {"acc": label(said.lower() if isinstance(said, str) else said, {"yes": 1.0, "no": 0.0})}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        if not verdicts:
            return {"acc": 0.0, "confidence": 0.0}
        return {"acc": mean(verdicts, "acc"), "confidence": read_answer(prediction.text or "")[1]}

    def imagined(self, question: Question, right: bool) -> Prediction:
        return Prediction(text=json.dumps({"final_answer": "", "correct": "yes" if right else "no"}))

    def describe(self) -> dict[str, Any]:
        return {"kind": "examiner", "version": 1, **WORDS.describe(), **super().describe()}
