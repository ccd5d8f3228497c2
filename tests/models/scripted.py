"""A model that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from howgood.core.types import Generate, Prediction, ToolCall, Usage
from howgood.models.base import Capabilities, Model

EVERYTHING = Capabilities(
    generate=True, completion=True, chat=True, images=True, tools=True, schema=True, logprobs=True, effort=True
)


class Scripted(Model):
    """Answers each request with `answer(request)`, or raises it. A stream has its text word by word."""

    def __init__(
        self,
        answer: Callable[[Generate], Prediction | Exception],
        can: Capabilities = EVERYTHING,
        name: str = "scripted",
    ) -> None:
        self.name, self.capabilities, self.answer = name, can, answer
        self.asked: list[Generate] = []

    async def generate(self, request: Generate) -> Prediction:
        self.asked.append(request)
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        prediction = await self.generate(request)
        for word in (prediction.text or "").split(" "):
            if word:
                yield word + " "
        yield prediction


def says(text: str, **fields: Any) -> Callable[[Generate], Prediction]:
    """Always the same answer, of three tokens read and two written."""
    prediction = Prediction(**{"text": text, "stop_reason": "stop", "usage": Usage(3, 2), "cost": 0.0, **fields})
    return lambda request: prediction


def uses_tools(request: Generate) -> Prediction:
    """Calls the first tool for Paris, and tells what it was told when the result is there."""
    last = request.prompt[-1]
    assert not isinstance(last, str)
    if last.role == "tool":
        return Prediction(text=f"It is {last.content}.", stop_reason="stop", usage=Usage(9, 4), cost=0.0)
    call = ToolCall("call_1", request.tools[0].name, '{"city":"Paris"}')
    return Prediction(text="", tool_calls=(call,), stop_reason="tool", usage=Usage(7, 3), cost=0.0)


class Slow(Scripted):
    """Begins to answer and never ends, until it is cancelled or let `go`."""

    def __init__(self) -> None:
        super().__init__(says("done at last"))
        self.begun, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def generate(self, request: Generate) -> Prediction:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await super().generate(request)

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        yield "first "
        yield await self.generate(request)
