"""Plain values out of records whose fields may hold anything."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

SECRET = re.compile(r"key|token(?!s|izer)|secret|passw|credential|auth|header|url|cookie", re.IGNORECASE)
"""Names of settings whose values are not taken over: they may be secrets, or name a place inside somebody's network."""
LONGEST = 2_000
"""Characters of a setting's value that are taken over."""


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a record; nothing for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """The value where it is a list; nothing for anything else."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value as text; what is missing is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else msgspec.json.encode(value).decode()


def number(value: Any) -> float | None:
    """The value where it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def whole_number(value: Any) -> int | None:
    """The value where it is a whole number that is not below 0."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) and found < 2**53 else None


def own_words(record: dict[str, Any], *only: str) -> dict[str, Any]:
    """The settings of a record (all, or `only` these) that are known and no secrets, long ones cut."""
    found = {}
    for name, value in record.items():
        if value in (None, "", [], {}) or (only and name not in only) or SECRET.search(name):
            continue
        if isinstance(value, dict):
            value = own_words(value)
        elif isinstance(value, float) and not math.isfinite(value):
            continue
        elif isinstance(value, str):
            value = value[:LONGEST]
        elif isinstance(value, list):
            value = [own_words(inner) if isinstance(inner, dict) else inner for inner in value]
            if len(msgspec.json.encode(value)) > LONGEST:
                continue
        if value != {}:
            found[name] = value
    return found


def known(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what is not known."""
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}
