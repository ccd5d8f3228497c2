"""What judging is: the third of the four questions, answered by a pure function from a prediction to a score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Instance, Outcome, Prediction, Score
from howgood.models.base import Model
from howgood.outputs.extract import is_refusal


class Outputs(ABC):
    """A judge of predictions. Gives every scored trial the same named values, the headline first.

    `ending` asks the model, in words, to end a worked answer so that this judge can read the answer out of it ("" where
    the prompt says so already); None for a judge that takes the whole text as the answer.
    """

    ending: ClassVar[str | None] = None

    @property
    def judges(self) -> tuple[Model, ...]:
        """The models that are asked to judge, once they are seated."""
        return ()

    def bind(self, call: dict[str, Any]) -> Self:
        """The same judge, told by the call's rules how the model was asked."""
        return self

    def seat(self, names: tuple[str, ...], cache: bool | None) -> Self:
        """The same outputs with these models as judges, which are asked through the cache as `cached` says. Raises
        `Unsupported` where no judge is asked."""
        if names:
            raise Unsupported("no judge is asked here; leave out --judge")
        return self

    @abstractmethod
    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        """The score of a prediction that did not fail."""

    async def judged(self, instance: Instance, prediction: Prediction) -> Score:
        """The score of a prediction that did not fail, after judges were asked where there are any."""
        return self(instance, prediction)

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The judging's part of the rules: plain values."""


@dataclass(frozen=True)
class Around(Outputs):
    """Outputs that change what other outputs are shown, or what is made of their score."""

    inner: Outputs

    @property
    def judges(self) -> tuple[Model, ...]:
        return self.inner.judges

    def bind(self, call: dict[str, Any]) -> Self:
        return replace(self, inner=self.inner.bind(call))

    def seat(self, names: tuple[str, ...], cache: bool | None) -> Self:
        return replace(self, inner=self.inner.seat(names, cache))


@asynccontextmanager
async def present(judges: tuple[Model, ...]) -> AsyncIterator[None]:
    """The judges, there from before the first trial until after the last. Raises `ModelError` where one cannot be
    asked."""
    async with AsyncExitStack() as stack:
        for model in judges:
            stack.push_async_callback(model.close)
            await model.check()
        yield


def judge(outputs: Outputs, instance: Instance, prediction: Prediction) -> Score:
    """The score of a prediction, of outputs that ask no judges. One that failed is not judged: it has no values and the
    outcome `failed`; nor has one whose judging failed or gave what is no number."""
    if prediction.error is not None:
        return _failed(prediction.error)
    try:
        return _numbers(outputs(instance, prediction))
    except HowgoodError:
        raise
    except Exception as error:  # a fault of the scorer must not cost the run what was paid for
        return _failed(f"judging it failed: {type(error).__name__}: {error}")


async def judged(outputs: Outputs, instance: Instance, prediction: Prediction) -> Score:
    """`judge`, after judges were asked where the outputs have any. A judge that could not be asked leaves the trial
    failed, to be tried again; raises `RequestError` only where no other trial could be judged either."""
    if prediction.error is not None:
        return _failed(prediction.error)
    try:
        return _numbers(await outputs.judged(instance, prediction))
    except RequestError as error:
        if error.fatal:
            raise
        return _failed(str(error))
    except HowgoodError:
        raise
    except Exception as error:
        return _failed(f"judging it failed: {type(error).__name__}: {error}")


def _numbers(score: Score) -> Score:
    strange = [f"its score {k} is {v}, which is no number" for k, v in score.values.items() if not math.isfinite(v)]
    return _failed(strange[0]) if strange else score


def _failed(why: str) -> Score:
    return Score({}, "failed", explanation=why)


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
