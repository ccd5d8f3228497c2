"""A use case: what a user wants of a system, what each kind of answer is worth to them, and what they can afford.

It is read from a YAML file that anyone may have written: bounded, without aliases or repeated keys, never executed.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from howgood.core.errors import DataError, UnknownName
from howgood.core.text import one_line
from howgood.core.types import NOT_JUDGED, Outcome

BYTES, DEPTH = 64_000, 8
"""The longest file and the deepest nesting that a use case can have."""
ABSTENTIONS = ("refused", "filtered", "empty", "unanswered", "truncated")
"""Outcomes without an answer, worth what an abstention is worth unless the use case says otherwise."""
TEMPLATES = Path(__file__).with_name("usecases")
WORTHS = (*(name for name in get_args(Outcome) if name not in (*NOT_JUDGED, "partial", "scored")), "abstain")


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """A benchmark's part in a use case: its weight beside the others, the score to go by (None: its headline), and
    what an outcome is worth where that is another than in the rest of the use case."""

    weight: float = 1.0
    score: str | None = None
    outcomes: dict[str, float] = {}


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What an answer may take: US dollars on average, and seconds for 95 of 100."""

    cost: float | None = None
    latency: float | None = None


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """A level that a system must reach or must not exceed."""

    at_least: float | None = None
    at_most: float | None = None


