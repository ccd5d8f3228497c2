"""The scorers that eval.yaml can name, as outputs. What they do: https://inspect.aisi.org.uk/standard-scorers.html"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from howgood.benchmarks.hub_file import Step
from howgood.core.errors import Unsupported
from howgood.core.text import shorten
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.extract import bounded
from howgood.outputs.match import F1, How, Match, Numeric

LOCATIONS: dict[str, How] = {"begin": "starts", "end": "ends", "any": "contains", "exact": "normalized"}
ANSWER = re.compile(r"ANSWER\s*:[ \t]*([^\n]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Answered(Outputs):
    """Whether the letter, word or line after the last "ANSWER:" is a target, but for case."""

    ending: ClassVar[str | None] = "End with a line 'ANSWER: ...' that holds the answer alone."

    what: Literal["letter", "word", "line"]

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        found = ANSWER.findall(bounded(prediction.text or ""))
        line = found[-1].strip() if found else ""
        if self.what == "letter":
            letter = re.match(r"[A-Za-z](?!\w)", line)
            line = letter[0] if letter else ""
        elif self.what == "word":
            line = (line.split() or [""])[0].rstrip(".,;:!?")
        right = line.casefold() in [target.strip().casefold() for target in instance.targets]
        return score_text({"answer": float(right)}, line or None, prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "answer", "what": self.what, "version": 1}


@dataclass(frozen=True)
class Pattern(Outputs):
    """Whether a group of a regular expression, where it first matches, is a target (`every`: all groups are).

    The expression and what it reads are strangers' words, so it runs in linear time: polars' engine, which has no
    look-around and no back-references.
    """

    ending: ClassVar[str | None] = ""

    pattern: str
    ignore_case: bool = True
    every: bool = False

    def __post_init__(self) -> None:
        import polars as pl

        try:
            groups = len(self._groups(""))
        except pl.exceptions.PolarsError as error:
            reason = shorten(str(error).rpartition("error:")[2], 100)
            raise Unsupported(f"the scorer pattern has the expression {self.pattern!r:.60}: {reason}") from error
        if not groups:
            raise Unsupported(f"the scorer pattern has the expression {self.pattern!r:.60}, which has no group to read")

    def _groups(self, text: str) -> dict[str, str | None]:
        import polars as pl

        found: dict[str, str | None] = pl.Series([text]).str.extract_groups(self._expression).to_list()[0]
        return found

    @cached_property
    def _expression(self) -> str:
        return f"(?i){self.pattern}" if self.ignore_case else self.pattern

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        groups = [group for group in self._groups(bounded(prediction.text or "")).values() if group is not None]
        plain: Callable[[str], str] = str.lower if self.ignore_case else str
        targets = [plain(target) for target in instance.targets]
        hits = [plain(group) in targets for group in groups]
        right = bool(hits) and (all(hits) if self.every else any(hits))
        # All that was read, and not what hit: the answer must not know the targets, since answers are voted on.
        return score_text({"pattern": float(right)}, ", ".join(groups) if groups else None, prediction)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "pattern",
            "pattern": self.pattern,
            "ignore_case": self.ignore_case,
            "every": self.every,
            "version": 1,
        }


@dataclass(frozen=True)
class Beside(Outputs):
    """Several scorers of one answer, by name; the first is the headline and tells the outcome."""

    scorers: dict[str, Outputs]

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        scores = {name: scorer(instance, prediction) for name, scorer in self.scorers.items()}
        first = next(iter(scores.values()))
        values = {name: next(iter(score.values.values())) for name, score in scores.items()}
        return Score(values, first.outcome, first.answer, first.explanation)

    def describe(self) -> dict[str, Any]:
        return {"kind": "several", **{name: scorer.describe() for name, scorer in self.scorers.items()}}


def outputs_of(scorers: list[Step]) -> Outputs:
    """The outputs that do what the scorers say. Raises `Unsupported`, naming the scorer that cannot be had."""
    made = {step.name: scorer(step) for step in scorers}
    if len(made) < len(scorers):
        raise Unsupported("eval.yaml names one scorer twice, which howgood cannot tell apart")
    return Beside(made) if len(made) > 1 else next(iter(made.values()))


def scorer(step: Step) -> Outputs:
    args = dict(step.args or {})
    ignore_case = args.pop("ignore_case", True)
    made: Outputs | None = None
    if step.name == "pattern" and isinstance(args.get("pattern"), str):
        made = Pattern(args.pop("pattern"), bool(ignore_case), bool(args.pop("match_all", False)))
    elif step.name == "answer" and args.get("pattern") in ("letter", "word", "line"):
        made = Answered(args.pop("pattern"))
    elif not ignore_case:
        raise unsupported(step, "ignore_case: false")
    elif step.name == "match":
        location, numeric = args.pop("location", "end"), args.pop("numeric", False)
        if numeric and location != "end":
            raise unsupported(step, f"numeric: true and location: {location}")
        if location in LOCATIONS:
            made = Numeric() if numeric else Match(LOCATIONS[location])
    elif step.name == "includes":
        made = Match("contains")
    elif step.name == "exact":
        made = Match("normalized")
    elif step.name == "f1":
        made = F1()
    elif step.name == "choice":
        made = ChoiceAccuracy()
    if made is None:
        raise unsupported(step)
    if args:
        raise unsupported(step, ", ".join(map(str, args)))
    return made


def unsupported(step: Step, what: str = "") -> Unsupported:
    why = "it is graded by another model" if step.name.startswith("model_graded") else "howgood has none like it"
    detail = f" with {shorten(what, 80)}" if what else f" ({why})"
    return Unsupported(f"eval.yaml asks for the scorer {shorten(step.name, 40)}{detail}, which cannot be run here")
