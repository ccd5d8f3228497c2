"""The public functions, in the words of the command line."""

from __future__ import annotations

import asyncio
import inspect
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec

from howgood.benchmarks.suites import SUITES, Suite
from howgood.calls.base import Settings
from howgood.calls.choices import Method as Formulation
from howgood.core.errors import DataError, HowgoodError, UnknownName, Unsupported
from howgood.core.loop import drive
from howgood.core.types import Effort, Estimate
from howgood.interpret.compare import Comparison
from howgood.interpret.decide import Decision
from howgood.interpret.items import ItemFile
from howgood.interpret.items import read as read_items
from howgood.interpret.judging import Audit
from howgood.interpret.multiple import Comparisons, Pair, together
from howgood.interpret.power import Variances
from howgood.interpret.robustness import Robustness
from howgood.interpret.usecase import UseCase
from howgood.interpret.usecase import read as read_use_case
from howgood.models.base import Model
from howgood.models.registry import load_model
from howgood.report.evaluation import EvaluationCard
from howgood.runs import evaluate, store, versus
from howgood.runs.benchmark import Benchmark
from howgood.runs.coverage import Coverage
from howgood.runs.execute import Confirm
from howgood.runs.labels import Calibrated
from howgood.runs.notes import Kind as NoteKind
from howgood.runs.notes import Note
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


def _decision_view(decision: Decision) -> Any:
    from howgood.report.terminal.decide import decision_view

    return decision_view(decision)


def _comparisons_view(found: Comparisons) -> Any:
    from howgood.report.terminal.many import comparisons_view

    return comparisons_view(found)


def _evaluation_page(made: EvaluationCard) -> str:
    from howgood.report.notebook import preformatted

    return preformatted(made.markdown())


def _show_view(kind: type, view: Callable[[Any], Any]) -> None:
    """As the terminal shows it, for what is a table more than a line."""

    def text(result: Any) -> str:
        from howgood.report.plain import text_of

        return text_of(view(result))

    def page(result: Any) -> str:
        from howgood.report.notebook import preformatted

        return preformatted(text(result))

    _show(kind, text, page)


_show(SavedRun, _run_line, _run_card)
_show(Comparison, _comparison_lines, _comparison_card)
_show(EvaluationCard, EvaluationCard.markdown, _evaluation_page)
_show_view(Comparisons, _comparisons_view)
_show_view(Decision, _decision_view)


