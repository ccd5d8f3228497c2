"""Abilities and difficulties for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.core.types import Estimate
from howgood.interpret.items import ItemFile
from howgood.report import numbers
from howgood.report.terminal.parts import number, plain_table, say, section

if TYPE_CHECKING:
    from howgood.runs.store import SavedRun

SHOWN = 5


def abilities_view(made: ItemFile) -> RenderableType:
    """The systems by ability, then the hardest, the easiest and the most telling questions."""
    items = made.items
    told = f"{items.model.upper()}, {numbers.count(len(items.ids))} questions, {numbers.many(items.systems, 'system')}"
    parts: list[RenderableType] = [Text.assemble(say(made.benchmark, "bold"), "  ", say(told, "dim"))]
    systems = plain_table("<system", ">ability", ">± error")
    for name, value in sorted(made.systems.items(), key=lambda one: -one[1]):
        systems.add_row(say(name), _number(value), f"{made.errors[name]:.2f}")
    parts.append(section("Ability (0 is the mean of these systems, 1 their spread)", systems))
    rows = sorted(range(len(items.ids)), key=lambda i: items.b[i])
    parts.append(section("Hardest questions", _questions(made, rows[::-1][:SHOWN])))
    parts.append(section("Easiest questions", _questions(made, rows[:SHOWN])))
    telling = sorted(rows, key=lambda i: -items.a[i])[:SHOWN]
    parts.append(section("What tells systems apart best", _questions(made, telling)))
    if items.systems < 20:
        words = (
            f"{items.systems} systems tell difficulties only roughly: see the errors. "
            "What is said of a whole benchmark from part of it stays honest."
        )
        parts.append(Text.assemble("\n", say(words, "yellow")))
    return Group(*parts)


def _questions(made: ItemFile, rows: Sequence[int]) -> RenderableType:
    table = plain_table("<question", ">difficulty", ">± error", ">discrimination", ">± error")
    items = made.items
    for i in rows:
        table.add_row(
            say(items.ids[i]), _number(items.b[i]), f"{items.se_b[i]:.2f}", f"{items.a[i]:.2f}", f"{items.se_a[i]:.2f}"
        )
    return table


def measured_view(made: ItemFile, found: Sequence[tuple[SavedRun, tuple[Estimate, Estimate]]]) -> RenderableType:
    """What runs of part of the items say of ability and of all items."""
    table = plain_table("<system", ">asked", "=ability", f"={made.score} of all {numbers.count(len(made.items.ids))}")
    for run, (ability, whole) in found:
        table.add_row(say(run.system.label), numbers.count(ability.n), number(ability), number(whole))
    return section(f"{made.benchmark}, by items of {numbers.many(made.items.systems, 'system')}", table)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
