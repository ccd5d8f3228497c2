"""Many comparisons at once: every pair of systems on every benchmark, with p-values that answer for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from howgood.interpret.compare import Comparison, compare

if TYPE_CHECKING:
    from howgood.interpret.table import Table


class Pair(Struct, frozen=True):
    """System `b` against system `a` on a benchmark; `adjusted` is Holm's p-value over all pairs compared together
    (None where nothing could be tested)."""

    benchmark: str
    a: str
    b: str
    comparison: Comparison
    adjusted: float | None


def compare_many(
    tables: Mapping[str, Mapping[str, Table]],
    interpret: Mapping[str, dict[str, Any]],
    score: str | None = None,
    baseline: str | None = None,
) -> list[Pair]:
    """Compare systems on several benchmarks: `tables` holds each system's scores by benchmark, `interpret` what each
    benchmark's number is (see `compare`). Every pair is compared, or every system with the `baseline` alone. Holm's
    adjustment is over all of it. Raises `DataError` where two systems share no instance."""
    made = []
    for benchmark, systems in tables.items():
        for a, b in combinations(systems, 2):
            if baseline in (None, a, b):
                one, other = (b, a) if b == baseline else (a, b)
                found = compare(systems[one], systems[other], interpret[benchmark], score)
                made.append((benchmark, one, other, found))
    adjusted = holm([found.p for *_, found in made])
    return [Pair(*names, adjusted=p) for names, p in zip(made, adjusted, strict=True)]


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