async def run_async(
    benchmark: str | Benchmark,
    model: str | Model,
    *,
    limit: int | None = None,
    sample: Literal["random", "stratified"] = "random",
    items: str | Path | None = None,
    epochs: int = 1,
    seed: int = 0,
    shots: int | None = None,
    chat: bool | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    effort: Effort | None = None,
    thinking: int | None = None,
    method: str | Sequence[str] = (),
    judge: str | Sequence[str] = (),
    score: Literal["bpb"] | None = None,
    perturb: str | Sequence[str] = (),
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
    (`howgood list --models`) or a `Model`. `limit` takes a seeded sample, `items` those that a file of items picks (see
    `fit_items`); `shots`, `chat`, `temperature`, `max_tokens`,
    `effort` and `thinking` replace the benchmark's own; `method` puts methods around the model ("cot", "vote,n=8"; see
    `howgood list --methods`), and names the formulation of choice questions ("letter-likelihood", as `-P method=`
    does); `judge` names the models that judge, where any is asked; `score="bpb"` measures the bits
    per byte of the gold answers in place of the benchmark's own number; `perturb` asks every instance in other ways too
    ("case", "typos,n=2"; see `howgood list --perturbations`); `data` is a folder of local data; `folder` is where
    runs are kept; `notice` is called with the progress after each trial; other keywords are the benchmark's parameters.

    `budget` ("$5", "2Mtok", "30min") ends the run when it is used up; `confirm` is asked with the forecast, after a few
    trials, whether to go on. `cache` keeps every model's answers, or none (default: those of models that cost money);
    `batch` asks through the provider's batch API. Raises `HowgoodError`s before anything is called where possible.
    """
    settings = Settings(
        chat=chat, temperature=temperature, max_tokens=max_tokens, shots=shots, effort=effort, thinking=thinking
    )
    methods = (method,) if isinstance(method, str) else tuple(method)
    # The command line has --method and -P method=, Python one keyword for both; no name is in both lists.
    formulation = next((name for name in methods if name in get_args(Formulation)), None)
    if formulation is not None:
        parameters["method"] = formulation
        methods = tuple(name for name in methods if name != formulation)
    options = Options(
        limit,
        sample,
        epochs,
        seed,
        settings,
        str(Path(data).absolute()) if data else None,
        methods=methods,
        budget=budget,
        cache=cache,
        batch=batch,
        score=score,
        perturb=(perturb,) if isinstance(perturb, str) else tuple(perturb),
        judges=(judge,) if isinstance(judge, str) else tuple(judge),
        items=str(Path(items).absolute()) if items else None,
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
    if saved.origin:
        raise Unsupported(f"run {saved.id} was made by {saved.origin.program}, so howgood cannot go on with it")
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
    return versus.compare(_loaded(a), _loaded(b), score)


def compare_many(*runs: str | Path | SavedRun, score: str | None = None, pairs: bool = False) -> Comparisons:
    """Compare the runs of several systems, paired by benchmark: each system with that of the first run, or with `pairs`
    every two of them. p-values answer for all the comparisons (Holm); over several benchmarks there is a mean too.

    Two runs of one system on one benchmark are told apart by the end of their ids. Raises `HowgoodError` where no two
    runs are of one benchmark, and where such doubles could be paired in several ways.
    """
    saved = _different(runs)
    benchmarks: dict[str, dict[str, SavedRun]] = {}
    for run in saved:
        alike = [r for r in saved if r.rules.benchmark == run.rules.benchmark and r.system.label == run.system.label]
        name = run.system.label if len(alike) == 1 else f"{run.system.label} {run.id[-4:]}"
        benchmarks.setdefault(run.rules.benchmark, {})[name] = run
        if len(alike) > 1 and len({r.rules.benchmark for r in saved}) > 1:
            raise HowgoodError(
                f"{run.system.label} has {len(alike)} runs of {run.rules.benchmark}: {', '.join(r.id for r in alike)}; "
                "give one of them, or runs of this benchmark alone"
            )
    if all(len(systems) < 2 for systems in benchmarks.values()):
        raise HowgoodError(
            f"no two of these runs are of one benchmark: they are of {', '.join(benchmarks)}; "
            "give the runs of another system on them too"
        )
    # One order for all benchmarks, whichever their runs were given in: B minus A is then the same pair on each.
    order = list(dict.fromkeys(name for systems in benchmarks.values() for name in systems))
    first, found = order[0], []
    for benchmark, systems in benchmarks.items():
        for a, b in combinations(sorted(systems, key=order.index), 2):
            if pairs or a == first:
                found.append(Pair(benchmark, a, b, compare(systems[a], systems[b], score)))
    if not found:
        raise HowgoodError(f"{first} shares no benchmark with another system; --pairs compares every two of them")
    return together(found)


def coverage(
    benchmark: str | Benchmark,
    *runs: str | Path | SavedRun,
    model: str | Model | None = None,
    limit: int | None = None,
    seed: int = 0,
    data: str | Path | None = None,
    **parameters: Any,
) -> Coverage:
    """What a benchmark's inputs are (`howgood inputs`): topics, lengths, languages, duplicates, quizzing or asking; and
    from `runs` of it how hard each question is and where the score falls. `model` counts tokens; nothing is asked.
    `limit` looks at a seeded sample; other keywords are the benchmark's parameters."""
    from howgood.runs.coverage import look

    options = Options(limit=limit, seed=seed, data=str(Path(data).absolute()) if data else None)
    return look(
        benchmark, parameters, options, _different(runs), load_model(model) if isinstance(model, str) else model
    )


def robustness(run: str | Path | SavedRun) -> Robustness:
    """What the perturbations of a run show: the mean and the worst case over all ways of asking, flips, and the paired
    difference that each perturbation makes. Raises `HowgoodError` for a run without any (`run(..., perturb=...)`)."""
    return evaluate.robust(_loaded(run))


def decide(case: str | Path | UseCase, *runs: str | Path | SavedRun, seed: int = 0) -> Decision:
    """Which system for a use case (a YAML file, see docs/decide.md): the expected worth of each one's answers, the
    probability that it is the best, and what more instances would be worth. Give each system's run of each benchmark
    that the use case weighs."""
    from howgood.interpret.decide import decide as decided

    wanted = case if isinstance(case, UseCase) else read_use_case(case)
    return decided(wanted, [_loaded(run) for run in runs], seed=seed)


