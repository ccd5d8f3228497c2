"""howgood audit: how far a run's judges can be trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


def audit(
    run: Annotated[str, typer.Argument(help="A run that judges decided, by its id, a part of it, or `last`.")],
    ask: Annotated[
        int | None,
        typer.Option("--ask", metavar="N", help="Ask the judges again about N trials, and about a planted answer."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of which trials are asked about again.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON.")] = False,
) -> None:
    """Say how far a run's judges can be trusted: do they hold to a verdict when the answers change places, prefer what
    stands first, what is longer, what has lists, or their own family; do they agree."""
    import msgspec

    from howgood.api import load
    from howgood.core.loop import drive
    from howgood.report.terminal.judging import audit_view
    from howgood.validity.judges import audit_run, try_judges

    saved = load(run)
    found = audit_run(saved)
    trials = drive(try_judges(saved, ask, seed)) if ask is not None else None
    if as_json:
        told = {"audit": found, "asked_again": trials}
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        console().print(audit_view(saved, found, trials))
