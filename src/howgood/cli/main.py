"""The `howgood` command: collects the commands and turns errors into one clear line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from howgood.cli.options import bold
from howgood.core.errors import HowgoodError
from howgood.core.text import one_line

HELP = "How good is a language model: for what, compared with what, at what cost, and how sure are we."
COMMANDS = {
    "Run": {
        "run": "Run benchmarks on models.",
        "resume": "Run only what a run still misses.",
        "estimate": "Say what benchmarks would cost on models.",
    },
    "Before you run": {
        "list": "List benchmarks and suites, or models, methods or perturbations.",
        "describe": "Describe a benchmark or a suite.",
        "prompt": "Show the exact prompt for one instance.",
        "inputs": "Look at a benchmark's inputs.",
        "check": "Check that a benchmark's gold answers score 1 and spoiled ones 0.",
        "trust": "Check whether a model's probabilities can be trusted.",
        "power": "Say how many instances a difference between two systems needs.",
    },
    "Look at runs": {
        "runs": "List all runs.",
        "show": "Show a run.",
        "studio": "Look at runs in a browser.",
        "report": "Write runs as one file for others.",
        "card": "Print the evaluation card of a run, as Markdown.",
        "sql": "Query all runs.",
        "export": "Write runs as files for others.",
        "import": "Read runs of Inspect, lm-evaluation-harness, HELM and AlpacaEval.",
    },
    "What the numbers mean": {
        "compare": "Compare two runs or more.",
        "decide": "Decide between systems by what their answers are worth to you.",
        "rate": "Rate models from votes on pairs of them (Bradley-Terry).",
        "irt": "Fit item response theory to several systems' runs.",
        "scale": "Fit scaling laws.",
    },
    "Judges and people": {
        "audit": "Say how far a run's judges can be trusted.",
        "label": "Label a run's answers.",
        "calibrate": "Estimate what people would say of all answers.",
        "preferences": "Show what was noted side by side in the studio, or write it as a benchmark or as votes.",
        "arena": "Let people ask, and vote between two answers without names.",
    },
    "Servers and caches": {
        "serve": "Serve a model in the OpenAI and the Anthropic dialect until Ctrl-C.",
        "cache": "The answers that are kept so that nothing is paid for twice.",
    },
}
"""The commands as `howgood --help` groups them, each with the beginning of its own description."""


class Commands(TyperGroup):
    """The commands, listed by their panels in plain text: what draws the help of one command takes a tenth of a second
    to import."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for commands in COMMANDS.values() for name in commands)
        lines = [f"Usage: {ctx.command_path} [OPTIONS] COMMAND [ARGS]...", "", HELP]
        for panel, commands in COMMANDS.items():
            lines += ["", bold(panel), *(f"  {name:<{width}}  {words}" for name, words in commands.items())]
        options = (("--version", "Show the version and exit."), ("--help", "Show this message, or that of a command."))
        lines += ["", bold("Options"), *(f"  {name:<{width}}  {words}" for name, words in options)]
        formatter.write("\n".join(lines) + "\n")


def build(arguments: Sequence[str] | None = None) -> typer.Typer:
    """The command line with the one command that is asked for, the others by name alone, so that no other is imported;
    with all of them where no arguments are given."""
    app = typer.Typer(
        name="howgood",
        cls=Commands,
        help=HELP,
        no_args_is_help=True,
        suggest_commands=False,  # click suggests already
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(options)
    asked = next((word for word in arguments or () if not word.startswith("-")), None)
    for commands in COMMANDS.values():
        for name, summary in commands.items():
            if arguments is not None and name != asked:
                app.command(name, short_help=summary)(_named)
                continue
            module = import_module(f"howgood.cli.{_module(name)}")
            if isinstance(group := getattr(module, "app", None), typer.Typer):
                app.add_typer(group, name=name, short_help=summary)
            else:
                app.command(name, short_help=summary)(getattr(module, _module(name)))
    return app


def _module(name: str) -> str:
    """The module of a command, and in it the function: both are named after it, but for what Python calls so itself."""
    return f"{name}_" if name in ("list", "import") else name


def _named() -> None:
    """Stands for a command that was not asked for."""


def options(version: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    if version:
        from howgood import __version__

        print(f"howgood {__version__}")
        raise typer.Exit


def __getattr__(name: str) -> Any:
    """`app`: the whole command line, for those who hold it in Python."""
    if name != "app":
        raise AttributeError(f"module 'howgood.cli.main' has no attribute '{name}'")
    return build()


def main() -> None:
    """Run the command line. Exit status: 0 done, 1 a check or a run that did not come to its end, 2 a mistake that
    the message says how to mend, 130 interrupted."""
    try:
        build(sys.argv[1:])()
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