def power(
    *runs: str | Path | SavedRun,
    accuracy: float = 0.5,
    correlation: float = 0.5,
    sampling: float = 0.0,
    paired: bool = True,
    score: str | None = None,
) -> Variances:
    """What a comparison of two systems can show: `.instances(0.03)` says how many instances three points take,
    `.detectable(500, epochs=4)` what so many show.

    The variances are those of one earlier run or of the two systems' runs; without runs those of an `accuracy` with
    the two systems' `correlation` over questions and the variance of single answers `sampling`. Raises `DataError`."""
    from howgood.interpret.power import assumed, like, like_both

    if len(runs) > 2:
        raise HowgoodError("power takes one earlier run, or the two systems' runs; give no more than two")
    if not runs:
        return assumed(accuracy, correlation, sampling, paired)
    saved = [_loaded(run) for run in runs]
    tables, name = [evaluate.scores(run) for run in saved], score or saved[0].estimate.name
    if len(saved) == 2:
        made = compare(saved[0], saved[1], score)
        found = made.difference if paired else made.unpaired
        if found.se is None:
            raise HowgoodError("the two runs share one independent instance, which shows no variance")
        both = like_both(tables[0], tables[1], found.name, found.n * found.se**2)
        return _spread(msgspec.structs.replace(both, percent=found.percent))
    if name not in tables[0].scores:
        raise HowgoodError(f"{name} is no mean over instances: give the runs of two systems, or another score")
    own = next((estimate for estimate in saved[0].estimates if estimate.name == name), None)
    variance = None if own is None or own.se is None else own.n * own.se**2
    percent = own is None or own.percent
    return _spread(msgspec.structs.replace(like(tables[0], name, correlation, paired, variance), percent=percent))


def _spread(found: Variances) -> Variances:
    """Raises `DataError` for variances of nothing, by which any difference whatever could be seen."""
    if found.variance() < 1e-18:  # none but for rounding
        raise DataError(
            "all answers scored alike, so these runs show no spread to plan with; plan from assumptions: "
            "howgood power --accuracy 0.1"
        )
    return found


def card(run: str | Path | SavedRun) -> EvaluationCard:
    """The evaluation card of a run: the question answered, who could use the number for what, rules, known flaws,
    contamination, uncertainty, how to make it again. `.markdown()` is the page."""
    from howgood.report.evaluation import evaluation_card

    saved = _loaded(run)
    return evaluation_card(saved, evaluate.scores(saved, variants=False) if saved.estimates else None)


def write_report(*runs: str | Path | SavedRun, out: str | Path | None = None) -> Path:
    """Write runs as one file for others, those of one benchmark beside each other, and return where it is: what `out`
    ends with says what it is made as (`.html`, one file that loads nothing; `.md`; `.pdf`, through a browser of this
    machine). By default it is HTML in the run's folder, or beside the folders of several."""
    from howgood.report import files

    saved = _different(runs)
    if not saved:
        raise HowgoodError("a report is of runs; give some")
    if out is None:
        first = saved[0].path
        out = first / "report.html" if len(saved) == 1 else first.parent / f"{saved[0].id[:19]}_report.html"
    return files.write_report(saved, Path(out))


def fit_items(
    *runs: str | Path | SavedRun,
    model: Literal["1pl", "2pl"] = "2pl",
    score: str | None = None,
    pick: int | None = None,
    seed: int = 0,
) -> ItemFile:
    """How hard each question of a benchmark is and how able each system, by item response theory from whole runs of
    several systems, and a random part of the questions to ask the next ones: `pick` of them (default: a tenth).

    `howgood.interpret.items.write(made, "items.json")` keeps it for `run(..., items="items.json")`. Raises `DataError`
    for runs of different benchmarks, data or rules, and where some questions were asked of no system."""
    from howgood.interpret import irt
    from howgood.interpret.utility import rules_score

    saved = _different(runs)
    if not saved:
        raise HowgoodError("items are fitted to runs of several systems; give some")
    first = saved[0]
    for run in saved[1:]:
        if (run.rules.benchmark, run.rules.data["digest"]) != (first.rules.benchmark, first.rules.data["digest"]):
            raise DataError(f"{first.id} and {run.id} are not of one benchmark with the same data; fit each by itself")
    if first.rules.data["digest"] is None:
        raise DataError(f"{first.id} does not say what the whole benchmark is; fit items to runs of all of it")
    name = score or rules_score(first.rules) or first.estimate.name
    tables = [evaluate.scores(run, variants=False) for run in saved]
    ids, y = irt.matrix(tables, name)
    if len(ids) < first.rules.data["instances"]:
        raise DataError(
            f"of {first.rules.data['instances']:,} instances these runs have {len(ids):,}; "
            "fit items to runs of the whole benchmark, without --limit"
        )
    fitted = irt.fit(ids, y, model)
    names = versus.names(saved)
    picked = irt.pick(fitted.items, max(irt.FEWEST, round(len(ids) / 10)) if pick is None else pick, seed)
    systems, errors = (dict(zip(names, found.tolist(), strict=True)) for found in (fitted.abilities, fitted.errors))
    return ItemFile(
        first.rules.benchmark, first.rules.data["digest"], name, fitted.items, systems, picked, seed, errors
    )


