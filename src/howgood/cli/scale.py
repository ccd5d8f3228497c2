"""howgood scale: laws fitted to the runs of small models, and what they say of larger ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import DataError, HowgoodError

if TYPE_CHECKING:
    from rich.console import Console

    from howgood.core.types import Estimate
    from howgood.interpret.fit import Fit

app = typer.Typer(
    help="Fit scaling laws: what a larger model would reach, from smaller ones.",
    no_args_is_help=True,
    suggest_commands=False,
)
Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Tables of runs: csv, jsonl, parquet, ...")]
Predict = Annotated[
    list[str] | None,
    typer.Option(metavar="N,D", help="Parameters and tokens of a run to predict: 13.2e9,5e12; can be repeated."),
]


@app.command("ladder")
def ladder_(files: Files, predict: Predict = None) -> None:
    """A task ladder (arXiv:2412.04403): loss on a task from parameters and tokens, and accuracy from the loss.

    Columns: n (parameters), d (tokens seen), loss (on the task: bits per byte of the right answer), accuracy (0 to 1);
    and run, which names the run that a checkpoint belongs to, its checkpoints in order. Without it every row is a run.
    """
    from howgood.interpret.ladder import ladder

    wanted = _sizes(predict)
    (n, d, loss, accuracy), runs = _read(files, ("n", "d", "loss", "accuracy"), "run")
    fitted = ladder(n, d, loss, accuracy, runs)
    screen = console()
    _show(screen, "step 1: loss = A/n^alpha + B/d^beta + E", fitted.step1.fit)
    _show(screen, "step 2: accuracy = a/(1 + exp(-k (loss - L0))) + b", fitted.step2)
    for size, tokens in wanted:
        found = fitted.predict(size, tokens)
        _tell(screen, f"n {size:.4g}, d {tokens:.4g}", (found.loss, found.accuracy))
        for warning in found.warnings:
            screen.print(f"  {warning}", style="yellow", markup=False, soft_wrap=True)


@app.command("chinchilla")
def chinchilla_(
    files: Files,
    predict: Predict = None,
    compute: Annotated[
        list[float] | None,
        typer.Option(metavar="FLOPS", help="A budget to spend best, in floating point operations: 6 n d."),
    ] = None,
) -> None:
    """Loss from parameters and tokens, and what compute is best spent on (arXiv:2203.15556, approach 3).

    Columns: n (parameters), d (training tokens), loss (at the end of a run); every row is a run.
    """
    from howgood.interpret.scaling import chinchilla

    wanted = _sizes(predict)
    (n, d, loss), _ = _read(files, ("n", "d", "loss"))
    law = chinchilla(n, d, loss)
    screen = console()
    _show(screen, "loss = A/n^alpha + B/d^beta + E", law.fit)
    _tell(screen, "best n grows as compute^a, best d as compute^b", law.exponents)
    for size, tokens in wanted:
        _tell(screen, f"n {size:.4g}, d {tokens:.4g}", [law.predict(size, tokens)])
    for budget in compute or ():
        _tell(screen, f"{budget:.4g} floating point operations, best spent", law.optimal(budget))


@app.command("power")
def power_(
    files: Files,
    x: Annotated[str, typer.Option("--x", metavar="COLUMN", help="The column of x.")],
    y: Annotated[str, typer.Option("--y", metavar="COLUMN", help="The column of y.")],
    predict: Annotated[
        list[float] | None, typer.Option(metavar="X", help="A value of x to predict y at; can be repeated.")
    ] = None,
) -> None:
    """A power law, y = A x^alpha, through points."""
    from howgood.interpret.scaling import power

    (xs, ys), _ = _read(files, (x, y))
    law = power(xs, ys)
    screen = console()
    _show(screen, f"{y} = A {x}^alpha", law.fit)
    for at in predict or ():
        _tell(screen, f"{x} {at:.4g}", [law.predict(at)])


def _read(files: Sequence[str], names: Sequence[str], label: str = "") -> tuple[list[list[float]], list[str] | None]:
    """Columns of numbers from files that follow each other, and the labels of their rows: (file, value of the column
    `label`), None where no file has that column. Raises `DataError`, naming file and row."""
    from howgood.inputs.files import read_rows

    columns: list[list[float]] = [[] for _ in names]
    labels, labelled = list[str](), False
    for file in files:
        for number, row in enumerate(read_rows(file), start=1):
            if absent := [name for name in names if name not in row]:
                raise DataError(
                    f"{file} has no column {', '.join(absent)}; it has {_some(row)}. Rename the columns that hold "
                    f"{', '.join(names)}"
                )
            for column, name in zip(columns, names, strict=True):
                column.append(_number(row[name], f"{file}, row {number}, column {name}"))
            labelled = labelled or label in row
            labels.append(f"{file}/{row.get(label, number)}")
    return columns, labels if labelled else None


def _some(names: Iterable[str], most: int = 8) -> str:
    """Names in a row, the first of many."""
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def _number(value: object, where: str) -> float:
    import math

    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(f"{where}: {str(value)!r:.40} is not a number; mend the row or take it out") from None
    if not math.isfinite(number):
        raise DataError(f"{where}: {number} cannot be fitted; take the row out")
    return number


def _sizes(predict: Sequence[str] | None) -> list[tuple[float, float]]:
    sizes = []
    for text in predict or ():
        try:
            n, d = map(float, text.split(","))
        except ValueError:
            raise HowgoodError(f"--predict takes parameters and tokens, as in 13.2e9,5e12, not '{text}'") from None
        sizes.append((n, d))
    return sizes


def _show(screen: Console, law: str, fit: Fit) -> None:
    """A law with its parameters."""
    noise = f"{fit.n} runs, spread about the law {fit.noise:.2g}, {fit.method}"
    screen.print(f"{law}   ({noise})", style="bold", markup=False, soft_wrap=True)
    _tell(screen, "", fit.parameters)


def _tell(screen: Console, what: str, estimates: Sequence[Estimate]) -> None:
    if what:
        screen.print(what, style="bold", markup=False, soft_wrap=True)
    for one in estimates:
        interval = f"{one.level:.0%} [{one.low:.5g}, {one.high:.5g}]"
        screen.print(f"  {one.name:<9} {one.value:<11.5g} {interval}", markup=False, soft_wrap=True)
