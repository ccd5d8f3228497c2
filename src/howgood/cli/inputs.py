"""howgood inputs: what a benchmark's questions are, before and after models were asked."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import (
    Answer,
    Ask,
    Check,
    Choices,
    Data,
    IdColumn,
    Limit,
    Parameters,
    Seed,
    console,
    own_file_parameters,
)


def inputs(
    benchmark: Annotated[str, typer.Argument(help="A benchmark (`howgood list`), a data file, or FILE.py.")],
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs of it: how hard it was, and where.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A model whose tokens are counted.")] = None,
    limit: Limit = None,
    seed: Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything that was found as JSON.")] = False,
    param: Parameters = None,
    data: Data = None,
    ask: Ask = None,
    answer: Answer = None,
    check: Check = None,
    choices: Choices = None,
    id_column: IdColumn = None,
) -> None:
    """Look at a benchmark's inputs: topics, lengths, languages, near duplicates (with the worked examples too), whether
    they quiz or ask; and from runs how hard each question is, and where the score falls. No model is asked."""
    import msgspec

    from howgood import api
    from howgood.report.terminal.inputs import inputs_view

    given = own_file_parameters(param, ask, answer, check, choices, id_column)
    seen = api.coverage(benchmark, *(runs or ()), model=model, limit=limit, seed=seed, data=data, **given)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(seen), indent=2).decode())
    else:
        console().print(inputs_view(seen))
