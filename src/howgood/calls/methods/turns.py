"""Several turns: what the user says after each answer, said by the instance or always the same."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import msgspec

from howgood.calls.base import Call, Settings
from howgood.calls.methods.base import Method, chat, concluded, needs_chat, said, single, written
from howgood.core.errors import DataError, RequestError, Unsupported
from howgood.core.text import digest
from howgood.core.types import Generate, Instance, Message, Prediction, Request
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import Outputs

CHECK = (
    "Check your answer: go through the question and each step again, and mend what is wrong. Then give your final "
    "answer in full, in the form that was asked for."
)


class Turned(Generate, frozen=True, omit_defaults=True, tag="turned"):
    """A request that begins a conversation: `turns` is what the user says after each answer."""

    turns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turns(Method):
    """A conversation of several turns: after each answer the user says the next thing, and the last answer counts.

    `say` is one thing said after the first answer, whatever that is. None, for benchmarks of conversations, takes what
    each instance says: its `metadata["turns"]`, the list of user turns after the one in its `input`. The transcript
    holds every answer.
    """

    name: ClassVar[str] = "turns"
    say: str | None = field(default=CHECK, kw_only=True)

    @classmethod
    def around(cls, call: Call, outputs: Outputs, *, say: str = CHECK) -> tuple[Call, Outputs]:
        return cls(call, say=say), outputs

    def bind(self, can: Capabilities, settings: Settings) -> Turns:
        needs_chat(can, settings, self.name)
        if not can.samples:
            raise Unsupported("the model has one answer to each question, and turns asks for another")
        return replace(self, inner=single(self.inner, self.name).bind(can, settings))

    def told(self) -> dict[str, Any]:
        if self.say is None:
            return {"turns": "the instance's"}
        return {"turns": 2, "say": "check (version 1)" if self.say == CHECK else digest(self.say)}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Turned:
        request = written(super().request(instance, shots, seed))
        turns = (self.say,) if self.say is not None else _turns(instance)
        return Turned(**msgspec.structs.asdict(request), turns=turns)

    async def __call__(self, request: Request, model: Model) -> Prediction:
        assert isinstance(request, Turned)
        first = Generate(*(getattr(request, name) for name in Generate.__struct_fields__))
        parts: list[Prediction] = []
        transcript: list[Message] = []
        try:
            for turn in (None, *request.turns):
                if turn is not None:
                    transcript.append(Message("user", turn))
                prompt = (*chat(request.prompt), *transcript)
                parts.append(await self.inner(msgspec.structs.replace(first, prompt=prompt), model))
                transcript += said(parts[-1])
                if parts[-1].error is not None:
                    break
        except RequestError as error:
            if error.fatal or not parts:
                raise
            return concluded(parts, transcript, error)
        return concluded(parts, transcript)


def _turns(instance: Instance) -> tuple[str, ...]:
    turns = instance.metadata.get("turns")
    if not isinstance(turns, list | tuple) or not all(isinstance(turn, str) for turn in turns):
        raise DataError(f'instance {instance.id} has no further turns: metadata={{"turns": [text, ...]}}')
    return tuple(turns)
