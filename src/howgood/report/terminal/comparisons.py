"""Two runs compared in a terminal: first the rules that differ, then the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howgood.core.types import Estimate
from howgood.report import comparisons, costs, numbers
from howgood.report.terminal.parts import number, plain_table, record, say, section, short, two_lines

if TYPE_CHECKING:
    from howgood.interpret.compare import Comparison
    from howgood.runs.store import SavedRun


def comparison_view(first: SavedRun, second: SavedRun, comparison: Comparison) -> RenderableType:
    """The rules that differ, in red; then each system's own estimate, the paired difference with its interval and
    what it can and cannot tell."""
    differing, same = comparisons.differences(comparison), comparison.same_rules
    title = Text.assemble(
        say(first.rules.benchmark, "bold"),
        "\n",
        ("A ", "dim"),
        say(_named(first)),
        "\n",
        ("B ", "dim"),
        say(_named(second)),
    )
    if first.id == second.id:
        same_run = Text("A and B are one and the same run: there is nothing to compare", style="yellow")
        return Group(title, Text(""), same_run)
    parts: list[RenderableType] = [title]
    if differing:
        words = "The same rules; only this differs" if same else "These are two different games: their rules differ in"
        parts.append(section(words, _rules(differing, "" if same else "red")))
    else:
        parts.append(section(f"The same rules ({first.rules.hash})"))
    parts.append(section("Difference, B minus A", _difference(first, second, comparison)))
    parts.append(section(comparisons.verdict(comparison), _evidence(comparison)))
    if took := costs.beside(first, second):
        parts.append(section("What it took", record((name, say(words)) for name, words in took)))
    return Group(*parts)


def front_view(front: costs.Front) -> RenderableType:
    """The systems of one benchmark by what they cost, with what each scored and which of them no other beats."""
    table = plain_table("<system", "=score", f"={front.axis}")
    for standing in front.standings:
        name = say(standing.name, "bold" if standing.by is None else "")
        place = say(costs.verdict(standing), "green" if standing.by is None else "dim")
        table.add_row(two_lines(name, place), number(standing.score), Text(costs.figure(standing.cost)))
    title = f"{front.benchmark}: quality against cost (what is no dearer and no worse beats)"
    if front.same_rules:
        return section(title, table)
    warning = Text("Not all of these runs have the same rules; howgood compare A B shows what differs", style="red")
    return section(title, table, warning)


def _named(run: SavedRun) -> str:
    return f"{run.system.label}  {run.id}"


def _rules(differing: list[comparisons.Difference], style: str) -> Table:
    table = plain_table("=rule", "<A", "<B")
    for name, mine, theirs in differing:
        table.add_row(say(name, style), short(mine, 60, style), short(theirs, 60, style))
    return table


def _difference(first: SavedRun, second: SavedRun, comparison: Comparison) -> Table:
    difference = comparison.difference
    # Where the runs are not of the same instances these are not the numbers that each run shows by itself.
    partly = any(run.estimate.n != difference.n for run in (first, second)) or comparison.only_a or comparison.only_b
    shared = f" on the {numbers.many(difference.n, 'shared instance')}" if partly else ""
    return record(
        [
            ("A", number(comparison.a).append(shared, style="dim")),
            ("B", number(comparison.b).append(shared, style="dim")),
            ("B − A", _points(difference)),
        ]
    )


def _points(difference: Estimate) -> Text:
    better = "higher" if difference.higher_is_better else "lower"
    value = Text(numbers.difference(difference), style="bold")
    return value.append(
        f" {numbers.interval(difference)}, {numbers.level(difference)} interval; {better} is better", style="not bold"
    )


def _evidence(comparison: Comparison) -> Table:
    return record((name, say(value)) for name, value in comparisons.evidence(comparison))
