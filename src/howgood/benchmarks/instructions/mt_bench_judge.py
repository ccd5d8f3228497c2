"""How MT-Bench's answers are judged: two grades for a conversation, or one of two conversations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import msgspec

from howgood.calls.methods.base import NO_ANSWER
from howgood.core.text import digest
from howgood.core.types import Instance, Prediction, Verdict
from howgood.models.base import text_of
from howgood.outputs.judge import Graded, Pairwise, Question, Template
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
REFERENCES = (
    "\n\nA reference for the first answer:\n{ref_answer_1}",
    "\n\nA reference for the second answer:\n{ref_answer_2}",
)
ASK_GRADE = "Explain in a few sentences, then end with the grade from 1 to 10 in double brackets: [[5]]."


def turns_of(instance: Instance, prediction: Prediction) -> dict[str, str]:
    """Questions and answers of the two turns."""
    answers = [*answers_of(prediction), ""]
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


def answers_of(prediction: Prediction) -> list[str]:
    """The answer of each turn."""
    answers = [text_of(message) for message in prediction.transcript if message.role == "assistant"]
    return ["" if answer == NO_ANSWER else answer for answer in answers] or [prediction.text or ""]


def are_silent(prediction: Prediction) -> bool:
    """Whether there is no answer in any turn."""
    return not any(answer.strip() for answer in answers_of(prediction))


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
    shows: tuple[str, ...] = field(
        default=("question_1", "answer_1", "question_2", "answer_2", "ref_answer_1", "ref_answer_2")
    )

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if are_silent(prediction):
            return ()
        parts, (first, second) = turns_of(instance, prediction), self._words(is_referenced(instance))
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
        return _told(super().describe(), [*self._words(False), *self._words(True)])

    def _words(self, reference: bool) -> tuple[Template, Template]:
        """What is asked about the first turn, and about the second."""
        name = "single-math-v1" if reference else "single-v1"
        return (
            chosen(self.prompts, name) or self._own(1, reference),
            chosen(self.prompts, f"{name}-multi-turn") or self._own(2, reference),
        )

    def _own(self, turn: int, reference: bool) -> Template:
        what = "the first answer" if turn == 1 else "the second answer"
        held = REFERENCES[:turn] if reference else ()
        shown = CONVERSATION if turn == 2 else CONVERSATION.partition("\n\nThe user's second")[0]
        text = f"{shown}{''.join(held)}\n\nGrade {what}: is it right, helpful and to the point? {ASK_GRADE}"
        return Template("howgood MT-Bench grade (version 1)", text, "You grade answers.", guarded=self.shows)


@dataclass(frozen=True)
class TwoConversations(Pairwise):
    """Which of two conversations is better. A winner in one order only is a tie."""

    prompts: tuple[tuple[str, str, str], ...] = ()

    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        if are_silent(prediction) or not any(instance.metadata["baseline"]):
            return ()
        return tuple(self._question(instance, prediction, first) for first in (True, False))

    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        found = VERDICT.findall(reply_text(reply))
        if not found:
            raise Unreadable("no [[A]], [[B]] or [[C]]")
        liked = {"A": 1.0, "B": 0.0, "C": 0.5}[found[-1]]
        return {"preference": liked if question.first else 1 - liked}

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        whole = msgspec.structs.replace(prediction, text="\n\n".join(answers_of(prediction)))
        values = super().values(instance, whole, verdicts)
        liked: dict[str, set[float]] = {}
        for verdict in verdicts:
            liked.setdefault(verdict.judge, set()).add(verdict.values["preference"])
        if liked:  # each judge has one verdict: what it says in both orders, or a tie
            values["preference"] = fmean(found.pop() if len(found) == 1 else 0.5 for found in liked.values())
        return values

    def imagined(self, question: Question, right: bool) -> Prediction:
        return Prediction(text="[[A]]" if bool(question.first) == right else "[[B]]")

    def _question(self, instance: Instance, prediction: Prediction, first: bool) -> Question:
        ours = turns_of(instance, prediction)
        theirs = (*instance.metadata["baseline"], "", "")
        pairs = [(ours["answer_1"], ours["answer_2"]), (theirs[0], theirs[1])][:: 1 if first else -1]
        parts = ours | {
            f"answer_{side}_{turn + 1}": pairs[place][turn] for place, side in enumerate("ab") for turn in (0, 1)
        }
        return Question(self._words(is_referenced(instance)).fill(parts), first)

    def _words(self, reference: bool) -> Template:
        name = "pair-math-v1-multi-turn" if reference else "pair-v2-multi-turn"
        return chosen(self.prompts, name) or self._own(reference)

    def _own(self, reference: bool) -> Template:
        sides = [
            f"Conversation {side.upper()}:\n\n"
            + CONVERSATION.replace("{answer_1}", f"{{answer_{side}_1}}").replace("{answer_2}", f"{{answer_{side}_2}}")
            for side in "ab"
        ]
        ask = "Compare the assistants' answers, then end with [[A]], [[B]], or [[C]] for a tie."
        held = "".join(REFERENCES) if reference else ""
        shows = (
            "question_1",
            "question_2",
            "ref_answer_1",
            "ref_answer_2",
            *(f"answer_{side}_{turn}" for side in "ab" for turn in (1, 2)),
        )
        return Template(
            "howgood MT-Bench pair (version 1)", "\n\n".join(sides) + f"{held}\n\n{ask}", "You are fair.", guarded=shows
        )

    def describe(self) -> dict[str, Any]:
        return _told(super().describe(), [self._words(False), self._words(True)])


def _told(rules: dict[str, Any], words: Sequence[Template]) -> dict[str, Any]:
    """The rules of outputs that have no rubric, ask in these words, and are answered in brackets."""
    rules = {name: value for name, value in rules.items() if name not in ("rubric", "key", "labels")}
    digests = digest([template.describe()["template_digest"] for template in words])
    return rules | words[0].describe() | {"template_digest": digests, "verdict": "brackets"}
