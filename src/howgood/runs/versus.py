"""Two runs of one benchmark read together: their difference, the instances behind it, and what it could tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from howgood.core.errors import HowgoodError
from howgood.interpret.compare import Comparison
from howgood.interpret.compare import compare as compare_tables
from howgood.interpret.pairs import Pairs, pair
from howgood.interpret.power import Variances, like_both, variance_of
from howgood.interpret.table import Table
from howgood.runs import evaluate
from howgood.runs.store import SavedRun


@dataclass(frozen=True, eq=False)
class Versus:
    """Run `second` (B) against `first` (A): the comparison, the instances that both have, and what one more instance
    adds to its error (None where the two show no spread)."""

    first: SavedRun
    second: SavedRun
    comparison: Comparison
    pairs: Pairs
    variances: Variances | None


def versus(first: SavedRun, second: SavedRun, tables: tuple[Table, Table] | None = None) -> Versus:
    """Two runs read together; `tables` are their scores, where they are there already. Raises `HowgoodError` for
    different benchmarks, and where they share no instance."""
    tables = tables or _tables(first, second)
    made = _compared(first, second, tables, None)
    pairs = pair(*tables, first.rules.interpret)
    difference, variances = made.difference, None
    if made.detectable:
        # As the comparison has it: no observed spread does not mean none.
        found = like_both(*tables, difference.name, variance_of(made.detectable, difference.n))
        variances = msgspec.structs.replace(found, percent=difference.percent)
    return Versus(first, second, made, pairs, variances)


def compare(first: SavedRun, second: SavedRun, score: str | None = None) -> Comparison:
    """The paired difference of two runs (see `api.compare`)."""
    return _compared(first, second, _tables(first, second), score)


def names(runs: Sequence[SavedRun]) -> list[str]:
    """What runs of one benchmark are called: by their systems, those of one system told apart by the end of their
    ids."""
    often = Counter(run.system.label for run in runs)
    return [run.system.label if often[run.system.label] == 1 else f"{run.system.label} {run.id[-4:]}" for run in runs]


def _tables(first: SavedRun, second: SavedRun) -> tuple[Table, Table]:
    if first.rules.benchmark != second.rules.benchmark:
        raise HowgoodError(
            f"{first.id} is of {first.rules.benchmark} and {second.id} of {second.rules.benchmark}; "
            "only runs of one benchmark can be compared"
        )
    return evaluate.scores(first), evaluate.scores(second)


def _compared(first: SavedRun, second: SavedRun, tables: tuple[Table, Table], score: str | None) -> Comparison:
    comparison = compare_tables(*tables, first.rules.interpret, score)
    differing, same = tuple(first.rules.differences(second.rules)), first.rules.hash == second.rules.hash
    if asked := evaluate.split_between(first, second, comparison.difference.name.removesuffix("_mean")):
        comparison = msgspec.structs.replace(comparison, split=asked)
    return msgspec.structs.replace(comparison, rules=differing, same_rules=same)
