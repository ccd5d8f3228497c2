"""howgood runs: what has been run."""

from __future__ import annotations

from howgood.cli.options import console


def runs() -> None:
    """List all runs: benchmark, system, estimate, n, cost, when."""
    from howgood.api import list_runs
    from howgood.report.terminal.runs import runs_table
    from howgood.runs.store import runs_folder

    saved = list_runs()
    if saved:
        console().print(runs_table(saved))
    else:
        print(f"no runs in {runs_folder()} yet; `howgood run quickstart` makes some")
