"""The rules of a run in a log that howgood wrote, read back as they were."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from howgood.core.types import Rules
from howgood.interpret.estimate import Mean

LARGEST = 2**20
"""Bytes of rules in JSON: a million is some ten thousand strata with their sizes."""
DEEPEST = 8
"""Records and lists within each other."""
Whole = Annotated[int, Meta(ge=0, le=10**12)]


class _Told(Struct):
    rules: Rules
    rules_hash: str


# What is read of rules without asking whether it is there, and of which kind.


class _Data(Struct):
    instances: Whole | None
    digest: str | None


class _Sample(Struct):
    n: Whole | Literal["all"]
    epochs: Annotated[int, Meta(ge=1, le=2**20)]
    strata: dict[str, Whole] | None = None


class _Graded(Struct, tag_field="kind", tag="graded"):
    low: float
    high: float


class _Mean(Struct, tag_field="kind", tag="mean"):
    score: str | None
    weighting: Literal["instance", "cluster", "stratum"]
    unit: Literal["instance", "cluster"]


def written(told: Any, benchmark: str) -> Rules | None:
    """The rules in what `inspect_out` put into a log's metadata; None where they are not that, not of this benchmark,
    or not as they were. Those of perturbed runs are None too: which trial is a variant is not read back."""
    try:
        found = msgspec.convert(told, _Told)
        rules = found.rules
        if not _shallow(told["rules"], DEEPEST) or len(msgspec.json.encode(rules)) > LARGEST:
            return None
        data, sample = msgspec.convert(rules.data, _Data), msgspec.convert(rules.sample, _Sample)
        if rules.outputs.get("kind") == "graded":
            msgspec.convert(rules.outputs, _Graded)
    except (msgspec.ValidationError, RecursionError):
        return None
    whole = data.instances is not None or (sample.n != "all" and data.digest is None)
    same = rules.benchmark == benchmark and rules.hash == found.rules_hash
    return rules if whole and same and "perturb" not in rules.sample else None


def mean(rules: Rules, scores: list[str]) -> Mean | None:
    """What the number is by some rules, where that is a mean of one of these scores; None for other numbers, which only
    their benchmark knows how to make."""
    try:
        told = msgspec.convert(rules.interpret, _Mean)
    except msgspec.ValidationError:
        return None
    made = Mean(told.score, macro=told.weighting == "stratum", unit=told.unit)
    return made if made.describe() == rules.interpret and told.score in (None, *scores) else None


def _shallow(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_shallow(one, depth - 1) for one in inner)
