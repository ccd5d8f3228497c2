"""Two runs or more beside each other: which rules differ, the paired difference, and the instances behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, convert
from starlette.requests import Request
from starlette.responses import Response

from howgood.core.errors import HowgoodError
from howgood.interpret.multiple import Pair, together
from howgood.interpret.pairs import Pairs
from howgood.report import cards, charts, costs
from howgood.report import versus as parts
from howgood.report.instances import turns
from howgood.runs import store
from howgood.runs.store import SavedRun
from howgood.runs.versus import versus
from howgood.studio.page import page, query
from howgood.studio.trials import Trials
from howgood.web.guard import Refused

if TYPE_CHECKING:
    from howgood.studio.server import Studio

MOST = 60
"""Runs beside each other on a page."""
FLIPS = 20
"""Instances on a page of those that flipped."""
OFFERED = 30
"""Benchmarks that are offered, and runs of each."""
KEPT = 8
"""Comparisons kept: stepping through their instances does not make them again."""
LONGEST = 100_000
"""Characters of an input that is read whole; of a longer one the beginning is shown."""
Show = Literal["flipped", "gained", "lost", "both", "neither", "same"]
Stamp = tuple[Path, int]
"""A run's folder, and when its record was written: what a comparison is kept by."""


class Asked(Struct, frozen=True):
    """What the address asks for: the runs (the first is the one that others are held against), which of the instances
    of two runs, and from which on."""

    run: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=MOST)] = ()
    show: Show = "flipped"
    start: Annotated[int, Meta(ge=0, le=10**9)] = 0


class Alone(Struct, frozen=True):
    """A run that no other one here can be compared with, and those that could be."""

    run: Any
    others: list[Any]
    command: str | None


class Same(Struct, frozen=True):
    """Runs of one benchmark under the same rules, the newest of each system; `older` counts those left out."""

    hash: str
    runs: list[Any]
    older: int
    differing: str


class Offer(Struct, frozen=True):
    """A benchmark whose runs can be compared: those of the rules that most systems have, and those of other rules."""

    benchmark: str
    same: Same
    others: list[Same]


class Section(Struct, frozen=True):
    """What is said of the runs of one benchmark: of two, of several, or why nothing can be."""

    benchmark: str
    runs: list[Any]
    two: parts.Two | None = None
    pairs: Pairs | None = None
    many: parts.Many | None = None
    problem: str = ""


async def show(studio: Studio, request: Request) -> Response:
    given = {name: value for name, value in request.query_params.items() if name != "run" and value}
    asked = convert({"run": request.query_params.getlist("run"), **given}, Asked, strict=False)
    return await studio.reading(_page, studio, request, asked)


def _page(studio: Studio, request: Request, asked: Asked) -> Response:
    runs = [studio.library.run(name) for name in dict.fromkeys(asked.run)]
    if len(runs) < 2:
        return _picker(studio, request, runs[0] if runs else None)
    groups = parts.by_benchmark(runs)
    sections = [_section(name, some) for name, some in groups.items() if len(some) > 1]
    alone = [_alone(studio, some[0]) for some in groups.values() if len(some) == 1]
    only = sections[0] if len(sections) == 1 and sections[0].two else None
    ids = [run.path.name for run in (only.runs if only else runs)]
    return page(
        request,
        "compare.html.j2",
        asked=asked,
        sections=sections,
        alone=alone,
        benchmarks=list(groups),
        fronts=[(front, charts.front(front)) for front in costs.fronts(runs)],
        overall=_overall(sections),
        only=only.two if only else None,
        flips=_flips(only.runs, only.pairs, asked) if only and only.pairs else None,
        links=_links(ids) if only else {},
        ids=ids,
        pair_of=lambda one: f"/compare?{query({'run': [_base(runs, one.run), one.run.path.name]})}",
        first_of=lambda one: f"/compare?{query({'run': _first(runs, one)})}",
    )


def _section(benchmark: str, runs: list[SavedRun]) -> Section:
    try:
        if len(runs) == 2:
            pairs, two = _kept(_two, runs)
            return Section(benchmark, runs, two=two, pairs=pairs)
        return Section(benchmark, runs, many=_kept(_many, runs))
    except HowgoodError as error:
        return Section(benchmark, runs, problem=str(error))


