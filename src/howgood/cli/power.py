"""howgood power: how many instances and epochs it takes to see a difference."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError


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
    """Say how many instances a difference between two systems needs: from assumptions, or from the variances of earlier
    runs; and which difference each number of instances shows."""
    from howgood import api
    from howgood.report.terminal.power import power_view

    if difference is not None and not difference > 0:
        raise HowgoodError(f"--difference is above zero, as 0.03 for three points, not {difference:g}")
    found = api.power(
        *runs or (), accuracy=accuracy, correlation=correlation, sampling=sampling, paired=not unpaired, score=score
    )
    if found.percent and difference is not None and difference >= 1:
        raise HowgoodError(f"--difference is in shares of 1: three points are 0.03, not {difference:g}")
    asked = epochs or ([1, 4, 10] if found.sampling else [1])
    console().print(power_view(found, asked, difference, power, level))
