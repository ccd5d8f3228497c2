"""WildBench's own numbers: rewards with a margin of length, and means weighted by kinds of tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.errors import DataError
from howgood.core.types import Estimate, Instance, Prediction, Verdict
from howgood.interpret.base import Estimates
from howgood.interpret.design import Design
from howgood.interpret.estimate import mean_estimate
from howgood.outputs.judge import Pairwise
from howgood.outputs.judge.base import mean

if TYPE_CHECKING:
    from howgood.interpret.table import Table

CREATIVE, PLANNING, MATHS = "Creative Tasks", "Planning & Reasoning", "Math & Data Analysis"
INFORMATION, CODING = "Information/Advice seeking", "Coding & Debugging"
WEIGHTS = {CREATIVE: 0.5, PLANNING: 1.25, MATHS: 1.0, INFORMATION: 0.75, CODING: 1.25}
GROUPS = {
    "Creative Writing": CREATIVE, "Editing": CREATIVE, "Brainstorming": CREATIVE, "Role playing": CREATIVE,
    "Others": CREATIVE, "Reasoning": PLANNING, "Planning": PLANNING, "Math": MATHS, "Data Analysis": MATHS,
    "Information seeking": INFORMATION, "Advice seeking": INFORMATION, "Coding & Debugging": CODING,
}  # fmt: skip
"""The group that each tag belongs to; a task counts in the groups of all of its tags."""
OFFICIAL_LABELS = {"A++": 1.0, "A+": 0.75, "A=B": 0.5, "B+": 0.25, "B++": 0.0}


@dataclass(frozen=True)
class Reward(Pairwise):
    """A comparison as a `reward`: 1 for much better, 0.5 for better, 0 for a tie, and so on below. A slight win (or
    loss) counts as a tie where the winner's answer is longer than the loser's by more than `margin` characters
    (-1: never)."""

    margin: int = 500

    @property
    def scale(self) -> tuple[float, float]:
        return -1.0, 1.0

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        values = super().values(instance, prediction, verdicts)
        longer = values["length"] - values["baseline_length"]
        rewards = [
            Verdict(verdict.judge, "", Prediction(), {"reward": self._reward(verdict.values["preference"], longer)})
            for verdict in verdicts
        ]
        reward = mean(rewards, "reward") if rewards else 2 * values["preference"] - 1
        return {"reward": reward, **values}

    def _reward(self, preference: float, longer: float) -> float:
        reward = 2 * preference - 1
        padded = longer if reward > 0 else -longer
        return 0.0 if abs(reward) == 0.5 and self.margin >= 0 and padded > self.margin else reward

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"margin": self.margin}


@dataclass(frozen=True)
class TaskWeighted:
    """factor · (Σ_g w_g mean_g / Σ_g w_g - centre), the mean of each group of tasks weighted by `WEIGHTS`; a task
    counts in each of its groups, which its stratum names with " + " between. Groups without a task are left out, with
    their weight. The error is that of the tasks: each one's influence is the sum over its groups of
    w_g (score - mean_g)/(n_g Σ w). Groups are given for the score itself."""

    name: str
    score: str
    centre: float
    factor: float

    def __call__(self, table: Table) -> Estimates:
        import numpy as np

        from howgood.interpret import statistics

        values, instances = table.score(self.score), table.instances
        n, missing = len(values), instances.missing.total()
        inside: dict[str, Any] = {}
        for names, rows in instances.by_stratum():
            for group in names.split(" + "):
                inside.setdefault(group, np.zeros(n, bool))[rows] = True
        known = {group: rows for group, rows in inside.items() if group in WEIGHTS}
        if not known:
            raise DataError("none of these tasks has a tag that WildBench knows, so no weighted score can be given")
        total = sum(WEIGHTS[group] for group in known)
        influence, value = np.zeros(n), 0.0
        for group, rows in known.items():
            share = WEIGHTS[group] / total
            middle = float(values[rows].mean())
            value += share * middle
            influence[rows] += share * (values[rows] - middle) / rows.sum()
        se = math.sqrt(float(influence @ influence) * n / (n - 1)) if n > 1 else None
        half = math.inf if se is None else statistics.t_quantile(0.95, n - 1) * se
        centred = self.factor * (value - self.centre)
        reach = min(self.factor * half, statistics.UNBOUNDED)
        estimate = Estimate(
            self.name,
            centred,
            None if se is None else self.factor * se,
            centred - reach,
            centred + reach,
            n,
            f"mean of {len(known)} groups of tasks, weighted, t",
            missing=missing,
        )
        groups = [
            mean_estimate(self.score, values[rows], Design.of(table, None).at(np.flatnonzero(rows)), group=group)
            for group, rows in sorted(known.items())
        ]
        return [estimate], groups

    def describe(self) -> dict[str, Any]:
        return {"kind": "task_weighted", "score": self.score, "centre": self.centre, "factor": self.factor}
