"""howgood show: a run and its single instances. Always the instances."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from howgood.cli.options import console
from howgood.core.errors import HowgoodError, UnknownName

if TYPE_CHECKING:
    import polars as pl

    from howgood.runs.notes import Note
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
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Only instances that people flagged in the studio, with their notes.")
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
    from howgood.runs.notes import read

    screen, saved = console(), load(run)
    if not (wrong or errors or flagged or instance):
        screen.print(run_view(saved))
        return
    trials = _trials(saved)
    if instance is not None:
        for row in _one(trials, instance).iter_rows(named=True):
            screen.print(instance_view(row))
        _say_notes([note for note in read(saved) if note.id == instance])
        return
    if flagged:
        _flagged(saved, trials, limit)
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


def _flagged(saved: SavedRun, trials: pl.DataFrame, limit: int) -> None:
    """The trials that are flagged now, and all that was noted of them."""
    from howgood.report.terminal.instances import instances_table
    from howgood.runs import notes

    kept = notes.read(saved)
    keys = notes.flagged(kept)
    marks = [(row in keys) for row in trials.select("id", "epoch").iter_rows()]
    chosen = trials.filter(marks).head(limit)
    if chosen.is_empty():
        print(f"nothing of {saved.id} is flagged; in the studio (howgood studio) f flags an instance")
        return
    console().print(instances_table(chosen))
    shown = set(chosen.select("id", "epoch").iter_rows())
    _say_notes([note for note in kept if (note.id, note.epoch) in shown])


def _say_notes(found: list[Note]) -> None:
    from howgood.core.text import shorten, visible

    verbs = {
        "flag": "flagged it",
        "unflag": "took the flag down",
        "comment": "said",
        "correction": "would correct it to",
    }
    for note in found:
        text = f": {shorten(note.text, 300)}" if note.text else ""
        line = f"  {note.id}  {note.made[:10]} {note.author} {verbs[note.kind]}{text}"
        console().print(visible(line), markup=False, emoji=False, soft_wrap=True, highlight=False)


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
