"""People's labels and a judge's verdicts together, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.report import numbers
from howgood.report.terminal.parts import plain_table, record, say, section

if TYPE_CHECKING:
    from howgood.runs.labels import Calibrated
    from howgood.runs.store import SavedRun

ROWS = {
    "estimate": "people, by labels and verdicts",
    "labels_only": "people, by the labels alone",
    "judge_only": "the run's own verdicts alone",
    "bias": "verdict less label",
}


def calibrated_view(run: SavedRun, found: Calibrated) -> RenderableType:
    """The estimates beside each other, what the verdicts are worth, and what more labels would bring."""
    powered = found.powered
    table = plain_table("<", ">value", "<95% interval", ">n")
    for name, words in ROWS.items():
        estimate = getattr(powered, name)
        table.add_row(words, numbers.value(estimate), numbers.interval(estimate), f"{estimate.n:,}")
    people = f"{found.labelled:,} trials by {', '.join(found.annotators)}"
    facts = [("labelled", say(people)), ("correlation", Text(f"{powered.correlation:.2f} of verdicts with labels"))]
    facts.append(("worth", Text(f"as sharp as {powered.worth:,.0f} labels alone would be")))
    if found.agree is not None:
        agree = found.agree
        facts.append(("agreement", Text(f"of people, alpha {agree.value:.2f} [{agree.low:.2f}, {agree.high:.2f}]")))
    if powered.halving is None:
        more = "not even labels for all of these trials would halve the interval: it takes more trials"
    else:
        left = max(0, powered.halving - found.labelled)
        more = f"{left:,} more labels would halve the interval"
    facts.append(("to go on", Text(more)))
    title = Text.assemble(say(run.rules.benchmark, "bold"), "  ", say(run.system.label), "  ", say(found.task.score))
    return Group(title, section("What people would say", table), section("How it stands", record(facts)))
