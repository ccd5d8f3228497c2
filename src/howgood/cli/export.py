"""howgood export: runs as files that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs: ids, parts of ids, folders or `last`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, or the folder.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, parquet, jsonl, every-eval-ever, hf-eval-results or inspect; default: as the file's ending says."
        ),
    ] = None,
) -> None:
    """Write runs as files for others: tables of trials, Every Eval Ever, results for the Hub, logs for Inspect."""
    from howgood.api import export_runs

    for path in export_runs(*run, path=out, format=format):
        print(path)
