"""The model writes an answer: as a chat where it has a chat format, as a continuation of raw text where it has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from howgood.calls.base import Settings, SingleRequest, conversation, decoding, settled, spoil, summed
from howgood.calls.choices import text_of
from howgood.core.errors import RequestError, Unsupported
from howgood.core.text import digest
from howgood.core.types import Effort, Generate, Instance, Message, Prediction, Prompt, Request
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities, Model


def first_target(instance: Instance) -> str:
    if not instance.targets:
        raise Unsupported(f"instance {instance.id} has no target to show as a worked example")
    return instance.targets[0]


@dataclass(frozen=True)
class Generation(SingleRequest):
    """A question answered in words.

    `question` and `answer` give the texts of a worked example (the answer follows the question after `space`),
    `header` what stands once at the top. `stop` ends a raw completion only: a chat model ends its own turn. With
    `attempts` > 1 the same question is asked again, the later answers sampled at `retry_temperature` or more. A
    `schema` (JSON Schema) holds the answer to JSON of that form, and needs a model that can be held to one.
    """

    question: Callable[[Instance], str] = text_of
    answer: Callable[[Instance], str] = first_target
    header: str = ""
    shots: Shots | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int = 1024
    temperature: float = 0.0
    attempts: int = 1
    retry_temperature: float = 1.0
    join: str = "\n\n"
    space: str = " "
    schema: dict[str, Any] | None = None
    chat: bool = False
    effort: Effort | None = None
    thinking: int | None = None

    def bind(self, can: Capabilities, settings: Settings) -> Generation:
        if not can.generate:
            raise Unsupported("the model cannot generate text, which this benchmark needs")
        if self.schema is not None and not can.schema:
            raise Unsupported("the model's answers cannot be held to a JSON Schema, which this benchmark needs")
        chat = can.chat if settings.chat is None else settings.chat
        return replace(self, **settled(self, chat, can, settings))

    def describe(self) -> dict[str, Any]:
        rules: dict[str, Any] = {
            "kind": "generation",
            "format": "chat" if self.chat else "completion",
            "shots": self.shots.describe() if self.shots else {"n": 0},
            **decoding(self),
        }
        if self.schema is not None:
            rules["schema"] = digest(self.schema)
        if not self.chat:
            rules["stop"] = list(self.stop)
        if self.attempts > 1:
            rules |= {"attempts": self.attempts, "retry_temperature": max(self.temperature, self.retry_temperature)}
        return rules

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        stop = () if self.chat else self.stop
        prompt = self._prompt(instance, shots)
        return Generate(
            prompt,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            stop=stop,
            seed=seed,
            schema=self.schema,
            effort=self.effort,
            thinking=self.thinking,
        )

    async def __call__(self, request: Request, model: Model) -> Prediction:
        first = await model.send(request)
        if self.attempts == 1:
            return first
        assert isinstance(request, Generate)
        warmer = max(self.temperature, self.retry_temperature)
        tries = [first]
        for attempt in range(1, self.attempts):
            again = msgspec.structs.replace(request, temperature=warmer, seed=(request.seed or 0) + attempt)
            try:
                tries.append(await model.send(again))
            except RequestError as error:
                if error.fatal:
                    raise
                # The trial has failed, but what the attempts before it took was taken.
                return msgspec.structs.replace(together(tries), error=str(error))
        return together(tries)

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        target = self.answer(instance)
        text = target if right else spoil(target)
        return Prediction(text=text, attempts=(text,) * self.attempts, stop_reason="stop")

    def _prompt(self, instance: Instance, shots: tuple[Instance, ...]) -> Prompt:
        if not isinstance(instance.input, str):
            return self._given_conversation(instance)
        if self.chat:
            turns = [(self.question(shot), self.answer(shot)) for shot in shots]
            return conversation(self.header.strip(), turns, self.question(instance))
        worked = [f"{self.question(shot)}{self.space}{self.answer(shot)}" for shot in shots]
        return self.header + self.join.join([*worked, self.question(instance)])

    def _given_conversation(self, instance: Instance) -> tuple[Message, ...]:
        assert not isinstance(instance.input, str)
        if not self.chat:
            raise Unsupported(f"instance {instance.id} is a conversation, which needs a model with a chat format")
        return (*([Message("system", self.header)] if self.header else []), *instance.input)


def together(tries: list[Prediction]) -> Prediction:
    """Several answers to one question as one prediction: all texts, the sum of what they took, and for the rest what
    the first has."""
    reasons = tuple(p.stop_reason for p in tries)
    return msgspec.structs.replace(
        summed(tries[0], tries),
        attempts=tuple(p.text or "" for p in tries),
        stop_reasons=reasons,
        # One answer cut off or filtered does not spoil the others.
        stop_reason=reasons[0] if len(set(reasons)) == 1 else "stop",
    )
