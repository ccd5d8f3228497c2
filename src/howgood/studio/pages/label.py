"""People judge a run's answers, blind and by keys, and what their labels say of it."""

from __future__ import annotations

from functools import lru_cache
from statistics import fmean, median
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct, convert
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from howgood.core.errors import HowgoodError
from howgood.core.text import visible
from howgood.report import calibrated
from howgood.report.instances import turns
from howgood.report.safe import show as bounded
from howgood.runs import labels, store
from howgood.runs.labels import Item, Label, Task
from howgood.runs.store import SavedRun
from howgood.studio.page import page
from howgood.studio.pages.compare import Stamp, stamp
from howgood.web.guard import Refused, body

if TYPE_CHECKING:
    from howgood.studio.server import Studio

AT_ONCE = 5
"""Trials that a page is given to go on with."""
LONGEST = 40_000
"""Characters of a text on the page."""
ROWS = 300
"""Labelled trials in the table, those first on which somebody differs."""
STEPS = 11
"""A scale of at most so many whole numbers has a button for each."""
MOST = 10_000
Name = Annotated[str, Meta(max_length=64)]


class Asked(Struct, frozen=True):
    """How many trials, picked at random, are to be labelled."""

    n: Annotated[int, Meta(ge=1, le=MOST)] = 50


class AskedItems(Asked, frozen=True):
    annotator: Name = ""


class Given(Struct):
    """What an annotator said of a trial; a number is a grade."""

    annotator: Name
    id: Annotated[str, Meta(max_length=1_000)]
    epoch: int
    said: Literal["right", "wrong", "1", "2", "tie", "skip"] | float
    seconds: Annotated[float, Meta(ge=0, le=1e6)] = 0.0


class Person(Struct, frozen=True):
    """What one annotator did: trials labelled and skipped, the mean of the labels, and the seconds each took (the
    median; None where none was labelled)."""

    name: str
    labelled: int
    skipped: int
    mean: float | None
    seconds: float | None


class Row(Struct, frozen=True):
    """A trial, what each annotator said of it and what the run's own verdict is, in words. `differ` says that not all
    of them are one."""

    index: int
    id: str
    epoch: int
    said: dict[str, str]
    verdict: str
    differ: bool


async def show(studio: Studio, request: Request) -> Response:
    asked = convert(dict(request.query_params), Asked, strict=False)
    return await studio.reading(_page, studio, request, asked)


def _page(studio: Studio, request: Request, asked: Asked) -> Response:
    run = studio.library.to_write(request.path_params["run"])
    try:
        total, why = len(picked(run, asked.n)), ""
    except HowgoodError as error:
        total, why = 0, str(error)
    task = labels.task_of(run)
    return page(
        request, "label.html.j2", run=run, n=asked.n, total=total, why=why, task=task, grades=_grades(task), longest=64
    )


def _grades(task: Task) -> list[int]:
    """The whole numbers of a scale, where they are few."""
    low, high = task.low, task.high
    whole = low.is_integer() and high.is_integer() and high - low < STEPS
    return list(range(int(low), int(high) + 1)) if task.kind == "grade" and whole else []


def picked(run: SavedRun, n: int) -> list[tuple[str, int]]:
    """The sample to be labelled (`labels.sample`, of which a smaller one is the beginning of a larger), drawn once as
    long as the trials are what they are. Raises `HowgoodError`."""
    if run.status in ("finished", "incomplete"):
        return _sample(stamp(run))[:n]
    return labels.sample(run, n)


@lru_cache(maxsize=8)
def _sample(run: Stamp) -> list[tuple[str, int]]:
    return labels.sample(store.load(run[0]), MOST)


async def items(studio: Studio, request: Request) -> Response:
    """The next trials of an annotator, and how far they are."""
    asked = convert(dict(request.query_params), AskedItems, strict=False)
    return JSONResponse(await studio.reading(_items, studio, request.path_params["run"], asked))


def _items(studio: Studio, name: str, asked: AskedItems) -> dict[str, Any]:
    run = studio.library.to_write(name)
    sample = picked(run, asked.n)
    left = labels.left(run, asked.annotator, sample)
    shown = labels.shown(run, asked.annotator, left[:AT_ONCE])
    return {"total": len(sample), "labelled": len(sample) - len(left), "items": [_told(item) for item in shown]}


def _told(item: Item) -> dict[str, Any]:
    """A trial for the page, as text that can be shown."""
    return {
        "id": item.id,
        "epoch": item.epoch,
        "question": [[visible(role), str(bounded(text, LONGEST))] for role, text in turns(item.question)],
        "answers": [str(bounded(answer, LONGEST)) for answer in item.answers],
        "target": None if item.target is None else str(bounded(item.target, LONGEST)),
    }


