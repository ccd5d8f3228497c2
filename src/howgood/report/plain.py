"""Runs and comparisons in a few lines of plain text, for `print` in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.core.text import duration, money, one_line
from howgood.report import cards, comparisons, numbers

if TYPE_CHECKING:
    from rich.console import RenderableType

    from howgood.interpret.compare import Comparison
    from howgood.runs.store import SavedRun


def run_line(run: SavedRun) -> str:
    """A run on one line: what on what, the headline with its interval and n, what went amiss, time, cost and id."""
    facts = []
    if run.estimates:
        first = run.estimates[0]
        facts.append(f"{first.name} {numbers.value(first)} {numbers.interval(first)}, n {first.n:,}")
    if run.status != "finished":
        facts.append(f"{run.status}: {run.message}" if run.message else run.status)
    facts += [f"{n:,} {name}" for name, n in cards.odd_outcomes(run.outcomes).items()]
    facts += [duration(run.seconds), f"cost {money(run.cost)}"]
    return one_line(f"{run.rules.benchmark} on {run.system.label}: {', '.join(facts)} ({run.id})")


def text_of(view: RenderableType, width: int = 100) -> str:
    """What a terminal would show, without colours."""
    from rich.console import Console

    screen = Console(width=width, color_system=None, highlight=False, force_terminal=False)
    with screen.capture() as shown:
        screen.print(view)
    return "\n".join(line.rstrip() for line in shown.get().splitlines()).strip("\n")


def comparison_lines(comparison: Comparison) -> str:
    """A comparison on a few lines: the verdict, the difference with its interval, what it rests on, and the rules that
    differ."""
    difference = comparison.difference
    better = "higher" if difference.higher_is_better else "lower"
    lines = [
        comparisons.verdict(comparison),
        f"{difference.name}, B minus A: {numbers.difference(difference)} {numbers.interval(difference)}, "
        f"{numbers.level(difference)} interval; {better} is better",
        f"A {numbers.value(comparison.a)} {numbers.interval(comparison.a)}, "
        f"B {numbers.value(comparison.b)} {numbers.interval(comparison.b)}",
        *(f"{name}: {words}" for name, words in comparisons.evidence(comparison)),
    ]
    if comparison.rules:
        lines.append(f"rules that differ: {', '.join(name for name, _, _ in comparison.rules)}")
    return "\n".join(map(one_line, lines))