def stamp(run: SavedRun) -> Stamp:
    """What a run is kept by. Raises `Refused` for one that is gone."""
    try:
        return run.path, (run.path / "run.json").stat().st_mtime_ns
    except OSError:
        raise Refused(404, "There is no such run. It may have been moved or removed.") from None


def _kept(make: Any, runs: Sequence[SavedRun]) -> Any:
    """What is made of runs, kept where all of them have ended: a run that goes on has more at every look."""
    ended = all(run.status in ("finished", "incomplete") for run in runs)
    return (make if ended else make.__wrapped__)(*map(stamp, runs))


@lru_cache(KEPT)
def _two(first: Stamp, second: Stamp) -> tuple[Pairs, parts.Two]:
    made = versus(store.load(first[0]), store.load(second[0]))
    return made.pairs, parts.two(made)


@lru_cache(KEPT)
def _many(*runs: Stamp) -> parts.Many:
    return parts.many([store.load(path) for path, _ in runs])


def _overall(sections: Sequence[Section]) -> tuple[Any, ...]:
    """The differences over several benchmarks, each system with that of the first run."""
    pairs = [
        Pair(one.benchmark, one.two.first.system.label, one.two.second.system.label, one.two.comparison)
        for one in sections
        if one.two
    ]
    pairs += [beside.pair for one in sections if one.many for beside in one.many.besides if beside.pair]
    return together(pairs).overall if len(sections) > 1 else ()


def _base(runs: Sequence[SavedRun], run: SavedRun) -> str:
    return next(one.path.name for one in runs if one.rules.benchmark == run.rules.benchmark)


def _first(runs: Sequence[SavedRun], first: SavedRun) -> list[str]:
    """The runs with another one first."""
    return [first.path.name, *(run.path.name for run in runs if run.path.name != first.path.name)]


# The instances of two runs


class Flip(Struct, frozen=True):
    """An instance in two runs: where its trial of the first is (None: it cannot be shown), and what both answered."""

    id: str
    index: int | None
    epoch: int
    group: str
    question: str
    value: tuple[float, float]
    outcomes: tuple[str, str]
    answers: tuple[str, str]


class Flips(Struct, frozen=True):
    """A page of instances, of `total`."""

    rows: list[Flip]
    total: int
    start: int
    step: int
    problem: str = ""


def _links(ids: list[str]) -> dict[str, str]:
    return {name: f"/compare?{query({'run': ids, 'show': name})}#flips" for name in get_args(Show)}


def _flips(runs: Sequence[SavedRun], pairs: Pairs, asked: Asked) -> Flips:
    places = chosen(pairs, asked.show)
    some = places[asked.start : asked.start + FLIPS]
    try:
        rows = _rows(runs, [pairs.ids[place] for place in some]) if some else {}
        problem = ""
    except HowgoodError as error:
        rows, problem = {}, str(error)
    found = []
    for place in some:
        row = rows.get(pairs.ids[place], {})
        found.append(
            Flip(
                id=pairs.ids[place],
                index=row.get("index"),
                epoch=row.get("epoch", 0),
                group=row.get("stratum") or "",
                question=turns(row["input"])[-1][1] if row.get("input") else "",
                value=(float(pairs.x[place]), float(pairs.y[place])),
                outcomes=(row.get("outcome") or "", row.get("other_outcome") or ""),
                answers=(row.get("answer") or "", row.get("other_answer") or ""),
            )
        )
    return Flips(found, len(places), asked.start, FLIPS, problem)


def chosen(pairs: Pairs, show: Show) -> list[int]:
    """The places of the instances that are asked for: in order of their ids, of scores that are not right or wrong the
    largest change first."""
    import numpy as np

    change = pairs.change
    met = {
        "flipped": change != 0,
        "gained": change > 0,
        "lost": change < 0,
        "same": change == 0,
        "both": (change == 0) & (pairs.x == 1),
        "neither": (change == 0) & (pairs.x == 0),
    }[show]
    found = np.flatnonzero(met)
    if not pairs.binary:
        found = found[np.argsort(-np.abs(change[found]), kind="stable")]
    return [int(place) for place in found]


