"""howgood arena: people vote on answers of two systems whose names they do not see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import OpenTo, Port, Token, console, teller, visitors_token

if TYPE_CHECKING:
    from rich.console import RenderableType

    from howgood.arena.board import Board

app = typer.Typer(
    help="Let people ask, and vote between two answers without names: the arena, its board, and its votes as a file.",
    no_args_is_help=True,
    suggest_commands=False,
)
Where = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="FILE|URL",
        help="Where votes and answers are kept: an SQLite file, or postgresql://user@host/name.",
        envvar="HOWGOOD_ARENA",
        show_envvar=True,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="A system in the arena, two or more; `howgood list --models` shows the names."),
]


@app.command("serve")
def serve(
    model: Models = None,
    database: Where = "arena.sqlite",
    port: Port = 8080,
    host: OpenTo = "127.0.0.1",
    token: Token = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Longest answer, in tokens.")] = 1024,
    temperature: Annotated[float, typer.Option("--temperature", help="Sampling temperature.")] = 0.7,
) -> None:
    """Serve an arena until Ctrl-C: a page to ask and to vote on, and the leaderboard at /board."""
    import asyncio

    from howgood.arena.serving import serve_async

    given = visitors_token(token, "arena")
    asyncio.run(serve_async(model or [], database, host, port, given, max_tokens, temperature, teller()))


@app.command("board")
def board(
    database: Where = "arena.sqlite",
    style: Annotated[bool, typer.Option("--style", help="Control for length, headers, lists and bold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the leaderboard as JSON.")] = False,
) -> None:
    """Show the leaderboard of an arena, every system that ever took part, and what does not count."""
    import msgspec

    from howgood.arena.board import read_board
    from howgood.arena.database import Database

    with Database(database, create=False) as kept:
        found = read_board(kept, style=style)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        console().print(_view(found))


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .csv, or .parquet with the texts.")],
    database: Where = "arena.sqlite",
) -> None:
    """Write the votes that count to a file that `howgood rate` reads, and say what was left out."""
    from howgood.arena.database import Database
    from howgood.arena.export import export as write
    from howgood.report import numbers

    with Database(database, create=False) as kept:
        votes, left_out = write(kept, file), kept.left_out()
    screen = console()
    screen.print(f"{file}: {numbers.many(votes, 'vote')}", markup=False, soft_wrap=True)
    for why, number in left_out.items():
        screen.print(f"  left out {number:,}: {why}", markup=False, soft_wrap=True)


def _view(board: Board) -> RenderableType:
    """The leaderboard, every system with its share of the battles, and what counts for nothing."""
    from rich.console import Group

    from howgood.core.text import duration, money
    from howgood.report import numbers
    from howgood.report.terminal.parts import plain_table, record, say, section
    from howgood.report.terminal.rating import leaderboard_view

    systems = plain_table("<system", ">battles", ">share", ">votes", ">an answer takes", ">and costs")
    for one in board.variants:
        share = numbers.proportion(board.share(one))
        spent = ("–", "–") if one.seconds is None else (duration(one.seconds), money(one.cost))
        systems.add_row(say(one.label), numbers.count(one.shown), share, numbers.count(one.votes), *spent)
    top = say(board.why) if board.leaderboard is None else leaderboard_view(board.leaderboard)
    parts: list[RenderableType] = [top, section("Every system that ever took part", systems)]
    if board.left_out:
        lines = [(numbers.count(number), say(why)) for why, number in board.left_out.items()]
        parts.append(section("Battles that count for nothing", record(lines)))
    return Group(*parts)
