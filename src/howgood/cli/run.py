"""howgood run: benchmarks on models, to numbers that can be defended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from howgood.cli.options import (
    Answer,
    Ask,
    Chat,
    Check,
    Choices,
    Data,
    IdColumn,
    Judges,
    Limit,
    MaxTokens,
    Methods,
    Parameters,
    Perturb,
    ReasoningEffort,
    Seed,
    Shots,
    Temperature,
    Thinking,
    console,
    own_file_parameters,
)

if TYPE_CHECKING:
    from rich.console import Console

    from howgood.models.base import Model
    from howgood.runs.plan import Options, Plan
    from howgood.runs.store import SavedRun


def run(
    benchmark: Annotated[
        list[str], typer.Argument(help="Benchmarks or suites (`howgood list`), a data file, FILE.py, or hf/OWNER/NAME.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A model (`howgood list --models`); can be repeated; default: smollm2."),
    ] = None,
    limit: Limit = None,
    sample: Annotated[
        Literal["random", "stratified"],
        typer.Option(help="How --limit chooses: at random, or the same share of each stratum."),
    ] = "random",
    items: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Ask only what `howgood irt` picked, and estimate all from that."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="How often each instance is asked.")] = 1,
    shots: Shots = None,
    seed: Seed = 0,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    chat: Chat = None,
    effort: ReasoningEffort = None,
    thinking: Thinking = None,
    method: Methods = None,
    judge: Judges = None,
    score: Annotated[
        Literal["bpb"] | None,
        typer.Option(help="bpb: bits per byte of the gold answers, in place of the benchmark's own number."),
    ] = None,
    perturb: Perturb = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The most to spend on each run: '$5', 2Mtok, 30min; a few trials first say what it will take."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on whatever the forecast says.")] = False,
    cache: Annotated[
        bool | None,
        typer.Option("--cache/--no-cache", help="Keep answers and ask nothing twice; default: of models that cost."),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Ask through the provider's batch API: half the price, within a day.")
    ] = False,
    param: Parameters = None,
    data: Data = None,
    ask: Ask = None,
    answer: Answer = None,
    check: Check = None,
    choices: Choices = None,
    id_column: IdColumn = None,
) -> None:
    """Run benchmarks on models; print the estimates and write a report.

    Everything is checked before a model is called. Ctrl-C stops cleanly; `howgood resume` goes on.
    """
    from howgood.calls.base import Settings
    from howgood.runs.plan import Options

    given = own_file_parameters(param, ask, answer, check, choices, id_column)
    settings = Settings(
        chat=chat, temperature=temperature, max_tokens=max_tokens, shots=shots, effort=effort, thinking=thinking
    )
    options = Options(
        limit,
        sample,
        epochs,
        seed,
        settings,
        data and os.path.abspath(data),
        methods=tuple(method or ()),
        budget=budget,
        cache=cache,
        batch=batch,
        score=score,
        perturb=tuple(perturb or ()),
        judges=tuple(judge or ()),
        items=items and os.path.abspath(items),
    )
    saved = _run(benchmark, model or ["smollm2"], given, options, yes)
    end(saved)


def end(saved: list[SavedRun]) -> None:
    """The exit status: 0 when every trial has its answer, 130 after Ctrl-C, else 1."""
    from howgood.runs.progress import stopped

    if any(map(stopped, saved)):
        raise typer.Exit(130)
    if any(run.status != "finished" for run in saved):
        raise typer.Exit(1)


def _run(names: list[str], models: list[str], given: dict[str, Any], options: Options, yes: bool) -> list[SavedRun]:
    from howgood.core.loop import drive
    from howgood.models.registry import load_model
    from howgood.runs.evaluate import caller

    screen = console()
    loaded = [caller(load_model(name), options) for name in models]
    saved: list[SavedRun] = []
    try:
        drive(_evaluate(names, loaded, given, options, yes, screen, saved))
    except KeyboardInterrupt:
        screen.print("interrupted; what was finished is kept. Go on with: howgood resume last", style="red")
        raise typer.Exit(130) from None
    finally:
        if saved:
            conclude(saved, screen)
            _suites(names, saved, screen)
    return saved


async def _evaluate(
    names: list[str],
    models: list[Model],
    given: dict[str, Any],
    options: Options,
    yes: bool,
    screen: Console,
    saved: list[SavedRun],
) -> None:
    """Run every benchmark on every model, adding each run to `saved` as it ends. A model that cannot go on (a server
    that died) is left; the others are still asked. Where a run's budget ends the next one begins: each has its own."""
    from howgood.cli.progress import watch
    from howgood.core.types import System
    from howgood.runs.evaluate import evaluate
    from howgood.runs.progress import stopped
    from howgood.runs.store import runs_folder

    try:
        plans = [(model, plans_of(names, model, given, options, screen)) for model in models]
        for model in models:
            await model.check()
        for model, its in plans:
            for plan in its:
                label = System(model.name, {}, plan.options.methods).label
                with watch(screen, plan.card.name, label, yes=yes) as shown:
                    confirm = shown.confirm if options.budget else None
                    saved.append(await evaluate(plan, model, runs_folder(), shown, confirm))
                if stopped(saved[-1]):
                    return
                if saved[-1].status == "failed":
                    break
    finally:
        for model in models:
            await model.close()


