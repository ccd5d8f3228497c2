"""Many systems on many benchmarks, and a ranking by weights of one's own, with how sure it is.

Only like is compared with like: a column holds the runs of one benchmark by the same rules, the newest of each system.
Runs by other rules stand in a column of their own, which is marked and counts nothing until it is given a weight.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, convert
from starlette.requests import Request
from starlette.responses import Response

from howgood.core.errors import HowgoodError
from howgood.core.types import Estimate
from howgood.interpret import leaderboard
from howgood.interpret.leaderboard import Drawn, Standing, standings
from howgood.report import charts, comparisons, costs
from howgood.runs import store
from howgood.runs.store import SavedRun
from howgood.studio.library import Library
from howgood.studio.page import page
from howgood.studio.pages.compare import MOST, Stamp, stamp
from howgood.web.guard import Refused

if TYPE_CHECKING:
    from howgood.studio.server import Studio

MOST_COLUMNS = 40
MOST_SYSTEMS = 200
KEPT = 64
"""Benchmarks whose draws are kept, so that other weights cost nothing."""
HEAVIEST = 10
WEIGHT = re.compile(r"w-[0-9a-f]{12}")


class Asked(Struct, frozen=True):
    """What the address asks for: some runs (none: all), and weights of columns by their rules."""

    run: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=500)] = ()
    weights: Annotated[dict[str, Annotated[float, Meta(ge=0, le=HEAVIEST)]], Meta(max_length=500)] = {}


class Column(Struct, frozen=True):
    """A benchmark by one set of rules: the newest run of each system. `other` says that more systems ran it by other
    rules; `problem` why it cannot be weighed."""

    hash: str
    benchmark: str
    runs: dict[str, Any]
    other: bool
    weight: float
    drawn: Drawn | None
    problem: str

    @property
    def paths(self) -> list[str]:
        """The ids of its runs, at most as many as are compared at once."""
        return [run.path.name for run in self.runs.values()][:MOST]


class Cell(Struct, frozen=True):
    """A system on a benchmark: its run, the drawing of its estimate, and the ranks that cannot be excluded there."""

    run: Any
    svg: str
    ranks: str


class Row(Struct, frozen=True):
    """A system: its standing (None: it lacks a benchmark that has a weight, and `lacks` says which), what an answer of
    it takes, and a cell for each column (None: not run)."""

    system: str
    standing: Standing | None
    ranks: str
    chance: str
    svg: str
    cost: str
    latency: str
    lacks: list[str]
    cells: list[Cell | None]


async def show(studio: Studio, request: Request) -> Response:
    params = request.query_params
    asked = convert(
        {
            "run": params.getlist("run"),
            "weights": {name[2:]: value for name, value in params.items() if WEIGHT.fullmatch(name) and value},
        },
        Asked,
        strict=False,
    )
    return await studio.reading(_page, studio, request, asked)


def _page(studio: Studio, request: Request, asked: Asked) -> Response:
    chosen = [studio.library.run(name) for name in dict.fromkeys(asked.run)] or studio.library.runs()
    told = [run for run in chosen if run.estimates and run.status in ("finished", "incomplete")]
    found, older = newest(told)
    columns = weighed(studio.library, found, asked.weights)
    shown = columns[:MOST_COLUMNS]
    rows = table(shown)
    return page(
        request,
        "leaderboard.html.j2",
        asked=asked,
        columns=shown,
        columns_left=len(columns) - len(shown),
        rows=rows[:MOST_SYSTEMS],
        rows_left=len(rows) - MOST_SYSTEMS,
        ranked=[row for row in rows if row.standing],
        older=older,
        unfinished=len(chosen) - len(told),
        heaviest=HEAVIEST,
        rare=[one for one in shown if _is_rare(one, len(rows)) and not one.weight],
        all_alike=bool(asked.weights),
        paired=all(one.drawn.paired for one in shown if one.weight and one.drawn),
    )


def newest(runs: Sequence[SavedRun]) -> tuple[dict[str, dict[str, SavedRun]], int]:
    """The newest run of each system by rules, and how many older ones there are."""
    found: dict[str, dict[str, SavedRun]] = {}
    older = 0
    for run in sorted(runs, key=lambda run: run.started, reverse=True):
        systems = found.setdefault(run.rules.hash, {})
        older += run.system.label in systems
        systems.setdefault(run.system.label, run)
    return found, older


def weighed(library: Library, found: dict[str, dict[str, SavedRun]], weights: dict[str, float]) -> list[Column]:
    """The columns, the benchmarks that most systems have first, and of each the rules that most have. Where no weight
    is given, the benchmarks that most systems have count alike, and others nothing."""
    order = sorted(found, key=lambda key: -len(found[key]))
    main: dict[str, str] = {}
    for key in order:
        main.setdefault(_benchmark(found[key]), key)
    counting = [key for key in main.values() if all(map(leaderboard.can_be_weighed, found[key].values()))]
    most = max((len(found[key]) for key in counting), default=0)
    columns = []
    for key in order:
        runs = found[key]
        weight = _weight(key, weights, key in counting and len(runs) == most)
        drawn, problem = _drawn(library, [*runs.values()], bool(weight))
        columns.append(
            Column(
                hash=key,
                benchmark=_benchmark(runs),
                runs=runs,
                other=main[_benchmark(runs)] != key,
                weight=0.0 if problem else weight,
                drawn=drawn,
                problem=problem,
            )
        )
    widest = {name: len(found[key]) for name, key in main.items()}
    return sorted(columns, key=lambda one: (-widest[one.benchmark], one.benchmark, one.other, -len(one.runs)))


def _is_rare(column: Column, systems: int) -> bool:
    """Whether a column's weight is folded away: most systems lack it, or it cannot have one."""
    return column.other or bool(column.problem) or 2 * len(column.runs) <= systems


