"""The public functions, in the words of the command line."""

from __future__ import annotations

import asyncio
import inspect
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from howgood.benchmarks.suites import SUITES, Suite
from howgood.calls.base import Settings
from howgood.core.errors import DataError, HowgoodError, UnknownName, Unsupported
from howgood.core.types import Effort, Estimate
from howgood.interpret.compare import Comparison
from howgood.models.base import Model
from howgood.models.registry import load_model
from howgood.runs import evaluate, store
from howgood.runs.benchmark import Benchmark
from howgood.runs.execute import Confirm
from howgood.runs.plan import Options, make_plan
from howgood.runs.progress import stopped
from howgood.runs.store import SavedRun
from howgood.validity.trust import Report, trust_async

T = TypeVar("T")


def _show(kind: type, line: Callable[[Any], str], card: Callable[[Any], str]) -> None:
    """Attached here, not written there: results do not know how they are shown (imports point downwards only)."""
    kind.__repr__ = kind.__str__ = line  # type: ignore[method-assign, assignment]
    kind._repr_html_ = card  # type: ignore[attr-defined]


def _run_line(run: SavedRun) -> str:
    from howgood.report.plain import run_line

    return run_line(run)


def _run_card(run: SavedRun) -> str:
    from howgood.report.notebook import run_card

    return run_card(run)


def _comparison_lines(comparison: Comparison) -> str:
    from howgood.report.plain import comparison_lines

    return comparison_lines(comparison)


def _comparison_card(comparison: Comparison) -> str:
    from howgood.report.notebook import comparison_card

    return comparison_card(comparison)


_show(SavedRun, _run_line, _run_card)
_show(Comparison, _comparison_lines, _comparison_card)


async def run_async(
    benchmark: str | Benchmark,
    model: str | Model,
    *,
    limit: int | None = None,
    sample: Literal["random", "stratified"] = "random",
    epochs: int = 1,
    seed: int = 0,
    shots: int | None = None,
    chat: bool | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    effort: Effort | None = None,
    thinking: int | None = None,
    method: str | Sequence[str] = (),
    score: Literal["bpb"] | None = None,
    budget: str | None = None,
    cache: bool | None = None,
    batch: bool = False,
    data: str | Path | None = None,
    folder: str | Path | None = None,
    notice: evaluate.Notice | None = None,
    confirm: Confirm | None = None,
    **parameters: Any,
) -> SavedRun:
    """Run one benchmark on one model and return the run: its estimates, rules, cost, and every trial.

    `benchmark` is a name (`howgood list`), a data file, `hf/<repo>`, a Python file, or a `Benchmark`; `model` a name
    (`howgood list --models`) or a `Model`. `limit` takes a seeded sample; `shots`, `chat`, `temperature`, `max_tokens`,
    `effort` and `thinking` replace the benchmark's own; `method` puts methods around the model ("cot", "vote,n=8"; see
    `howgood list --methods`); `score="bpb"` measures the bits per byte of the gold answers in place of the benchmark's
    own number; `data` is a folder of local data; `folder` is where runs are kept; `notice` is called with the progress
    after each trial; other keywords are the benchmark's parameters.

    `budget` ("$5", "2Mtok", "30min") ends the run when it is used up; `confirm` is asked with the forecast, after a few
    trials, whether to go on. `cache` keeps every model's answers, or none (default: those of models that cost money);
    `batch` asks through the provider's batch API. Raises `HowgoodError`s before anything is called where possible.
    """
    settings = Settings(
        chat=chat, temperature=temperature, max_tokens=max_tokens, shots=shots, effort=effort, thinking=thinking
    )
    options = Options(
        limit,
        sample,
        epochs,
        seed,
        settings,
        str(Path(data).absolute()) if data else None,
        methods=(method,) if isinstance(method, str) else tuple(method),
        budget=budget,
        cache=cache,
        batch=batch,
        score=score,
    )
    subject = load_model(model) if isinstance(model, str) else model
    try:
        subject = evaluate.caller(subject, options)
        plan = make_plan(benchmark, subject, parameters, options)
        await subject.check()
        root = Path(folder) if folder else store.runs_folder()
        return await evaluate.evaluate(plan, subject, root, notice, confirm)
    finally:
        if isinstance(model, str):
            await subject.close()


def run(benchmark: str | Benchmark, model: str | Model, **options: Any) -> SavedRun:
    return wait(_alone(run_async(benchmark, model, **options), model))


run.__doc__ = f"{run_async.__doc__}\n    Waits for the end; works in notebooks too."
run.__signature__ = inspect.signature(run_async)  # type: ignore[attr-defined]


