"""howgood preferences: what was noted side by side in the studio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from howgood.arena.preferences import Preference


def preferences(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="What to write: .jsonl is a benchmark, with the preferred answers as references; .csv and .parquet "
            "(with the texts) are votes for `howgood rate`. None: list them.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="FOLDER", help="The folder of runs; default: HOWGOOD_RUNS, ./runs."),
    ] = None,
) -> None:
    """Show what was noted side by side in the studio, or write it as a benchmark or as votes."""
    from howgood.arena import preferences as noted
    from howgood.report import numbers
    from howgood.runs.store import runs_folder

    where = folder or runs_folder()
    kept = noted.read(where)
    screen = console()
    if file is None:
        if not kept:
            print(
                f"nothing noted in {where / noted.FILE} yet; `howgood studio --model A --model B` has the page for it"
            )
            return
        screen.print(_view(kept))
        return
    rows = noted.write_file(kept, file)
    what = "prompt" if file.suffix.lower() == noted.BENCHMARK else "vote"
    screen.print(f"{file}: {numbers.many(rows, what)}", markup=False, soft_wrap=True)
    if what == "vote":
        for why, number in noted.votes(kept).left_out.items():
            screen.print(f"  left out {number:,}: {why}", markup=False, soft_wrap=True)


def _view(kept: Sequence[Preference]) -> RenderableType:
    """Every preference in a line, and how often each system was the best one."""
    from rich.console import Group

    from howgood.arena.preferences import tallies
    from howgood.core.text import shorten
    from howgood.report.terminal.parts import plain_table, say, section

    words = {"tie": "a tie", "bad": "all bad"}
    table = plain_table("<when", "<prompt", "<best", "<names")
    for one in kept:
        best = one.systems[one.preferred] if isinstance(one.preferred, int) else words[one.preferred]
        hidden = "hidden" if one.blind else "shown"
        table.add_row(one.made[:16].replace("T", " "), say(shorten(one.prompt, 60)), say(shorten(best, 40)), hidden)
    systems = plain_table("<system", ">best", ">beside others")
    for tally in tallies(kept):
        systems.add_row(say(tally.system), f"{tally.best:,}", f"{tally.shown:,}")
    return Group(table, section("Systems", systems))
