"""What a call is: the second of the four questions, answered by a pure function from an instance to a request."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Any, Protocol, Self

import msgspec
from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Effort, Instance, Message, Paid, Prediction, Request, Usage
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities, Model


class Settings(Struct, frozen=True, omit_defaults=True):
    """What a user may change in any call. None keeps the benchmark's own: `chat` (use the model's chat format or raw
    text), `temperature`, `max_tokens`, `shots` (how many worked examples), `effort` and `thinking` (how long a
    reasoning model may think: a level, or a budget in tokens)."""

    chat: bool | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    shots: int | None = None
    effort: Effort | None = None
    thinking: int | None = None


class Call(Protocol):
    """How a model is called. `shots` says which worked examples the prompt shows (None: none)."""

    @property
    def shots(self) -> Shots | None: ...

    def bind(self, can: Capabilities, settings: Settings) -> Self:
        """The same call with every choice made that depends on what the model can do and on what the user set.
        Raises `Unsupported`, before anything is spent, when the model cannot be called this way."""

    def describe(self) -> dict[str, Any]:
        """The bound call's part of the rules: plain values, everything that changes a prompt or a decoding."""

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Request:
        """What will be sent: a pure function of the call, the instance, its worked examples and the seed."""

    async def __call__(self, request: Request, model: Model) -> Prediction:
        """Send a request (and what may follow from it) and return what came back."""

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        """What a system that is right (or wrong) about this instance would return, for `howgood check`."""


class Prompting(Protocol):
    """What calls that write a prompt have in common."""

    @property
    def shots(self) -> Shots | None: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def effort(self) -> Effort | None: ...
    @property
    def thinking(self) -> int | None: ...


def settled(call: Prompting, chat: bool, can: Capabilities, settings: Settings) -> dict[str, Any]:
    """The fields of a call that prompts the model in a format, with what the user set in place of its own. Thinking
    gets room beside the call's own length. Raises `Unsupported` when the model does not know the format, or cannot be
    told how long to think."""
    if chat and not can.chat:
        raise Unsupported("the model has no chat format; leave out --chat")
    if not chat and not can.completion:
        raise Unsupported("the model only chats, it does not continue raw text; leave out --no-chat")
    effort, thinking = settings.effort, settings.thinking
    if not can.effort and (effort is not None or thinking is not None):
        raise Unsupported("the model cannot be told how long to think; leave out --effort and --thinking")
    if thinking is not None and settings.max_tokens is not None and thinking >= settings.max_tokens:
        raise Unsupported(
            f"--thinking {thinking} leaves no room for an answer in --max-tokens {settings.max_tokens}, of which it is "
            "a part; raise --max-tokens or leave it out"
        )
    shots = call.shots if settings.shots is None else replace(call.shots or Shots(0), n=settings.shots)
    return {
        "chat": chat,
        "shots": shots,
        "max_tokens": settings.max_tokens or call.max_tokens + (thinking or 0),
        "temperature": call.temperature if settings.temperature is None else settings.temperature,
        "effort": effort,
        "thinking": thinking,
    }


def need_likelihoods(able: bool, can: Capabilities, words: str) -> None:
    """Raises `Unsupported` with `words` when the model is not able to score given text, and says what would help."""
    if not able:
        raise Unsupported(f"{words} ({can.remedy})" if can.remedy else words)


def decoding(call: Prompting) -> dict[str, Any]:
    """How a call's text is written, as a part of the rules."""
    rules: dict[str, Any] = {"max_tokens": call.max_tokens, "temperature": call.temperature}
    if call.effort is not None:
        rules["effort"] = call.effort
    if call.thinking is not None:
        rules["thinking"] = call.thinking
    return rules


def opened(call: Call) -> AbstractAsyncContextManager[None]:
    """What a call needs besides the model (a judge, tool servers), there from before the first trial until after the
    last."""
    opening: AbstractAsyncContextManager[None] = call.open() if hasattr(call, "open") else nullcontext()
    return opening


def summed(chosen: Prediction, parts: Sequence[Prediction]) -> Prediction:
    """One prediction out of several calls' `parts`: what it says is `chosen`, what it took is all that they took. Its
    cost is unknown if one of theirs is, and it was replayed only if all were."""
    replayed, paid = all(part.replayed for part in parts), [part.paid for part in parts]
    mixed = not replayed and any(part.replayed or part.fresh for part in parts)
    return msgspec.structs.replace(
        chosen,
        usage=sum((part.usage for part in parts), Usage()),
        latency=sum(part.latency for part in parts),
        first_token=parts[0].first_token,
        cost=_sum([part.cost for part in parts]),
        retries=sum(part.retries for part in parts),
        replayed=replayed,
        fresh=Paid(sum((p.usage for p in paid), Usage()), _sum([p.cost for p in paid])) if mixed else None,
    )


def _sum(costs: list[float | None]) -> float | None:
    return None if None in costs else sum(cost for cost in costs if cost is not None)


class SingleRequest:
    """A call that sends its one request."""

    async def __call__(self, request: Request, model: Model) -> Prediction:
        return await model.send(request)


def conversation(header: str, turns: list[tuple[str, str]], question: str) -> tuple[Message, ...]:
    """A chat prompt: the header as system message (where there is one), worked examples as turns, then the question."""
    messages = [Message("system", header)] if header else []
    for asked, answered in turns:
        messages += [Message("user", asked), Message("assistant", answered)]
    return (*messages, Message("user", question))


def spoil(text: str) -> str:
    """A wrong answer near the right one: its last number plus one, or other words where it has none."""
    import re

    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return "(none of these words)" if not set("none of these words") >= set(text.lower()) else "zzz"
    last = numbers[-1]
    return f"{text[: last.start()]}{int(last[0]) + 1}{text[last.end() :]}"
