"""Runs as one HTML file that needs nothing else: no script, no request to anywhere, readable on a phone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from howgood.core.registry import Card
from howgood.core.text import duration, money, visible
from howgood.core.types import Estimate, Rules, Usage
from howgood.report import cards, charts, comparisons, costs, grids, instances, numbers, versus
from howgood.report.instances import ORDER, Sample, sample
from howgood.report.safe import Shown, line, show
from howgood.runs.columns import as_text

if TYPE_CHECKING:
    from jinja2 import Environment

    from howgood.runs.store import SavedRun

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 4_000
"""Characters of one text on the page; what was cut is said."""
MOST_TURNS = 12
"""Turns of a conversation on the page: the first and the last ones."""
PAGE_RUNS = 10
"""From this many runs on, each shows fewer instances, so that the page does not grow with them."""


class Drawn(Struct, frozen=True):
    """An estimate and its drawing (SVG; empty where there is no scale)."""

    estimate: Estimate
    svg: str


class RunPart(Struct, frozen=True):
    """What the page says of one run."""

    anchor: str
    run: Any
    card: dict[str, Any]
    notice: str
    headline: Drawn | None
    marks: tuple[tuple[str, str, str], ...]
    questions: list[cards.Answer]
    estimates: list[Drawn]
    groups: list[Drawn]
    groups_left_out: int
    total: int
    odd: str
    odd_count: int
    outcomes: list[tuple[str, int]]
    outcomes_svg: str
    samples: list[Sample]
    rules: list[tuple[str, list[tuple[str, str]]]]
    command: str | None
    trials: str = ""
    """Where all its instances can be looked at; empty on a page that stands alone."""


def render(runs: Sequence[SavedRun]) -> str:
    """Runs, and those of one benchmark beside each other, as one page. Equal runs give equal pages."""
    from markupsafe import Markup

    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    parts = [
        run_part(run, sample(run, min(1.0, PAGE_RUNS / len(runs))), f"run-{place + 1}")
        for place, run in enumerate(runs)
    ]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title(runs),
            lede=lede(runs),
            style=Markup(style),
            policy=f"default-src 'none'; style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'",
            runs=parts,
            systems=len({run.system.label for run in runs}),
            compared=versus.compared(runs),
        )
    )


def environment() -> Environment:
    """The templates' environment: everything is escaped, and every text made visible, unless it is our own markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "grid": lambda grid: Markup(grids.svg(grid)),
        "svg": Markup,
        "share": lambda x, kind: Markup(charts.share(x, kind)),
        "bounded": lambda text: show(text, LONGEST),
        "line": line,
        "money": money,
        "duration": duration,
        "value": numbers.value,
        "p": comparisons.pplain,
        "proportion": numbers.proportion,
        "likeness": versus.likeness,
        "cell": versus.cell,
        "points": numbers.difference,
        "interval": numbers.interval,
        "level": numbers.level,
        "count": numbers.count,
        "kind": _kind,
        "link": link,
        "turns": _turns,
        "verdict": instances.verdict_line,
        "asked": lambda verdict: instances.turns(as_text(verdict.prompt)),
        "plain": cards.plain,
        "each": costs.each,
        "latency": costs.latency,
        "took": costs.lines,
        "spent": costs.figure,
        "standing": costs.verdict,
    }
    made.globals |= {"epochs": versus.EPOCHS}
    return made


def link(cite: str) -> str | None:
    """Where a citation can be read: arXiv numbers, DOIs and https addresses; None for other words."""
    if found := re.search(r"arXiv:(\d{4}\.\d{4,5})", cite):
        return f"https://arxiv.org/abs/{found[1]}"
    if found := re.search(r"\bdoi:(10\.\d{4,9}/[\w.()/;-]+)", cite):
        return f"https://doi.org/{found[1]}"
    found = re.search(r"https://[\w.-]+(?:/[\w./~%#?=&+-]*)?", cite)
    return found[0] if found else None


