"""A whole evaluation: plan it, run it, keep it, say what the number is. Resuming is the same with a head start."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from howgood.core.errors import DataError, HowgoodError, Unsupported
from howgood.core.types import Estimate, Run, System, Trial
from howgood.inputs.perturb.variants import original
from howgood.interpret import irt, items, robustness
from howgood.interpret.cost import Taken
from howgood.interpret.items import ItemFile
from howgood.interpret.table import Table
from howgood.interpret.utility import rules_score
from howgood.models import prices
from howgood.models.base import Model
from howgood.models.cache import LIBRARIES, cached
from howgood.models.wrapper import Wrapper
from howgood.runs import columns, store
from howgood.runs.benchmark import Benchmark
from howgood.runs.budget import parse_budget
from howgood.runs.columns import Key, key_of
from howgood.runs.execute import Confirm, execute
from howgood.runs.journal import Journal
from howgood.runs.plan import UNNAMED, Options, Plan, make_plan
from howgood.runs.progress import STOPPED, Progress
from howgood.runs.store import SavedRun

if TYPE_CHECKING:
    from howgood.interpret.base import Interpretation
    from howgood.interpret.robustness import Robustness
    from howgood.interpret.variance import Split

Notice = Callable[[Progress], None]
COLLECTED_AFTER = 50_000
"""Objects, a few MB of them, that may be made beyond those let go before Python looks for circles among them."""


async def evaluate(
    plan: Plan, model: Model, root: Path, notice: Notice | None = None, confirm: Confirm | None = None
) -> SavedRun:
    """Run a plan on the model it was made for, in a new run folder below `root`; return the run with its estimates.
    `confirm` is asked with the forecast, after a few trials, whether to go on; a run with a budget makes one anyway."""
    _check_money(plan, model)
    run = Run(
        id=store.new_id(plan.card.name, model.name),
        benchmark=plan.name,
        parameters=msgspec.to_builtins(plan.parameters),
        options=msgspec.to_builtins(plan.options),
        system=System(model.name, model.describe(), plan.options.methods),
        rules=plan.rules,
        card=msgspec.to_builtins(plan.card),
        environment=environment(),
        started=now(),
        planned=plan.total,
        sampled=None if plan.chosen is None else sorted(plan.chosen),
    )
    return await carry_on(plan, model, store.create(run, root), notice, confirm)


async def resume(
    run: SavedRun,
    model: Model,
    notice: Notice | None = None,
    benchmark: Benchmark | None = None,
    budget: str | None = None,
    confirm: Confirm | None = None,
) -> SavedRun:
    """Run only what a run still misses: trials that are not in its journal, and those that failed. A benchmark made in
    Python must be given again; `budget` replaces the run's own, and counts what earlier sessions spent.

    Raises `HowgoodError` if the benchmark, its data, its prompts or the model have changed: a run has one of each.
    """
    if run.benchmark == UNNAMED and benchmark is None:
        raise Unsupported(f"run {run.id} is of a benchmark made in Python; give it again: resume(..., benchmark=...)")
    options = msgspec.convert(run.options | ({"budget": budget} if budget else {}), Options)
    model = caller(model, options)
    plan = make_plan(benchmark or run.benchmark, model, run.parameters, options)
    changed = run.rules.differences(plan.rules) if plan.rules.hash != run.rules.hash else []
    now_is = model.describe()
    same = {k: v for k, v in now_is.items() if k not in LIBRARIES}
    changed += [
        (f"the model's {key}", run.system.model.get(key), value)
        for key, value in msgspec.to_builtins(same).items()
        if run.system.model.get(key) != value
    ]
    if changed:
        name, before, after = changed[0]
        raise HowgoodError(
            f"run {run.id} cannot be resumed: {name} was {before!r} and is now {after!r}; start a new run instead"
        )
    _check_money(plan, model)
    run.options = msgspec.to_builtins(options)
    return await carry_on(plan, model, run, notice, confirm)


async def carry_on(
    plan: Plan, model: Model, run: SavedRun, notice: Notice | None, confirm: Confirm | None = None
) -> SavedRun:
    """Run what is missing, then finish: estimates, columns, run.json. One process at a time works on a run."""
    with store.locked(run), rarely_collecting():
        # What another process did since the record was read counts: it may even have finished.
        current = store.load(run.path)
        if current.status == "finished":
            return current
        run.seconds = current.seconds + store.unsaved_seconds(current)
        held = columns.contents(run.path)
        progress, done = _so_far(plan, held)
        progress.seconds = run.seconds
        budget = parse_budget(plan.options.budget) if plan.options.budget else None
        run.status, run.message = "running", None
        store.save(run)
        notice = notice or (lambda _: None)
        notice(progress)
        journal = Journal(run.path)
        run.status = "failed"
        try:
            with journal, stop_on_interrupt(progress, notice) as stop:
                ending = await execute(plan, model, journal, done, progress, notice, stop, budget, confirm)
            if ending:
                run.status, run.message = ending.status, ending.message
            else:
                run.status = "incomplete" if progress.outcomes.get("failed") else "finished"
        except BaseException as error:
            _blame(run, error)
            raise
        finally:
            if isinstance(model, Wrapper):
                await model.release()
            run.usage, run.outcomes, run.seconds = progress.usage, progress.outcomes, progress.seconds
            run.cost, run.spent = progress.cost, progress.spent
            run.verdicts, run.judging = progress.verdicts, progress.judging
            if run.status not in ("finished", "incomplete"):
                store.save(run)
        if run.status in ("finished", "incomplete"):
            try:
                finish(run, plan.benchmark.interpret, plan.options)
            except BaseException as error:
                _blame(run, error)
                with contextlib.suppress(HowgoodError):  # on a full disk even this may fail; the first error is the one
                    store.save(run)
                raise
    return run


def _check_money(plan: Plan, model: Model) -> None:
    """Raises `HowgoodError` for a file of prices that cannot be read, and for a budget that cannot be held."""
    prices.own_price(prices.plain_name(model))
    if plan.options.budget:
        parse_budget(plan.options.budget).check(model)


def caller(model: Model, options: Options) -> Model:
    """The model as a run with these options calls it: in batches, through the cache, or as it is. Raises `Unsupported`
    for a model that has no batch API, `HowgoodError` where the cache's file cannot be used."""
    if options.batch:
        from howgood.models.batch import batched

        return batched(model, options.cache)
    return cached(model, options.cache)


