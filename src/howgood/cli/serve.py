"""howgood serve: any model as a server that OpenAI's and Anthropic's clients can talk to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import Port, console

if TYPE_CHECKING:
    from howgood.models.base import Model
    from howgood.models.gateway import Key

PATIENCE = 30.0
"""Seconds that calls under way have to end after Ctrl-C."""


def serve(
    model: Annotated[str, typer.Argument(help="A model; `howgood list --models` shows the names.")],
    port: Port = 8000,
    host: Annotated[
        str, typer.Option("--host", help="The address to listen at; another than this machine's own needs --keys.")
    ] = "127.0.0.1",
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            help='JSON file of client keys and their budgets: {"NAME": {"key": ENVIRONMENT VARIABLE, "tokens": N, '
            '"dollars": N, "seconds": N}}.',
        ),
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help="File to add a JSON line to for each call.")] = None,
) -> None:
    """Serve a model in the OpenAI and the Anthropic dialect until Ctrl-C."""
    from howgood.core.loop import drive
    from howgood.models.gateway import read_keys
    from howgood.models.registry import load_model

    drive(_serve(load_model(model), host, port, None if keys is None else read_keys(keys), log))


async def _serve(model: Model, host: str, port: int, keys: dict[str, Key] | None, log: Path | None) -> None:
    import asyncio
    import signal

    from howgood.models.gateway import Gateway

    gateway = Gateway(model, keys=keys, log=log, host=host, port=port)
    await model.check()
    screen, end, loop = console(), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    try:
        await gateway.start()
        screen.print(f"{model.name} listens; Ctrl-C ends it", markup=False, soft_wrap=True)
        screen.print(f"  OpenAI     base URL {gateway.url}/v1  model {model.name}", markup=False, soft_wrap=True)
        screen.print(f"  Anthropic  base URL {gateway.url}  model {model.name}", markup=False, soft_wrap=True)
        await end.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a second Ctrl-C waits for nothing
        screen.print("ending; calls under way are finished first (Ctrl-C again: not)")
        await gateway.stop(PATIENCE)
    finally:
        await gateway.stop()
        await model.close()
    for name in keys or [""]:
        spent = gateway.usage(name)
        cost = "cost not known" if spent.dollars is None else f"${spent.dollars:.4f}"
        who = f"{name}: " if name else ""
        screen.print(f"{who}{spent.calls} calls, {spent.tokens} tokens, {cost}", markup=False)