def _weight(key: str, weights: dict[str, float], counts: bool) -> float:
    """The weight that is given; without any, one where the column counts."""
    return weights.get(key, 0.0) if weights else float(counts)


def _benchmark(runs: dict[str, SavedRun]) -> str:
    return next(iter(runs.values())).rules.benchmark


def _drawn(library: Library, runs: Sequence[SavedRun], counts: bool) -> tuple[Drawn | None, str]:
    """A column's draws, or why there can be none. One that neither ranks anybody nor `counts` is not read."""
    if not all(map(leaderboard.can_be_weighed, runs)):
        return None, leaderboard.NO_SHARE
    if len(runs) < 2 and not counts:
        return None, ""
    try:
        for run in runs:
            library.fetch(run)
        return _kept(tuple(stamp(run) for run in runs)), ""
    except Refused:
        return None, "a run of it was just removed"
    except HowgoodError as error:
        return None, str(error)


@lru_cache(KEPT)
def _kept(runs: tuple[Stamp, ...]) -> Drawn:
    saved = [store.load(path) for path, _ in runs]
    return leaderboard.drawn(saved, seed=int(saved[0].rules.hash[:8], 16))


def table(columns: Sequence[Column]) -> list[Row]:
    """The systems, ranked ones first."""
    used = [one for one in columns if one.weight and one.drawn]
    stood = {
        one.system: one for one in standings([one.drawn for one in used if one.drawn], [one.weight for one in used])
    }
    alone = {one.hash: _ranks(one) for one in columns}
    systems = sorted({system for one in columns for system in one.runs})
    rows = [_row(system, stood.get(system), columns, alone) for system in systems]
    place = {system: number for number, system in enumerate(stood)}
    return sorted(rows, key=lambda row: (place.get(row.system, len(place)), len(row.lacks), row.system))


def _ranks(column: Column) -> dict[str, str]:
    """The ranks of a column's systems that cannot be excluded, where there are several."""
    if column.drawn is None or len(column.runs) < 2:
        return {}
    return {one.system: ranks(one) for one in standings([column.drawn], [1.0])}


def ranks(standing: Standing) -> str:
    """The ranks that cannot be excluded, in words: 2, or 1-3."""
    low, high = standing.rank_low, standing.rank_high
    return str(low) if low == high else f"{low}\u2013{high}"


def _row(system: str, standing: Standing | None, columns: Sequence[Column], alone: dict[str, dict[str, str]]) -> Row:
    used = [one for one in columns if one.weight and one.drawn]
    own = [(one.runs[system], one.weight) for one in used if system in one.runs]
    cells: list[Cell | None] = []
    for one in columns:
        run = one.runs.get(system)
        cells.append(Cell(run, _drawing(run.estimates[0], one), alone[one.hash].get(system, "")) if run else None)
    return Row(
        system=system,
        standing=standing,
        ranks=ranks(standing) if standing else "",
        chance=comparisons.probability(standing.best) if standing else "",
        svg=charts.interval(standing.score, charts.SHARE) if standing else "",
        cost=_cost(own),
        latency=_latency(own),
        lacks=[one.benchmark for one in used if system not in one.runs],
        cells=cells,
    )


def _drawing(estimate: Estimate, column: Column) -> str:
    on = charts.scale([run.estimates[0] for run in column.runs.values()])
    return charts.interval(estimate, on) if on else ""


def _cost(runs: Sequence[tuple[SavedRun, float]]) -> str:
    """The mean cost of an answer over the benchmarks, by their weights."""
    found = [(weight, cost) for run, weight in runs if (cost := costs.mean_cost(run)) is not None]
    if not found or len(found) < len(runs):
        return "unknown"
    return costs.dollars(sum(weight * cost for weight, cost in found) / sum(weight for weight, _ in found))


def _latency(runs: Sequence[tuple[SavedRun, float]]) -> str:
    """The time within which 95 of 100 answers come, on the slowest benchmark."""
    found = [one.value for run, _ in runs if (one := costs.took(run, "latency_p95"))]
    return costs.seconds(max(found)) if found and len(found) == len(runs) else "unknown"


ROUTES = (("GET", "/leaderboard", show),)
