"""Shares over the parts of answers: how many of all instructions were followed, of each kind and together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.base import Estimates
from howgood.interpret.design import Design

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats
    from howgood.interpret.table import Table


@dataclass(frozen=True)
class PartShare:
    """The share of parts that are right: the sum of `score` (how many of an instance's parts are right) over the sum of
    `total` (how many it has). Every part counts once, so an instance with three parts counts three times.

    The parts of one instance are not independent: the error is that of a ratio of totals over instances (or their
    clusters), the interval Wilson's with the effective number of parts. With `by_part` there is an estimate for each
    name of a part too, from the `parts` of the scores.
    """

    name: str
    score: str
    total: str
    by_part: bool = False

    def __call__(self, table: Table) -> Estimates:
        design, missing = Design.of(table, None), table.instances.missing.total()
        method = f"share of all {self.total}"
        whole = share(self.name, method, table.score(self.score), table.score(self.total), design, missing)
        return [whole], self._groups(table, method, design) if self.by_part else []

    def describe(self) -> dict[str, Any]:
        return {"kind": "part-share", "score": self.score, "total": self.total, "name": self.name}

    def _groups(self, table: Table, method: str, design: Design) -> list[Estimate]:
        import numpy as np

        right, held = collected(table)
        groups = []
        for name in sorted(held):
            rows = np.flatnonzero(held[name])
            held_by, within = held[name][rows], design.within(rows)
            groups.append(share(self.name, method, right[name][rows], held_by, within, group=name))
        return groups


def collected(table: Table) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """For each name of a part and each instance, how many such parts are right and how many there are, both averaged
    over epochs."""
    import numpy as np

    place = {name: row for row, name in enumerate(table.instances.ids)}
    epochs = np.zeros(len(place))
    right: dict[str, Floats] = {}
    held: dict[str, Floats] = {}
    for one, failed, parts in zip(table.ids, table.failed.tolist(), table.parts, strict=False):
        if failed:
            continue
        row = place[str(one)]
        epochs[row] += 1
        for name, value in parts:
            for counts, add in ((right, value), (held, 1.0)):
                counts.setdefault(name, np.zeros(len(place)))[row] += add
    for counts in (right, held):
        for column in counts.values():
            column /= np.maximum(epochs, 1)
    return right, held


def share(
    name: str, method: str, right: Floats, total: Floats, design: Design, missing: int = 0, group: str | None = None
) -> Estimate:
    """Σ right / Σ total as an `Estimate`; its n is the number of parts."""
    spread, parts = design.ratio(right, total), float(total.sum())
    # As many observations as there are parts; the design effect says how much less they are worth.
    spread = spread._replace(n=round(parts), equal_n=parts)
    low, high = statistics.share_interval(spread, binary=False, clustered=True)
    many = design.clustered(spread)
    return Estimate(
        name,
        spread.value,
        spread.se,
        low,
        high,
        spread.n,
        method=f"{method}, clustered by {'instance' if many is None else 'cluster'}, Wilson",
        clusters=spread.units,
        group=group,
        missing=missing,
        percent=True,
    )
