"""What people say of a run's answers: kept beside the run, one line a label, never in place of anything."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from howgood.core.errors import DataError, HowgoodError
from howgood.core.types import Estimate
from howgood.interpret.agreement import krippendorff
from howgood.interpret.ppi import Powered, ppi_mean
from howgood.interpret.robustness import originals
from howgood.runs import columns
from howgood.runs.journal import append_line
from howgood.runs.store import SavedRun

FILE = "labels.jsonl"
NAME = re.compile(r"[\w.@-]{1,64}")
Kind = Literal["right", "grade", "preference"]


class Label(Struct, frozen=True, omit_defaults=True):
    """What `annotator` said of a trial: `value` on the task's scale (None: skipped), whether the judged answer stood
    `first` of two, how many `seconds` it took, and when (UTC)."""

    id: str
    epoch: int
    annotator: str
    value: float | None
    first: bool | None = None
    seconds: float = 0.0
    made: str = ""


class Task(Struct, frozen=True):
    """What people are asked about a run's answers: whether each is right, a grade from `low` to `high`, or which of two
    is better, of which the other is the baseline's. `score` is the run's own value of the same thing."""

    kind: Kind
    score: str
    low: float
    high: float


class Item(Struct, frozen=True):
    """A trial as a person sees it: nothing of it tells the system, its score, or a judge's verdict. `answers` are one,
    or two in a random order of which the `first` one is the run's or not."""

    id: str
    epoch: int
    question: str
    answers: tuple[str, ...]
    target: str | None
    first: bool | None


def task_of(run: SavedRun) -> Task:
    """What there is to label in a run."""
    rules, score = run.rules.outputs, columns.score_names(run.columns)[0]
    if rules.get("kind") == "pairwise":  # whose headline may be on another scale
        return Task("preference", "preference", 0.0, 1.0)
    if rules.get("kind") == "graded":
        return Task("grade", score, float(rules["low"]), float(rules["high"]))
    return Task("right", score, 0.0, 1.0)


def sample(run: SavedRun, n: int) -> list[tuple[str, int]]:
    """The trials to be labelled, the same for all who label this run: the first n of a random order, so that a larger
    n holds the smaller. A random sample is what `calibrate` needs. Trials without an answer have nothing to show.
    Raises `HowgoodError` where none has one."""
    shown = answered(run)
    random.Random(run.id).shuffle(shown)
    return shown[:n]


def answered(run: SavedRun) -> list[tuple[str, int]]:
    """The trials that have a written answer, of the instances as the benchmark has them. Raises `HowgoodError` where
    none has one."""
    import polars as pl

    frame = originals(run, ["id", "epoch", "text", "outcome"])
    written = pl.col("text").str.strip_chars().ne("") & pl.col("outcome").ne("failed")
    found = frame.filter(written).select("id", "epoch").rows()
    if not found:
        raise HowgoodError(f"run {run.id} has no written answers, so there is nothing to label")
    return found


def items(run: SavedRun, annotator: str, n: int) -> Iterator[Item]:
    """What an annotator has still to label of the first n, in an order of their own. Raises `HowgoodError` for a name
    that is none."""
    return shown(run, annotator, left(run, annotator, sample(run, n)))


