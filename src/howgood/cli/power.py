"""howgood power: how many instances and epochs it takes to see a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError

if TYPE_CHECKING:
    from howgood.interpret.power import Variances


def power(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN_A [RUN_B]]", help="Earlier runs to take the variances from: one, or the two."),
    ] = None,
    difference: Annotated[
        float | None, typer.Option("--difference", "-d", help="The difference to see: 0.03 is three points.")
    ] = None,
    accuracy: Annotated[float, typer.Option(help="Without runs: the share that is right; 0.5 errs upwards.")] = 0.5,
    correlation: Annotated[
        float, typer.Option(help="How alike the two systems find the questions hard; of two runs it is measured.")
    ] = 0.5,
    sampling: Annotated[
        float, typer.Option(help="Without runs: the variance of single answers to a question; 0 if always alike.")
    ] = 0.0,
    epochs: Annotated[
        list[int] | None, typer.Option(help="How often each instance is asked; can be repeated; default: 1, 4 and 10.")
    ] = None,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="The systems are asked different questions.")] = False,
    power: Annotated[float, typer.Option(help="How often such a comparison is to show the difference.")] = 0.8,
    level: Annotated[float, typer.Option(help="The confidence of the two-sided test.")] = 0.95,
    score: Annotated[str | None, typer.Option(help="Of runs: the score; default: the headline.")] = None,
) -> None:
    """Say how many instances a difference between two systems needs, and which difference each number of instances
    shows: from assumptions, or from the variances of earlier runs."""
    from howgood.interpret.power import assumed
    from howgood.report.terminal.power import power_view

    if runs:
        variances, percent = _from_runs(runs, correlation, unpaired, score)
    else:
        variances, percent = assumed(accuracy, correlation, sampling, not unpaired), True
    if difference is not None and difference <= 0:
        raise HowgoodError(f"--difference is above zero, as 0.03 for three points, not {difference:g}")
    asked = epochs or ([1, 4, 10] if variances.sampling else [1])
    console().print(power_view(variances, asked, difference, power, level, percent))


def _from_runs(runs: list[str], correlation: float, unpaired: bool, score: str | None) -> tuple[Variances, bool]:
    """The variances that one run or two show, and whether the score is a share."""
    from howgood import api
    from howgood.interpret.power import like, like_both
    from howgood.runs.evaluate import scores

    if len(runs) > 2:
        raise HowgoodError("howgood power takes one earlier run, or the two systems' runs; give no more than two")
    saved = [api.load(name) for name in runs]
    tables, name = [scores(run) for run in saved], score or saved[0].estimate.name
    if len(saved) == 2:
        made = api.compare(saved[0], saved[1], score)
        found = made.unpaired if unpaired else made.difference
        if found.se is None:
            raise HowgoodError("the two runs share one independent instance, which shows no variance")
        return like_both(tables[0], tables[1], found.name, found.n * found.se**2), found.percent
    if name not in tables[0].scores:
        raise HowgoodError(f"{name} is no mean over instances: give the runs of two systems, or another --score")
    percent = all(estimate.percent for estimate in saved[0].estimates if estimate.name == name)
    return like(tables[0], name, correlation, not unpaired), percent
