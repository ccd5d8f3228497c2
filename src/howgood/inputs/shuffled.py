"""Inputs whose choices stand in an order of their own for each instance."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from howgood.core.types import Instance
from howgood.inputs.base import Inputs


@dataclass(frozen=True)
class Shuffled(Inputs):
    """Inputs that shuffle each instance's choices: a pure function of its id and the seed `order`, which is told with
    where the data is from."""

    order: int = 0

    def instances(self, split: str | None = None) -> Iterator[Instance]:
        for instance in super().instances(split):
            key = hashlib.sha256(f"{self.order}/{instance.id}".encode()).digest()
            # Of the module's generators only random() is promised to give the same numbers in every version of Python.
            draw = random.Random(int.from_bytes(key, "big")).random
            places = sorted(range(len(instance.choices)), key=lambda place: draw())
            gold = tuple(new for new, old in enumerate(places) if old in instance.gold)
            choices = tuple(instance.choices[old] for old in places)
            yield msgspec.structs.replace(instance, choices=choices, gold=gold)

    def provenance(self, split: str | None = None) -> dict[str, Any]:
        return super().provenance(split) | {"choices": f"shuffled by seed {self.order}"}
