"""Comparisons as parts of a page: the same for reports and the studio, as HTML and as Markdown.

Two runs of a benchmark are told whole: the rules that differ before any number, the difference, what flipped, by
group, how alike they are, and what could be seen. Of more runs each is held against the first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.types import Estimate, Rules
from howgood.interpret.multiple import Overall, Pair, together
from howgood.interpret.pairs import Alike, Counts, Group, alike, by_group, counts, pair
from howgood.interpret.power import Variances
from howgood.interpret.table import Table
from howgood.report import charts, comparisons, costs, numbers
from howgood.report.cards import plain
from howgood.runs import evaluate
from howgood.runs.store import SavedRun
from howgood.runs.versus import Versus, names, versus

MOST_GROUPS = 400
"""Groups that a page lists."""
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Differences that power is told for: of shares as they are, of other numbers times A's."""
EPOCHS = 4
"""How often each instance is asked in the column beside, where epochs help."""
MOST_SYSTEMS = 30
"""Systems in a matrix of every two."""


class Drawn(Struct, frozen=True):
    """The difference on one group, and its drawing."""

    group: Group
    svg: str


class Need(Struct, frozen=True):
    """What it takes to see a difference: its size in words, and how many instances asked once, or several times each
    (None: that would not help)."""

    size: str
    once: int
    often: int | None


class Two(Struct, frozen=True):
    """What is said of two runs of one benchmark."""

    first: Any
    second: Any
    comparison: Any
    svg: str
    differing: list[comparisons.Difference]
    same: bool
    verdict: str
    evidence: list[tuple[str, str]]
    took: list[tuple[str, str]]
    counts: Counts
    groups: list[Drawn]
    groups_left_out: int
    chance: str
    alike: Alike
    needs: list[Need]


class Beside(Struct, frozen=True):
    """One of several runs of a benchmark: its name, and its comparison with the first one (None for the first itself,
    and where they could not be compared, which `problem` says)."""

    name: str
    run: Any
    pair: Pair | None
    svg: str
    differing: list[comparisons.Difference]
    problem: str


class Many(Struct, frozen=True):
    """What is said of several runs of one benchmark: each `beside` the first, how alike every two are (cells by row and
    column; None on the diagonal and where two share nothing), and whether all have the same rules."""

    benchmark: str
    besides: list[Beside]
    names: list[str]
    matrix: list[list[Alike | None]]
    same: bool
    tests: int


class Compared(Struct, frozen=True):
    """All that is said of some runs beside each other: the benchmarks with two runs, those with more, differences over
    several benchmarks, and quality against cost."""

    twos: list[Two]
    manies: list[Many]
    overall: tuple[Overall, ...]
    fronts: list[tuple[costs.Front, str]]


def compared(runs: Sequence[SavedRun]) -> Compared:
    """What is said of runs beside each other. Of a benchmark whose runs share no instance nothing is."""
    groups = by_benchmark(runs)
    twos: list[Two] = []
    manies: list[Many] = []
    for some in groups.values():
        if len(some) == 2:
            with contextlib.suppress(HowgoodError):
                twos.append(two(versus(some[0], some[1])))
        elif len(some) > 2:
            manies.append(many(some))
    pairs = [Pair(t.first.rules.benchmark, t.first.system.label, t.second.system.label, t.comparison) for t in twos]
    pairs += [beside.pair for found in manies for beside in found.besides if beside.pair]
    overall = together(pairs).overall if len(groups) > 1 else ()
    return Compared(twos, manies, overall, [(front, charts.front(front)) for front in costs.fronts(runs)])


def by_benchmark(runs: Sequence[SavedRun]) -> dict[str, list[SavedRun]]:
    """Runs by what they are of, in the order given; one that is given twice once."""
    found: dict[str, list[SavedRun]] = {}
    for run in {run.id: run for run in runs}.values():
        found.setdefault(run.rules.benchmark, []).append(run)
    return found


def two(made: Versus) -> Two:
    """What is said of two runs."""
    groups = by_group(made.pairs)
    shown = groups[:MOST_GROUPS]
    reach = charts.reach([group.difference for group in shown])
    return Two(
        first=made.first,
        second=made.second,
        comparison=made.comparison,
        svg=charts.difference(made.comparison.difference),
        differing=comparisons.differences(made.comparison),
        same=made.comparison.same_rules,
        verdict=comparisons.verdict(made.comparison),
        evidence=comparisons.evidence(made.comparison),
        took=costs.beside(made.first, made.second),
        counts=counts(made.pairs),
        groups=[Drawn(group, charts.difference(group.difference, reach)) for group in shown],
        groups_left_out=len(groups) - len(shown),
        chance=by_chance(groups),
        alike=alike(made.pairs),
        needs=needs(made.comparison.a, made.comparison.difference, made.variances),
    )