def plans_of(names: list[str], model: Model, given: dict[str, Any], options: Options, screen: Console) -> list[Plan]:
    """The plans of all benchmarks and of all parts of suites. A part of a suite that the model cannot do, or whose data
    cannot be had, is told and left out; a benchmark asked for by name is an error."""
    from howgood.benchmarks.suites import SUITES
    from howgood.core.errors import DataError, UnknownName, Unsupported
    from howgood.core.registry import catalogue
    from howgood.core.text import visible
    from howgood.runs.plan import make_plan

    plans = []
    for name in names:
        if name not in SUITES:
            try:
                plans.append(make_plan(name, model, given, options))
            except UnknownName as error:
                if error.name != name:  # a parameter's, or another part's
                    raise
                known = [*SUITES, *(listed.name for listed in catalogue())]
                raise UnknownName("benchmark or suite", name, known, "`howgood list` shows all.") from None
            continue
        made = []
        for place, part in enumerate(SUITES[name].parts, 1):
            try:
                made.append(make_plan(part.benchmark, model, part.parameters | given, part.options(options)))
            except (Unsupported, DataError) as error:
                if place == len(SUITES[name].parts) and not made:
                    raise
                screen.print(visible(f"left out: {error}"), style="yellow", markup=False, soft_wrap=True)
        plans += made
    return plans


def _suites(names: list[str], saved: list[SavedRun], screen: Console) -> None:
    """The numbers of whole suites, where they have some, for each system."""
    from howgood.api import suite_estimates
    from howgood.benchmarks.suites import SUITES
    from howgood.core.errors import DataError
    from howgood.core.text import visible
    from howgood.report.terminal.runs import scores_table

    for name in names:
        if name not in SUITES or SUITES[name].aggregate is None:
            continue
        for label in dict.fromkeys(run.system.label for run in saved):
            screen.print(visible(f"\n{name} of {label}"), style="bold", markup=False, soft_wrap=True)
            try:
                screen.print(scores_table(suite_estimates(name, [run for run in saved if run.system.label == label])))
            except DataError as error:
                screen.print(visible(str(error)), style="yellow", markup=False, soft_wrap=True)


def conclude(saved: list[SavedRun], screen: Console) -> None:
    """The table of estimates, what it took, where the instances are, and the report."""
    from howgood.api import list_runs, write_report
    from howgood.core.text import visible
    from howgood.report.cards import look_closer
    from howgood.report.costs import fronts
    from howgood.report.terminal.comparisons import front_view
    from howgood.report.terminal.robustness import robustness_section
    from howgood.report.terminal.runs import estimates_table, short_ids
    from howgood.runs.evaluate import is_perturbed

    def say(text: str, style: str = "") -> None:
        screen.print(visible(text), style=style, markup=False, soft_wrap=True)

    screen.print()
    screen.print(estimates_table(saved))
    ids = [run.id for run in list_runs()]
    short = dict(zip(ids, short_ids(ids), strict=True))
    name = {run.id: short.get(run.id, str(run.path)) for run in saved}  # a run of another folder needs its path
    for run in saved:
        if run.status in ("interrupted", "failed"):
            say(f"{name[run.id]} {run.status}: {run.message}", "red")
        if run.status != "finished":
            say(f"go on with:  howgood resume {name[run.id]}")
    kept = [run for run in saved if run.estimates]
    if not kept:
        if first := next((run for run in saved if run.outcomes), None):
            say(f"what was said: howgood show {name[first.id]} --errors")
        return
    for run in filter(is_perturbed, kept):
        screen.print(robustness_section(run))
    for front in fronts(kept):
        screen.print(front_view(front))
    path = write_report(*kept)
    closer = look_closer(kept[0], name[kept[0].id])
    say(f"{'instances:' if closer.endswith('--wrong') else 'the run:':<13}{closer}")
    for run in kept:
        if run.verdicts:
            for line in judged_lines(run, name[run.id]):
                say(line, "yellow" if line.startswith("beware") else "")
    pairs = ((a, b) for place, b in enumerate(kept) for a in kept[:place] if a.rules.benchmark == b.rules.benchmark)
    pair = next(pairs, None)
    if pair:
        say(f"comparison:  howgood compare {name[pair[0].id]} {name[pair[1].id]}")
    say(f"report:      {path}")


def judged_lines(run: SavedRun, name: str) -> list[str]:
    """What must be known of a run's judges beside its number."""
    from howgood.validity.judges import audit_run

    found = audit_run(run)
    told = [f"beware:      {warning}" for warning in found.warnings]
    if found.agree is not None:
        told.insert(0, f"judges:      agree with alpha {found.agree.value:.2f} (Krippendorff)")
    return [*told, f"judging:     howgood audit {name}"]
