"""What perturbations did to a score, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.report import numbers
from howgood.report.comparisons import pplain, split_words
from howgood.report.terminal.parts import number, plain_table, record, say, section, two_lines

if TYPE_CHECKING:
    from howgood.interpret.robustness import Robustness
    from howgood.runs.store import SavedRun


def robustness_section(run: SavedRun) -> RenderableType:
    """A run's perturbations as a part of a view; why there is nothing to tell, where there is not."""
    from howgood.core.errors import HowgoodError
    from howgood.runs.evaluate import robust

    title = f"Asked in other ways: {run.rules.benchmark} on {run.system.label}"
    try:
        return section(title, robustness_view(robust(run)))
    except HowgoodError as error:
        return section(title, say(error, "yellow"))


def robustness_view(found: Robustness) -> RenderableType:
    """The score as asked, over all ways and at its worst; then each perturbation with what it changed, paired."""
    whole = record(
        [
            ("as asked", number(found.original).append(f"  {found.score}, n {found.original.n:,}", style="dim")),
            ("mean of all ways", number(found.mean)),
            ("worst way of each", number(found.worst)),
            ("flips", number(found.flips).append("  of variants score otherwise than their original", style="dim")),
        ]
    )
    table = plain_table(
        "=perturbation\nvariants each", "=score\nas asked", "=change\n95% interval", ">flips\nworst", ">n\np (Holm)"
    )
    for one in found.perturbations:
        change = one.change.difference
        shifted = change.low > 0 or change.high < 0
        table.add_row(
            two_lines(say(one.name, "bold"), say(one.variants, "dim")),
            two_lines(Text(numbers.value(one.change.b)), say(numbers.value(one.change.a), "dim")),
            two_lines(
                Text(numbers.difference(change), style="bold yellow" if shifted else ""), say(numbers.interval(change))
            ),
            two_lines(Text(numbers.value(one.flips)), Text(numbers.value(one.worst))),
            two_lines(Text(f"{change.n:,}"), Text(pplain(one.adjusted))),
        )
    parts: list[RenderableType] = [whole, Text(""), table]
    if found.split is not None:
        parts += [Text(""), say(f"squared error of the mean of all ways: {split_words(found.split)}", "dim")]
    return Group(*parts)
