"""All runs, one row each: what was found, how sure, what it took, and how far those are that still run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, convert, to_builtins
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from howgood.core.errors import HowgoodError
from howgood.report import cards, charts
from howgood.runs.store import SavedRun
from howgood.runs.tags import read_tags, write_tags
from howgood.studio.live import Watch
from howgood.studio.page import page
from howgood.web.guard import body
from howgood.web.serving import EventStream, event

if TYPE_CHECKING:
    from howgood.studio.server import Studio

ROWS = 100
"""Runs on one page."""
OFTEN = 1.0
"""Seconds between two looks at running runs."""
STATUSES = ("running", "finished", "incomplete", "interrupted", "failed")


class Tags(Struct):
    tags: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)]


class Asked(Struct, frozen=True):
    """What the address asks for: words that a run must have, and the parts of the table that are wanted."""

    q: str = ""
    benchmark: str = ""
    system: str = ""
    status: str = ""
    tag: str = ""
    start: Annotated[int, Meta(ge=0)] = 0


class Row(Struct, frozen=True):
    """A run as one row of the table."""

    run: Any
    svg: str
    odd: dict[str, int]
    tags: tuple[str, ...]


async def show(studio: Studio, request: Request) -> Response:
    asked = convert(dict(request.query_params), Asked, strict=False)
    return await studio.reading(_page, studio, request, asked)


def _page(studio: Studio, request: Request, asked: Asked) -> Response:
    runs = studio.library.runs()
    tagged = {run.id: tags(run) for run in runs}
    found = [run for run in runs if matches(run, tagged[run.id], asked)]
    shown = found[asked.start : asked.start + ROWS]
    return page(
        request,
        "runs.html.j2",
        asked=asked,
        query_now={name: value for name, value in to_builtins(asked).items() if value},
        places=studio.library.places,
        total=len(runs),
        found=len(found),
        running=any(run.status == "running" for run in shown),
        rows=[_row(run, tagged[run.id]) for run in shown],
        step=ROWS,
        benchmarks=sorted({run.rules.benchmark for run in runs}),
        systems=sorted({run.system.label for run in runs}),
        statuses=[status for status in STATUSES if any(run.status == status for run in runs)],
        tags=sorted({tag for found in tagged.values() for tag in found}),
    )


def tags(run: SavedRun) -> tuple[str, ...]:
    """A run's tags; none where their file is broken, which the run's own page says."""
    try:
        return read_tags(run.path)
    except HowgoodError:
        return ()


def matches(run: SavedRun, tagged: tuple[str, ...], asked: Asked) -> bool:
    """Whether a run is wanted; every word has to be somewhere in what its row says."""
    if asked.benchmark and run.rules.benchmark != asked.benchmark:
        return False
    if asked.system and run.system.label != asked.system:
        return False
    if asked.status and run.status != asked.status:
        return False
    if asked.tag and asked.tag not in tagged:
        return False
    told = " ".join((run.id, run.benchmark, run.system.label, run.status, run.rules.hash, *tagged)).lower()
    return all(word in told for word in asked.q.lower().split())


def _row(run: SavedRun, tagged: tuple[str, ...]) -> Row:
    head = run.estimates[0] if run.estimates else None
    on = charts.scale([head]) if head is not None else None
    guess = cards.baseline(run, "random")
    marks = [("random", guess)] if head and head.percent and guess is not None else []
    return Row(run, charts.interval(head, on, marks) if head and on else "", cards.odd_outcomes(run.outcomes), tagged)


async def watch(studio: Studio, request: Request) -> Response:
    """How far the running runs are, as server-sent events; one `ended` for each that is no longer running."""
    return EventStream(_standings(studio))


async def _standings(studio: Studio) -> AsyncIterator[bytes]:
    watches: dict[str, Watch] = {}
    while True:
        runs = {run.path.name: run for run in await studio.reading(studio.library.runs) if run.status == "running"}
        for gone in set(watches) - set(runs):
            del watches[gone]
            yield event({"type": "ended", "run": gone})
        for name, run in runs.items():
            standing = await studio.reading(watches.setdefault(name, Watch(run.path)).look, run)
            yield event({"type": "standing", **to_builtins(standing)})
        yield b":\n\n"
        await asyncio.sleep(OFTEN)


async def tag(studio: Studio, request: Request) -> Response:
    """Give a run other tags."""
    given = await body(request, Tags)
    run = await studio.reading(studio.library.to_write, request.path_params["run"])
    return JSONResponse({"tags": await studio.reading(write_tags, run.path, given.tags)})


ROUTES = (("GET", "/", show), ("GET", "/runs/live", watch), ("POST", "/runs/{run}/tags", tag))