def run_part(run: SavedRun, samples: list[Sample], anchor: str = "run", trials: str = "") -> RunPart:
    """What a page says of a run with these samples of its instances; without any its record says what came out."""
    headline = run.estimates[0] if run.estimates else None
    marks = _marks(run, headline)
    shown = run.groups[: versus.MOST_GROUPS]
    outcomes = [(part.outcome, part.total) for part in samples]
    outcomes = outcomes or sorted(run.outcomes.items(), key=lambda one: instances.place(one[0]))
    odd = cards.odd_outcomes(dict(outcomes))
    return RunPart(
        anchor=anchor,
        run=run,
        card=msgspec.structs.asdict(Card("", "", "", "")) | run.card,
        notice=line(cards.ending(run, dict(outcomes)), 600),
        headline=_drawn([headline], marks)[0] if headline else None,
        marks=tuple((kind, word, numbers.proportion(x)) for kind, word, x in marks),
        questions=cards.four_questions(run),
        estimates=_drawn(run.estimates),
        groups=_drawn(shown),
        groups_left_out=len(run.groups) - len(shown),
        total=sum(n for _, n in outcomes),
        odd=", ".join(f"{numbers.count(n)} {name}" for name, n in odd.items()),
        odd_count=sum(odd.values()),
        outcomes=outcomes,
        outcomes_svg=charts.outcomes([(_kind(name), n) for name, n in outcomes]) if outcomes else "",
        samples=samples,
        rules=_rules(run.rules),
        command=cards.command(run),
        trials=trials,
    )


def _drawn(estimates: Sequence[Estimate], marks: Sequence[tuple[str, str, float]] = ()) -> list[Drawn]:
    """Estimates drawn on one scale for each score."""
    scales = {name: charts.scale([e for e in estimates if e.name == name]) for name in {e.name for e in estimates}}
    lines = [(kind, x) for kind, _, x in marks]
    return [Drawn(e, charts.interval(e, on, lines) if (on := scales[e.name]) else "") for e in estimates]


def _marks(run: SavedRun, headline: Estimate | None) -> list[tuple[str, str, float]]:
    """The baselines on the card that can be drawn on the headline's scale."""
    if headline is None or not headline.percent:
        return []
    known = (("random", "guessing"), ("human", "people"))
    return [(kind, word, x) for kind, word in known if (x := cards.baseline(run, kind)) is not None]


def _rules(rules: Rules) -> list[tuple[str, list[tuple[str, str]]]]:
    parts = (("data", rules.data), ("sample", rules.sample), ("call", rules.call), ("outputs", rules.outputs),
             ("interpret", rules.interpret))  # fmt: skip
    return [(name, [(key, line(cards.plain(value), 300)) for key, value in part.items()]) for name, part in parts]


def _turns(turns: tuple[tuple[str, str], ...]) -> list[tuple[str, Shown]]:
    """A prompt's turns, bounded together: the first and the last of many, each its share of the characters."""
    half = MOST_TURNS // 2
    kept = list(turns) if len(turns) <= MOST_TURNS else [*turns[:half], *turns[-half:]]
    made = [(role, show(text, max(LONGEST // len(kept), 300))) for role, text in kept]
    if len(turns) > MOST_TURNS:
        made.insert(half, ("", show(f"… {len(turns) - MOST_TURNS} turns left out …", 100)))
    return made


def _kind(outcome: str) -> str:
    """The class an outcome is coloured by."""
    if outcome in ("right", "wrong", "partial", "scored"):
        return outcome
    return "odd" if outcome in ORDER else "unknown"


def title(runs: Sequence[SavedRun]) -> str:
    """What a report of these runs is called."""
    names = list(dict.fromkeys(line(run.system.label, 60) for run in runs))
    if not names:
        return "No runs"
    if len(names) == 1:
        return f"How good is {names[0]}?"
    if len(names) > 3:
        return f"How good are {len(names)} systems?"
    return f"How good are {', '.join(names[:-1])} and {names[-1]}?"


def lede(runs: Sequence[SavedRun]) -> str:
    """What all runs together were and took, in one sentence."""
    if not runs:
        return "There is nothing to report yet. howgood run quickstart makes some runs."
    benchmarks = len({run.rules.benchmark for run in runs})
    usage = sum((run.usage for run in runs), Usage())
    costs = [run.cost for run in runs]
    known = sum(cost for cost in costs if cost is not None)
    unknown = Counter(costs)[None]
    cost = (
        money(None) if unknown == len(costs) else money(known) + (f" and {unknown} of unknown cost" if unknown else "")
    )
    trials = sum(sum(run.outcomes.values()) for run in runs)
    day = min(run.started for run in runs)[:10].replace("-", "\u2011")
    return (
        f"{numbers.many(benchmarks, 'benchmark')}, {numbers.many(trials, 'trial')}; "
        f"{numbers.count(usage.input)} tokens in, {numbers.count(usage.output)} out; "
        f"{duration(sum(run.seconds for run in runs))}; cost {cost}; from {day}."
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
