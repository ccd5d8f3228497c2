"""howgood trust: can a model's probabilities be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console

if TYPE_CHECKING:
    from howgood.validity.trust import Check, Report


def trust(
    model: Annotated[str, typer.Argument(help="A model; `howgood list --models` shows the forms a name can have.")],
    seed: Annotated[int, typer.Option(help="What samples are drawn by.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check whether a model's probabilities can be trusted: do they sum to one, agree with what it writes, stay the
    same in any batch, and are of the text that was given. Exit status 1 if something is wrong."""
    import msgspec

    from howgood.api import wait
    from howgood.models.registry import load_model
    from howgood.report.terminal.trust import trust_view
    from howgood.validity.trust import CHECKS, trust_async

    subject = load_model(model)
    notes = console(stderr=True)
    requests, tokens = sum(check.requests for check in CHECKS), sum(check.tokens for check in CHECKS)
    notes.print(f"{len(CHECKS)} checks: at most {requests:,} requests, about {tokens:,} tokens", markup=False)

    def notice(check: Check) -> None:
        notes.print(f"  {check.name}: at most {check.requests:,} requests, about {check.tokens:,} tokens", markup=False)

    async def asked() -> Report:
        try:
            return await trust_async(subject, seed=seed, notice=notice)
        finally:
            await subject.close()

    report = wait(asked())
    if as_json:
        told = {"verdict": report.verdict, **msgspec.to_builtins(report)}
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        console().print(trust_view(report))
    if report.verdict == "wrong":
        raise typer.Exit(1)
