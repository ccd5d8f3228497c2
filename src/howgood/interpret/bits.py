"""Bits per byte of gold answers: what `--score bpb` makes of a benchmark's number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.base import Estimates, Interpretation
from howgood.interpret.design import Design
from howgood.interpret.estimate import Mean, Perplexity, Several

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats
    from howgood.interpret.table import Table


@dataclass(frozen=True)
class BitsPerByte:
    """How many bits a model needs for the gold answers, per byte, in two readings.

    `bpb`, the headline, is the mean over instances of each answer's own bits per byte: every question counts once, as
    in its accuracy. It is what scaling laws of tasks are fitted on (arXiv:2412.04403) and what OLMES and DataDecide
    publish. `bits_per_byte` is all answers' bits over all their bytes, what a compressor would need; long answers count
    more in it, and a few short ones that surprise the model less.

    Strata and clusters are those of the interpretation in whose place it stands. Both take the jackknife's interval of
    `Perplexity`, and Student's t for means over strata or clusters. Lower is better.
    """

    by: Literal["stratum"] | None = "stratum"
    macro: bool = False
    unit: statistics.Unit = "instance"

    @classmethod
    def instead_of(cls, interpretation: Interpretation) -> BitsPerByte:
        """In place of an interpretation, with the strata and the weights of its (first) mean."""
        parts = interpretation.parts if isinstance(interpretation, Several) else (interpretation,)
        mean = next((part for part in parts if isinstance(part, Mean)), Mean())
        return cls(mean.by, mean.macro, mean.unit)

    def __call__(self, table: Table) -> Estimates:
        import numpy as np

        instances, missing = table.instances, table.instances.missing
        own, one = table.score("bpb"), np.ones(len(instances.ids))
        bits, size = table.score("nll") / math.log(2), table.score("bytes")
        design = Design.of(table, self.by, self.macro, self.unit)
        plain = Design.of(table, self.by)
        estimates = [
            _estimate("bpb", "mean of nll/(ln 2 bytes)", own, one, design, missing.total()),
            _estimate("bits_per_byte", "nll/(ln 2 bytes)", bits, size, plain, missing.total()),
        ]
        groups = [
            _estimate("bpb", "mean of nll/(ln 2 bytes)", own[rows], one[rows], design.within(rows), missing[name], name)
            for name, rows in (instances.by_stratum() if self.by else ())
        ]
        return estimates, groups

    def describe(self) -> dict[str, Any]:
        mean = Mean("bpb", self.by, self.macro, self.unit).describe() | {"lower": True}
        return {"kind": "several", "parts": [mean, Perplexity(("byte",), by=self.by).describe()]}


def _estimate(
    name: str, words: str, bits: Floats, count: Floats, design: Design, missing: int, group: str | None = None
) -> Estimate:
    """Σ bits / Σ count, or for a design that weighs strata or clusters alike the mean of `bits`."""
    if design.macro or design.unit == "cluster":
        rate, how = design.mean(bits), "t"
        low, high = statistics.t_interval(rate)
    else:
        rate = design.ratio(bits, count)
        low, high, how = design.interval(rate, [bits, count], lambda t: t[..., 0] / t[..., 1])
    return Estimate(
        name=name,
        value=rate.value,
        se=rate.se,
        low=max(low, 0.0),  # no answer is more probable than certain
        high=high,
        n=rate.n,
        method=", ".join([words, *design.words(rate), how]),
        clusters=design.clustered(rate),
        group=group,
        missing=missing,
        higher_is_better=False,
    )
