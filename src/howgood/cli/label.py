"""howgood label: people judge a run's answers, blind and in random order."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console

if TYPE_CHECKING:
    from rich.console import Console

    from howgood.runs.labels import Item, Task


def label(
    run: Annotated[str, typer.Argument(help="A run, by its id, a part of it, or `last`.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who labels; default: your user name.")] = None,
    n: Annotated[int, typer.Option("-n", "--limit", help="How many trials are to be labelled, picked at random.")] = 50,
) -> None:
    """Label a run's answers: right or wrong, a grade, or which of two is better, as the run itself was judged. You do
    not see which system answered or what a judge said. Every label is kept at once; start again to go on."""
    import time

    from howgood.api import load
    from howgood.core.errors import HowgoodError
    from howgood.runs import labels

    saved = load(run)
    if n < 1:
        raise HowgoodError(f"-n is 1 or more, not {n}")
    who = by or getpass.getuser()
    task = labels.task_of(saved)
    left = list(labels.items(saved, who, n))
    screen = console()
    total = len(labels.sample(saved, n))
    screen.print(f"{who}: {total - len(left)} of {total} are labelled. {keys(task)}", markup=False, soft_wrap=True)
    for item in left:
        show(screen, item)
        begun = time.monotonic()
        value, quit_ = ask(screen, task, item)
        if quit_:
            break
        seconds = round(time.monotonic() - begun, 1)
        labels.write(saved, labels.Label(item.id, item.epoch, who, value, item.first, seconds))
    done = [one for one in labels.read(saved) if one.value is not None]
    mine = sum(1 for one in done if one.annotator == who)
    screen.print(f"\n{mine} labels by {who}, {len(done)} in all, in {saved.path / labels.FILE}", markup=False)
    agree = labels.agreement(done, task.kind)
    if agree is not None:
        screen.print(f"agreement between annotators: alpha {agree.value:.2f} [{agree.low:.2f}, {agree.high:.2f}]")
    screen.print(f"what they say of all answers: howgood calibrate {saved.id}", style="dim", soft_wrap=True)


def keys(task: Task) -> str:
    """What may be typed."""
    answers = {
        "right": "y right, n wrong",
        "grade": f"a number from {task.low:g} to {task.high:g}",
        "preference": "1 or 2 for the better answer, t for a tie",
    }
    return f"Type {answers[task.kind]}; s to skip, q to stop."


def show(screen: Console, item: Item) -> None:
    """The question and the answers."""
    from howgood.core.text import visible
    from howgood.report.instances import turns

    screen.rule(style="dim")
    for role, text in turns(item.question):
        screen.print(visible(f"{role + ': ' if role else ''}{text}"), markup=False, emoji=False, style="bold")
    for place, answer in enumerate(item.answers, 1):
        screen.print(f"\nAnswer {place}" if len(item.answers) > 1 else "\nAnswer", style="dim")
        screen.print(visible(answer), markup=False, emoji=False)
    if item.target:
        screen.print("\nRight answer", style="dim")
        screen.print(visible(item.target), markup=False, emoji=False)


def ask(screen: Console, task: Task, item: Item) -> tuple[float | None, bool]:
    """The value that was typed (None: skipped), and whether the annotator stops."""
    from howgood.runs.labels import preferred

    while True:
        try:
            typed = screen.input("\n> ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            return None, True
        if typed in ("q", "quit"):
            return None, True
        if typed in ("s", "skip"):
            return None, False
        if task.kind == "right" and typed in ("y", "n"):
            return float(typed == "y"), False
        if task.kind == "preference" and typed in ("1", "2", "t"):
            return preferred({"1": "1", "2": "2"}.get(typed, "tie"), bool(item.first)), False  # type: ignore[arg-type]
        if task.kind == "grade" and _number(typed) is not None and task.low <= (_number(typed) or 0.0) <= task.high:
            return _number(typed), False
        screen.print(keys(task), style="yellow", markup=False)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None
