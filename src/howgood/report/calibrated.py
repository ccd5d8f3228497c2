"""People's labels and a judge's verdicts together, in words that the terminal and a page share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from howgood.core.types import Estimate
    from howgood.runs.labels import Calibrated

ROWS = {
    "estimate": "people, by labels and verdicts",
    "labels_only": "people, by the labels alone",
    "judge_only": "the run's own verdicts alone",
    "bias": "verdict less label",
}


def rows(found: Calibrated) -> list[tuple[str, Estimate]]:
    """The estimates beside each other."""
    return [(words, getattr(found.powered, name)) for name, words in ROWS.items()]


def facts(found: Calibrated) -> list[tuple[str, str]]:
    """Who labelled, what the verdicts are worth, and what more labels would bring."""
    powered, agree = found.powered, found.agree
    told = [
        ("labelled", f"{found.labelled:,} trials by {', '.join(found.annotators)}"),
        ("correlation", f"{powered.correlation:.2f} of verdicts with labels"),
        ("worth", f"as sharp as {powered.worth:,.0f} labels alone would be"),
    ]
    if agree is not None:
        told.append(("agreement", f"of people, alpha {agree.value:.2f} [{agree.low:.2f}, {agree.high:.2f}]"))
    if powered.halving is None:
        more = "not even labels for all of these trials would halve the interval: it takes more trials"
    else:
        more = f"{max(0, powered.halving - found.labelled):,} more labels would halve the interval"
    return [*told, ("to go on", more)]
