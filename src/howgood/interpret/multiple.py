"""Many comparisons at once: systems on benchmarks, with p-values that answer for how many there are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from howgood.core.types import Estimate
from howgood.interpret.compare import Comparison


class Pair(Struct, frozen=True):
    """System `b` against system `a` on a benchmark; `adjusted` is Holm's p-value over all pairs compared together
    (None where nothing could be tested)."""

    benchmark: str
    a: str
    b: str
    comparison: Comparison
    adjusted: float | None = None


class Overall(Struct, frozen=True):
    """System `b` against system `a` over all their benchmarks, each counting the same."""

    a: str
    b: str
    difference: Estimate


class Comparisons(Struct, frozen=True):
    """Every pair compared together, and the mean difference of systems that share at least two benchmarks whose scores
    are shares."""

    pairs: tuple[Pair, ...]
    overall: tuple[Overall, ...]


def together(pairs: Sequence[Pair]) -> Comparisons:
    """Pairs that are looked at together: p-values adjusted over all of them, and the means over benchmarks."""
    adjusted = holm([pair.comparison.p for pair in pairs])
    told = tuple(
        Pair(pair.benchmark, pair.a, pair.b, pair.comparison, p) for pair, p in zip(pairs, adjusted, strict=True)
    )
    by_systems: dict[tuple[str, str], list[Estimate]] = {}
    for pair in told:
        by_systems.setdefault((pair.a, pair.b), []).append(pair.comparison.difference)
    overall = [
        Overall(a, b, mean_difference(found))
        for (a, b), found in by_systems.items()
        if len(found) > 1 and all(one.percent for one in found)
    ]
    return Comparisons(told, tuple(overall))


def mean_difference(differences: Sequence[Estimate]) -> Estimate:
    """The mean of differences on several benchmarks. The benchmarks are fixed and their errors independent, so SE² =
    Σ SE²/K²; the interval is made of theirs (MOVER, Zou & Donner 2008, Stat. Med. 27), so that what is not known on one
    is not forgotten: (Σ (value - low)²)^½/K below the mean and likewise above."""
    k = len(differences)
    value = sum(one.value for one in differences) / k
    below = math.hypot(*(one.value - one.low for one in differences)) / k
    above = math.hypot(*(one.high - one.value for one in differences)) / k
    errors = [one.se for one in differences if one.se is not None]
    return Estimate(
        f"mean over {k} benchmarks",
        value,
        math.hypot(*errors) / k if len(errors) == k else None,
        max(value - below, -1.0),
        min(value + above, 1.0),
        sum(one.n for one in differences),
        "mean of paired differences, MOVER",
        level=differences[0].level,
        percent=True,
    )


def holm(p: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted by Holm (1979, Scand. J. Stat. 6): below 0.05 the probability of even one false finding among
    all is below 0.05, however they depend on each other. None stays None and does not count."""
    known = sorted((value, place) for place, value in enumerate(p) if value is not None)
    found: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        found[place] = highest
    return found
