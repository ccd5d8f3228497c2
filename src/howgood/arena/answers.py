"""Systems answer one question at the same time, piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from howgood.arena.leaks import Leaks
from howgood.core.errors import HowgoodError, ModelError, RequestError
from howgood.core.text import shorten
from howgood.core.types import Generate, Message, Prediction, Prompt
from howgood.models.base import Model, split_thinking
from howgood.models.streaming import Unthought

if TYPE_CHECKING:
    from howgood.arena.database import Turn

LONGEST = 50_000
"""Characters of an answer; what comes after is not waited for."""
PATIENCE = 300.0
"""Seconds that an answer may take."""
AHEAD = 64
"""Pieces that may wait for a slow reader."""


class Answered(Struct, frozen=True):
    """How one side ended: its `text`, or the `error`; `leak` is what in it says who wrote it."""

    text: str
    error: str | None
    leak: str | None
    seconds: float
    tokens: int | None
    cost: float | None


class Piece(Struct, frozen=True):
    """More text of the answer of `side` (0, 1, ...)."""

    side: int
    text: str


class Ended(Struct, frozen=True):
    side: int
    answer: Answered


def check_writers(models: Sequence[Model]) -> None:
    """Raises `ModelError` for models that cannot answer beside each other: one that is named twice, or writes none."""
    names = [model.name for model in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"{twice} is named twice, and a system cannot meet itself")
    for model in models:
        if not model.capabilities.generate:
            raise ModelError(f"{model.name} only scores given text, and answers side by side need systems that write")


def prompt_for(model: Model, turns: Sequence[Turn], side: int, question: str) -> Prompt:
    """The conversation as this side had it, and the next question; raw text for a model that does not chat."""
    said = [(turn.prompt, turn.answers[side] or "") for turn in turns]
    if not model.capabilities.chat:
        return "\n\n".join([text for pair in said for text in pair] + [question]) + "\n\n"
    before = [m for asked, answer in said for m in (Message("user", asked), Message("assistant", answer))]
    return (*before, Message("user", question))


async def side_by_side(
    models: Sequence[Model], requests: Sequence[Generate], leaks: Leaks
) -> AsyncGenerator[Piece | Ended | None]:
    """Pieces of all answers as they come, `Ended` once for each side, and None where nothing came for a while. When
    the caller goes away, all stop."""
    events: asyncio.Queue[Piece | Ended] = asyncio.Queue(AHEAD)
    tasks = [
        asyncio.create_task(_answer(model, request, side, events, leaks))
        for side, (model, request) in enumerate(zip(models, requests, strict=True))
    ]
    try:
        running = len(tasks)
        while running:
            try:
                event = await asyncio.wait_for(events.get(), 10.0)
            except TimeoutError:
                yield None
                continue
            running -= isinstance(event, Ended)
            yield event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(model: Model, request: Generate, side: int, events: asyncio.Queue[Any], leaks: Leaks) -> None:
    begun, text, error = time.monotonic(), "", None
    prediction: Prediction | None = None
    shown, sent = Unthought(), 0
    try:
        async with asyncio.timeout(PATIENCE), aclosing(model.stream(request)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                if isinstance(piece, Prediction):
                    prediction = piece
                    break
                text += piece
                if fresh := shown.feed(piece):
                    sent += len(fresh)
                    await events.put(Piece(side, fresh))
                if len(text) > LONGEST:
                    break
        if rest := shown.end():
            sent += len(rest)
            await events.put(Piece(side, rest))
    except (RequestError, HowgoodError) as failed:
        error = shorten(str(failed), 500)
    except TimeoutError:
        error = f"no whole answer within {PATIENCE:.0f} s"
    except Exception as failed:  # one system's fault must not end the others' answers
        error = f"{type(failed).__name__}: {shorten(str(failed), 300)}"
    if prediction is not None:
        error = error or prediction.error
        text = text if prediction.text is None else prediction.text
    answer = split_thinking(text)[1][:LONGEST]
    if error is None and not answer.strip():
        error = "an empty answer"
    if error is None and not sent:
        await events.put(Piece(side, answer))
    usage = None if prediction is None else prediction.usage
    cost = None if prediction is None else prediction.cost
    took = time.monotonic() - begun
    tokens = None if usage is None else usage.output
    await events.put(Ended(side, Answered(answer, error, leaks.find(answer), took, tokens, cost)))
