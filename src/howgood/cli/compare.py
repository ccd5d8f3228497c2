"""howgood compare: the rules that differ first, then the paired difference; and quality against cost."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN_A RUN_B [RUN...]", help="Two runs or more, of one benchmark.")
    ],
    score: Annotated[str | None, typer.Option(help="The score to compare; default: the headline of A.")] = None,
) -> None:
    """Compare runs of one benchmark: which rules differ, then the paired difference B minus A with its interval, and
    what each answer cost. Of more than two, each is compared with the first, and quality is set against cost."""
    from howgood import api
    from howgood.report.costs import fronts
    from howgood.report.terminal import comparison_view, front_view

    if len(runs) < 2:
        raise HowgoodError("howgood compare takes two runs or more; `howgood runs` shows what there is")
    saved = [api.load(name) for name in runs]
    screen = console()
    for place, other in enumerate(saved[1:]):
        if place:
            screen.rule(style="dim")
        screen.print(comparison_view(saved[0], other, api.compare(saved[0], other, score)))
    for front in fronts(saved):
        screen.print(front_view(front))
