"""People's labels and a judge's verdicts together, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.report import calibrated, numbers
from howgood.report.terminal.parts import plain_table, record, say, section

if TYPE_CHECKING:
    from howgood.runs.labels import Calibrated
    from howgood.runs.store import SavedRun


def calibrated_view(run: SavedRun, found: Calibrated) -> RenderableType:
    """The estimates beside each other, what the verdicts are worth, and what more labels would bring."""
    table = plain_table("<", ">value", "<95% interval", ">n")
    for words, estimate in calibrated.rows(found):
        table.add_row(words, numbers.value(estimate), numbers.interval(estimate), f"{estimate.n:,}")
    facts = [(name, say(words)) for name, words in calibrated.facts(found)]
    title = Text.assemble(say(run.rules.benchmark, "bold"), "  ", say(run.system.label), "  ", say(found.task.score))
    return Group(title, section("What people would say", table), section("How it stands", record(facts)))
