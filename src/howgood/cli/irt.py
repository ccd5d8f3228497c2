"""howgood irt: how hard each question is, from many systems' runs; and a whole benchmark from part of it."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

import typer

from howgood.cli.options import Seed, console
from howgood.core.errors import HowgoodError


def irt(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Whole runs of one benchmark, a system each.")],
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", help="Keep the items, for `howgood run --items FILE`.")
    ] = None,
    pick: Annotated[
        int | None, typer.Option(help="How many to ask of the next systems; default: a tenth, at least 20.")
    ] = None,
    items: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Measure the runs by these items: ability, and the score on all of them."),
    ] = None,
    model: Annotated[
        Literal["1pl", "2pl"], typer.Option(help="2pl: questions differ in what they tell; 1pl: in difficulty alone.")
    ] = "2pl",
    score: Annotated[str | None, typer.Option(help="The score; default: the headline.")] = None,
    seed: Seed = 0,
) -> None:
    """Fit item response theory to several systems' runs: the systems' abilities, the hardest questions, and those that
    tell most. With -o the items are kept, and a random part of them is picked to ask the next systems."""
    import msgspec

    from howgood import api
    from howgood.core.text import visible
    from howgood.core.types import System
    from howgood.interpret import items as files
    from howgood.report.cards import command as run_again
    from howgood.report.terminal.irt import abilities_view, measured_view

    if items is not None:
        if out is not None or pick is not None:
            raise HowgoodError("--items measures runs by items that are there; -o and --pick are for fitting them")
        made = files.read(items)
        console().print(measured_view(made, [(api.load(run), api.measure(made, run)) for run in runs]))
        return
    made = api.fit_items(*runs, model=model, score=score, pick=pick, seed=seed)
    screen = console()
    screen.print(abilities_view(made))
    if out is not None:
        files.write(made, out)
        picked = f"{len(made.picked):,} of {len(made.items.ids):,} are picked"
        screen.print()
        if command := run_again(msgspec.structs.replace(api.load(runs[0]), system=System("MODEL", {}))):
            screen.print(f"{picked}. Ask the next system only these:", style="dim")
            screen.print(visible(f"{command} --items {shlex.quote(out)}"), markup=False, soft_wrap=True)
        else:
            screen.print(f"{picked}: hg.run(..., items={out!r}) asks only these", style="dim", markup=False)
