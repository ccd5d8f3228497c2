"""howgood cache: what is kept of paid answers, and why one was paid for again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError, UnknownName

if TYPE_CHECKING:
    from howgood.core.types import Instance
    from howgood.models.cache import Cached, OnlyCached
    from howgood.models.responses import Key, Responses
    from howgood.runs.plan import Plan

app = typer.Typer(
    help="The answers that are kept so that nothing is paid for twice.", no_args_is_help=True, suggest_commands=False
)
UNITS = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
SHOWN = 60
"""Lines of a difference between prompts that are shown."""


@app.command()
def stats() -> None:
    """Show what is kept, by model, and the batches that are under way."""
    import time

    from rich.table import Table

    from howgood.core.text import duration, money, visible
    from howgood.models.pending import pending

    answers, screen = _answers(), console()
    kept = answers.held()
    table = Table(box=None, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("answers", "paid for them", "MB", "first", "last"):
        table.add_column(name, no_wrap=True)
    for held in kept:
        times = (_date(held.first), _date(held.last))
        table.add_row(visible(held.model), f"{held.answers:,}", money(held.cost), f"{held.size / 1e6:.1f}", *times)
    screen.print(table if kept else "no answers are kept")
    for batch in pending(answers):
        since = duration(time.time() - batch.made)
        place = visible(batch.remote) if batch.remote else f"{batch.id}, which is being handed in"
        words = f"batch {place}: {batch.size:,} requests of {visible(batch.model)}, {since} ago"
        screen.print(f"{words}; `howgood resume` fetches its answers", markup=False, soft_wrap=True)
    screen.print(f"{answers.path} ({answers.size() / 1e6:.1f} MB)", style="dim", markup=False, soft_wrap=True)


@app.command()
def prune(
    older: Annotated[str | None, typer.Option(metavar="AGE", help="Forget what is older: 12h, 30d, 8w.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Forget the answers of this model.")] = None,
    batch: Annotated[
        str | None, typer.Option(metavar="ID", help="Forget a batch under way, whose answers are lost.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Forget all answers.")] = False,
) -> None:
    """Forget answers; the same requests are paid for again. Batches under way are kept unless they are named."""
    import time

    from howgood.models.cache import unpaced
    from howgood.models.registry import canonical_model

    given = [older is not None or model is not None, batch is not None, everything]
    if given.count(True) != 1:
        raise HowgoodError("cache prune takes --older AGE and/or --model NAME, or --batch ID, or --all")
    answers = _answers()
    if batch is not None:
        _forget(answers, batch)
        return
    name = unpaced(canonical_model(model)) if model else None
    known = [held.model for held in answers.held()]
    if name is not None and name not in known:
        raise UnknownName("model in the cache", name, known)
    count = answers.prune(time.time() - _age(older) if older else None, name)
    console().print(f"{count:,} answers forgotten; {answers.path} has {answers.size() / 1e6:.1f} MB", soft_wrap=True)


def _forget(answers: Responses, batch: str) -> None:
    from howgood.models.pending import forget, pending

    found = {name: known.id for known in pending(answers) for name in (known.remote, known.id) if name}
    if batch not in found:
        raise UnknownName("batch under way", batch, found)
    answers.submit(lambda db: forget(db, found[batch])).result()
    console().print(f"batch {batch} forgotten; its requests are handed in again", markup=False)


@app.command()
def why(
    run: Annotated[str, typer.Argument(help="A run: its id, part of it, its folder, or `last`.")],
    trial: Annotated[str, typer.Argument(help="An instance's id, or ID#EPOCH (epochs from 0).")],
) -> None:
    """Say whether a trial of a run would be answered from the cache, and if not, what differs from what is kept."""
    import asyncio

    import msgspec

    from howgood.api import load
    from howgood.models.cache import Cached
    from howgood.models.registry import load_model
    from howgood.runs.plan import UNNAMED, Options, make_plan

    saved = load(run)
    if saved.benchmark == UNNAMED:
        raise HowgoodError(f"run {saved.id} is of a benchmark made in Python, whose requests cannot be made again here")
    answers, model = _answers(), load_model(saved.system.name)
    plan = make_plan(saved.benchmark, model, saved.parameters, msgspec.convert(saved.options, Options))
    instance, epoch = _trial(plan, trial)
    asyncio.run(_explain(plan, Cached(model, answers), instance, epoch))


async def _explain(plan: Plan, model: Cached, instance: Instance, epoch: int) -> None:
    from howgood.models.base import TRIAL
    from howgood.models.cache import Missing, OnlyCached

    screen, looking = console(), OnlyCached(model)
    TRIAL.set((instance.id, epoch))
    try:
        await plan.benchmark.call(plan.request(instance, epoch), looking)
    except Missing as missing:
        _hits(looking)
        if missing.key is None:
            screen.print("what follows depends on its tools, which are not called here")
        else:
            _miss(model.answers, missing.key, len(looking.found) + 1)
    else:
        _hits(looking)
    finally:
        await model.close()


def _hits(looking: OnlyCached) -> None:
    from howgood.core.text import money

    for number, (made, prediction) in enumerate(looking.found, start=1):
        console().print(f"request {number} is kept: answered {_date(made)}, cost {money(prediction.cost)}")


def _miss(answers: Responses, key: Key, number: int) -> None:
    from howgood.core.text import shorten, visible
    from howgood.models.nearest import nearest

    screen = console()

    def say(text: str, style: str = "") -> None:
        screen.print(visible(text), style=style, markup=False, soft_wrap=True, emoji=False)

    near = nearest(answers, key)
    if near is None:
        say(f"request {number} is not kept, and nothing like it (only paid models are, unless a run has --cache)")
        return
    say(f"request {number} is not kept; the nearest that is, answered {_date(near.made)}, differs in:")
    for name, asked, stored in near.fields:
        say(f"  {name}: asked {shorten(repr(asked), 200)}, kept {shorten(repr(stored), 200)}")
    if near.prompt:
        say("  the prompt:")
    for line in near.prompt[:SHOWN]:
        say(f"    {line}", {"+": "green", "-": "red"}.get(line[:1], ""))
    if len(near.prompt) > SHOWN:
        say(f"    (and {len(near.prompt) - SHOWN} more lines)")


def _trial(plan: Plan, name: str) -> tuple[Instance, int]:
    """The instance of a trial, and its epoch. Raises `UnknownName`."""
    plain, mark, epoch = name.rpartition("#")
    numbered = bool(mark) and epoch.isdecimal() and int(epoch) < plan.options.epochs
    ids = []
    for _, instance in plan.instances():
        if instance.id == name:
            return instance, 0
        if numbered and instance.id == plain:
            return instance, int(epoch)
        ids.append(instance.id)
    raise UnknownName("trial", name, ids, f"The run has {plan.options.epochs} epoch(s) of {len(ids)} instances.")


def _answers() -> Responses:
    from howgood.models.responses import cache_path, responses

    if not cache_path().exists():
        raise HowgoodError(f"there is no cache yet at {cache_path()}; the first paid answer makes it")
    return responses()


def _age(text: str) -> float:
    """An age in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(min|h|d|w)", text)
    if match is None:
        raise HowgoodError(f"--older takes a number and min, h, d or w, such as 30d, not '{text}'")
    return float(match[1]) * UNITS[match[2]]


def _date(time: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}"
