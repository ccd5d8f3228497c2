"""The likelihood a model gives to text that is already there: one continuation, or a whole document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from howgood.calls.base import Settings, SingleRequest, need_likelihoods
from howgood.calls.choices import text_of
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Instance, Likelihood, Loglikelihood, Prediction, Rolling
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities

C = TypeVar("C")


def plainly(call: C, settings: Settings) -> C:
    """The call as it is. Raises `Unsupported` for a setting that would have to change the text that is measured."""
    if settings.shots:
        raise Unsupported("the likelihood of plain text is measured, without worked examples; leave out --shots")
    if settings.chat:
        raise Unsupported("the likelihood of plain text is measured, not of a chat; leave out --chat")
    if settings.effort is not None or settings.thinking is not None:
        raise Unsupported("the likelihood of plain text is measured, without thinking; leave out --effort, --thinking")
    return call


@dataclass(frozen=True)
class Continuation(SingleRequest):
    """The likelihood of the instance's first target after its input, joined by one space."""

    shots: Shots | None = None
    space: str = " "

    def bind(self, can: Capabilities, settings: Settings) -> Continuation:
        need_likelihoods(can.loglikelihood, can, "the model gives no log-likelihoods, which this benchmark needs")
        return plainly(self, settings)

    def describe(self) -> dict[str, Any]:
        return {"kind": "continuation", "format": "completion"}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Loglikelihood:
        return Loglikelihood(text_of(instance), (self.space + instance.targets[0],))

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        return Prediction(likelihoods=(Likelihood(-0.001 if right else -50.0, 1, greedy=right),))


@dataclass(frozen=True)
class WholeText(SingleRequest):
    """The likelihood of the instance's whole text, read in windows of at most `max_length` tokens (None: the model's
    own context length) that move by `stride` tokens: so many are scored in each but the first, after at least
    `max_length` - `stride` + 1 others (None: windows do not overlap). `clean` turns the stored text into the text that
    is scored (a de-tokeniser); words and bytes are counted on the text as it was stored."""

    clean: Callable[[str], str] = str
    max_length: int | None = None
    stride: int | None = None
    shots: Shots | None = None

    def __post_init__(self) -> None:
        longest = self.max_length
        if longest is not None and longest < 1:
            raise HowgoodError(f"a window of {longest} tokens reads no text; max_length must be 1 or more")
        if self.stride is not None and longest is None:
            raise HowgoodError("a stride is a part of a window whose length is known; give max_length too")
        if self.stride is not None and longest is not None and not 1 <= self.stride <= longest:
            raise HowgoodError(
                f"a stride of {self.stride} tokens does not fit a window of {longest}: it must be from 1 to {longest}"
            )

    @property
    def context(self) -> int:
        """How many tokens at least stand before each that is scored, but for the first window's."""
        return 1 if self.stride is None or self.max_length is None else self.max_length - self.stride + 1

    def bind(self, can: Capabilities, settings: Settings) -> WholeText:
        need_likelihoods(can.loglikelihood_rolling, can, "the model cannot score whole texts, which perplexity needs")
        return plainly(self, settings)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "rolling",
            "format": "completion",
            "max_length": self.max_length,
            "stride": self.stride or self.max_length,
            "context": self.context,
            "clean": getattr(self.clean, "__name__", "custom") if self.clean is not str else "none",
        }

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Rolling:
        return Rolling(self.clean(text_of(instance)), self.max_length, self.context)

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        tokens = max(1, len(text_of(instance).encode()))
        return Prediction(likelihoods=(Likelihood(0.0 if right else -5.0 * tokens, tokens),))