def measure(items: ItemFile | str | Path, run: str | Path | SavedRun) -> tuple[Estimate, Estimate]:
    """A system's ability and its score on all items, from a run of a random part of them."""
    made = items if isinstance(items, ItemFile) else read_items(items)
    ability, whole = evaluate.measured(_loaded(run), made)
    return ability, whole


def _loaded(run: str | Path | SavedRun) -> SavedRun:
    return run if isinstance(run, SavedRun) else store.load(run)


def _different(runs: Sequence[str | Path | SavedRun]) -> list[SavedRun]:
    """The runs, one that is given twice once: it is no second system."""
    return list({run.id: run for run in map(_loaded, runs)}.values())


def audit(run: str | Path | SavedRun) -> Audit:
    """How far the judges of a run can be trusted, by what they said in it (docs/judges.md). Asks nothing. Raises
    `HowgoodError` where no judge was asked."""
    from howgood.validity.judges import audit_run

    return audit_run(run if isinstance(run, SavedRun) else store.load(run))


def calibrate(run: str | Path | SavedRun) -> Calibrated:
    """What people would say of all answers of a run, from those that they labelled (`howgood label`) and the run's own
    verdicts on all. Raises `HowgoodError` where fewer than two trials are labelled."""
    from howgood.runs.labels import calibrate as calibrated

    return calibrated(run if isinstance(run, SavedRun) else store.load(run))


def notes(run: str | Path | SavedRun) -> list[Note]:
    """What people noted of a run's trials in the studio or with `note`: flags, comments, corrections, oldest first."""
    from howgood.runs.notes import read

    return read(run if isinstance(run, SavedRun) else store.load(run))


def note(
    run: str | Path | SavedRun,
    instance: str,
    text: str = "",
    *,
    kind: NoteKind | None = None,
    epoch: int = 0,
    author: str | None = None,
) -> Note:
    """Note something of a run's trial, beside the run: a comment (`text`), a `correction` of its target (`text`), a
    `flag`, or that it is taken down (`unflag`). Without a kind words are a comment, no words a flag. `author` is the
    user of this machine unless given. Raises `HowgoodError` where the run has no such trial, and where it cannot be
    written."""
    import getpass

    from howgood.runs.notes import add

    saved = run if isinstance(run, SavedRun) else store.load(run)
    ids = saved.read(["id", "epoch"])
    if (instance, epoch) not in set(ids.iter_rows()):
        raise UnknownName("instance", instance, ids["id"].to_list(), "`howgood show RUN --wrong` lists some.")
    made = kind or ("comment" if text.strip() else "flag")
    return add(saved, Note(instance, epoch, made, author or getpass.getuser(), text))


def trust(model: str | Model, *, seed: int = 0) -> Report:
    """Whether a model's probabilities can be trusted: eight checks with their figures (docs/trust.md). At most 1,800
    requests of some 30,000 tokens in all."""
    return wait(_alone(trust_async(model, seed=seed), model))


def load(name: str | Path) -> SavedRun:
    """A run by its folder, its id, a part of its id, or `last`."""
    return store.load(name)


def import_runs(*paths: str | Path, folder: str | Path | None = None) -> list[SavedRun]:
    """The runs that other programs made: Inspect's logs, results of lm-evaluation-harness, HELM's run folders,
    AlpacaEval's annotations, or folders of these (docs/interop.md). One that is here already is not made again: a
    warning says so. Raises `HowgoodError` for the first that cannot be read; what was read before it is kept."""
    from howgood.runs.interop.importing import import_all

    made = []
    for found in import_all([Path(path) for path in paths], Path(folder) if folder else store.runs_folder()):
        if found.run is None:
            raise found.problem or HowgoodError(f"{found.name} cannot be imported")
        if not found.new:
            warnings.warn(f"{found.name} is here already: run {found.run.id}", stacklevel=2)
        made.append(found.run)
    return made


def export_runs(*runs: str | Path | SavedRun, path: str | Path, format: str | None = None) -> list[Path]:
    """Write runs as files for others and return them: csv, parquet, jsonl (all trials), every-eval-ever,
    hf-eval-results or inspect (docs/interop.md); the ending of `path` tells the format where none is given."""
    from howgood.runs.interop.exporting import export

    return export(_different(runs), Path(path), format)


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
        return drive(work)
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
            result.append(drive(cancellable()))
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
