"""howgood studio: look at runs in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import OpenTo, Port, Token, teller, visitors_token


def studio(
    folder: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER|ADDRESS]...",
            help="Where runs are: folders, or addresses such as s3://bucket/runs; none: HOWGOOD_RUNS, or ./runs.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A system to ask side by side, two or more; `howgood list --models`."),
    ] = None,
    port: Port = 8090,
    host: OpenTo = "127.0.0.1",
    token: Token = None,
) -> None:
    """Look at runs in a browser. Every instance, comparisons, a leaderboard; until Ctrl-C."""
    import asyncio

    from howgood.runs.store import runs_folder
    from howgood.studio.serving import serve_async

    given = visitors_token(token, "studio")
    asyncio.run(serve_async(folder or [str(runs_folder())], model or [], host, port, given, teller()))
