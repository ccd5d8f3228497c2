"""howgood check: a benchmark proves itself, with no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import (
    Answer,
    Ask,
    Check,
    Choices,
    Data,
    IdColumn,
    Limit,
    Methods,
    Parameters,
    own_file_parameters,
)

if TYPE_CHECKING:
    from howgood.runs.check import Checked


def check(
    benchmark: Annotated[list[str], typer.Argument(help="Benchmarks or suites.")],
    method: Methods = None,
    param: Parameters = None,
    data: Data = None,
    limit: Limit = None,
    ask: Ask = None,
    answer: Answer = None,
    how: Check = None,
    choices: Choices = None,
    id_column: IdColumn = None,
) -> None:
    """Check that a benchmark's gold answers score 1 and spoiled ones 0: for every way it can be called; and show one
    question with its target, which only you can say is right."""
    from howgood.benchmarks.suites import SUITES
    from howgood.core.errors import DataError
    from howgood.core.text import visible
    from howgood.runs.check import check as check_one
    from howgood.runs.plan import Options

    names = [
        (part, name in SUITES)
        for name in benchmark
        for part in ([p.benchmark for p in SUITES[name].parts] if name in SUITES else [name])
    ]
    given = own_file_parameters(param, ask, answer, how, choices, id_column)
    options = Options(limit=limit, data=data, methods=tuple(method or ()))
    good = True
    for name, in_suite in names:
        try:
            ways = check_one(name, given, options)
        except DataError as error:
            if not in_suite:
                raise
            print(visible(f"{name}: left out: {error}"))
            continue
        for found in ways:
            method = found.rules.get("method") or found.rules["kind"]
            verdict = "ok" if not found.faults else f"{len(found.faults)} faults"
            if not found.gold:
                verdict += " (there are no gold answers to score; wrong ones score 0)"
            print(f"{visible(name)}: {found.instances} instances, {method} ({found.way}): {verdict}")
            for fault in found.faults:
                print(f"  {visible(fault)}")
            print(f"  {_example(found)}")
            good = good and not found.faults
    if not good:
        raise typer.Exit(1)


def _example(found: Checked) -> str:
    """The first instance's question and target on one line; how a right answer is written, where that is not the
    target itself (a choice's letter)."""
    from howgood.report.instances import question_of, right_answers
    from howgood.report.safe import line

    right = right_answers(found.example)
    given = f" (written: {line(found.written, 40)})" if found.written and found.written not in right else ""
    none = "no target: the whole text is scored" if found.gold else "no target: many answers are right"
    target = line(" | ".join(right), 60) if right else none
    return f"example {line(found.example.id, 40)}: {line(question_of(found.example), 100)} → {target}{given}"