async def label(studio: Studio, request: Request) -> Response:
    """Keep a label, which takes the place of an earlier one of the same trial and annotator."""
    given = await body(request, Given)
    await studio.reading(_label, studio, request.path_params["run"], given)
    return JSONResponse({})


def _label(studio: Studio, name: str, given: Given) -> None:
    run = studio.library.to_write(name)
    if not labels.NAME.fullmatch(given.annotator):
        raise Refused(400, "An annotator's name is of letters, digits and ._@- (at most 64).")
    if (given.id, given.epoch) not in picked(run, MOST):
        raise Refused(404, "There is no such trial to label.")
    task, first = labels.task_of(run), None
    if task.kind == "preference":
        first = labels.own_first(run, given.annotator, given.id, given.epoch)
    value = _value(task, given.said, first)
    labels.write(run, Label(given.id, given.epoch, given.annotator, value, first, round(given.seconds, 1)))


def _value(task: Task, said: str | float, first: bool | None) -> float | None:
    """A label's value on the task's scale; None for a trial that is skipped. Raises `Refused`."""
    if said == "skip":
        return None
    if task.kind == "preference" and said in ("1", "2", "tie"):
        return labels.preferred(said, bool(first))  # type: ignore[arg-type]
    if task.kind == "right" and said in ("right", "wrong"):
        return float(said == "right")
    if task.kind == "grade" and isinstance(said, float | int) and task.low <= said <= task.high:
        return float(said)
    raise Refused(400, "That is no label of this run.")


async def summary(studio: Studio, request: Request) -> Response:
    return await studio.reading(_summary, studio, request)


def _summary(studio: Studio, request: Request) -> Response:
    run = studio.library.run(request.path_params["run"])
    task, kept = labels.task_of(run), labels.read(run)
    found, why = None, ""
    try:
        found = labels.calibrate(run)
    except HowgoodError as error:
        why = str(error)
    rows = _rows(run, task, kept)
    return page(
        request,
        "labels.html.j2",
        run=run,
        task=task,
        people=_people(kept),
        found=found,
        why=why,
        estimates=[] if found is None else calibrated.rows(found),
        facts=[] if found is None else calibrated.facts(found),
        rows=rows[:ROWS],
        total=len(rows),
        differing=sum(row.differ for row in rows),
    )


def _people(kept: list[Label]) -> list[Person]:
    by_name: dict[str, list[Label]] = {}
    for one in kept:
        by_name.setdefault(one.annotator, []).append(one)
    made = []
    for name, given in sorted(by_name.items()):
        values = [one.value for one in given if one.value is not None]
        took = [one.seconds for one in given if one.value is not None]
        made.append(
            Person(
                name,
                len(values),
                len(given) - len(values),
                fmean(values) if values else None,
                median(took) if took else None,
            )
        )
    return made


def _rows(run: SavedRun, task: Task, kept: list[Label]) -> list[Row]:
    by_trial: dict[tuple[str, int], dict[str, float]] = {}
    for one in kept:
        if one.value is not None:
            by_trial.setdefault((one.id, one.epoch), {})[one.annotator] = one.value
    frame = run.find([name for name, _ in by_trial], ["index", "id", "epoch", task.score])
    rows = []
    for index, name, epoch, verdict in frame.iter_rows():
        if (name, epoch) not in by_trial:
            continue
        said = by_trial[name, epoch]
        whole = {*said.values()} | (set() if verdict is None else {float(verdict)})
        words = {annotator: _words(task, value) for annotator, value in said.items()}
        rows.append(Row(index, name, epoch, words, _words(task, verdict), len(whole) > 1))
    return sorted(rows, key=lambda row: (not row.differ, row.index, row.epoch))


def _words(task: Task, value: float | None) -> str:
    """A label or a verdict in words."""
    if value is None:
        return "none"
    if task.kind == "right" and value in (0.0, 1.0):
        return "right" if value else "wrong"
    if task.kind == "preference" and value in (0.0, 0.5, 1.0):
        return {0.0: "the baseline's", 0.5: "a tie", 1.0: "the system's"}[value]
    return f"{value:.4g}"


ROUTES = (
    ("GET", "/runs/{run}/label", show),
    ("GET", "/runs/{run}/label/items", items),
    ("POST", "/runs/{run}/label", label),
    ("GET", "/runs/{run}/labels", summary),
)
