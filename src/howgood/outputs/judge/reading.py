"""Verdicts out of what a judge wrote: strict, bounded, and never a number where none was given."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from howgood.core.types import Prediction, Token
from howgood.models.base import split_thinking

LONGEST = 100_000
"""Characters of a reply that are looked at, from its end."""
TRIES = 50
"""Opening braces that are tried, from the last."""


class Unreadable(Exception):
    """A reply that holds no verdict; says why."""


def reply_text(reply: Prediction) -> str:
    """What a judge said, without its thinking. Raises `Unreadable` for a refusal, a reply that was cut off before a
    verdict could stand in it, and silence."""
    text = split_thinking(reply.text or "")[1].strip()
    if reply.stop_reason in ("refusal", "filter"):
        raise Unreadable("the judge refused" if reply.stop_reason == "refusal" else "the reply was filtered")
    if not text:
        raise Unreadable(
            "the reply was cut off before it said anything" if reply.stop_reason == "length" else "no words"
        )
    return text[-LONGEST:]


def json_object(text: str, key: str) -> dict[str, Any]:
    """The last JSON object in a text that has the key. Raises `Unreadable`."""
    decoder = json.JSONDecoder()
    places = [match.start() for match in re.finditer(r"\{", text)]
    for place in reversed(places[-TRIES:]):
        try:
            found, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and key in found:
            return found
    raise Unreadable(f"no JSON object with '{key}'")


def grade(value: object, low: float, high: float) -> float:
    """A grade on a scale, given as a number or as one in a string ("8", "8/10" on a scale that ends at 10). Raises
    `Unreadable` for anything else and for what lies off the scale."""
    if isinstance(value, str):
        text = value.strip()
        end = f"/{high:g}"
        text = text.removesuffix(end).strip()
        try:
            value = float(text) if re.fullmatch(r"-?\d{1,6}(\.\d{1,6})?", text) else None
        except ValueError:  # pragma: no cover - the pattern holds numbers alone
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unreadable("the grade is no number")
    if not low <= value <= high:
        raise Unreadable(f"the grade {value:g} is off the scale from {low:g} to {high:g}")
    return float(value)


def label(value: object, labels: Mapping[str, float]) -> float:
    """What a label stands for. Raises `Unreadable` for one that is not on the list."""
    if isinstance(value, str) and (name := value.strip()) in labels:
        return labels[name]
    raise Unreadable(f"the verdict is none of {', '.join(labels)}")


def weights(tokens: tuple[Token, ...], names: tuple[str, ...]) -> dict[str, float]:
    """The probability of each name at the first token, among the alternatives told; those not told have none. Space
    around a token does not count. Raises `Unreadable` where none of the names is told."""
    if not tokens:
        raise Unreadable("the judge gave no log-probabilities")
    first = tokens[0]
    told = first.alternatives or {first.text: first.logprob}
    found = dict.fromkeys(names, 0.0)
    for text, logprob in told.items():
        if (name := text.strip()) in found:
            found[name] += math.exp(min(0.0, logprob))
    if not any(found.values()):
        raise Unreadable(f"none of {', '.join(names)} is among the likeliest tokens")
    return found
