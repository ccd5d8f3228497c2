"""What a method is: a call around a benchmark's own call."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from howgood.calls.base import Call, Settings, opened, summed
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.calls.likelihood import Continuation, WholeText
from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Instance, Message, Prediction, Prompt, Request, Text
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities, Model, split_thinking
from howgood.outputs.base import Outputs

G = TypeVar("G", bound=Generate)
NO_ANSWER = "(no answer)"
"""What stands in a conversation where a model said nothing."""


@dataclass(frozen=True)
class Method:
    """A call around another one. As it stands here it changes nothing; a method overrides what it does differently.

    `around` is what a name such as `vote,n=8` stands for: its keyword-only parameters are the options.
    """

    inner: Call
    name: ClassVar[str]

    @classmethod
    def around(cls, call: Call, outputs: Outputs) -> tuple[Call, Outputs]:
        """The call and the outputs of a benchmark with this method around them."""
        return cls(call), outputs

    @property
    def shots(self) -> Shots | None:
        return self.inner.shots

    def bind(self, can: Capabilities, settings: Settings) -> Self:
        return replace(self, inner=self.inner.bind(can, settings))

    def describe(self) -> dict[str, Any]:
        rules = self.inner.describe()
        return rules | {"methods": [*rules.get("methods", []), {"name": self.name} | self.told()]}

    def told(self) -> dict[str, Any]:
        """What the rules say of this method, beside its name."""
        return {}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Request:
        return self.inner.request(instance, shots, seed)

    async def __call__(self, request: Request, model: Model) -> Prediction:
        return await self.inner(request, model)

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        return self.inner.imagine(instance, right)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with opened(self.inner):
            yield


def writing(call: Call, method: str) -> Call:
    """The same call with its answer written by the model. Raises `Unsupported` where the benchmark measures the
    likelihood of text that is given, or the user chose to compare likelihoods."""
    if isinstance(call, Method):
        return replace(call, inner=writing(call.inner, method))
    if isinstance(call, Continuation | WholeText):
        raise Unsupported(f"the likelihood of given text is measured, and the model writes nothing; leave out {method}")
    if isinstance(call, Choices) and call.method == "auto":
        return replace(call, method="letter-generation")
    if isinstance(call, Choices) and call.method != "letter-generation":
        raise Unsupported(f"{method} needs a written answer; leave out {method} or -P method={call.method}")
    return call


def single(call: Call, method: str) -> Call:
    """`writing`, for a method that needs one answer at a time."""
    own = own_call(call)
    if isinstance(own, Generation) and own.attempts > 1:
        raise Unsupported(f"this benchmark takes {own.attempts} attempts at each question already; leave out {method}")
    return writing(call, method)


def own_call(call: Call) -> Call:
    """The benchmark's own call, inside all methods."""
    return own_call(call.inner) if isinstance(call, Method) else call


def needs_chat(can: Capabilities, settings: Settings, method: str) -> None:
    """Raises `Unsupported` for a model that is not asked in a chat."""
    if not can.chat or settings.chat is False:
        raise Unsupported(f"{method} goes on with a conversation, which needs a model with a chat format")


def written(request: Request) -> Generate:
    """The request, which asks for text."""
    if not isinstance(request, Generate):
        raise Unsupported("this method needs a call that asks for written text")
    return request


def resampled(request: G, sample: int, method: str) -> G:
    """The request of another sample of one trial: its seed is another one, 32 bits drawn by a hash, so that samples of
    samples differ too. The first sample keeps the trial's own."""
    if sample == 0:
        return request
    drawn = hashlib.sha256(f"{request.seed}/{method}/{sample}".encode()).digest()
    return msgspec.structs.replace(request, seed=int.from_bytes(drawn[:4], "big"))


async def sampled(
    call: Call, request: Request, model: Model, n: int, method: str
) -> tuple[list[Prediction], str | None]:
    """`n` answers to a request, and why one failed (see `every`)."""
    return await every([call(resampled(written(request), sample, method), model) for sample in range(n)])


async def every(asked: Iterable[Awaitable[Prediction]]) -> tuple[list[Prediction], str | None]:
    """Answers asked for at once, and why one failed: then the whole trial has failed, but what the others took was
    taken. Raises `RequestError` where there is none, or where every other trial would fail too."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and (not isinstance(one, RequestError) or one.fatal):
            raise one
    answered = [one for one in found if isinstance(one, Prediction)]
    failures = [one for one in found if isinstance(one, RequestError)]
    if not answered:
        raise failures[0]
    errors = [one.error for one in answered if one.error is not None]
    return answered, str(failures[0]) if failures else errors[0] if errors else None


def concluded(parts: list[Prediction], transcript: list[Message], error: RequestError | None = None) -> Prediction:
    """A conversation of several calls as one prediction: what the last said, what all took, and why it failed."""
    told = str(error) if error else parts[-1].error
    return msgspec.structs.replace(summed(parts[-1], parts), transcript=tuple(transcript), error=told)


def own_words(prediction: Prediction) -> str:
    """What a model said, without its thinking."""
    return split_thinking(prediction.text or "")[1]


def said(prediction: Prediction) -> tuple[Message, ...]:
    """What a model said, as a conversation goes on with it. Some servers take no empty turn."""
    answer = own_words(prediction)
    if not answer.strip() and not prediction.tool_calls:
        answer = NO_ANSWER
    return prediction.transcript or (Message("assistant", answer, prediction.tool_calls),)


def with_last_user_message(prompt: tuple[Message, ...], before: str = "", after: str = "") -> tuple[Message, ...]:
    """A conversation with text put before and after the last thing that the user says."""
    place = max(index for index, message in enumerate(prompt) if message.role == "user")
    message = prompt[place]
    if isinstance(message.content, str):
        content: Any = f"{before}{message.content}{after}"
    else:
        content = (*([Text(before)] if before else []), *message.content, *([Text(after)] if after else []))
    changed = msgspec.structs.replace(message, content=content)
    return (*prompt[:place], changed, *prompt[place + 1 :])


def chat(prompt: Prompt) -> tuple[Message, ...]:
    """The prompt, which is a conversation."""
    assert not isinstance(prompt, str)
    return prompt
