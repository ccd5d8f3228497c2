"""Options as a user writes them, key=value, read as the types that a function declares."""

from __future__ import annotations

import inspect
import os
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import ValidationError, convert

from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.registry import describe_type


def parse_options(
    what: str, name: str, target: Callable[..., Any], options: Iterable[str], taken: Iterable[str] = ()
) -> dict[str, Any]:
    """The keyword-only parameters of `target` that `options` (each key=value) set, `taken` ones left out; `what` they
    are options of and its `name` are for messages. Raises `UnknownName` for one that does not exist, `HowgoodError` for
    a bad value or one that is missing."""
    parameters = inspect.signature(target).parameters.values()
    known = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in taken}
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    out: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in known:
            takes = f"{name} takes: {', '.join(known)}." if known else f"{name} takes none."
            raise UnknownName(f"{what} option", key, known, takes)
        if not equals:
            raise HowgoodError(f"{what} option {key} needs a value: {key}=VALUE")
        try:
            out[key] = convert(value, hints.get(key, str), strict=False, dec_hook=lambda kind, text: kind(text))
        except ValidationError:
            raise HowgoodError(f"{what} option {key} takes {describe_type(hints[key])}, not '{value}'") from None
    missing = [key for key, p in known.items() if p.default is p.empty and key not in out]
    if missing:
        raise HowgoodError(f"{name} needs an option: {name},{missing[0]}=VALUE")
    return out


def absolute(option: str, hints: dict[str, Any]) -> str:
    """An option (key=value) that is a path by its type, as it means the same from any folder; others as they are."""
    key, equals, value = option.partition("=")
    is_path = hints.get(key) in (Path, Path | None)
    return f"{key}={os.path.abspath(os.path.expanduser(value))}" if is_path and value else f"{key}{equals}{value}"
