"""Runs written down answer by answer, for the tests of decisions: what `Saved` asks for and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from howgood.core.types import Estimate, Rules, System

MEAN = {"kind": "mean", "score": "acc", "weighting": "instance", "unit": "instance"}
LETTERS = {"r": "right", "w": "wrong", "x": "refused", "u": "unanswered", "t": "truncated", "f": "failed"}


@dataclass
class Written:
    """A run of a benchmark by a system: its trials as a frame."""

    system: System
    rules: Rules
    frame: pl.DataFrame
    took: list[Estimate] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.rules.benchmark}_{self.system.name}"

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def read(self, names: list[str] | None = None) -> pl.DataFrame:
        return self.frame if names is None else self.frame.select(names)


def written(
    system: str,
    answers: str,
    benchmark: str = "b",
    *,
    names: Sequence[str] | None = None,
    clusters: Sequence[str] | None = None,
    strata: Sequence[str] | None = None,
    cost: Sequence[float] | float | None = None,
    confidence: Sequence[float] | None = None,
    took: dict[str, float] | None = None,
    sample: dict[str, Any] | None = None,
    shots: int = 0,
) -> Written:
    """A run whose answers are given by letter: r(ight), w(rong), x (refused), u(nanswered), t(runcated), f(ailed)."""
    outcomes = [LETTERS[letter] for letter in answers]
    n = len(outcomes)
    costs = list(cost) if isinstance(cost, Sequence) else [cost] * n
    columns: dict[str, Any] = {
        "id": list(names or (f"i{i:03}" for i in range(n))),
        "epoch": [0] * n,
        "stratum": strata or [None] * n,
        "cluster": clusters or [None] * n,
        "outcome": outcomes,
        "acc": [None if o == "failed" else float(o == "right") for o in outcomes],
        "cost": costs,
    }
    text = {"stratum": pl.String, "cluster": pl.String, "acc": pl.Float64, "cost": pl.Float64}
    frame = pl.DataFrame(columns, schema_overrides=text)
    if confidence is not None:
        frame = frame.with_columns(pl.Series("confidence", confidence))
    rules = Rules(benchmark, 1, {"digest": "d"}, sample or {"n": "all"}, {"shots": shots}, {"kind": "match"}, MEAN)
    took_ = [Estimate(name, value, None, value, value, n, "given") for name, value in (took or {}).items()]
    return Written(System(system, {}), rules, frame, took_)
