"""Chain of thought: the model is asked to reason before it answers. Kojima et al., https://arxiv.org/abs/2205.11916"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from howgood.calls.base import Call, Settings
from howgood.calls.choices import Choices
from howgood.calls.methods.base import Method, own_call, with_last_user_message, writing, written
from howgood.core.types import Generate, Instance, Prediction, Prompt
from howgood.models.base import Capabilities, text_of
from howgood.outputs.base import Outputs
from howgood.outputs.final import Final

ROOM = 2048
"""The tokens that reasoning and answer get, where the benchmark gives fewer and the user says nothing."""
THINK = "Think step by step before you answer."
BEGIN = " Let's think step by step."
"""How a raw completion begins (Kojima et al.)."""


@dataclass(frozen=True)
class ChainOfThought(Method):
    """The question with the request to think step by step and to end in the form that the outputs read (`ending`).

    Choice questions are answered in writing, and without worked examples unless the user asks for them: theirs show a
    bare letter, which teaches not to think. `marked` says that the answer is what follows the last "Answer:".
    """

    name: ClassVar[str] = "cot"
    ending: str = Final.ending
    marked: bool = True

    @classmethod
    def around(cls, call: Call, outputs: Outputs) -> tuple[Call, Outputs]:
        if outputs.ending is None:
            return cls(call), Final(outputs)
        return cls(call, ending=outputs.ending, marked=False), outputs

    def bind(self, can: Capabilities, settings: Settings) -> ChainOfThought:
        call = writing(self.inner, self.name)
        own = own_call(call)
        if settings.max_tokens is None:
            room = max(ROOM, getattr(own, "max_tokens", 0)) + (settings.thinking or 0)
            settings = msgspec.structs.replace(settings, max_tokens=room)
        if settings.shots is None and isinstance(own, Choices):
            settings = msgspec.structs.replace(settings, shots=0)
        return replace(self, inner=call.bind(can, settings))

    def describe(self) -> dict[str, Any]:
        rules = super().describe()
        return rules | {"stop": list(_within_a_line(rules["stop"]))} if "stop" in rules else rules

    def told(self) -> dict[str, Any]:
        return {"version": 1}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        request = written(super().request(instance, shots, seed))
        prompt = self._reasoned(request.prompt)
        return msgspec.structs.replace(request, prompt=prompt, stop=_within_a_line(request.stop))

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        prediction = super().imagine(instance, right)
        if not self.marked:
            return prediction
        return msgspec.structs.replace(
            prediction,
            text=_marked(prediction.text or ""),
            attempts=tuple(map(_marked, prediction.attempts)),
        )

    def _reasoned(self, prompt: Prompt) -> Prompt:
        asked = prompt if isinstance(prompt, str) else "\n".join(map(text_of, prompt))
        ending = f" {self.ending}" if self.ending and self.ending not in asked else ""
        if isinstance(prompt, str):
            return f"{THINK}{ending}\n\n{prompt}{BEGIN}"
        return with_last_user_message(prompt, after=f"\n\n{THINK}{ending}")


def _within_a_line(stop: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The stops without those that are white space alone: they would end the reasoning with its first paragraph."""
    return tuple(text for text in stop if text.strip())


def _marked(answer: str) -> str:
    return f"Step by step.\nAnswer: {answer}"
