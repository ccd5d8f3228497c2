"""howgood describe: what a benchmark is, before it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


def describe(benchmark: Annotated[str, typer.Argument(help="A benchmark or a suite.")]) -> None:
    """Describe a benchmark or a suite: paper, baselines, known flaws, deviations, data, parameters; or its parts."""
    from howgood.benchmarks.suites import SUITES
    from howgood.core.registry import find
    from howgood.report.terminal.benchmarks import card_view, suite_view

    if benchmark in SUITES:
        console().print(suite_view(benchmark, SUITES[benchmark]))
    else:
        entry, _ = find(benchmark)
        console().print(card_view(entry))
