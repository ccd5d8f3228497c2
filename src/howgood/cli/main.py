"""The `howgood` command: collects the commands and turns errors into one clear line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

import typer

from howgood.cli import (
    arena,
    audit,
    cache,
    calibrate,
    card,
    check,
    compare,
    decide,
    describe,
    estimate,
    inputs,
    irt,
    label,
    list_,
    power,
    prompt,
    rate,
    report,
    resume,
    run,
    runs,
    scale,
    serve,
    show,
    sql,
    trust,
)
from howgood.core.errors import HowgoodError
from howgood.core.text import one_line

app = typer.Typer(
    name="howgood",
    help="How good is a language model: for what, compared with what, at what cost, and how sure are we.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Run": {"run": run.run, "resume": resume.resume, "estimate": estimate.estimate},
    "Before you run": {
        "list": list_.list_,
        "describe": describe.describe,
        "prompt": prompt.prompt,
        "inputs": inputs.inputs,
        "check": check.check,
        "trust": trust.trust,
        "power": power.power,
    },
    "Look at runs": {
        "runs": runs.runs,
        "show": show.show,
        "report": report.report,
        "card": card.card,
        "sql": sql.sql,
    },
    "What the numbers mean": {
        "compare": compare.compare,
        "decide": decide.decide,
        "rate": rate.rate,
        "irt": irt.irt,
    },
    "Judges and people": {"audit": audit.audit, "label": label.label, "calibrate": calibrate.calibrate},
    "Servers and caches": {"serve": serve.serve},
}
"""The commands as `howgood --help` groups them."""


def summary(command: Callable[..., None]) -> str:
    """What a command does, for the list of all: its description up to the first stop of any kind, on one line."""
    return f"{re.split(r'[.:;]', ' '.join((command.__doc__ or '').split()))[0]}."


for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel, short_help=summary(command))(command)
app.add_typer(scale.app, name="scale", rich_help_panel="What the numbers mean")
app.add_typer(arena.app, name="arena", rich_help_panel="Judges and people")
app.add_typer(cache.app, name="cache", rich_help_panel="Servers and caches")


@app.callback(invoke_without_command=True)
def options(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    if version:
        from howgood import __version__

        print(f"howgood {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 a check or a run that did not come to its end, 2 a mistake that
    the message says how to mend, 130 interrupted."""
    try:
        app()
    except HowgoodError as error:
        print(f"howgood: {one_line(str(error))}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("howgood: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader (less, head) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
