"""howgood list: benchmarks, suites, models and methods, in plain text, which is there at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated

import typer

from howgood.cli.options import bold

OWN = "benchmarks"
"""The section of what stands in no folder of its own: the ways to ask data of one's own."""
NARROWEST = 20
"""Columns that the words have at least."""


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

        _print((name, words) for name, (_, words) in PERTURBATIONS.items())
    if models or methods or perturbations:
        return
    from howgood.benchmarks.suites import SUITES
    from howgood.core.registry import catalogue

    for section, entries in groupby(catalogue(), key=lambda entry: entry.section):
        print("your own data" if section == OWN else section)
        _print(((entry.name, entry.title) for entry in entries), indent="  ")
        print()
    print("suites")
    _print(((name, suite.title) for name, suite in SUITES.items()), indent="  ")


def _print(named: Iterable[tuple[str, str]], indent: str = "") -> None:
    """Names and what they are, one a line; on a terminal the words fold beside the names."""
    from textwrap import wrap

    from howgood.core.text import visible

    lines = [(visible(name), visible(words)) for name, words in named]
    width = max(len(name) for name, _ in lines)
    hanging = " " * (len(indent) + width + 2)
    room = max(NARROWEST, shutil.get_terminal_size().columns - len(hanging)) if sys.stdout.isatty() else sys.maxsize
    for name, words in lines:
        folded = f"\n{hanging}".join(wrap(words, room))
        print(f"{indent}{bold(name)}{' ' * (width - len(name))}  {folded}".rstrip())
