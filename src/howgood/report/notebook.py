"""Runs and comparisons as small pieces of HTML for a notebook: they take its own colours, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from howgood.core.text import duration, money
from howgood.core.types import Estimate
from howgood.report import cards, charts, comparisons, numbers
from howgood.report.safe import line

if TYPE_CHECKING:
    from howgood.interpret.compare import Comparison
    from howgood.runs.store import SavedRun

BOX = "font: 14px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; max-width: 640px; padding: 4px 0"
SOFT = "opacity: .72"
ACCENT = "#3a87b7"
CELL = "text-align: left; padding: 2px 16px 2px 0"
PAINT = {  # a notebook does not have the report's style sheet
    'class="track"': 'stroke="currentColor" stroke-opacity=".3"',
    'class="range"': f'stroke="{ACCENT}" stroke-width="5" stroke-linecap="round" stroke-opacity=".5"',
    'class="value"': f'fill="{ACCENT}"',
    'class="mark zero"': 'stroke="currentColor" stroke-opacity=".6"',
}


def run_card(run: SavedRun) -> str:
    """A run: what, on what, the estimates with their intervals drawn, how it was asked, what it took."""
    head = f"<b>{_say(run.rules.benchmark)}</b> &ensp; {_say(run.system.label)}"
    if run.status != "finished":
        head += f" &ensp; <b>{_say(run.status)}</b> {_say(run.message or '')}"
    questions = "".join(
        f'<div style="margin-top: 6px"><span style="{SOFT}">{_say(question)}</span><br>{_say(answer, 600)}</div>'
        for question, answer in cards.four_questions(run)
    )
    usage = f"{run.usage.input:,} tokens in, {run.usage.output:,} out"
    odd = "".join(f", {n:,} {name}" for name, n in cards.odd_outcomes(run.outcomes).items())
    foot = f"{usage} · {duration(run.seconds)} · cost {money(run.cost)}{odd} · rules {run.rules.hash} · {_say(run.id)}"
    return _box(
        head, _rows(run.estimates), f"<details><summary>How it was asked</summary>{questions}</details>", _soft(foot)
    )


def comparison_card(comparison: Comparison) -> str:
    """A comparison: the verdict, the paired difference with its interval drawn around zero, what it rests on."""
    difference = comparison.difference
    rows = "".join(
        f'<tr style="background: none"><td style="{CELL}; white-space: nowrap; {SOFT}">{_say(name)}</td>'
        f'<td style="{CELL}">{_say(words, 300)}</td></tr>'
        for name, words in comparisons.evidence(comparison)
    )
    drawn = f'<div style="max-width: 320px">{_paint(charts.difference(difference))}</div>'
    figure = (
        f"{_say(difference.name)}, B minus A: <b>{numbers.difference(difference)}</b> {numbers.interval(difference)}, "
        f"{numbers.level(difference)} interval"
    )
    differing = "".join(
        f'<tr style="background: none"><td style="{CELL}; {SOFT}">{_say(name)}</td>'
        f'<td style="{CELL}">{_say(a, 300)}</td><td style="{CELL}">{_say(b, 300)}</td></tr>'
        for name, a, b in comparisons.differences(comparison)
    )
    return _box(
        *([_soft("Rules that differ"), _table(differing)] if differing else []),
        f"<b>{_say(comparisons.verdict(comparison))}</b>",
        figure,
        drawn,
        _table(rows),
    )


def preformatted(text: str) -> str:
    """What a terminal shows, as it stands."""
    return f'<pre style="line-height: 1.4; white-space: pre">{escape(text)}</pre>'


def _rows(estimates: Sequence[Estimate]) -> str:
    if not estimates:
        return _soft("no estimate yet")
    rows = "".join(
        f'<tr style="background: none"><td style="{CELL}">{_say(e.name)} {"↑" if e.higher_is_better else "↓"}</td>'
        f'<td style="{CELL}"><b>{numbers.value(e)}</b> {numbers.interval(e)}</td>'
        f'<td style="{CELL}; width: 180px">{_paint(charts.interval(e, charts.SHARE)) if e.percent else ""}</td>'
        f'<td style="{CELL}; {SOFT}">n {e.n:,}</td></tr>'
        for e in estimates
    )
    return _table(rows)


def _table(rows: str) -> str:
    return f'<table style="font: inherit; border-collapse: collapse">{rows}</table>'


def _box(*parts: str) -> str:
    return f'<div style="{BOX}">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _soft(html: str) -> str:
    return f'<div style="{SOFT}">{html}</div>'


def _paint(svg: str) -> str:
    for name, paint in PAINT.items():
        svg = svg.replace(name, paint)
    return svg


def _say(text: str, limit: int = 200) -> str:
    return escape(line(text, limit))
