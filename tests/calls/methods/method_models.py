"""Models whose answers are written down or drawn from a known distribution, for tests of methods."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from howgood.core.errors import RequestError
from howgood.core.types import Generate, Prediction, Token, ToolCall, Usage
from howgood.models.base import Capabilities, Model

CHATS = Capabilities(generate=True, chat=True, tools=True, logprobs=True)
COMPLETES = Capabilities(generate=True, completion=True)


class Scripted(Model):
    """Gives the answers in order (a text, a prediction or an error), and keeps the requests."""

    def __init__(self, *answers: str | Prediction | RequestError, can: Capabilities = CHATS, name: str = "scripted"):
        self.name, self.capabilities = name, can
        self.answers, self.requests = list(answers), list[Generate]()
        self.closed = self.checked = False

    async def generate(self, request: Generate) -> Prediction:
        answer = self.answers[len(self.requests)]
        self.requests.append(request)
        if isinstance(answer, RequestError):
            raise answer
        return spent(answer) if isinstance(answer, str) else answer

    async def check(self) -> None:
        self.checked = True

    async def close(self) -> None:
        self.closed = True


class Drawn(Model):
    """Draws each answer by the request's seed from `answers`, with these probabilities."""

    name = "drawn"

    def __init__(self, answers: Sequence[str], probabilities: Sequence[float], can: Capabilities = CHATS) -> None:
        self.answers, self.probabilities, self.capabilities = answers, probabilities, can
        self.seeds: list[int | None] = []

    async def generate(self, request: Generate) -> Prediction:
        self.seeds.append(request.seed)
        place = int.from_bytes(hashlib.sha256(f"{request.seed}".encode()).digest()[:8], "big") / 2**64
        for answer, probability in zip(self.answers, self.probabilities, strict=True):
            if place < probability:
                return Prediction(text=answer, stop_reason="stop", cost=0.0)
            place -= probability
        return Prediction(text=self.answers[-1], stop_reason="stop", cost=0.0)


class Calling(Model):
    """Calls tools first, and answers once it has their results; keeps the requests."""

    name, capabilities = "calling", CHATS

    def __init__(self, *calls: tuple[str, str], answer: str = "done") -> None:
        self.calls, self.answer, self.requests = calls, answer, list[Generate]()

    async def generate(self, request: Generate) -> Prediction:
        self.requests.append(request)
        assert not isinstance(request.prompt, str)
        return spent(self.answer) if request.prompt[-1].role == "tool" else wants(*self.calls)


class Answering(Model):
    """Answers what a function makes of the request."""

    name = "answering"

    def __init__(self, answer: Callable[[Generate], str], can: Capabilities = CHATS) -> None:
        self.answer, self.capabilities = answer, can

    async def generate(self, request: Generate) -> Prediction:
        return Prediction(text=self.answer(request), stop_reason="stop", cost=0.0)


def spent(
    text: str, logprobs: Sequence[float] = (), *, cost: float | None = 0.25, retries: int = 0, replayed: bool = False
) -> Prediction:
    """An answer that took ten tokens of input and one of output, half a second and a quarter dollar."""
    tokens = tuple(Token(f"t{place}", logprob) for place, logprob in enumerate(logprobs))
    return Prediction(
        text=text, stop_reason="stop", tokens=tokens, usage=Usage(input=10, output=1), latency=0.5, first_token=0.1,
        cost=cost, retries=retries, replayed=replayed,
    )  # fmt: skip


def wants(*calls: tuple[str, str]) -> Prediction:
    """A turn that calls tools, each with the JSON of its arguments."""
    called = tuple(ToolCall(f"call{place}", name, arguments) for place, (name, arguments) in enumerate(calls))
    return Prediction(
        text="", stop_reason="tool", tool_calls=called, usage=Usage(input=10, output=1), latency=0.5, cost=0.25
    )
