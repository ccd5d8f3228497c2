"""Options that several commands share, and the console."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from howgood.core.errors import HowgoodError

if TYPE_CHECKING:
    from rich.console import Console

Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-P", metavar="KEY=VALUE", help="A parameter of the benchmark; see `howgood describe`."),
]
Data = Annotated[str | None, typer.Option("--data", metavar="FOLDER", help="Folder of local data (also HOWGOOD_DATA).")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", help="Take a seeded random sample of this many instances.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the sample, the worked examples and the decoding.")]
Shots = Annotated[int | None, typer.Option("--shots", help="How many worked examples the prompt shows.")]
Temperature = Annotated[float | None, typer.Option("--temperature", help="Sampling temperature; 0 is greedy.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help="Longest answer, in tokens.")]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method", help="How the model is used: cot, vote,n=8, ... (`howgood list --methods`); can be repeated."
    ),
]
Judges = Annotated[
    list[str] | None,
    typer.Option("--judge", help="A model that judges, where one is asked; can be repeated: a jury."),
]
Perturb = Annotated[
    list[str] | None,
    typer.Option(
        "--perturb",
        help="Ask every instance in other ways too: case, typos,n=2, choice-order, ... (`howgood list "
        "--perturbations`); can be repeated.",
    ),
]
ReasoningEffort = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None,
    typer.Option("--effort", help="How hard a reasoning model thinks."),
]
Thinking = Annotated[int | None, typer.Option("--thinking", help="Longest thinking of a reasoning model, in tokens.")]
Chat = Annotated[
    bool | None, typer.Option("--chat/--no-chat", help="Use the model's chat format, or raw text; default: as fits.")
]
Ask = Annotated[str | None, typer.Option("--ask", help="For a data file: the question, with {column} fields.")]
Answer = Annotated[str | None, typer.Option("--answer", help="For a data file: the column of right answers.")]
Check = Annotated[
    str | None,
    typer.Option(
        "--check",
        help="For a data file: exact, normalized, contains, starts, number, f1 or choice, or what a --judge decides: "
        "grade or compare; default: normalized, or choice with --choices.",
    ),
]
Choices = Annotated[str | None, typer.Option("--choices", help="For a data file: the column(s) of choices.")]
IdColumn = Annotated[str | None, typer.Option("--id", help="For a data file: the column of ids.")]
Port = Annotated[int, typer.Option("--port", help="The port; 0: a free one.")]
OpenTo = Annotated[
    str, typer.Option("--host", help="The address to listen at; another than this machine's own needs --token.")
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="VARIABLE", help="The environment variable of a token visitors must give."),
]


def console(stderr: bool = False) -> Console:
    """A rich console; plain when the output is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def visitors_token(variable: str | None, place: str) -> str | None:
    """The token in an environment variable, where one is named. Raises `ModelError` where it is not set."""
    from howgood.core.errors import ModelError
    from howgood.models.secrets import secret

    given = None if variable is None else secret(variable)
    if given == "":
        raise ModelError(f"the environment variable {variable}, which should hold the {place}'s token, is not set")
    return given


def teller() -> Callable[[str], None]:
    """What prints a line as it is, however long."""
    return functools.partial(console().print, markup=False, soft_wrap=True)


def bold(text: str) -> str:
    """A text in bold where a terminal shows it, for what is drawn without rich, which takes long to import."""
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def parameters(given: list[str] | None) -> dict[str, Any]:
    """`-P key=value` options as a mapping. Raises `HowgoodError` for one without an equals sign."""
    out = {}
    for item in given or []:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise HowgoodError(f"-P takes KEY=VALUE, not '{item}'")
        out[key] = value
    return out


def own_file_parameters(
    given: list[str] | None,
    ask: str | None,
    answer: str | None,
    check: str | None,
    choices: str | None,
    id_column: str | None = None,
) -> dict[str, Any]:
    """`-P key=value` options together with those that describe a data file of one's own."""
    own = {"ask": ask, "answer": answer, "check": check, "choices": choices, "id": id_column}
    return parameters(given) | {key: value for key, value in own.items() if value is not None}