def by_chance(groups: Sequence[Group]) -> str:
    """What to make of many groups, in words."""
    tested = [group for group in groups if group.adjusted is not None]
    if len(tested) < 2:
        return ""
    told = [group for group in tested if group.adjusted is not None and group.adjusted < comparisons.SURE]
    words = f"{len(told)} of {len(tested)} groups differ" if told else "No group differs"
    return (
        f"{words} when p answers for all {len(tested)} (Holm). Each interval is for its group alone: even if no group "
        f"differed, about {max(1, round(len(tested) / 20))} would not hold zero."
    )


def needs(a: Estimate, difference: Estimate, variances: Variances | None) -> list[Need]:
    """How many instances it takes to see differences of several sizes, in 8 of 10 such comparisons."""
    if variances is None or variances.variance() < 1e-18:
        return []
    sizes = STEPS if difference.percent else tuple(step * abs(a.value) for step in STEPS)
    helps = variances.sampling > 0
    return [
        Need(
            _size(difference, size),
            variances.instances(size),
            variances.instances(size, EPOCHS) if helps else None,
        )
        for size in sizes
        if size > 0
    ]


def _size(difference: Estimate, size: float) -> str:
    if not difference.percent:
        return f"{size:.3g}"
    points = f"{100 * size:g}"
    return f"{points} point{'' if points == '1' else 's'}"


def many(runs: Sequence[SavedRun]) -> Many:
    """What is said of several runs of one benchmark."""
    called, base = names(runs), runs[0].rules
    tables: list[Table | None] = []
    for run in runs:
        with contextlib.suppress(HowgoodError):
            tables.append(evaluate.scores(run))
            continue
        tables.append(None)
    pairs, problems = [], dict[str, str]()
    for name, run, table in zip(called[1:], runs[1:], tables[1:], strict=True):
        try:
            given = (tables[0], table) if tables[0] and table else None
            pairs.append(Pair(base.benchmark, called[0], name, versus(runs[0], run, given).comparison))
        except HowgoodError as error:
            problems[name] = str(error)
    told = {pair.b: pair for pair in together(pairs).pairs}
    return Many(
        benchmark=base.benchmark,
        besides=[
            _beside(name, run, base, told.get(name), charts.reach([p.comparison.difference for p in pairs]), problems)
            for name, run in zip(called, runs, strict=True)
        ],
        names=called[:MOST_SYSTEMS],
        matrix=_matrix(tables[:MOST_SYSTEMS], base),
        same=all(run.rules.hash == base.hash for run in runs),
        tests=sum(pair.comparison.p is not None for pair in pairs),
    )


def _beside(name: str, run: SavedRun, base: Rules, pair: Pair | None, reach: float, problems: dict[str, str]) -> Beside:
    differing = base.differences(run.rules) if run.rules.hash != base.hash else []
    return Beside(
        name=name,
        run=run,
        pair=pair,
        svg=charts.difference(pair.comparison.difference, reach) if pair else "",
        differing=[(key, plain(mine), plain(theirs)) for key, mine, theirs in differing],
        problem=problems.get(name, ""),
    )


def _matrix(tables: Sequence[Table | None], base: Rules) -> list[list[Alike | None]]:
    """How alike every two systems are."""
    found: list[list[Alike | None]] = [[None] * len(tables) for _ in tables]
    for (i, a), (j, b) in combinations(enumerate(tables), 2):
        if a and b:
            with contextlib.suppress(HowgoodError):  # nothing shared: the cell is empty
                found[i][j] = found[j][i] = alike(pair(a, b, base.interpret))
    return found


def likeness(alike: Alike) -> str:
    """How alike two systems answer, in a sentence."""
    if alike.same is None:
        if alike.correlation is None:
            return "One of the two scores every instance alike."
        return f"Their scores go together with a correlation of {_signed(alike.correlation)} over instances."
    words = f"They are both right or both wrong on {numbers.proportion(alike.same)} of {numbers.count(alike.n)}"
    if alike.kappa is None:
        return f"{words}; one of them is right always or never, so that says nothing of how alike they are."
    kappa = alike.kappa
    return (
        f"{words}; beyond what their accuracies alone would do that is kappa {_signed(kappa.value)} "
        f"[{_signed(kappa.low)}, {_signed(kappa.high)}]."
    )


def cell(alike: Alike) -> str:
    """How alike two systems answer, as short as can be: kappa, or the correlation."""
    value = alike.correlation if alike.same is None else alike.kappa.value if alike.kappa else None
    return "–" if value is None else _signed(value)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
