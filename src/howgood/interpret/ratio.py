"""A ratio of totals: what each instance adds counts by its own weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.types import Estimate
from howgood.interpret.base import Estimates
from howgood.interpret.design import Design

if TYPE_CHECKING:
    from howgood.interpret.table import Table


@dataclass(frozen=True)
class Ratio:
    """Σ numerator / Σ denominator over instances, as `name`: the error and the interval are the jackknife's over
    instances, so that all that belongs to one is left out together (`Design.jackknife`)."""

    name: str
    numerator: str
    denominator: str

    def __call__(self, table: Table) -> Estimates:
        top, bottom = table.score(self.numerator), table.score(self.denominator)
        design = Design.of(table, None)
        spread = design.ratio(top, bottom)
        low, high, how = design.interval(spread, [top, bottom], lambda sums: sums[..., 0] / sums[..., 1])
        share = bool(((top >= 0) & (top <= bottom)).all())
        if share:
            low, high = max(low, 0.0), min(high, 1.0)
        return [
            Estimate(
                self.name,
                spread.value,
                spread.se,
                low,
                high,
                spread.n,
                f"{self.numerator}/{self.denominator}, {how}",
                missing=table.instances.missing.total(),
                percent=share,
            )
        ], []

    def describe(self) -> dict[str, Any]:
        return {"kind": "ratio", "name": self.name, "total": self.numerator, "of": self.denominator}
