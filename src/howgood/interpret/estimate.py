"""From scores to estimates: the `interpret=` of a benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import structs

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.base import Estimates, Interpretation
from howgood.interpret.design import Design

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats, Ints
    from howgood.interpret.table import Table

Per = Literal["word", "byte", "token", "item"]
"""What a perplexity is counted per."""


@dataclass(frozen=True)
class Mean:
    """The mean of a score over instances (None: the first one), with the means of all `others`.

    Epochs are averaged within an instance first. A failed trial is missing, whatever else happened counts with the
    value it was given. With `by="stratum"`, groups are given for the headline and the error is stratified where the
    instances have strata: a benchmark's subjects are fixed strata, not clusters, because they are the benchmark and
    not a sample from more subjects, so how they differ from each other is no error of their mean. A stratified sample
    (a table with `sizes`) is weighted to the whole benchmark, and its error is always stratified. Instances with a
    `cluster` give clustered errors. `macro` takes the mean of the stratum means; with `unit="cluster"` every cluster
    counts once, by the mean of its instances (a task with several test inputs).

    Values in [0, 1] take Wilson's interval (see `statistics.share_interval`), others Student's t.
    """

    score: str | None = None
    by: Literal["stratum"] | None = "stratum"
    macro: bool = False
    unit: statistics.Unit = "instance"
    others: bool = True

    def __call__(self, table: Table) -> Estimates:
        instances = table.instances
        headline = self.score or next(iter(table.scores))
        values = table.score(headline)
        design = Design.of(table, self.by, self.macro, self.unit)
        missing, epochs = instances.missing, instances.epochs
        estimates = [mean_estimate(headline, values, design, epochs, missing.total())]
        for name in table.scores if self.others else ():
            if name != headline:
                estimates.append(mean_estimate(name, table.score(name), design, epochs, missing.total()))
        groups = [
            mean_estimate(headline, values[rows], design.within(rows), epochs, missing[group], group)
            for group, rows in (instances.by_stratum() if self.by else ())
        ]
        return estimates, groups

    def describe(self) -> dict[str, Any]:
        weighting = "stratum" if self.macro else self.unit
        return {"kind": "mean", "score": self.score, "weighting": weighting, "unit": self.unit}


def mean_estimate(
    name: str, values: Floats, design: Design, epochs: int = 1, missing: int = 0, group: str | None = None
) -> Estimate:
    """The mean of one value an instance as an `Estimate` whose method says how it was made."""
    spread, share = design.mean(values), statistics.is_share(values)
    if share:
        binary = statistics.is_binary(values)
        low, high = statistics.share_interval(spread, binary, clustered=design.clusters is not None)
    else:
        low, high = statistics.t_interval(spread)
    averaged = [f"{epochs} epochs averaged"] if epochs > 1 else []
    return Estimate(
        name,
        spread.value,
        spread.se,
        low,
        high,
        spread.n,
        method=", ".join(["mean", *averaged, *design.words(spread), "Wilson" if share else "t"]),
        clusters=design.clustered(spread),
        group=group,
        missing=missing,
        percent=share,
    )


@dataclass(frozen=True)
class Perplexity:
    """exp(Σ nll / Σ count) over all documents, for each unit: the count is the score `words`, `bytes` or `tokens`, or
    one for each instance (`item`, as for the last words of LAMBADA). Bytes also give bits per byte, Σ nll/ln 2/Σ bytes.

    `nll` names the score that holds a document's negative log-likelihood in nats. Documents (or their clusters) are
    the independent units: the interval is Student's t on the logarithm with the jackknife's error over them and as
    many degrees of freedom as equally long documents would have (`Design.jackknife`); `se` is the delta method's. One
    document alone shows no spread: `se` is None and the interval goes to the largest float. In a stratified sample (a
    table with `sizes`) both totals are weighted to the whole benchmark. Lower is better.
    """

    units: tuple[Per, ...] = ("word", "byte", "token")
    nll: str = "nll"
    by: Literal["stratum"] | None = "stratum"

    def __call__(self, table: Table) -> Estimates:
        import numpy as np

        instances, design = table.instances, Design.of(table, self.by)
        everything, missing = np.arange(len(instances)), instances.missing
        estimates = []
        for unit in self.units:
            estimates += self._estimates(table, unit, everything, design, missing.total())
        groups = []
        for name, rows in instances.by_stratum() if self.by else ():
            groups += self._estimates(table, self.units[0], rows, design.within(rows), missing[name], name)[:1]
        return estimates, groups

    def _estimates(
        self, table: Table, unit: Per, rows: Ints, design: Design, missing: int, group: str | None = None
    ) -> list[Estimate]:
        """The perplexity for a unit and, for bytes, bits per byte. An interval of the rate nll / count in nats becomes
        one of its exponential by taking the exponential of its ends."""
        nll, count = table.score(self.nll)[rows], unit_count(table, unit)[rows]
        rate = design.ratio(nll, count)
        low, high, how = design.interval(rate, [nll, count], lambda t: t[..., 0] / t[..., 1])
        low = max(low, 0.0)  # no text is more probable than certain
        words = ", ".join([*design.words(rate), how])
        value = exp(rate.value)
        estimate = Estimate(
            name="perplexity" if unit == "item" else f"{unit}_perplexity",
            value=value,
            se=None if rate.se is None else min(value * rate.se, statistics.UNBOUNDED),
            low=exp(low),
            high=exp(high),
            n=rate.n,
            method=f"exp({self.nll}/{unit}s), {words}",
            clusters=design.clustered(rate),
            group=group,
            missing=missing,
            higher_is_better=False,
        )
        if unit != "byte":
            return [estimate]
        bits = structs.replace(
            estimate,
            name="bits_per_byte",
            value=rate.value / math.log(2),
            se=None if rate.se is None else rate.se / math.log(2),
            low=low / math.log(2),
            high=high if rate.se is None else high / math.log(2),
            method=f"{self.nll}/(ln 2 bytes), {words}",
        )
        return [estimate, bits]

    def describe(self) -> dict[str, Any]:
        return {"kind": "perplexity", "score": self.nll, "units": list(self.units), "weighting": "total"}


def unit_count(table: Table, unit: Per) -> Floats:
    """How many words, bytes or tokens each instance has; ones for items."""
    import numpy as np

    return np.ones(len(table.instances)) if unit == "item" else table.score(f"{unit}s")


def exp(x: float) -> float:
    """e^x, at most the largest float."""
    return math.exp(x) if x < math.log(statistics.UNBOUNDED) else statistics.UNBOUNDED


@dataclass(frozen=True, init=False)
class Several:
    """Several readings of the same scores, the first one's headline leading: LAMBADA's accuracy and perplexity are
    `Several(Mean("acc", others=False), Perplexity(units=("item",)))`."""

    parts: tuple[Interpretation, ...]

    def __init__(self, *parts: Interpretation) -> None:
        if not parts:
            raise DataError("Several needs at least one interpretation")
        object.__setattr__(self, "parts", parts)

    def __call__(self, table: Table) -> Estimates:
        made = [part(table) for part in self.parts]
        return [e for estimates, _ in made for e in estimates], [e for _, groups in made for e in groups]

    def describe(self) -> dict[str, Any]:
        return {"kind": "several", "parts": [part.describe() for part in self.parts]}
