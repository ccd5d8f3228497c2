"""Whether a model's probabilities can be trusted, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.core.text import duration, money
from howgood.report import numbers
from howgood.report.terminal.parts import plain_table, say, two_lines

if TYPE_CHECKING:
    from howgood.validity.trust import Report

STYLES = {"ok": "green", "doubtful": "yellow", "wrong": "red", "cannot be told": "dim"}
TOLD = ("kind", "dtype", "device", "format", "server")
"""What a model says of itself that bears on its arithmetic."""


def trust_view(report: Report) -> RenderableType:
    """The verdict, what it took, and for each check what was found and why it matters."""
    table = plain_table("<check", "=verdict", "<found, and why it matters")
    table.columns[0].width = 11
    for finding in report.findings:
        verdict = Text(finding.verdict, style=STYLES[finding.verdict])
        table.add_row(say(finding.name), verdict, two_lines(say(finding.figure), say(finding.why, "dim")))
    return Group(say(headline(report), f"bold {STYLES[report.verdict]}"), say(_took(report), "dim"), Text(""), table)


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    named = [finding.name for finding in report.findings if finding.verdict == report.verdict]
    told = len(report.findings) - report.counted("cannot be told")
    match report.verdict:
        case "wrong":
            words = f"its probabilities are not to be trusted: {', '.join(named)}"
        case "doubtful":
            words = f"its probabilities can be trusted, but for a doubt: {', '.join(named)}"
        case "ok" if told == len(report.findings):
            words = f"its probabilities can be trusted: all {told} checks are ok"
        case "ok":
            words = f"nothing is wrong in the {told} of {len(report.findings)} checks that could be made"
        case _:
            words = "nothing can be told of its probabilities"
    return f"{report.model}: {words}"


def _took(report: Report) -> str:
    told = list(dict.fromkeys(str(report.described[name]) for name in TOLD if report.described.get(name)))
    took = [
        numbers.many(report.requests, "request"),
        numbers.many(report.tokens, "token"),
        duration(report.seconds),
        f"cost {money(report.cost)}",
        f"seed {report.seed}",
    ]
    return ", ".join([*told, *took])
