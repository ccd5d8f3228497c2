"""Verdicts out of what a judge wrote: strict, bounded, and never a number where none was given."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from howgood.core.types import Prediction
from howgood.models.base import split_thinking

LONGEST = 100_000
"""Characters of a reply that are looked at, from its end."""
TRIES = 50
"""Opening braces that are tried, from the last."""
OBJECT = re.compile(r'\{\s*"')
LEAST = 0.05
"""The probability that the names must have together at the first token. Below it the judge was about to say something
else, such as that it will not judge. (Of 5,620 recorded verdicts on AlpacaEval the least is 0.72.)"""


class Unreadable(Exception):
    """A reply that holds no verdict; says why."""


def reply_text(reply: Prediction) -> str:
    """What a judge said, without its thinking. Raises `Unreadable` for a refusal, a reply that was cut off before a
    verdict could stand in it, and silence."""
    refuse_refused(reply)
    text = split_thinking(reply.text or "")[1].strip()
    if not text:
        raise Unreadable(
            "the reply was cut off before it said anything" if reply.stop_reason == "length" else "no words"
        )
    return text[-LONGEST:]


def refuse_refused(reply: Prediction) -> None:
    """Raises `Unreadable` for a reply that is none."""
    if reply.stop_reason == "refusal":
        raise Unreadable("the judge refused")
    if reply.stop_reason == "filter":
        raise Unreadable("the reply was filtered")


def json_object(text: str, key: str) -> dict[str, Any]:
    """The last JSON object in a text that has the key and lies in no other object. Raises `Unreadable` where there is
    none; where one before it is broken, since it may then stand in that one, as a quotation; and where another one says
    something else under the key."""
    decoder = json.JSONDecoder()
    places = [match.start() for match in re.finditer(r"\{", text)]
    broken = any(OBJECT.match(text, place) for place in places[:-TRIES])
    objects: list[dict[str, Any]] = []
    passed = 0
    for place in places[-TRIES:]:
        if place < passed:
            continue
        try:
            found, passed = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            broken = broken or OBJECT.match(text, place) is not None
            continue
        if isinstance(found, dict) and key in found:
            if broken:
                raise Unreadable("JSON that is broken")
            objects.append(found)
    if not objects:
        raise Unreadable(f"no JSON object with '{key}'")
    if any(found[key] != objects[-1][key] for found in objects):
        raise Unreadable(f"several JSON objects with '{key}' that differ")
    return objects[-1]


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
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Unreadable("the grade is no number")
    if abs(value) > 1e9:  # whole numbers of any length stand in JSON
        raise Unreadable(f"the grade is off the scale from {low:g} to {high:g}")
    if not low <= value <= high:
        raise Unreadable(f"the grade {value:g} is off the scale from {low:g} to {high:g}")
    return float(value)


def label(value: object, labels: Mapping[str, float]) -> float:
    """What a label stands for. Raises `Unreadable` for one that is not on the list."""
    if isinstance(value, str) and (name := value.strip()) in labels:
        return labels[name]
    raise Unreadable(f"the verdict is none of {', '.join(labels)}")


def weights(reply: Prediction, names: tuple[str, ...]) -> dict[str, float]:
    """The probability of each name at the first token, among the alternatives told; those not told have none. Space
    around a token does not count. Raises `Unreadable` where they have less than `LEAST` together."""
    refuse_refused(reply)
    if not reply.tokens:
        raise Unreadable("the judge gave no log-probabilities")
    first = reply.tokens[0]
    told = first.alternatives or {first.text: first.logprob}
    found = dict.fromkeys(names, 0.0)
    for text, logprob in told.items():
        if (name := text.strip()) in found:
            found[name] += math.exp(min(0.0, logprob))
    if not any(found.values()):
        raise Unreadable(f"none of {', '.join(names)} is among the likeliest tokens")
    if sum(found.values()) < LEAST:
        raise Unreadable(f"{', '.join(names)} have less than {LEAST:.0%} of the probability together")
    return found
