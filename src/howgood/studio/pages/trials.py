"""A run's instances as a table: filtered, sorted, searched, a page at a time; the address holds what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from howgood.report import costs
from howgood.report.instances import place
from howgood.runs.store import SavedRun
from howgood.studio.filters import ODD, PROPER, Asked, Filter, asked
from howgood.studio.page import page
from howgood.studio.trials import ENDED, Trials

if TYPE_CHECKING:
    from howgood.studio.server import Studio

ROWS = 50
"""Trials on one page."""
MOST_GROUPS = 1_000
OFFERED = 200
"""Other runs that can be put beside."""


class Column(Struct, frozen=True):
    """A column of the table: what it is sorted by, its heading, and whether it begins with the largest."""

    sort: str
    title: str
    kind: str = ""
    falls: bool = False


class Range(Struct, frozen=True):
    """Two ends between which a number of a trial has to lie."""

    name: str
    title: str
    step: str


async def show(studio: Studio, request: Request) -> Response:
    return await studio.reading(_page, studio, request, asked(request.query_params))


def _page(studio: Studio, request: Request, want: Asked) -> Response:
    run = studio.library.run(request.path_params["run"])
    other = studio.library.run(want.filter.other) if want.filter.other else None
    with Trials(run, other) as trials:
        headline = trials.headline
        wanted = ["error", "input", "answer", "text", "outcome", "stratum", "input_tokens",
                  "output_tokens", "latency", "cost", *([headline] if headline else [])]  # fmt: skip
        found = trials.page(want.filter, want.sort, want.start, ROWS, wanted)
        counted = _counted(trials, want, len(found.rows), found.more)
        ended = run.status in ENDED
        outcomes = run.outcomes if ended and run.outcomes else trials.outcomes(Filter())
        groups = trials.groups(MOST_GROUPS)
    ordered = sorted(outcomes.items(), key=lambda one: place(one[0]))
    odd = sum(n for name, n in ordered if name not in PROPER)
    return page(
        request,
        "trials.html.j2",
        run=run,
        other=other,
        here=f"/runs/{run.path.name}/trials",
        asked=want,
        filter=want.filter,
        query_now=want.query(),
        rows=found.rows,
        more=found.more,
        counted=counted,
        total=sum(outcomes.values()),
        step=ROWS,
        headline=headline,
        outcomes=[*ordered, *([(ODD, odd)] if odd and sum(name not in PROPER for name, _ in ordered) > 1 else [])],
        groups=groups,
        others=_others(studio, run, other),
        columns=_columns(run, headline, bool(groups), other is not None),
        ranges=_ranges(run, headline),
        told=told,
        seconds=lambda taken: "unknown" if taken is None else costs.seconds(taken),
    )


async def count(studio: Studio, request: Request) -> Response:
    """How many trials meet what was asked, where the page itself did not wait for it."""
    want = asked(request.query_params)
    return JSONResponse({"n": await studio.reading(_count, studio, request.path_params["run"], want.filter)})


def _count(studio: Studio, name: str, wanted: Filter) -> int:
    run = studio.library.run(name)
    with Trials(run, studio.library.run(wanted.other) if wanted.other else None) as trials:
        return trials.count(wanted)


def _counted(trials: Trials, want: Asked, rows: int, more: bool) -> int | None:
    """How many trials there are; None where texts would have to be searched again to know."""
    if not more and (rows or not want.start):
        return want.start + rows
    return None if want.filter.q else trials.count(want.filter)


def _others(studio: Studio, run: SavedRun, other: SavedRun | None) -> list[SavedRun]:
    """The runs of the same benchmark that can be put beside, the newest first."""
    runs = [one for one in studio.library.runs() if one.rules.benchmark == run.rules.benchmark and one.id != run.id]
    shown = runs[:OFFERED]
    return shown if other is None or other in shown else [*shown, other]


def _columns(run: SavedRun, headline: str | None, grouped: bool, beside: bool) -> list[Column]:
    """The columns that have something to say of this run."""
    made = [Column("index", "Instance"), Column("outcome", "Outcome")]
    if headline:
        made.append(Column("score", headline, "number", True))
    if beside:
        made.append(Column("", "Other run"))
    if grouped:
        made.append(Column("group", "Group"))
    made.append(Column("", "Question and answer"))
    if run.usage.input:
        made.append(Column("prompt", "Tokens in", "number", True))
    if run.usage.output:
        made.append(Column("answer", "Tokens out", "number", True))
    if run.status not in ENDED or ((took := costs.took(run, "latency")) is not None and took.value > 0):
        made.append(Column("latency", "Time", "number", True))
    if run.cost:
        made.append(Column("cost", "Cost", "number", True))
    return made


def _ranges(run: SavedRun, headline: str | None) -> list[Range]:
    made = [Range("score", headline, "any")] if headline else []
    made += [Range("prompt", "Tokens in", "1"), Range("answer", "Tokens out", "1"), Range("latency", "Seconds", "any")]
    return [*made, Range("cost", "Dollars", "any")]


def told(row: dict[str, Any]) -> tuple[str, str]:
    """What is shown of an answer: what was read from it, where its text does not begin with that, and the text."""
    text, read = row.get("text"), row.get("answer")
    if row.get("error"):
        return "", row["error"]
    if read is None or (text or "").startswith(read):
        return "", text or ""
    return read, text or ""


ROUTES = (("GET", "/runs/{run}/trials", show), ("GET", "/runs/{run}/trials/count", count))
