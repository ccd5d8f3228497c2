"""howgood list: benchmarks, suites, models and methods."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import console


def list_(
    models: Annotated[bool, typer.Option("--models", help="List the forms of model names instead.")] = False,
    methods: Annotated[
        bool, typer.Option("--methods", help="List the methods that can be put around a model.")
    ] = False,
    perturbations: Annotated[
        bool, typer.Option("--perturbations", help="List the ways in which every instance can be asked too.")
    ] = False,
) -> None:
    """List benchmarks and suites, or models, methods or perturbations."""
    if models:
        from howgood.models.registry import known_models

        _print(known_models())
    if methods:
        from howgood.calls.methods.registry import known_methods

        _print(known_methods())
    if perturbations:
        from howgood.inputs.perturb.variants import PERTURBATIONS

        _print([(name, words) for name, (_, words) in PERTURBATIONS.items()])
    if models or methods or perturbations:
        return
    from howgood.benchmarks.suites import SUITES
    from howgood.core.registry import catalogue
    from howgood.report.terminal.benchmarks import benchmarks_table

    console().print(benchmarks_table(catalogue(), SUITES))


def _print(forms: list[tuple[str, str]]) -> None:
    width = max(len(form) for form, _ in forms)
    for form, words in forms:
        print(f"{form:<{width}}  {words}")
