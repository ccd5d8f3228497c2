"""The `howgood` command: collects the commands and turns errors into one clear line."""

from __future__ import annotations

import os
import sys

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
app.command("run")(run.run)
app.command("resume")(resume.resume)
app.command("runs")(runs.runs)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("audit")(audit.audit)
app.command("label")(label.label)
app.command("calibrate")(calibrate.calibrate)
app.command("rate")(rate.rate)
app.command("decide")(decide.decide)
app.command("power")(power.power)
app.command("card")(card.card)
app.command("irt")(irt.irt)
app.command("report")(report.report)
app.command("list")(list_.list_)
app.command("describe")(describe.describe)
app.command("prompt")(prompt.prompt)
app.command("estimate")(estimate.estimate)
app.command("inputs")(inputs.inputs)
app.command("check")(check.check)
app.command("sql")(sql.sql)
app.command("trust")(trust.trust)
app.command("serve")(serve.serve)
app.add_typer(scale.app, name="scale")
app.add_typer(cache.app, name="cache")
app.add_typer(arena.app, name="arena")


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
