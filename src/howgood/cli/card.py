"""howgood card: a run as one page that says what its number is good for."""

from __future__ import annotations

from typing import Annotated

import typer


def card(
    run: Annotated[str, typer.Argument(help="A run: its id, a part of it, or last.")] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Print the evaluation card of a run, as Markdown: the question answered, who could use the number for what, rules,
    known flaws, contamination, uncertainty, and how to make it again."""
    import msgspec

    from howgood import api

    made = api.card(run)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(made), indent=2).decode())
    else:
        print(made.markdown(), end="")