def left(run: SavedRun, annotator: str, picked: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The trials of a sample that an annotator has still to label, in an order of their own. Raises `HowgoodError` for
    a name that is none."""
    if not NAME.fullmatch(annotator):
        raise HowgoodError(f"an annotator's name is of letters, digits and ._@- (at most 64), not '{annotator[:80]}'")
    done = {(label.id, label.epoch) for label in read(run) if label.annotator == annotator}
    order = list(picked)
    random.Random(f"{run.id}/{annotator}").shuffle(order)
    return [key for key in order if key not in done]


def shown(run: SavedRun, annotator: str, keys: Sequence[tuple[str, int]]) -> Iterator[Item]:
    """Trials as an annotator sees them."""
    kind = task_of(run).kind
    names = ["id", "epoch", "input", "text", "metadata", "transcript", "targets", "choices", "gold"]
    rows = {(row["id"], row["epoch"]): row for row in run.find([name for name, _ in keys], names).iter_rows(named=True)}
    for name, epoch in keys:
        row = rows[name, epoch]
        question, answer = columns.said(row)
        if kind != "preference":
            target = " | ".join(row["targets"] or [row["choices"][place] for place in row["gold"]]) or None
            yield Item(name, epoch, question, (answer,), target if kind == "right" else None, None)
            continue
        first = own_first(run, annotator, name, epoch)
        pair = (answer, row["targets"][0])
        yield Item(name, epoch, question, pair if first else pair[::-1], None, first)


def own_first(run: SavedRun, annotator: str, name: str, epoch: int) -> bool:
    """Whether an annotator sees the run's own answer before the baseline's: by lot, and always the same."""
    return random.Random(f"{run.id}/{annotator}/{name}/{epoch}").random() < 0.5


def preferred(choice: Literal["1", "2", "tie"], first: bool) -> float:
    """How far the run's answer is preferred, from 0 to 1, where the first of the two shown is its own or not."""
    return 0.5 if choice == "tie" else float((choice == "1") == first)


def write(run: SavedRun, label: Label) -> None:
    """Add a label to the run's file at once; a later one of the same trial and annotator takes its place. Raises
    `HowgoodError` where it cannot be written."""
    made = msgspec.structs.replace(label, made=datetime.now(UTC).isoformat(timespec="seconds"))
    append_line(run.path / FILE, msgspec.json.encode(made))


def read(run: SavedRun) -> list[Label]:
    """The labels of a run, the last of each trial and annotator. A line that cannot be read is passed over."""
    path = run.path / FILE
    found: dict[tuple[str, int, str], Label] = {}
    if path.is_file():
        decode = msgspec.json.Decoder(Label).decode
        for line in path.read_bytes().splitlines():
            try:
                label = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                print(f"howgood: a line of {path} is no label and is passed over", file=sys.stderr)
                continue
            found[label.id, label.epoch, label.annotator] = label
    return list(found.values())


def agreement(labels: Sequence[Label], kind: Kind) -> Estimate | None:
    """How far annotators agree (Krippendorff's alpha); None where nothing was labelled twice, or all labels are one."""
    given = [label for label in labels if label.value is not None]
    units = {key: place for place, key in enumerate(sorted({(label.id, label.epoch) for label in given}))}
    try:
        return krippendorff(
            [units[label.id, label.epoch] for label in given],
            [float(label.value or 0.0) for label in given],
            "nominal" if kind == "right" else "interval",
        )
    except DataError:
        return None


class Calibrated(Struct, frozen=True):
    """People's labels and the run's own values together: `powered` is the mean that people would give over all trials,
    from `labelled` of them; `annotators` said so, and `agree` as told, with each other."""

    task: Task
    powered: Powered
    labelled: int
    annotators: tuple[str, ...]
    agree: Estimate | None


def calibrate(run: SavedRun) -> Calibrated:
    """What people would say of all written answers, from those that they labelled and the run's own verdicts on all
    (prediction-powered inference, see `interpret/ppi.py`). Of several annotators of a trial the mean counts. Trials
    without an answer are left out, since none of them can be among those that people are shown. Raises `HowgoodError`
    where fewer than two trials are labelled."""
    task, labels = task_of(run), [label for label in read(run) if label.value is not None]
    values: dict[tuple[str, int], list[float]] = {}
    for label in labels:
        values.setdefault((label.id, label.epoch), []).append(float(label.value or 0.0))
    frame = run.read(["id", "epoch", task.score])
    shown = set(answered(run))
    judged = {row[:2]: float(row[2]) for row in frame.iter_rows() if row[2] is not None and row[:2] in shown}
    both = [key for key in judged if key in values]
    if len(both) < 2:
        raise HowgoodError(
            f"{len(both)} of the trials of {run.id} have a label and a verdict, and it takes two or more; "
            f"label some: howgood label {run.id}"
        )
    mean: list[float] = [sum(values[key]) / len(values[key]) for key in both]
    rest: list[Any] = [value for key, value in judged.items() if key not in values]
    powered = ppi_mean(mean, [judged[key] for key in both], rest, bounds=(task.low, task.high))
    people = tuple(sorted({label.annotator for label in labels}))
    return Calibrated(task, powered, len(both), people, agreement(labels, task.kind))
