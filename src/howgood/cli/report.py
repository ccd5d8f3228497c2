"""howgood report: runs as one file for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[list[str] | None, typer.Argument(help="Runs: ids, parts of ids, folders or `last`.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write: .html, .md or .pdf.", show_default=False)
    ] = None,
) -> None:
    """Write runs as one file for others: self-contained, those of one benchmark beside each other."""
    from howgood import api

    print(api.write_report(*(run or ["last"]), out=out))
