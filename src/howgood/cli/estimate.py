"""howgood estimate: what a run would take, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from howgood.cli.options import (
    Answer,
    Ask,
    Chat,
    Check,
    Choices,
    Data,
    IdColumn,
    Judges,
    Limit,
    MaxTokens,
    Parameters,
    Seed,
    Shots,
    console,
    own_file_parameters,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from howgood.models.base import Model
    from howgood.runs.expect import Expected
    from howgood.runs.forecast import Range
    from howgood.runs.plan import Options


def estimate(
    benchmark: Annotated[list[str], typer.Argument(help="Benchmarks or suites (`howgood list`), data files, FILE.py.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A model (`howgood list --models`); can be repeated; default: smollm2."),
    ] = None,
    limit: Limit = None,
    epochs: Annotated[int, typer.Option(help="How often each instance is asked.")] = 1,
    shots: Shots = None,
    seed: Seed = 0,
    max_tokens: MaxTokens = None,
    chat: Chat = None,
    judge: Judges = None,
    param: Parameters = None,
    data: Data = None,
    ask: Ask = None,
    answer: Answer = None,
    check: Check = None,
    choices: Choices = None,
    id_column: IdColumn = None,
) -> None:
    """Say what benchmarks would cost on models. Nothing is sent and nothing is spent.

    Prompts are counted; how much is written is known from earlier runs, or else only bounded.
    """
    from howgood.calls.base import Settings
    from howgood.models.registry import load_model
    from howgood.runs.plan import Options

    given = own_file_parameters(param, ask, answer, check, choices, id_column)
    settings = Settings(chat=chat, max_tokens=max_tokens, shots=shots)
    options = Options(limit=limit, epochs=epochs, seed=seed, settings=settings, data=data, judges=tuple(judge or ()))
    screen = console()
    show(_expected(benchmark, [load_model(name) for name in model or ["smollm2"]], given, options, screen), screen)


def _expected(
    names: list[str], models: list[Model], given: dict[str, Any], options: Options, screen: Console
) -> list[tuple[str, str, Expected]]:
    from howgood.cli.run import plans_of
    from howgood.runs.expect import expect
    from howgood.runs.store import runs

    earlier = [run for run in runs() if run.status in ("finished", "incomplete")]
    return [
        (plan.card.name, model.name, expect(plan, model, earlier))
        for model in models
        for plan in plans_of(names, model, given, options, screen)
    ]


def show(rows: list[tuple[str, str, Expected]], screen: Console) -> None:
    """The table of what each run would take, and what the numbers rest on."""
    from howgood.core.text import money
    from howgood.models.prices import own_file

    screen.print(_table(rows))
    found = [expected for _, _, expected in rows]
    by_hour = any(x.by_hour for x in found)
    if len(rows) > 1:
        known = [x.most_cost for x in found if x.most_cost is not None]
        others = len(found) - len(known)
        unknown = f", and {others} of {len(found)} whose price is not known" if others else ""
        screen.print(f"together at most {money(sum(known))}{unknown}", markup=False)
    for benchmark, _, x in rows:
        if x.verdicts:
            cost = "an unknown price" if x.judging is None else f"at most {money(x.judging)}"
            screen.print(f"{benchmark}: judges give about {x.verdicts:,} verdicts, {cost} beside", markup=False)
    for note, told in (
        ("input: characters / 4, since the model's tokenizer is not here", any(not x.tokenized for x in found)),
        ("output expected: the mean of earlier runs that asked alike (lowest to highest)", any(x.runs for x in found)),
        ("output at most: every answer as long as --max-tokens allows", any(x.most for x in found)),
        ("a method asks several times a question: the numbers are for each time", any(not x.single for x in found)),
        ("a machine by the hour: `howgood run --budget` times a few trials, then says what all will cost", by_hour),
        (f"unknown price: put it into {own_file()}", any(x.most_cost is None and not x.by_hour for x in found)),
    ):
        if told:
            screen.print(note, style="dim", markup=False, soft_wrap=True)


def _table(rows: list[tuple[str, str, Expected]]) -> Table:
    from howgood.core.text import money
    from howgood.report.terminal.parts import plain_table, say, short_count, two_lines

    headings = "<benchmark\nsystem", ">trials", ">input\ntokens", ">output\nexpected", ">\nat most"
    table = plain_table(*headings, ">cost\nexpected", ">\nat most")
    for benchmark, model, x in rows:
        table.add_row(
            two_lines(say(benchmark), say(model, "dim")),
            f"{x.trials:,}",
            f"{'' if x.tokenized else '~'}{short_count(x.input)}",
            _ranged(x.output, lambda tokens: short_count(round(tokens))),
            short_count(x.most),
            _ranged(x.cost, money) if x.cost or not x.least_cost else say(f"over {money(x.least_cost)}", "dim"),
            money(x.most_cost),
        )
    return table


def _ranged(amount: Range | None, write: Callable[[float], str]) -> Text:
    """An amount and below it its range, where it has one."""
    from howgood.report.terminal.parts import say, two_lines

    if amount is None:
        return say("unknown", "dim")
    if amount.low == amount.high:
        return say(write(amount.value))
    return two_lines(say(write(amount.value)), say(f"{write(amount.low)} to {write(amount.high)}", "dim"))
