"""What the tests of the dialects share: one conversation with everything in it, and how a stream is read."""

from __future__ import annotations

import json
from typing import Any, Protocol

from howgood.core.types import Generate, Image, Message, Prediction, Text, Tool, ToolCall

PIXEL = Image(b"\x89PNG", "image/png")
WEATHER = Tool(
    "weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
)
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
PLAIN = Generate((Message("user", "6 x 7?"),), max_tokens=32)
AFTER_TOOLS = Generate(
    (
        Message("system", "Be brief."),
        Message("user", (Text("Where is this, and is it warm?"), PIXEL)),
        Message(
            "assistant", "I look.", (ToolCall("a1", "weather", '{"city": "Rome"}'), ToolCall("a2", "weather", "{oops"))
        ),
        Message("tool", "21 degrees", tool_call_id="a1"),
        Message("tool", "no such city", tool_call_id="a2"),
    ),
    max_tokens=64,
    tools=(WEATHER,),
)


class Feeds(Protocol):
    def feed(self, event: str, data: str) -> str: ...

    def result(self) -> Prediction: ...


def body(value: Any) -> bytes:
    """A reply's body."""
    return json.dumps(value).encode()


def read(stream: Feeds, events: list[Any]) -> tuple[list[str], Prediction]:
    """The pieces of answer that a stream's reader gives, and its result. An event is its data (a dict, or text as it
    is); its name is the data's `type`."""
    pieces = []
    for data in events:
        name = data.get("type", "message") if isinstance(data, dict) else "message"
        piece = stream.feed(name, data if isinstance(data, str) else json.dumps(data))
        if piece:
            pieces.append(piece)
    return pieces, stream.result()
