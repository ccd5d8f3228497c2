"""howgood compare: the rules that differ first, then the paired difference; and quality against cost."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN_A RUN_B [RUN...]", help="Two runs or more, paired by benchmark.")
    ],
    score: Annotated[str | None, typer.Option(help="The score to compare; default: the headline of A.")] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Of more than two systems compare every two, not each with the first.")
    ] = False,
) -> None:
    """Compare two runs or more: which rules differ, then the paired difference B minus A with its interval.

    Of more runs (three systems, or two on several benchmarks) every system is compared with that of the first run, by
    benchmark, with p-values that answer for all of it; then quality is set against cost."""
    from howgood import api
    from howgood.report.costs import fronts
    from howgood.report.terminal.comparisons import comparison_view, front_view
    from howgood.report.terminal.many import comparisons_view

    if len(runs) < 2:
        raise HowgoodError("howgood compare takes two runs or more; `howgood runs` shows what there is")
    saved = [api.load(name) for name in runs]
    screen = console()
    if len(saved) == 2:
        a, b = saved
        screen.print(comparison_view(a, b, api.compare(a, b, score)))
    else:
        screen.print(comparisons_view(api.compare_many(*saved, score=score, pairs=pairs)))
    for front in fronts(saved):
        screen.print(front_view(front))
