"""Stored conversations made ready to be shown: turns with their texts, pictures and tool calls, each bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from howgood.core.types import Message, Text
from howgood.report.pictures import Picture, picture

MOST_PICTURES = 12
"""Pictures of one conversation that are shown."""
DEEPEST = 40
"""Levels of JSON that is laid out; deeper JSON is shown as it was written."""
LAID_OUT = 20_000
"""Characters of JSON that is laid out."""


class Call(Struct, frozen=True):
    """A tool that a model called, with its arguments as it wrote them, laid out where they are JSON."""

    id: str
    name: str
    arguments: str


class Turn(Struct, frozen=True):
    """One turn: its role ("" for raw text), what was said and shown, the tools called; of a tool's turn the `answers`
    tells the call it answers."""

    role: str
    parts: tuple[str | Picture, ...]
    calls: tuple[Call, ...] = ()
    answers: str | None = None

    @property
    def length(self) -> int:
        """Characters of its texts."""
        return sum(len(part) for part in self.parts if isinstance(part, str))


def conversation(stored: str | None) -> tuple[Turn, ...]:
    """A stored prompt or transcript as turns. What cannot be read as a conversation is one turn of raw text."""
    if not stored:
        return ()
    if stored.startswith('[{"role":'):
        try:
            return turns(msgspec.json.decode(stored, type=tuple[Message, ...]))
        except (msgspec.DecodeError, RecursionError, ValueError):
            pass
    return (Turn("", (stored,)),)


def turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """Messages as turns."""
    left = MOST_PICTURES
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    made = []
    for message in messages:
        parts: list[str | Picture] = []
        for part in [Text(message.content)] if isinstance(message.content, str) else message.content:
            if isinstance(part, Text):
                parts.append(part.text)
            else:
                parts.append(picture(part.data) if left > 0 else Picture(problem="one more picture"))
                left -= 1
        calls = tuple(Call(call.id, call.name, laid_out(call.arguments)) for call in message.tool_calls)
        answered = None if message.tool_call_id is None else names.get(message.tool_call_id, message.tool_call_id)
        made.append(Turn(message.role, tuple(parts), calls, answered))
    return tuple(made)


def laid_out(text: str) -> str:
    """JSON with an item a line; as it is where it is none, or too long or too deep for that."""
    if len(text) > LAID_OUT or _depth(text) > DEEPEST:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _depth(text: str) -> int:
    """How deep the brackets of a text can stand within one another at most."""
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
