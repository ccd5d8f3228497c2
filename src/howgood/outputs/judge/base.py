"""Judging by models: what is asked of a judge, how the juries' verdicts come about, and what becomes of them."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Self

from msgspec import Struct

from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Generate, Instance, Outcome, Prediction, Prompt, Score, Verdict
from howgood.models.base import Model
from howgood.outputs.base import Outputs
from howgood.outputs.judge.reading import Unreadable
from howgood.outputs.judge.template import Template, spoken

ALTERNATIVES = 5
"""The likeliest tokens that are asked for where a verdict is read from log-probabilities; some servers give no more."""


class Question(Struct, frozen=True):
    """What is asked of a judge about one answer: the prompt, and where two answers are shown, whether the judged one
    comes `first`."""

    prompt: Prompt
    first: bool | None = None


@dataclass(frozen=True)
class Judged(Outputs):
    """Outputs that ask one judge or several, each all of `questions`, and make a score of their verdicts.

    `judge` is the model that the benchmark's authors judged by (None: the user must name one); `seated` are those that
    are asked. A judge is asked at `temperature` for at most `max_tokens`. Judges whose verdict cannot be read are
    left out; where none can be, the trial is `unjudged`: it has no values, and is counted as what it is.
    """

    judge: str | None = None
    temperature: float = 0.0
    max_tokens: int = 2048
    seated: tuple[Model, ...] = ()

    @property
    def judges(self) -> tuple[Model, ...]:
        return self.seated

    @abstractmethod
    def questions(self, instance: Instance, prediction: Prediction) -> tuple[Question, ...]:
        """What each judge is asked; nothing where the score is settled without one (an empty answer)."""

    @abstractmethod
    def read(self, question: Question, reply: Prediction) -> dict[str, float]:
        """A reply's verdict as named values. Raises `Unreadable`."""

    @abstractmethod
    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        """The score's values, the headline first, from the verdicts that could be read; from none where the score is
        settled without a judge."""

    @abstractmethod
    def imagined(self, question: Question, right: bool) -> Prediction:
        """The reply of a judge that finds the answer as good (or as bad) as can be, for `howgood check`."""

    @property
    @abstractmethod
    def scale(self) -> tuple[float, float]:
        """The worst and the best value that the headline can have."""

    @property
    def verdict_scale(self) -> tuple[float, float]:
        """The worst and the best value that one verdict can have."""
        return self.scale

    @property
    def by_logprobs(self) -> bool:
        """Whether verdicts are read from log-probabilities, which not every judge gives."""
        return False

    def seat(self, names: tuple[str, ...], cache: bool | None) -> Self:
        """The same outputs with these judges (none: the benchmark's own). Raises `Unsupported` where a judge is missing
        or cannot do what is asked of it."""
        from howgood.models.cache import cached
        from howgood.models.registry import load_model

        wanted = names or ((self.judge,) if self.judge else ())
        if not wanted:
            raise Unsupported("a judge decides here; name one with --judge MODEL")
        if len(set(wanted)) < len(wanted):
            raise Unsupported(f"a judge is named twice in {', '.join(wanted)}; name each once")
        judges = tuple(cached(load_model(name), cache) for name in wanted)
        for model in judges:
            if not (model.capabilities.generate and model.capabilities.chat):
                raise Unsupported(f"{model.name} cannot judge: it does not write in a chat")
            if self.by_logprobs and not model.capabilities.logprobs:
                raise Unsupported(
                    f"{model.name} gives no log-probabilities, which this verdict is read from; name another --judge, "
                    "or have the verdict written: -P verdict=json"
                )
        return replace(self, seated=judges)

    def describe(self) -> dict[str, Any]:
        from howgood.models.cache import identity

        told = [{"name": judge.name} | identity(judge) for judge in self.judges]
        return {"judges": told, "judge_temperature": self.temperature, "judge_max_tokens": self.max_tokens}

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        """The score where no judge has to be asked. Raises `HowgoodError` elsewhere: judges answer in `judged`."""
        if self.questions(instance, prediction):
            raise HowgoodError("judges must be asked about this answer; outputs.base.judged does that")
        return self.score(instance, prediction, ())

    async def judged(self, instance: Instance, prediction: Prediction) -> Score:
        """Ask every judge every question at once. Where one did not answer the trial has failed, and keeps what the
        others said, which was paid for; raises `RequestError` where that judge cannot be asked at all."""
        asked = [(judge, question) for judge in self.judges for question in self.questions(instance, prediction)]
        replies = await asyncio.gather(*(self._ask(*one) for one in asked), return_exceptions=True)
        lost = [reply for reply in replies if isinstance(reply, BaseException)]
        for error in lost:
            if not isinstance(error, RequestError) or error.fatal:
                raise error
        verdicts = [
            self.verdict(judge.name, question, reply)
            for (judge, question), reply in zip(asked, replies, strict=True)
            if isinstance(reply, Prediction)
        ]
        if lost:
            return Score({}, "failed", explanation=str(lost[0]), verdicts=tuple(verdicts))
        return self.score(instance, prediction, verdicts)

    def verdict(self, judge: str, question: Question, reply: Prediction) -> Verdict:
        """A reply, read."""
        values, problem = dict[str, float](), None
        try:
            values = self.read(question, reply)
        except Unreadable as error:
            problem = str(error)
        return Verdict(judge, question.prompt, reply, values, problem, question.first)

    def score(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> Score:
        """The score that the verdicts make, with the verdicts in it. Of a judge that did not answer every question so
        that it could be read none counts: one order alone would not be balanced."""
        spoiled = {verdict.judge for verdict in verdicts if verdict.problem}
        counted = [verdict for verdict in verdicts if verdict.judge not in spoiled]
        if verdicts and not counted:
            why = "; ".join(f"{verdict.judge}: {verdict.problem}" for verdict in verdicts if verdict.problem)
            return Score({}, "unjudged", prediction.text, f"no verdict could be read ({why})", tuple(verdicts))
        values = self.values(instance, prediction, counted)
        left_out = f"left out, since a verdict could not be read: {', '.join(sorted(spoiled))}" if spoiled else None
        return Score(values, _outcome(prediction), prediction.text, left_out, tuple(verdicts))

    async def _ask(self, judge: Model, question: Question) -> Prediction:
        request = Generate(
            question.prompt,
            max_tokens=1 if self.by_logprobs else self.max_tokens,
            temperature=self.temperature,
            seed=0,
            logprobs=ALTERNATIVES if self.by_logprobs else None,
        )
        try:
            return await judge.send(request)
        except RequestError as error:
            raise RequestError(f"the judge {judge.name}: {error}", fatal=error.fatal) from error


def mean(verdicts: Sequence[Verdict], name: str) -> float:
    """The mean over judges of each judge's mean over its verdicts: every judge counts alike."""
    by_judge: dict[str, list[float]] = {}
    for verdict in verdicts:
        by_judge.setdefault(verdict.judge, []).append(verdict.values[name])
    return fmean(fmean(values) for values in by_judge.values())


def is_silent(prediction: Prediction) -> bool:
    """Whether there is no answer to judge."""
    return not (prediction.text or "").strip()


def _outcome(prediction: Prediction) -> Outcome:
    if prediction.stop_reason == "filter":
        return "filtered"
    if prediction.stop_reason == "refusal":
        return "refused"
    if is_silent(prediction):
        return "truncated" if prediction.stop_reason == "length" else "empty"
    return "truncated" if prediction.stop_reason == "length" else "scored"


def told(instance: Instance, prediction: Prediction, template: Template, **more: str) -> dict[str, str]:
    """The parts of an instance and its answer that a template may show: `question`, the `history` before it, `answer`,
    `reference`, `checklist`."""
    prompt = instance.input
    history = "" if isinstance(prompt, str) else spoken(prompt[:-1], template.turn)
    checklist = instance.metadata.get("checklist") or ()
    return {
        "question": spoken(prompt if isinstance(prompt, str) else prompt[-1:]),
        "history": history,
        "answer": prediction.text or "",
        "reference": instance.targets[0] if instance.targets else "",
        "checklist": "\n".join(f"- {item}" for item in checklist) if not isinstance(checklist, str) else checklist,
        **more,
    }