def _blame(run: SavedRun, error: BaseException) -> None:
    """Say in the run's record why it ended early."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        run.status, run.message = "interrupted", STOPPED
    else:
        run.status = "failed"
        run.message = str(error) if isinstance(error, HowgoodError) else f"{type(error).__name__}: {error}"


def _so_far(plan: Plan, held: columns.Contents) -> tuple[Progress, set[Key]]:
    """How far a run's journals have come, and which trials need not be run again."""
    done: set[Key] = set()
    progress = Progress(plan.total)
    for trial, counts in columns.written(held):
        if counts and trial.score.outcome != "failed":
            done.add(key_of(trial.index, trial.epoch))
            progress.add(trial)
        else:
            progress.pay(trial)
    progress.resumed = progress.done
    return progress, done


def finish(run: SavedRun, interpret: Interpretation, options: Options) -> None:
    """Make the estimates of what the journals hold, turn them into columns, and write run.json; only then let the
    journals go."""
    held = columns.contents(run.path)
    columns.give_back()
    run.finished = now()
    took = Taken(run.rules.interpret.get("unit", "instance"))
    trials = took.passing(columns.trials(held))
    table = Table.of(_originals(run, trials), names=held.names, **_drawn(run))
    run.took = took.estimates()
    if held.names:
        run.estimates, run.groups = interpret(table)
    del table, took, trials  # before what else takes memory
    columns.compact(run.path, held)
    if held.names:
        _add_estimates(run, held.names, options)
    store.save(run)
    if run.status == "finished":
        for path in held.files:
            path.unlink()


def _originals(run: SavedRun, trials: Iterable[Trial]) -> Iterator[Trial]:
    """The trials of the instances as the benchmark has them."""
    perturbed = is_perturbed(run)
    for trial in trials:
        if trial.instance.variant is None:
            yield msgspec.structs.replace(trial, instance=original(trial.instance)) if perturbed else trial


def _add_estimates(run: SavedRun, names: list[str], options: Options) -> None:
    """The estimates that only some runs have."""
    if options.items:
        run.estimates += measured(run, items.read(options.items))[1:]
    if options.epochs > 1:
        run.estimates += repeated(run, [options.epochs])
    if is_perturbed(run):
        name, table = rules_score(run.rules) or names[0], scores(run, names)
        up = run.estimates[0].higher_is_better
        run.estimates += robustness.estimates(table, name, run.rules.interpret, up)