async def run_suite_async(suite: str, model: str | Model, **options: Any) -> list[SavedRun]:
    """Run every part of a suite on one model, with the options of `run`; what the user sets here replaces what the
    suite sets. A part that the model cannot do, or whose data cannot be had, is left out with a warning; a run that is
    stopped, or fails, is the last. `suite_estimates` makes the suite's own numbers out of the runs."""
    parts = _suite(suite).parts
    subject = load_model(model) if isinstance(model, str) else model
    found: list[SavedRun] = []
    try:
        for place, part in enumerate(parts, 1):
            own = {"limit": part.limit, "max_tokens": part.max_tokens, **part.parameters}
            try:
                found.append(await run_async(part.benchmark, subject, **(own | options)))
            except (Unsupported, DataError) as error:
                if place == len(parts) and not found:
                    raise
                warnings.warn(f"left out: {error}", stacklevel=2)
                continue
            if stopped(found[-1]) or found[-1].status == "failed":
                break
    finally:
        if isinstance(model, str):
            await subject.close()
    return found


def run_suite(suite: str, model: str | Model, **options: Any) -> list[SavedRun]:
    """`run_suite_async`, waited for."""
    return wait(_alone(run_suite_async(suite, model, **options), model))


def suite_estimates(suite: str, runs: Sequence[SavedRun]) -> list[Estimate]:
    """A suite's own numbers, such as CORE of the suite `core`, from runs of its parts on one system; of two runs of one
    part the later counts. Nothing where a suite has none. Raises `DataError` where a part is missing."""
    aggregate = _suite(suite).aggregate
    if len(systems := {run.system.label for run in runs}) > 1:
        raise HowgoodError(f"{suite} is one system's number, and these runs are of {', '.join(sorted(systems))}")
    headlines = {run.rules.benchmark: run.estimates[0] for run in runs if run.estimates}
    return aggregate(headlines) if aggregate else []


def _suite(name: str) -> Suite:
    if name not in SUITES:
        raise UnknownName("suite", name, SUITES)
    return SUITES[name]


async def resume_async(
    name: str | Path | SavedRun,
    *,
    model: Model | None = None,
    benchmark: Benchmark | None = None,
    budget: str | None = None,
    notice: evaluate.Notice | None = None,
    confirm: Confirm | None = None,
) -> SavedRun:
    """Run only what a run still misses, and return it. A `Model` or `Benchmark` of your own must be given again;
    `budget` is a new limit for the whole run."""
    saved = name if isinstance(name, SavedRun) else store.load(name)
    if saved.status == "finished":
        return saved
    subject = model or load_model(saved.system.name)
    try:
        await subject.check()
        return await evaluate.resume(saved, subject, notice, benchmark, budget, confirm)
    finally:
        if model is None:
            await subject.close()


def resume(name: str | Path | SavedRun, **options: Any) -> SavedRun:
    """`resume_async`, waited for."""
    return wait(_alone(resume_async(name, **options), options.get("model")))


def compare(a: str | Path | SavedRun, b: str | Path | SavedRun, score: str | None = None) -> Comparison:
    """The paired difference of two runs of one benchmark, B minus A, in what the benchmark's number is.

    `score` names another value to compare. Raises `HowgoodError` if the runs share nothing.
    """
    from howgood.interpret.compare import compare as compare_tables

    first, second = (r if isinstance(r, SavedRun) else store.load(r) for r in (a, b))
    if first.rules.benchmark != second.rules.benchmark:
        raise HowgoodError(
            f"{first.id} is of {first.rules.benchmark} and {second.id} of {second.rules.benchmark}; "
            "only runs of one benchmark can be compared"
        )
    comparison = compare_tables(evaluate.scores(first), evaluate.scores(second), first.rules.interpret, score)
    differing, same = tuple(first.rules.differences(second.rules)), first.rules.hash == second.rules.hash
    return msgspec.structs.replace(comparison, rules=differing, same_rules=same)


def trust(model: str | Model, *, seed: int = 0) -> Report:
    """Whether a model's probabilities can be trusted: eight checks with their figures (docs/trust.md). At most 1,800
    requests of some 30,000 tokens in all."""
    return wait(_alone(trust_async(model, seed=seed), model))


def load(name: str | Path) -> SavedRun:
    """A run by its folder, its id, a part of its id, or `last`."""
    return store.load(name)


def list_runs(folder: str | Path | None = None) -> list[SavedRun]:
    """All runs in a folder (default: where runs are kept), oldest first."""
    return store.runs(Path(folder) if folder else None)


async def _alone(work: Coroutine[Any, Any, T], model: object) -> T:
    """The result of work after which its event loop ends: a model of the user's own keeps no connections open in it."""
    from howgood.models.http import HTTPModel

    try:
        return await work
    finally:
        if isinstance(model, HTTPModel):
            await model.close()


def wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, also where an event loop is already running (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    result: list[T] = []
    raised: list[BaseException] = []
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None
        begun.append((asyncio.get_running_loop(), task))
        return await work

    def work_it() -> None:
        try:
            result.append(asyncio.run(cancellable()))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work_it, name="howgood")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:  # stopping the cell stops the run, not only the waiting for it
        for loop, task in begun:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if raised:
        raise raised[0]
    return result[0]
