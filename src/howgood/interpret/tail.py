"""Where a score falls: parts of a benchmark that are harder than the whole, told without letting small parts win by
noise.

Each part's mean is drawn towards the whole as far as its own error asks for (empirical Bayes: James & Stein 1961; the
spread of parts by Paule & Mandel 1982, J. Res. NBS 87), and its interval holds for all parts at once (Bonferroni). A
part is called low only where that interval lies below the mean of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.interpret import statistics
from howgood.interpret.design import Design
from howgood.interpret.table import Table

FEWEST = 5
"""Instances that a part needs to be shown."""


class Part(Struct, frozen=True):
    """A part of a benchmark: the `factor` that it is a value of, its `name`, `n` instances, their mean score, the mean
    drawn towards the whole (`shrunk`), the simultaneous interval, and whether it lies below the whole (`low_part`)."""

    factor: str
    name: str
    n: int
    value: float
    shrunk: float
    low: float
    high: float
    below: bool


class Tail(Struct, frozen=True):
    """The parts with the lowest shrunk mean first, the mean of the whole (`value`), how many parts were looked at, and
    the confidence that all their intervals hold."""

    score: str
    value: float
    n: int
    looked_at: int
    level: float
    parts: list[Part]


def tail(table: Table, score: str, factors: Mapping[str, Mapping[str, str]], level: float = 0.95) -> Tail:
    """Where a score between 0 and 1 falls. `factors` name a part for each instance id (a subject, a topic ...); an id
    without one is left out of that factor, and so are parts of fewer than `FEWEST` instances."""
    import numpy as np

    instances, values = table.instances, table.score(score)
    design = Design.of(table, None)
    groups: list[tuple[str, str, list[int]]] = []
    for factor, of in factors.items():
        rows: dict[str, list[int]] = {}
        for row, id in enumerate(instances.ids):
            if id in of:
                rows.setdefault(of[id], []).append(row)
        kept = {name: places for name, places in rows.items() if len(places) >= FEWEST}
        if len(kept) > 1:
            groups += [(factor, name, places) for name, places in kept.items()]
    mean = float(values.mean())
    parts: list[Part] = []
    for factor in factors:
        mine = [(name, np.array(places)) for known, name, places in groups if known == factor]
        if not mine:
            continue
        spreads = [design.within(rows).mean(values[rows]) for _, rows in mine]
        drawn = shrunk([s.value for s in spreads], [max(s.se or 0.0, _least(mean, s.n)) ** 2 for s in spreads], mean)
        for (name, _), spread, near in zip(mine, spreads, drawn, strict=True):
            binary = statistics.is_binary(values)
            each = 1 - (1 - level) / len(groups)
            low, high = statistics.share_interval(spread, binary, design.clusters is not None, each)
            parts.append(Part(factor, name, spread.n, spread.value, near, low, high, high < mean))
    parts.sort(key=lambda part: (part.shrunk, part.factor, part.name))
    return Tail(score, mean, len(values), len(groups), level, parts)


def shrunk(values: Sequence[float], variances: Sequence[float], mean: float) -> list[float]:
    """Values with known variances about a common mean, each drawn to it by v/(v + τ²), where τ² makes the weighted
    squares Σ (x - m)²/(v + τ²) as many as there are values (Paule & Mandel; zero where they are fewer already)."""
    import numpy as np
    from scipy.optimize import brentq

    x, v = np.array(values, float), np.maximum(np.array(variances, float), 1e-12)

    def excess(t: float) -> float:
        return float((((x - mean) ** 2) / (v + t)).sum() - len(x))

    top = float(((x - mean) ** 2).sum()) + 1e-9
    between = brentq(excess, 0.0, top) if excess(0.0) > 0 else 0.0
    return [float(one) for one in mean + between / (between + v) * (x - mean)]


def _least(mean: float, n: int) -> float:
    """The standard error that n instances like the whole would have: five that are all wrong are not without error."""
    return float((max(mean * (1 - mean), 0.01) / n) ** 0.5)


def bins(values: Mapping[str, float], unit: str, parts: int = 5) -> dict[str, str]:
    """Instances by how long they are: in equal parts (fewer where many are equally long), named by their ends."""
    import numpy as np

    array = np.array(list(values.values()), float)
    ends = np.unique(np.quantile(array, np.linspace(0, 1, parts + 1)))
    if len(ends) < 3:
        return {}
    place = np.clip(np.searchsorted(ends, array, side="left") - 1, 0, len(ends) - 2)
    names = [f"{'' if k == 0 else 'over '}{ends[k]:,.0f} to {ends[k + 1]:,.0f} {unit}" for k in range(len(ends) - 1)]
    return {id: names[k] for id, k in zip(values, place.tolist(), strict=True)}


def together(tables: Sequence[Table], score: str) -> Table:
    """The instances that all tables have, with the mean of their scores. Raises `DataError` where there are none."""
    import numpy as np

    first = tables[0].instances
    ids = sorted(set.intersection(*(set(table.instances.ids) for table in tables)))
    if not ids:
        raise DataError("these runs share no instance; give runs of one benchmark and sample")
    found = []
    for table in tables:
        place = {id: row for row, id in enumerate(table.instances.ids)}
        found.append(table.score(score)[[place[id] for id in ids]])
    place = {id: row for row, id in enumerate(first.ids)}
    none: list[str | None] = [None] * len(ids)
    clusters = none
    if first.clusters is not None:
        clusters = [str(first.clusters[place[id]]) for id in ids]
    zeros = np.zeros(len(ids), np.int64)
    return Table(ids, zeros, none, clusters, zeros.astype(bool), {score: np.mean(found, axis=0)})
