"""howgood decide: which system for a use case, with what probability, and what it would take to be sure."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError


def decide(
    use_case: Annotated[
        str | None, typer.Argument(metavar="USE-CASE.YAML", help="What answers are worth to you.")
    ] = None,
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Runs of each system.")] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", help="Print a use case: buyer, researcher, policy-maker, model-developer."),
    ] = None,
    seed: Annotated[int, typer.Option(help="What the posterior is drawn by.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the decision as JSON.")] = False,
) -> None:
    """Decide between systems by what their answers are worth to you: the expected worth of each with its interval, the
    probability that it is the best, required levels, when to abstain, and what more instances are worth."""
    import msgspec

    from howgood.api import load
    from howgood.interpret import usecase
    from howgood.interpret.decide import decide as decided
    from howgood.report.terminal.decide import decision_view

    if template is not None:
        print(usecase.template(template), end="")
        return
    if use_case is None:
        raise HowgoodError("howgood decide takes a use case; `howgood decide --template buyer` prints one")
    case = usecase.read(use_case)
    decision = decided(case, [load(run) for run in runs or []], seed=seed)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(decision), indent=2).decode())
    else:
        console().print(decision_view(decision))
