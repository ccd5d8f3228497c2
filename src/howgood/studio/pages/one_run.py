"""One run: what was asked, what was found and how sure, how scores are spread, and what they hang together with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from howgood.core.errors import HowgoodError
from howgood.core.types import Estimate
from howgood.interpret.judging import Audit
from howgood.report import charts, costs, numbers, vega
from howgood.report.evaluation import evaluation_card
from howgood.report.html import run_part
from howgood.report.instances import place
from howgood.report.terminal.judging import FIGURES
from howgood.runs.evaluate import scores
from howgood.runs.store import SavedRun
from howgood.studio import figures
from howgood.studio.figures import Bin
from howgood.studio.filters import Filter
from howgood.studio.page import page
from howgood.studio.pages.runs import tags
from howgood.studio.trials import ENDED, Trials
from howgood.validity.judges import audit_run

if TYPE_CHECKING:
    from howgood.studio.server import Studio

MOST_JUDGED = 20_000
"""Trials whose verdicts are read to say how their judges judge."""
MOST_SCORED = 200_000
"""Trials whose scores are read for a card; that of a larger run says what its record says."""


class Part(Struct, frozen=True):
    """A row beside a drawing: its ends in words, a link to its trials (empty: there is none to give), its mean."""

    label: str
    address: str
    mean: Estimate


class Figure(Struct, frozen=True):
    """A drawing, its title, and the same as numbers."""

    title: str
    svg: Markup
    parts: list[Part]
    note: str = ""


class Judge(Struct, frozen=True):
    """What is known of a judge: in how many verdicts, and figures with their words and drawings (0.5 is a mark)."""

    name: str
    verdicts: int
    unread: int
    figures: list[tuple[str, Estimate, str]]


async def show(studio: Studio, request: Request) -> Response:
    return await studio.reading(_page, studio, request)


def _page(studio: Studio, request: Request) -> Response:
    run = studio.library.run(request.path_params["run"])
    here = f"/runs/{run.path.name}"
    return page(
        request,
        "one_run.html.j2",
        run=run,
        here=here,
        part=run_part(run, [], trials=f"{here}/trials"),
        spent=_spent(run),
        tags=tags(run),
        written=bool(run.usage.output),
        kin=len(_kin(studio, run)),
    )


async def look(studio: Studio, request: Request) -> Response:
    """What has to be counted and drawn, which the page fetches once it is there."""
    return await studio.reading(_look, studio, request)


def _look(studio: Studio, request: Request) -> Response:
    run = studio.library.run(request.path_params["run"])
    here = f"/runs/{run.path.name}/trials"
    drawn: list[Figure] = []
    with Trials(run) as trials:
        counted = {} if run.outcomes and run.status in ENDED else trials.outcomes(Filter())
        bars, head = figures.histogram(trials), run.estimates[0] if run.estimates else None
        if bars and trials.headline:
            drawn.append(_histogram(bars, trials.headline))
        for column, name, by, along in (
            ("input_tokens", "prompt", "length of the prompt", "tokens of the prompt"),
            ("output_tokens", "answer", "length of the answer", "tokens of the answer"),
            ("latency", "latency", "latency", "seconds"),
        ):
            drawn += _bins(figures.against(trials, column), by, along, head, here, name)
    kin = _kin(studio, run)
    if kin:
        drawn += _hardness(run, kin, head)
    return page(
        request,
        "figures.html.j2",
        run=run,
        here=here,
        figures=drawn,
        outcomes=sorted(counted.items(), key=lambda one: place(one[0])),
        audit=(audit := _audit(run)),
        judges=_judges(audit),
        too_many=bool(run.verdicts) and audit is None,
    )


async def card(studio: Studio, request: Request) -> Response:
    """The evaluation card: who could use the number for what."""
    return await studio.reading(_card, studio, request)


def _card(studio: Studio, request: Request) -> Response:
    run = studio.library.run(request.path_params["run"])
    known = run.estimates and sum(run.outcomes.values()) <= MOST_SCORED
    made = evaluation_card(run, scores(run, variants=False) if known else None)
    return page(request, "card.html.j2", run=run, here=f"/runs/{run.path.name}", card=made)


def _spent(run: SavedRun) -> list[tuple[str, str]]:
    """Tokens, time and money of the run and of each trial, in words."""
    usage, trials = run.usage, sum(run.outcomes.values())
    told = [f"{numbers.count(usage.input)} in", f"{numbers.count(usage.output)} out"]
    told += [f"{numbers.count(usage.cached)} of those in from a cache"] if usage.cached else []
    told += [f"{numbers.count(usage.reasoning)} of those out for thinking"] if usage.reasoning else []
    found = [("tokens", ", ".join(told) if usage.input or usage.output else "unknown")]
    if trials and (usage.input or usage.output):
        found.append(("of each trial", f"{usage.input / trials:,.0f} in, {usage.output / trials:,.0f} out on average"))
    return found + costs.lines(run)


def _kin(studio: Studio, run: SavedRun) -> list[SavedRun]:
    """The newest ended run of each other system on the same instances with the same headline score; as many as can be
    read in a moment."""
    if not run.estimates:
        return []
    found: dict[str, SavedRun] = {}
    left = figures.MOST_COMPARED
    for one in studio.library.runs():
        same = one.rules.benchmark == run.rules.benchmark and one.rules.data.get("digest") == run.rules.data.get(
            "digest"
        )
        if not same or one.system.label in (run.system.label, *found) or one.status not in ENDED or not one.estimates:
            continue
        if one.estimates[0].name == run.estimates[0].name and one.planned <= left and len(found) < figures.MOST_SYSTEMS:
            found[one.system.label] = one
            left -= one.planned
    return [*found.values()]


def _histogram(bars: Sequence[figures.Bar], score: str) -> Figure:
    most = max(bars, key=lambda bar: bar.n)
    total = sum(bar.n for bar in bars)
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    ends = f"{most.low:.4g}" if most.low == most.high else f"{most.low:.4g} to {most.high:.4g}"
    label = (
        f"How often each {score} is there, from {low:.4g} to {high:.4g}; "
        f"most often {ends}, {numbers.count(most.n)} of {numbers.count(total)} trials"
    )
    return Figure("Distribution of scores", vega.svg(figures.draw_histogram(bars, score), label), [])


def _bins(
    bins: Sequence[Bin], by: str, along: str, head: Estimate | None, here: str = "", bound: str = ""
) -> list[Figure]:
    """A drawing of means by something, if there are two or more; `here` is where trials are found by `bound`'s ends."""
    if len(bins) < 2:
        return []
    score = bins[0].mean.name
    label = f"Mean {score} by {along}: " + "; ".join(_row(part) for part in bins)
    parts = [
        Part(figures.label(part), here and f"{here}?{bound}_min={part.low!r}&{bound}_max={part.high!r}", part.mean)
        for part in bins
    ]
    return [Figure(f"{score} by {by}", vega.svg(figures.draw_bins(bins, along, head), label), parts)]


