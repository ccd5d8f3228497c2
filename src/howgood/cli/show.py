"""howgood show: a run and its single instances. Always the instances."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError, UnknownName

if TYPE_CHECKING:
    import polars as pl

    from howgood.runs.store import SavedRun


def show(
    run: Annotated[str, typer.Argument(help="A run: its id, part of it, its folder, or `last`.")] = "last",
    wrong: Annotated[
        bool,
        typer.Option("--wrong", help="Only instances that were answered wrong; where judges decide, the worst first."),
    ] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="Only truncated, refused, empty, filtered, failed, unjudged ones.")
    ] = False,
    instance: Annotated[str | None, typer.Option("--instance", "-i", help="One instance in full, by id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many instances to list.")] = 20,
) -> None:
    """Show a run: what was asked, the estimates, what it cost; or its instances, or one instance in full."""
    from howgood.api import load
    from howgood.core.text import visible
    from howgood.report.cards import ODD
    from howgood.report.terminal.instances import instance_view, instances_table
    from howgood.report.terminal.runs import run_view
    from howgood.runs.columns import score_names

    screen, saved = console(), load(run)
    if not (wrong or errors or instance):
        screen.print(run_view(saved))
        return
    trials = _trials(saved)
    if instance is not None:
        for row in _one(trials, instance).iter_rows(named=True):
            screen.print(instance_view(row))
        return
    wanted = (["wrong", "partial"] if wrong else []) + (list(ODD) if errors else [])
    if wrong and saved.verdicts:  # nothing is right or wrong where judges decide, but some is worse
        trials = trials.sort(score_names(saved.columns)[:1], nulls_last=True, maintain_order=True)
        wanted.append("scored")
    chosen = trials.filter(trials["outcome"].is_in(wanted))
    screen.print(instances_table(chosen.head(limit)))
    notes = [f"{limit} of {len(chosen)}; more with --limit"] if len(chosen) > limit else []
    if chosen.is_empty():
        notes.append(f"none of {len(trials)} trials")
    else:
        notes.append(f"one in full: howgood show {saved.id} --instance {shlex.quote(chosen['id'][0])}")
    if not errors and (odd := int(trials["outcome"].is_in(ODD).sum())):
        lack = "have no answer or no verdict" if saved.verdicts else "did not answer"
        notes.append(f"{odd} more {lack}: howgood show {saved.id} --errors")
    for note in notes:
        screen.print(visible(note), markup=False, emoji=False, soft_wrap=True)


def _trials(saved: SavedRun) -> pl.DataFrame:
    trials = saved.trials
    if trials.is_empty():
        why = f": {saved.message}" if saved.message else ""
        raise HowgoodError(
            f"run {saved.id} has no trials ({saved.status}{why}); `howgood resume {saved.id}` makes them"
        )
    return trials


def _one(trials: pl.DataFrame, instance: str) -> pl.DataFrame:
    found = trials.filter(trials["id"] == instance)
    if found.is_empty():
        raise UnknownName("instance", instance, trials["id"].to_list(), "`howgood show RUN --wrong` lists some.")
    return found
