"""howgood studio: look at runs in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


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
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0: a free one.")] = 8090,
    host: Annotated[
        str, typer.Option("--host", help="The address to listen at; another than this machine's own needs --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="VARIABLE", help="The environment variable of a token visitors must give."),
    ] = None,
) -> None:
    """Look at runs in a browser. Every instance, comparisons, a leaderboard; until Ctrl-C."""
    import asyncio

    from howgood.core.errors import ModelError
    from howgood.models.secrets import secret
    from howgood.runs.store import runs_folder
    from howgood.studio.serving import serve_async

    given = None if token is None else secret(token)
    if given == "":
        raise ModelError(f"the environment variable {token}, which should hold the studio's token, is not set")
    screen = console()

    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    asyncio.run(serve_async(folder or [str(runs_folder())], model or [], host, port, given, say))
