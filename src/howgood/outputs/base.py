"""What judging is: the third of the four questions, answered by a pure function from a prediction to a score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from howgood.core.errors import HowgoodError
from howgood.core.types import Instance, Outcome, Prediction, Score
from howgood.outputs.extract import is_refusal


class Outputs(ABC):
    """A judge of predictions. Gives every scored trial the same named values, the headline first.

    `ending` asks the model, in words, to end a worked answer so that this judge can read the answer out of it ("" where
    the prompt says so already); None for a judge that takes the whole text as the answer.
    """

    ending: ClassVar[str | None] = None

    def bind(self, call: dict[str, Any]) -> Self:
        """The same judge, told by the call's rules how the model was asked."""
        return self

    @abstractmethod
    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        """The score of a prediction that did not fail."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The judging's part of the rules: plain values."""


def judge(outputs: Outputs, instance: Instance, prediction: Prediction) -> Score:
    """The score of a prediction. One that failed is not judged: it has no values and the outcome `failed`; nor has one
    whose judging failed or gave what is no number."""
    if prediction.error is not None:
        return Score({}, "failed", explanation=prediction.error)
    try:
        score = outputs(instance, prediction)
        strange = [f"its score {k} is {v}, which is no number" for k, v in score.values.items() if not math.isfinite(v)]
    except HowgoodError:
        raise
    except Exception as error:  # a fault of the judge must not cost the run what was paid for
        return Score({}, "failed", explanation=f"judging it failed: {type(error).__name__}: {error}")
    return Score({}, "failed", explanation=strange[0]) if strange else score


def score_text(
    values: dict[str, float], answer: str | None, prediction: Prediction, explanation: str | None = None
) -> Score:
    """The score of a written answer, from the values that the scorer gave it and the answer that was read out of it.

    Only an answer that was read counts as right or wrong. One that is missing is told apart: filtered by the provider,
    refused, empty, or not given (unanswered) score 0; one that was cut off (truncated) keeps what the scorer gave it.
    """
    text = prediction.text or ""
    headline = next(iter(values.values()))
    outcome: Outcome
    if prediction.stop_reason == "filter":
        outcome = "filtered"
    elif prediction.stop_reason == "refusal":
        outcome = "refused"
    elif answer is not None and headline >= 1:
        outcome = "right"
    elif prediction.stop_reason == "length":
        outcome = "truncated"
    elif not text.strip():
        outcome = "empty"
    elif headline <= 0 and is_refusal(text):
        outcome = "refused"
    elif answer is None:
        outcome = "unanswered"
    else:
        outcome = "wrong" if headline <= 0 else "partial"
    if outcome in ("filtered", "refused", "empty", "unanswered"):
        values = dict.fromkeys(values, 0.0)
    return Score(values, outcome, answer, explanation)