def scores(run: SavedRun, names: list[str] | None = None, variants: bool = True) -> Table:
    """A run's scores as the table that interpretations read: those of the instances as the benchmark has them and, if
    it was asked with perturbations and `variants` are wanted, what those did (see `robustness.folded`)."""
    names = names or columns.score_names(run.columns)
    if variants and is_perturbed(run):
        score = rules_score(run.rules) or names[0]
        frame = robustness.folded(run.read([*robustness.NEEDED, *names]), score, _rises(run))
        names = [*names, *robustness.made_of(score)]
        return Table.from_frame(frame, names, **_drawn(run))
    parts = "parts" in run.columns  # runs of older versions have none
    if robustness.has_variants(run):
        return Table.from_columns(lambda name: robustness.originals(run, [name])[name], names, parts, **_drawn(run))
    return Table.from_columns(lambda name: run.read([name])[name], names, parts, **_drawn(run))


def measured(run: SavedRun, made: ItemFile) -> list[Estimate]:
    """A run's ability and its score on all items, from those it was asked. Raises `DataError` for a run of another
    benchmark or data, and with too few answers."""
    made.chosen(run.rules.benchmark, run.rules.data["digest"], made.picked)
    table = scores(run, [made.score], variants=False)
    answers = dict(zip(table.instances.ids, table.score(made.score).tolist(), strict=True))
    return [irt.ability(made.items, answers), irt.whole(made.items, answers, f"{made.score}_all")]


def repeated(run: SavedRun, ks: Sequence[int]) -> list[Estimate]:
    """pass@k, pass^k and majority@k of a run with epochs (see `passk.repeats`); nothing where its headline is no mean
    of right or wrong."""
    from howgood.interpret import passk

    name = rules_score(run.rules) or columns.score_names(run.columns)[0]
    if name not in run.columns:
        return []
    frame = robustness.originals(run, ["id", "epoch", "answer", "outcome", name])
    return passk.repeats(frame, scores(run, [name], variants=False), run.rules.interpret, ks)


def robust(run: SavedRun) -> Robustness:
    """What a run's perturbations show. Raises `DataError` for a run without any."""
    if not is_perturbed(run):
        raise DataError(f"run {run.id} asked every instance as it is; make variants: howgood run ... --perturb typos")
    score = rules_score(run.rules) or columns.score_names(run.columns)[0]
    frame = run.read([*robustness.NEEDED, score])
    asked = list(run.rules.sample["perturb"])
    return robustness.robustness(frame, score, run.rules.interpret, asked, _rises(run), **_drawn(run))


def split_between(a: SavedRun, b: SavedRun, score: str) -> Split | None:
    """The variance parts of the difference of two runs that asked the same variants; None for others."""
    if not is_perturbed(a) or a.rules.sample["perturb"] != b.rules.sample.get("perturb"):
        return None
    frames = [run.read([*robustness.NEEDED, score]) for run in (a, b) if score in run.columns]
    return robustness.split_difference(frames[0], frames[1], score) if len(frames) == 2 else None


def is_perturbed(run: SavedRun) -> bool:
    """Whether a run asked variants of its instances too."""
    return "perturb" in run.rules.sample


def _rises(run: SavedRun) -> bool:
    """Whether more of the headline is better."""
    return run.estimates[0].higher_is_better if run.estimates else True


def _drawn(run: SavedRun) -> dict[str, Any]:
    """What a table is told of how a run's instances were chosen."""
    sample = run.rules.sample
    return {"random_sample": sample.get("how") in ("random", "items"), "sizes": sample.get("strata")}


@contextlib.contextmanager
def rarely_collecting() -> Iterator[None]:
    """Have Python look for garbage in circles less often. What a trial leaves is gone when nothing refers to it, and
    looking through all that is in flight after every 700 new objects took a tenth to a fifth of a run over HTTP."""
    before = gc.get_threshold()
    if not 0 < before[0] < COLLECTED_AFTER:  # it is turned off, or another run has seen to it and will set it back
        yield
        return
    gc.set_threshold(COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def stop_on_interrupt(progress: Progress, notice: Notice) -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C sets; a second one interrupts as usual."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    handled = threading.current_thread() is threading.main_thread() and sys.platform != "win32"

    def interrupt() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        progress.stopping = True
        notice(progress)

    if handled:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        if handled:
            loop.remove_signal_handler(signal.SIGINT)


def environment() -> dict[str, Any]:
    """What ran it: versions and the kind of machine. No names of people or hosts."""
    from importlib.metadata import version

    return {
        "howgood": version("howgood"),
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