def _rows(runs: Sequence[SavedRun], ids: list[str]) -> dict[str, Any]:
    """What is told of instances by id: the first trial of each, and what the other run answered there."""
    marks = ", ".join("?" * len(ids))
    with Trials(runs[0], runs[1]) as trials:
        where = trials.ask(
            f'select id, "index", min(epoch) as epoch from trials where id in ({marks}) group by all', *ids
        )
        if not where:
            return {}
        places = ", ".join("?" * len(where))
        found = trials.ask(
            'select t.id, t."index", t.epoch, t.stratum, t.outcome, left(t.answer, 400) as answer, '
            f"case when length(t.input) <= {LONGEST} then t.input else left(t.input, 2000) end as input "
            f'from trials t where t."index" in ({places})',
            *(row["index"] for row in where),
        )
        told = trials.ask(
            f"select id, epoch, outcome, left(answer, 400) as answer from others where id in ({marks})", *ids
        )
    first = {(row["id"], row["epoch"]) for row in where}
    theirs: dict[str, Any] = {}
    for row in sorted(told, key=lambda row: row["epoch"]):
        theirs.setdefault(row["id"], row)
    return {
        row["id"]: {
            **row,
            "other_outcome": theirs.get(row["id"], {}).get("outcome"),
            "other_answer": theirs.get(row["id"], {}).get("answer"),
        }
        for row in found
        if (row["id"], row["epoch"]) in first
    }


# Choosing runs


def _picker(studio: Studio, request: Request, run: SavedRun | None) -> Response:
    found = [one for one in studio.library.runs() if one.estimates or (run and one.id == run.id)]
    if run is None:
        offers = [offer(name, some) for name, some in parts.by_benchmark(found).items()]
        ready = sorted((one for one in offers if comparable(one)), key=lambda one: -len(one.same.runs))
        waiting = [one for one in offers if not comparable(one)]
        return page(
            request,
            "pick.html.j2",
            run=None,
            offers=ready[:OFFERED],
            waiting=waiting[:OFFERED],
            left=len(ready) - OFFERED,
        )
    own = [one for one in found if one.rules.benchmark == run.rules.benchmark]
    others = [one for one in own if one.id != run.id]
    return page(
        request,
        "pick.html.j2",
        run=run,
        same=[one for one in others if one.rules.hash == run.rules.hash][:OFFERED],
        different=[
            (one, ", ".join(name for name, _, _ in run.rules.differences(one.rules)))
            for one in others
            if one.rules.hash != run.rules.hash
        ][:OFFERED],
        command=cards.command(run),
    )


def comparable(offer: Offer) -> bool:
    """Whether there are two runs to be compared."""
    return len(offer.same.runs) + offer.same.older + sum(len(one.runs) + one.older for one in offer.others) > 1


def offer(benchmark: str, runs: Sequence[SavedRun]) -> Offer:
    """The runs of a benchmark, newest first, sorted by their rules: those that most systems have come first."""
    by_rules: dict[str, list[SavedRun]] = {}
    for run in runs:
        by_rules.setdefault(run.rules.hash, []).append(run)
    most = Counter({key: len({run.system.label for run in some}) for key, some in by_rules.items()})
    order = [key for key, _ in most.most_common()]
    base = by_rules[order[0]][0]
    made = [_same(key, by_rules[key], base) for key in order[:OFFERED]]
    return Offer(benchmark, made[0], made[1:])


def _same(key: str, runs: Sequence[SavedRun], base: SavedRun) -> Same:
    newest: dict[str, SavedRun] = {}
    for run in runs:
        newest.setdefault(run.system.label, run)
    differing = (
        ", ".join(name for name, _, _ in base.rules.differences(runs[0].rules)) if key != base.rules.hash else ""
    )
    return Same(key, [*newest.values()][:OFFERED], len(runs) - len(newest), differing)


def _alone(studio: Studio, run: SavedRun) -> Alone:
    others = [
        one
        for one in studio.library.runs()
        if one.rules.benchmark == run.rules.benchmark and one.id != run.id and one.estimates
    ]
    others.sort(key=lambda one: one.rules.hash != run.rules.hash)
    return Alone(run, others[:5], cards.command(run))


ROUTES = (("GET", "/compare", show),)
