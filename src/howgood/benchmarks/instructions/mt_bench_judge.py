"""How MT-Bench's answers are judged: two grades for a conversation, or one of two conversations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from howgood.core.types import Instance, Prediction, Verdict
from howgood.models.base import text_of
from howgood.outputs.judge import Graded, Pairwise, Question, Template
from howgood.outputs.judge.base import is_silent
from howgood.outputs.judge.base import mean as mean_of
from howgood.outputs.judge.reading import Unreadable, grade, reply_text

WITH_REFERENCE = ("math", "reasoning", "coding", "arena-hard-200")
"""Categories whose answers are judged beside a reference."""
RATING = re.compile(r"\[\[(\d+(?:\.\d+)?)\]\]")
VERDICT = re.compile(r"\[\[([ABC])\]\]")
CONVERSATION = """The user's first question:
{question_1}

The assistant's answer:
{answer_1}

The user's second question:
{question_2}

The assistant's answer:
{answer_2}"""
ASK_GRADE = "Explain in a few sentences, then end with the grade from 1 to 10 in double brackets: [[5]]."


def turns_of(instance: Instance, prediction: Prediction) -> dict[str, str]:
    """Questions and answers of the two turns."""
    answers = [text_of(message) for message in prediction.transcript if message.role == "assistant"]
    answers = (answers or [prediction.text or ""]) + [""]
    assert not isinstance(instance.input, str)
    references = (*instance.metadata["references"], "", "")
    return {
        "question_1": text_of(instance.input[-1]),
        "question_2": instance.metadata["turns"][0] if instance.metadata["turns"] else "",
        "answer_1": answers[0],
        "answer_2": answers[1],
        "ref_answer_1": references[0],
        "ref_answer_2": references[1],
    }


def chosen(prompts: tuple[tuple[str, str, str], ...], name: str) -> Template | None:
    """The published prompt of this name."""
    for known, system, text in prompts:
        if known == name:
            return Template(f"MT-Bench {name}", text, system)
    return None


def is_referenced(instance: Instance) -> bool:
    return instance.stratum in WITH_REFERENCE and bool(instance.metadata["references"])


@dataclass(frozen=True)
class TwoGrades(Graded):
    """The grades of both turns; `score` is their mean. The second is asked for with the whole conversation."""

    prompts: tuple[tuple[str, str, str], ...] = ()
    shows: tuple[str, ...] = field(default=("question_1", "answer_1", "question_2", "answer_2", "ref_answer_1"))

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if is_silent(prediction):
            return ()
        parts, math = turns_of(instance, prediction), "-math" if is_referenced(instance) else ""
        first = chosen(self.prompts, f"single{math}-v1") or self._own(1, bool(math))
        second = chosen(self.prompts, f"single{math}-v1-multi-turn") or self._own(2, bool(math))
        one = first.fill(parts | {"question": parts["question_1"], "answer": parts["answer_1"]})
        return (Question(one), Question(second.fill(parts))) if parts["question_2"] else (Question(one),)

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        found = RATING.findall(reply_text(reply))
        if not found:
            raise Unreadable("no grade in double brackets")
        return {"score": grade(found[-1], self.low, self.high)}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        if not verdicts:
            return {"score": float(self.low), "turn_1": float(self.low), "turn_2": float(self.low)}
        by_judge: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            by_judge.setdefault(verdict.judge, []).append(verdict)
        turns = [mean_of([found[min(turn, len(found) - 1)] for found in by_judge.values()], "score") for turn in (0, 1)]
        return {"score": mean_of(verdicts, "score"), "turn_1": turns[0], "turn_2": turns[1]}

    def imagined(self, question: Question, right: bool) -> Prediction:
        return Prediction(text=f"Rating: [[{self.high if right else self.low:g}]]")

    def describe(self) -> dict[str, Any]:
        words = [template for template in (chosen(self.prompts, "single-v1"), self._own(1, False)) if template]
        return super().describe() | words[0].describe()

    def _own(self, turn: int, reference: bool) -> Template:
        what = "the first answer" if turn == 1 else "the second answer"
        held = "\n\nA reference for the first answer:\n{ref_answer_1}" if reference else ""
        shown = CONVERSATION if turn == 2 else CONVERSATION.partition("\n\nThe user's second")[0]
        text = f"{shown}{held}\n\nGrade {what}: is it right, helpful and to the point? {ASK_GRADE}"
        return Template("howgood MT-Bench grade (version 1)", text, "You grade answers.", guarded=self.shows)


@dataclass(frozen=True)
class TwoConversations(Pairwise):
    """Which of two conversations is better. A winner in one order only is a tie."""

    prompts: tuple[tuple[str, str, str], ...] = ()

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if is_silent(prediction) or not any(instance.metadata["baseline"]):
            return ()
        return tuple(self._question(instance, prediction, first) for first in (True, False))

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        found = VERDICT.findall(reply_text(reply))
        if not found:
            raise Unreadable("no [[A]], [[B]] or [[C]]")
        liked = {"A": 1.0, "B": 0.0, "C": 0.5}[found[-1]]
        return {"preference": liked if question.first else 1 - liked}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        values = super().values(instance, prediction, verdicts)
        decided = (
            values["preference"] if values["preference"] in (0.0, 1.0) or len({v.judge for v in verdicts}) > 1 else 0.5
        )
        return values | {"preference": decided}

    def imagined(self, question: Question, right: bool) -> Prediction:
        return Prediction(text="[[A]]" if bool(question.first) == right else "[[B]]")

    def _question(self, instance: Instance, prediction: Prediction, first: bool) -> Question:
        ours = turns_of(instance, prediction)
        theirs = (*instance.metadata["baseline"], "", "")
        pairs = [(ours["answer_1"], ours["answer_2"]), (theirs[0], theirs[1])][:: 1 if first else -1]
        parts = ours | {
            f"answer_{side}_{turn + 1}": pairs[place][turn] for place, side in enumerate("ab") for turn in (0, 1)
        }
        math = "-math-v1" if is_referenced(instance) else "-v2"
        return Question((chosen(self.prompts, f"pair{math}-multi-turn") or self._own()).fill(parts), first)

    def _own(self) -> Template:
        sides = [
            f"Conversation {side.upper()}:\n\n"
            + CONVERSATION.replace("{answer_1}", f"{{answer_{side}_1}}").replace("{answer_2}", f"{{answer_{side}_2}}")
            for side in "ab"
        ]
        ask = "Compare the assistants' answers, then end with [[A]], [[B]], or [[C]] for a tie."
        shows = ("question_1", "question_2", *(f"answer_{side}_{turn}" for side in "ab" for turn in (1, 2)))
        return Template("howgood MT-Bench pair (version 1)", "\n\n".join([*sides, ask]), "You are fair.", guarded=shows)

    def describe(self) -> dict[str, Any]:
        return super().describe() | (chosen(self.prompts, "pair-v2-multi-turn") or self._own()).describe()
