"""Why a request is not in the cache: the stored one that is nearest, and where the two differ."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec
from msgspec import Struct

from howgood.models.responses import Key, Responses

CANDIDATES = 200
"""How many stored requests are looked at."""
ALIKE = 0.2
"""How much of two prompts must be the same, as difflib counts it, for one to be near the other."""
COMPARED = 20_000
"""Characters of a prompt that are compared."""


class Near(Struct, frozen=True):
    """A stored request near to one that is not stored: when its answer was `made` (unix time), the fields that differ
    as (name, asked now, stored), and the lines in which the prompts differ (a unified diff, stored to asked)."""

    made: float
    fields: list[tuple[str, Any, Any]]
    prompt: list[str]


def nearest(answers: Responses, key: Key) -> Near | None:
    """The stored request that differs least from one: in the fewest fields, then in the least of its prompt. None
    where none resembles it."""
    asked = msgspec.json.decode(key.fields)
    ranked = []
    for entry in answers.near(key, CANDIDATES):
        stored = msgspec.json.decode(entry.fields)
        fields = _differences(asked, stored)
        alike = _alike(_prompt(asked), _prompt(stored))
        if alike >= ALIKE:
            ranked.append((len(fields) + (alike < 1), -alike, -entry.made, fields, stored))
    if not ranked:
        return None
    _, _, made, fields, stored = min(ranked, key=lambda r: r[:3])
    lines = difflib.unified_diff(
        _prompt(stored)[:COMPARED].splitlines(),
        _prompt(asked)[:COMPARED].splitlines(),
        "stored",
        "asked",
        "",
        "",
        2,
        "",
    )
    return Near(-made, fields, list(lines))


def _differences(asked: Any, stored: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    """The fields that differ, their names joined by dots; the prompts apart."""
    if isinstance(asked, dict) and isinstance(stored, dict):
        found = []
        for key in sorted({*asked, *stored}):
            if not (name == "request" and key in ("prompt", "text")):
                found += _differences(asked.get(key), stored.get(key), f"{name}.{key}" if name else key)
        return found
    return [] if asked == stored else [(name, asked, stored)]


def _prompt(fields: dict[str, Any]) -> str:
    """The prompt of a request as text."""
    request = fields["request"]
    prompt = request.get("prompt", request.get("text", ""))
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(f"[{message['role']}]\n{_content(message)}" for message in prompt)


def _content(message: dict[str, Any]) -> str:
    content = message["content"]
    if not isinstance(content, str):
        content = "\n".join(p["text"] if p["type"] == "text" else f"[image {p['data']}]" for p in content)
    calls = [f"[calls {call['name']}({call['arguments']})]" for call in message.get("tool_calls", ())]
    return "\n".join([content, *calls])


def _alike(a: str, b: str) -> float:
    """How much of two prompts is the same, from 0 to 1."""
    if a == b:
        return 1.0
    lines = difflib.SequenceMatcher(None, a[:COMPARED].split(), b[:COMPARED].split(), autojunk=False)
    return min(lines.quick_ratio(), 0.999)
