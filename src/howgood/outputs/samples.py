"""Several samples of an answer as one: the answer that most give, or the sample that was chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

import msgspec

from howgood.core.errors import Unsupported
from howgood.core.text import shorten
from howgood.core.types import Instance, Outcome, Prediction, Score
from howgood.outputs.base import Around
from howgood.outputs.extract import folded, normalize, parse_number, words

NO_VOTE = ("filtered", "refused", "empty", "unanswered")


@dataclass(frozen=True)
class Majority(Around):
    """The score of the answer that most attempts give (Wang et al., arXiv:2203.11171), as other outputs read and judge
    each.

    Two answers are one where they are the same number, or the same words in normal form. Where several have most votes
    the score is the mean of theirs, which is what a fair draw among them would score on average; so is that of one
    answer whose samples the outputs judge differently. Samples without an answer do not vote; where none votes, the
    first one's score stands.
    """

    def seat(self, names: tuple[str, ...], cache: bool | None) -> Majority:
        found = super().seat(names, cache)
        if found.judges:
            raise Unsupported("answers that judges compare cannot be voted on, since no two are alike; leave out vote")
        return found

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        scores = [self.inner(instance, sample) for sample in samples_of(prediction)]
        ballots: dict[str | Decimal, list[Score]] = {}
        for score in scores:
            if score.answer is not None and score.outcome not in NO_VOTE:
                ballots.setdefault(vote_for(score.answer), []).append(score)
        votes = [(shown(alike), len(alike)) for alike in sorted(ballots.values(), key=len, reverse=True)]
        silent = len(scores) - sum(count for _, count in votes)
        explanation = "votes: " + ", ".join(f"{shorten(answer, 60)} x{count}" for answer, count in votes)
        if silent:
            explanation += f"{', ' if votes else ''}no answer x{silent}"
        if not ballots:
            return msgspec.structs.replace(scores[0], explanation=explanation)
        most = max(map(len, ballots.values()))
        tied = [alike for alike in ballots.values() if len(alike) == most]
        if len(tied) > 1:
            explanation += f"; the score is the mean of {len(tied)} tied answers"
        values = {
            name: fmean(fmean(score.values[name] for score in alike) for alike in tied) for name in scores[0].values
        }
        answer = " | ".join(map(shown, tied))
        return Score(values, _outcome(values, [score for alike in tied for score in alike]), answer, explanation)

    def describe(self) -> dict[str, Any]:
        return self.inner.describe() | {"vote": "majority, ties split (version 1)"}


@dataclass(frozen=True)
class Chosen(Around):
    """Judges the text that a method chose among the attempts, and none of the others."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        return self.inner(instance, _alone(prediction))

    async def judged(self, instance: Instance, prediction: Prediction) -> Score:
        return await self.inner.judged(instance, _alone(prediction))

    def describe(self) -> dict[str, Any]:
        return self.inner.describe()


def _alone(prediction: Prediction) -> Prediction:
    return msgspec.structs.replace(prediction, attempts=(), stop_reasons=())


def samples_of(prediction: Prediction) -> list[Prediction]:
    """Each attempt as a prediction of its own."""
    if not prediction.attempts:
        return [prediction]
    reasons = prediction.stop_reasons or (prediction.stop_reason,) * len(prediction.attempts)
    return [
        msgspec.structs.replace(prediction, text=text, stop_reason=reason, attempts=(), stop_reasons=())
        for text, reason in zip(prediction.attempts, reasons, strict=True)
    ]


def vote_for(answer: str) -> str | Decimal:
    """What makes two answers one vote: their number, or the first normal form that leaves anything of the answer."""
    value = parse_number(answer)
    if value is not None:
        return value
    return next((form(answer) for form in (normalize, words) if form(answer)), folded(answer))


def shown(alike: list[Score]) -> str:
    """An answer as most of its samples write it."""
    return Counter(score.answer or "" for score in alike).most_common(1)[0][0]


def _outcome(values: dict[str, float], scores: list[Score]) -> Outcome:
    outcomes = {score.outcome for score in scores}
    if len(outcomes) == 1:
        return outcomes.pop()
    headline = next(iter(values.values()))
    return "right" if headline >= 1 else "wrong" if headline <= 0 else "partial"
