"""howgood resume: go on with a run that stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


def resume(
    run: Annotated[str, typer.Argument(help="A run: its id, part of it, its folder, or `last`.")] = "last",
    budget: Annotated[
        str | None, typer.Option(help="A new limit for the whole run, in place of its own: '$5', 2Mtok, 30min.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on whatever the forecast says.")] = False,
) -> None:
    """Run only what a run still misses: what is not in its journal, and what failed."""
    from howgood.api import load, resume_async
    from howgood.cli.progress import watch
    from howgood.cli.run import conclude, end
    from howgood.core.loop import drive

    screen, saved = console(), load(run)
    if saved.status == "finished":
        screen.print(f"{saved.id} is finished; nothing is missing", markup=False)
    else:
        with watch(screen, saved.rules.benchmark, saved.system.label, yes=yes) as shown:
            confirm = shown.confirm if budget or saved.options.get("budget") else None
            saved = drive(resume_async(saved, notice=shown, budget=budget, confirm=confirm))
    conclude([saved], screen)
    end([saved])
