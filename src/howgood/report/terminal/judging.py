"""What is known of a run's judges, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.core.text import money
from howgood.core.types import Estimate
from howgood.interpret.judging import Audit
from howgood.report import numbers
from howgood.report.terminal.parts import ODD_STYLE, plain_table, record, say, section

if TYPE_CHECKING:
    from howgood.runs.store import SavedRun
    from howgood.validity.judges import Trials

FIGURES = {
    "consistent": "same winner in both orders",
    "first": "prefers what stands first",
    "longer": "prefers the longer answer",
    "lists": "prefers the answer with a list",
    "own": "verdict above other families' judges",
}


def audit_view(run: SavedRun, audit: Audit, trials: Trials | None = None) -> RenderableType:
    """Each judge's figures, how far judges agree, what they did when they were tried, and what to beware of."""
    parts: list[RenderableType] = [
        Text.assemble(say(run.rules.benchmark, "bold"), "  ", say(run.system.label), "  ", say(run.id, "dim"))
    ]
    for report in audit.judges:
        table = plain_table("<", ">value", "<95% interval", ">pairs")
        for name, words in FIGURES.items():
            found: Estimate | None = getattr(report, name)
            if found is not None:
                table.add_row(words, numbers.value(found), numbers.interval(found), f"{found.n:,}")
        facts = [("verdicts", Text(f"{report.verdicts:,}, of which {report.unread:,} could not be read"))]
        facts += [("", say(f"{n:,} x {why}", ODD_STYLE)) for why, n in list(report.problems.items())[:5]]
        if trials and report.judge in trials.again:
            apart = trials.again[report.judge]
            facts.append(("asked again", Text("the same" if apart == 0 else f"differs by {apart:.3g} on average")))
        if trials and report.judge in trials.fooled:
            fooled, n = trials.fooled[report.judge]
            style = ODD_STYLE if fooled else ""
            facts.append(("planted answer", Text(f"preferred in {fooled} of {n} verdicts", style=style)))
        parts.append(section(report.judge, record(facts), *([table] if table.row_count else [])))
    agree = audit.agree
    facts = [("answers", Text(f"{audit.answers:,}, of which {audit.distinct:,} distinct"))]
    if agree is not None:
        facts.append(("agreement", Text(f"alpha {agree.value:.2f} [{agree.low:.2f}, {agree.high:.2f}]")))
    judging = f"{money(run.judging.cost)} in the run"
    facts.append(("cost", Text(judging if trials is None else f"{judging}, {money(trials.paid.cost)} for this audit")))
    parts.append(section("All judges", record(facts)))
    if audit.warnings:
        parts.append(section("Beware", *(say(f"• {warning}", ODD_STYLE) for warning in audit.warnings)))
    if trials is None:
        parts.append(
            say(f"\nTo ask them again, and to show them a planted answer: howgood audit {run.id} --ask 10", "dim")
        )
    return Group(*parts)