def _row(part: Bin) -> str:
    return f"{figures.label(part)}: {numbers.value(part.mean)} {numbers.interval(part.mean)}"


def _hardness(run: SavedRun, kin: list[SavedRun], head: Estimate | None) -> list[Figure]:
    try:
        with Trials(run, beside=kin) as trials:
            bins = figures.hardness(trials)
    except HowgoodError:
        return []  # another run's table is gone, or too much for a page: the rest can still be shown
    others = kin[0].system.label if len(kin) == 1 else f"{len(kin)} other systems"
    names = ", ".join(one.system.label for one in kin)
    note = f"How hard an instance is: what {'it scored' if len(kin) == 1 else 'they scored on average'} ({names})."
    along = f"{run.estimates[0].name} of {others}"
    return [msgspec.structs.replace(one, note=note) for one in _bins(bins, "difficulty", along, head)]


def _audit(run: SavedRun) -> Audit | None:
    if not run.verdicts or run.status not in ENDED or sum(run.outcomes.values()) > MOST_JUDGED:
        return None
    return audit_run(run)


def _judges(audit: Audit | None) -> list[Judge]:
    made = []
    for report in audit.judges if audit else ():
        found = [(words, getattr(report, name)) for name, words in FIGURES.items() if getattr(report, name) is not None]
        drawn = [
            (words, one, charts.interval(one, charts.SHARE, [("random", 0.5)]) if one.percent else "")
            for words, one in found
        ]
        made.append(Judge(report.judge, report.verdicts, report.unread, drawn))
    return made


ROUTES = (("GET", "/runs/{run}", show), ("GET", "/runs/{run}/figures", look), ("GET", "/runs/{run}/card", card))
