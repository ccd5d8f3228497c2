"""howgood import: runs that other programs made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_(
    path: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Logs, results or annotations, or folders of them.")
    ],
) -> None:
    """Read runs of Inspect, lm-evaluation-harness, HELM and AlpacaEval. They are kept as runs of howgood, and each says
    who made it."""
    import sys

    from howgood.cli.options import console
    from howgood.core.text import one_line
    from howgood.report.terminal.runs import runs_table
    from howgood.runs.interop.importing import import_all
    from howgood.runs.store import SavedRun, runs_folder

    made: list[SavedRun] = []
    failed = False
    for found in import_all(path, runs_folder()):
        if found.problem is not None:
            failed = True
            print(f"howgood: {one_line(str(found.problem))}", file=sys.stderr)
        elif found.run is not None and not found.new:
            print(one_line(f"{found.name} is here already: run {found.run.id}"))
        elif found.run is not None:
            made.append(found.run)
            print(one_line(f"{found.name}: run {found.run.id}"))
    if made:
        console().print(runs_table(made))
    if failed:
        raise typer.Exit(2)
