"""The instances behind a comparison: which flipped each way, how alike two systems answer, what differs by group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import agreement, statistics
from howgood.interpret.compare import Subject, changed, match, rate_name, subject, tested
from howgood.interpret.estimate import unit_count
from howgood.interpret.multiple import holm

if TYPE_CHECKING:
    from howgood.interpret.design import Design
    from howgood.interpret.statistics import Floats, Ints
    from howgood.interpret.table import Table


class Pairs(NamedTuple):
    """The n instances that two systems share: their `ids` in order, each system's value `x` and `y` (n,), and the
    stratum of each as a code (None without any) with the strata's `names`. `per` holds what a rate is of: the two
    numerators and denominators."""

    score: str
    ids: list[str]
    x: Floats
    y: Floats
    strata: Ints | None
    names: list[str | None]
    design: Design
    higher_is_better: bool = True
    per: tuple[tuple[Floats, Floats], tuple[Floats, Floats]] | None = None

    @property
    def change(self) -> Floats:
        """By how much b does better on each instance; below zero where it does worse."""
        return self.y - self.x if self.higher_is_better else self.x - self.y

    @property
    def binary(self) -> bool:
        """Whether both are right or wrong on every instance."""
        return statistics.is_binary(self.x) and statistics.is_binary(self.y)


class Counts(Struct, frozen=True):
    """On how many instances b does better (`gained`), worse (`lost`), and as well as a (`same`). Of right and wrong
    answers `both` are right in both and `neither` in none; None for others."""

    gained: int
    lost: int
    same: int
    both: int | None
    neither: int | None


class Group(Struct, frozen=True):
    """The paired difference on the instances of one stratum, with its p-value and Holm's over all groups (None where
    nothing can be tested)."""

    difference: Estimate
    p: float | None
    adjusted: float | None
    gained: int
    lost: int


class Alike(Struct, frozen=True):
    """How alike two systems answer the n instances that they share: `same` is the share on which both are right or both
    wrong and `kappa` that beyond what their accuracies alone would do (Cohen; None where one of them is right always or
    never). Of other scores there is their `correlation` over instances (Pearson; None where one does not vary)."""

    n: int
    same: float | None
    kappa: Estimate | None
    correlation: float | None


def pair(a: Table, b: Table, interpret: dict[str, Any], score: str | None = None) -> Pairs:
    """The instances of two tables in what `compare` compares them in. Raises `DataError` where they share none."""
    of = subject(a, b, interpret, score)
    shared = match(of.a, of.b, "stratum", of.macro, of.unit)
    x, y = of.a.score(of.score)[shared.rows_a], of.b.score(of.score)[shared.rows_b]
    instances = of.a.instances
    ids = list(instances.packed[shared.rows_a])
    strata = None if instances.strata is None else instances.strata[shared.rows_a]
    if of.per is None:
        return Pairs(of.score, ids, x, y, strata, instances.names, shared.design)
    first, second = _rates(of, x, y, shared.rows_a, shared.rows_b)
    return Pairs(
        rate_name(of.per),
        ids,
        first[0] / first[1],
        second[0] / second[1],
        strata,
        instances.names,
        shared.design,
        higher_is_better=False,
        per=(first, second),
    )


def _rates(of: Subject, x: Floats, y: Floats, rows_a: Ints, rows_b: Ints) -> Any:
    assert of.per is not None
    nats = math.log(2) if of.per == "byte" else 1.0
    return (x / nats, unit_count(of.a, of.per)[rows_a]), (y / nats, unit_count(of.b, of.per)[rows_b])


def counts(pairs: Pairs) -> Counts:
    """Which instances flipped each way, counted."""
    change = pairs.change
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    both = neither = None
    if pairs.binary:
        both = int(((pairs.x == 1) & (pairs.y == 1)).sum())
        neither = int(((pairs.x == 0) & (pairs.y == 0)).sum())
    return Counts(gained, lost, len(change) - gained - lost, both, neither)


def by_group(pairs: Pairs) -> list[Group]:
    """The difference on each stratum, in order of name, as the whole is compared; p-values answer for all of them."""
    import numpy as np

    if pairs.strata is None:
        return []
    found = []
    order = np.argsort(pairs.strata, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(pairs.strata, minlength=len(pairs.names)))[:-1])
    for name, rows in zip(pairs.names, parts, strict=True):
        if name is not None and len(rows):
            found.append(_group(pairs, name, rows))
    adjusted = holm([p for _, p, _, _ in found])
    return [Group(e, p, q, gained, lost) for (e, p, gained, lost), q in zip(found, adjusted, strict=True)]


def _group(pairs: Pairs, name: str, rows: Ints) -> tuple[Estimate, float | None, int, int]:
    design, change = pairs.design.within(rows), pairs.change[rows]
    share = False
    if pairs.per is None:
        made = tested(pairs.x[rows], pairs.y[rows], design)
        spread, p, (low, high), share, how = made.spread, made.p, made.interval, made.share, made.test
    else:
        first, second = ((top[rows], bottom[rows]) for top, bottom in pairs.per)
        spread = changed(first, second, design)
        p, (low, high), how = statistics.t_test(spread), statistics.t_interval(spread), "jackknife, t"
    estimate = Estimate(
        pairs.score,
        spread.value,
        spread.se,
        low,
        high,
        spread.n,
        f"paired difference, {how}",
        clusters=design.clustered(spread),
        group=name,
        percent=share,
        higher_is_better=pairs.higher_is_better,
    )
    return estimate, p, int((change > 0).sum()), int((change < 0).sum())


def alike(pairs: Pairs) -> Alike:
    """How alike two systems answer."""
    import numpy as np

    n, x, y = len(pairs.ids), pairs.x, pairs.y
    if not pairs.binary:
        vary = n > 1 and float(np.ptp(x)) > 0 and float(np.ptp(y)) > 0
        return Alike(n, None, None, float(np.corrcoef(x, y)[0, 1]) if vary else None)
    try:
        kappa = agreement.cohen_of_counts(np.bincount((2 * x + y).astype(int), minlength=4).reshape(2, 2))
    except DataError:  # one value only: there is nothing beyond chance
        kappa = None
    return Alike(n, float((x == y).mean()), kappa, None)