class UseCase(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be decided.

    `outcomes` says what an answer of each kind is worth, in any unit: `right` and `wrong` must be there; `abstain` is
    for every answer that is none (refused, filtered, empty, unanswered, truncated), 0 if not given; each of these can
    be named too. A partly right answer is worth as much between wrong and right as its score is between 0 and 1.
    `dollar` is what a US dollar is worth in that unit: 1 where worths are dollars, 0 where money is no matter.

    `require` names levels of the `score` or of an outcome's share, to be met with probability `confidence`.
    `otherwise` is what an answer is worth as it is had today, without any of the systems. `answers` is for how many
    answers the decision is made, and `instance` what one more instance costs to write and run (US dollars).
    """

    question: str
    benchmarks: dict[str, float | Part]
    outcomes: dict[str, float]
    user: Literal["buyer", "researcher", "policy maker", "model developer"] | None = None
    dollar: float = 0.0
    limits: Limits = Limits()
    require: dict[str, Bound] = {}
    confidence: float = 0.95
    otherwise: float | None = None
    answers: int | None = None
    instance: float | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """Each benchmark's part, with weights that add up to one."""
        found = {name: part if isinstance(part, Part) else Part(part) for name, part in self.benchmarks.items()}
        whole = sum(part.weight for part in found.values())
        return {
            name: msgspec.structs.replace(part, weight=part.weight / whole)
            for name, part in found.items()
            if part.weight
        }

    def worths(self, part: Part) -> dict[str, float]:
        """What each outcome is worth on a benchmark."""
        said = self.outcomes | part.outcomes
        none = said.get("abstain", 0.0)
        return {"abstain": none} | dict.fromkeys(ABSTENTIONS, none) | said


def read(source: str | Path) -> UseCase:
    """The use case in a YAML file. Raises `DataError` for what cannot be read or makes no sense, saying where."""
    path = Path(source)
    try:
        with path.open("rb") as file:
            content = file.read(BYTES + 1)
    except OSError as error:
        hint = f"`howgood decide --template buyer > {path.name}` writes one to begin with"
        raise DataError(f"the use case {path} cannot be read ({error.strerror}); {hint}") from error
    if len(content) > BYTES:
        raise DataError(f"{path} has more than {BYTES:,} bytes; a use case is a page long")
    return parse(content, str(path))


def parse(content: str | bytes, name: str = "use case") -> UseCase:
    """The use case that a YAML text holds; `name` is said in errors."""
    import yaml  # type: ignore[import-untyped]

    try:
        value = yaml.load(content, Loader=_loader())
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise DataError(
            f"{name}{where}: {one_line(str(getattr(error, 'problem', None) or error))}; it is no YAML of plain values"
        ) from None
    try:
        case = msgspec.convert(value, UseCase)
    except msgspec.ValidationError as error:
        raise DataError(f"{name}: {error}; `howgood decide --template buyer` shows the form") from None
    _check(case, name)
    return case


def template(kind: str) -> str:
    """The text of a use case to begin with, for a kind of user. Raises `UnknownName`."""
    known, kind = sorted(path.stem for path in TEMPLATES.glob("*.yaml")), kind.replace(" ", "-")
    if kind not in known:
        raise UnknownName("template", kind, known, f"There are {', '.join(known)}.")
    return (TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")


@cache
def _loader() -> Any:
    """PyYAML's safe loader without what makes small files large or says a thing twice."""
    import yaml

    class Plain(yaml.SafeLoader):  # type: ignore[misc]
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.MarkedYAMLError(problem="aliases are not taken; write it out", problem_mark=mark)
            self.depth += 1
            if self.depth > DEPTH:
                mark = self.peek_event().start_mark
                raise yaml.MarkedYAMLError(problem=f"nested more than {DEPTH} deep", problem_mark=mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            for place, (key, _) in enumerate(node.value):
                if key.value in keys[:place]:
                    raise yaml.MarkedYAMLError(problem=f"'{key.value}' is there twice", problem_mark=key.start_mark)
            return super().construct_mapping(node, deep)

    return Plain


def _check(case: UseCase, name: str) -> None:
    """Raises `DataError` for the first thing that makes no sense."""
    for where, value in _numbers(msgspec.to_builtins(case)):
        if not math.isfinite(value):
            raise DataError(f"{name}: {where} is {value}, not a finite number")
    weights = [part.weight for part in map(_part, case.benchmarks.values())]
    if not weights or min(weights) < 0 or sum(weights) <= 0:
        raise DataError(f"{name}: benchmarks need weights of 0 or more, and one above 0")
    for of, worths in [("outcomes", case.outcomes)] + [
        (f"benchmarks.{key}.outcomes", _part(part).outcomes) for key, part in case.benchmarks.items()
    ]:
        if unknown := next((outcome for outcome in worths if outcome not in WORTHS), None):
            raise UnknownName("outcome", unknown, WORTHS, f"{name}: {of} takes {', '.join(WORTHS)}.")
    for part in case.parts.values():
        both = case.outcomes | part.outcomes
        if "right" not in both or "wrong" not in both:
            raise DataError(f"{name}: outcomes must say what a right and a wrong answer are worth")
        if both["right"] <= both["wrong"]:
            raise DataError(f"{name}: a right answer must be worth more than a wrong one")
    for what, bound in case.require.items():
        if what != "score" and what not in WORTHS[:-1]:
            takes = ("score", *WORTHS[:-1])
            raise UnknownName("requirement", what, takes, f"{name}: require takes {', '.join(takes)}.")
        levels = [level for level in (bound.at_least, bound.at_most) if level is not None]
        if not levels or not all(0 <= level <= 1 for level in levels):
            raise DataError(f"{name}: require.{what} needs at_least or at_most, shares between 0 and 1")
    amounts = {"dollar": case.dollar, "answers": case.answers, "instance": case.instance}
    amounts |= {"limits.cost": case.limits.cost, "limits.latency": case.limits.latency}
    for what, amount in amounts.items():
        if amount is not None and amount < 0:
            raise DataError(f"{name}: {what} must be 0 or more, not {amount:g}")
    if not 0.5 <= case.confidence < 1:
        raise DataError(f"{name}: confidence lies between 0.5 and 1, and {case.confidence:g} does not")


def _part(part: float | Part) -> Part:
    return part if isinstance(part, Part) else Part(part)


def _numbers(value: Any, where: str = "") -> list[tuple[str, float]]:
    """Every number in a plain value, with the way to it."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in _numbers(inner, f"{where}.{key}".lstrip("."))]
    return [(where, value)] if isinstance(value, float) else []
