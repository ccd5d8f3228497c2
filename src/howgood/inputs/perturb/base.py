"""What a perturbation is: a pure function from an instance, the number of a variant and a seed to that variant."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from howgood.core.errors import HowgoodError
from howgood.core.types import Instance, Message, Text

Shown = tuple[Instance, ...]
"""The worked examples that an instance is shown."""


class Perturbation:
    """One way to change how a question is asked. `n` variants are made of each instance, numbered from 1.

    A subclass says what it changes: the instance, the worked examples shown with it, or both.
    """

    name: ClassVar[str]
    most: ClassVar[int] = 20
    """So many variants of an instance can be asked for."""

    def __init__(self, *, n: int = 1) -> None:
        if not 1 <= n <= self.most:
            raise HowgoodError(f"perturbation {self.name} makes 1 to {self.most} variants of an instance, not {n}")
        self.n = n

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        """Raises `Unsupported` where this makes no sense for a benchmark that is called in this way (the bound call's
        rules) and gives these wordings of its own. Called once, before any variant is made."""

    def describe(self) -> dict[str, Any]:
        """The perturbation's part of the rules: everything that changes what is asked."""
        return {"n": self.n}

    def instance(self, instance: Instance, number: int, seed: int) -> Instance | None:
        """Variant `number` (from 1) of an instance; None where there is nothing in it to change."""
        return instance

    def shots(self, shots: Shown, id: str, number: int, seed: int) -> Shown:
        """The worked examples shown with variant `number` of the instance `id`."""
        return shots

    def draw(self, id: str, number: int, seed: int) -> Callable[[], float]:
        """A generator of numbers in [0, 1): the same for the same variant on every machine."""
        key = hashlib.sha256(json.dumps([self.name, id, number, seed]).encode()).digest()
        # Of the module's generators only random() is promised to give the same numbers in every version of Python.
        return random.Random(int.from_bytes(key, "big")).random


def with_text(instance: Instance, change: Callable[[str], str]) -> Instance | None:
    """The instance with `change` made to its question: its text, or what the user says last in a conversation (images
    stay). None where nothing changed."""
    if isinstance(instance.input, str):
        new = change(instance.input)
        return None if new == instance.input else msgspec.structs.replace(instance, input=new)
    places = [place for place, message in enumerate(instance.input) if message.role == "user"]
    if not places:
        return None
    last = instance.input[places[-1]]
    content: Any
    if isinstance(last.content, str):
        content = change(last.content)
    else:
        content = tuple(Text(change(part.text)) if isinstance(part, Text) else part for part in last.content)
    if content == last.content:
        return None
    turns: list[Message] = list(instance.input)
    turns[places[-1]] = msgspec.structs.replace(last, content=content)
    return msgspec.structs.replace(instance, input=tuple(turns))
