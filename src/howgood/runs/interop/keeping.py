"""A run folder out of what another program wrote: the same journal, columns and estimates as of howgood's own runs."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from howgood.core.errors import DataError
from howgood.core.types import NOT_JUDGED, Instance, Origin, Published, Run, Score, System, Trial
from howgood.core.types import Rules as RunRules
from howgood.interpret.base import Interpretation
from howgood.interpret.estimate import Mean
from howgood.runs import columns, evaluate, store
from howgood.runs.columns import AFTER_SCORES, BEFORE_SCORES, key_of
from howgood.runs.journal import Journal, cannot_write, journals
from howgood.runs.plan import Options
from howgood.runs.progress import Progress
from howgood.runs.store import SavedRun

CHOSEN = "by the source"
"""How the instances of an imported run were chosen, where they are not all: howgood did not do it."""


class Rules(Struct):
    """What another program says of the rules of its run: only what is known is in them. `instances` is how many the
    data set has (None: unknown)."""

    version: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    instances: int | None = None


class Source(Struct):
    """One run as another program wrote it.

    `trials` reads them, each time anew, in any order; of their scores the `headline` comes first (None: the first that
    there is), and their `index` is given here: the place of their id in `order`, or else the order of appearance.
    `planned` is how many trials there should be (None: unknown), `unfinished` says why there are fewer. `whole` are the
    rules as howgood itself wrote them, where it made what is read; what the number is, `interpret` says. `lower` names
    scores of which less is better; `identity` is what makes an instance what it is, for the data's digest. `files` with
    the `part` of them that is meant are what was read.
    """

    program: str
    version: str | None
    files: Sequence[Path]
    name: str
    benchmark: str
    system: System
    rules: Rules
    trials: Callable[[], Iterator[Trial]]
    part: str = ""
    title: str = ""
    headline: str | None = None
    interpret: Interpretation | None = None
    whole: RunRules | None = None
    published: tuple[Published, ...] = ()
    order: Sequence[str] = ()
    planned: int | None = None
    unfinished: str | None = None
    started: str = ""
    finished: str | None = None
    seconds: float = 0.0
    environment: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lower: frozenset[str] = frozenset()
    identity: Callable[[Instance], Any] = lambda instance: instance


def keep(source: Source, sha256: str, root: Path) -> SavedRun:
    """Make a run folder below `root` out of a source. It appears whole or not at all. Raises `DataError` for a source
    that cannot be read to its end, or holds nothing."""
    interpret = source.interpret or Mean(score=source.headline)
    run = Run(
        id=store.new_id(source.benchmark, source.system.name),
        benchmark=source.benchmark,
        parameters={},
        options={},
        system=source.system,
        rules=_rules(source, {}, {}, {}, interpret),
        card={"name": source.benchmark, "title": source.title},
        environment=source.environment,
        started=source.started or "unknown",
        planned=0,
        origin=Origin(source.program, source.version, source.name, sha256, evaluate.now(), source.published),
    )
    try:
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".import-", dir=root))
    except OSError as error:
        raise cannot_write(root, error) from error
    try:
        saved = store.create(run, staging)
        _fill(saved, source, interpret)
        return _moved(saved, root)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _moved(run: SavedRun, root: Path) -> SavedRun:
    while (root / run.id).exists():
        run.id = store.new_id(run.rules.benchmark, run.system.name)
        store.save(run)
    try:
        os.rename(run.path, root / run.id)
    except OSError as error:
        raise cannot_write(root / run.id, error) from error
    return store.load(root / run.id)


def _fill(run: SavedRun, source: Source, interpret: Interpretation) -> None:
    """Write the trials, then finish the run as any other."""
    written = _Written(source)
    journal = Journal(run.path)
    try:
        for trial in source.trials():
            journal.write(written.take(trial))
    finally:
        journal.close()
    if not written.count:
        raise DataError(f"{source.name} holds no sample, so there is nothing to import")
    if ragged := written.ragged:
        _rewrite(run.path, ragged)
    progress = written.progress
    epochs = written.epochs
    rest = max(0, (source.planned or 0) - progress.done)
    failed = progress.outcomes.get("failed", 0)
    run.rules = _rules(source, written.data(source.rules.instances), written.sample(source.rules.instances),
                       {"prompts": written.prompts.hex}, interpret)  # fmt: skip
    run.planned = progress.done + rest
    run.status = "incomplete" if failed or rest or source.unfinished else "finished"
    why = [source.unfinished] if source.unfinished else []
    why += [f"{rest:,} of {run.planned:,} trials are not in it"] if rest else []
    why += [f"{failed:,} trials failed"] if failed else []
    run.message = "; ".join(why) or None
    run.usage, run.outcomes, run.seconds = progress.usage, progress.outcomes, source.seconds
    run.cost, run.spent = progress.cost, progress.spent
    run.verdicts, run.judging = progress.verdicts, progress.judging
    whole = all(count == epochs for count in written.repeats.values())
    evaluate.finish(run, interpret, Options(epochs=epochs if whole else 1))
    run.finished = source.finished
    if source.lower:
        run.estimates, run.groups = (
            [msgspec.structs.replace(e, higher_is_better=e.name not in source.lower) for e in made]
            for made in (run.estimates, run.groups)
        )
    assert run.origin is not None
    notes = (*source.notes, *written.notes, *differences(run))
    run.origin = msgspec.structs.replace(run.origin, notes=notes)
    store.save(run)
    for path in journals(run.path):
        path.unlink(missing_ok=True)


def differences(run: SavedRun) -> list[str]:
    """Where howgood's means are not what the program published of the same scores, beyond rounding."""
    own = {estimate.name: estimate.value for estimate in run.estimates}
    found = []
    for told in run.origin.published if run.origin else ():
        value = own.get(told.score or "")
        if value is not None and not _same(told.value, value):
            found.append(
                f"{told.name} was published as {told.value:g}; the mean over the samples that are here is {value:.6g}"
            )
    return found


def _same(published: float, value: float) -> bool:
    """Whether two numbers are one but for the digits with which the first was written."""
    digits = len(repr(published).partition("e")[0].partition(".")[2]) if "e" not in repr(published) else 15
    return abs(published - value) <= max(0.5 * 10.0**-digits, 1e-9 * (1 + abs(value)))


def _rules(
    source: Source, data: dict[str, Any], sample: dict[str, Any], call: dict[str, Any], interpret: Interpretation
) -> RunRules:
    if source.whole:
        return msgspec.structs.replace(source.whole, interpret=interpret.describe())
    known = source.rules
    return RunRules(
        benchmark=source.benchmark,
        version=known.version or 0,
        data=known.data | data,
        sample=sample,
        call={"made_by": source.program} | known.call | call,
        outputs=known.outputs,
        interpret=interpret.describe(),
    )


class _Sum:
    """A fingerprint of many values in any order: the sum of their sha256."""

    def __init__(self) -> None:
        self._sum = 0
        self._encode = msgspec.json.Encoder(order="sorted").encode

    def add(self, value: Any) -> None:
        self._sum += int.from_bytes(hashlib.sha256(self._encode(value)).digest(), "big")

    @property
    def hex(self) -> str:
        return f"{self._sum % 2**256:064x}"[:12]


class _Written:
    """What was seen of a source's trials while they were written."""

    def __init__(self, source: Source) -> None:
        self.progress = Progress(0)
        self.prompts, self.content = _Sum(), _Sum()
        self.headline = source.headline
        self.repeats: Counter[str] = Counter()
        self.names: Counter[str] = Counter()  # of the trials that have the headline, how many have each score
        self.scored = self.count = 0
        self._places = {id: place for place, id in enumerate(source.order)}
        self._seen: set[int] = set()
        self._source = source

    @property
    def epochs(self) -> int:
        return max(self.repeats.values(), default=1)

    @property
    def ragged(self) -> set[str]:
        """The scores that some trials with the headline do not have."""
        return {name for name, count in self.names.items() if count < self.scored}

    @property
    def notes(self) -> list[str]:
        if not self.ragged:
            return []
        return [f"not every sample has {', '.join(sorted(self.ragged))}: kept in the column parts, without an estimate"]

    def take(self, trial: Trial) -> Trial:
        """The trial as it is journalled. Raises `DataError` for one that was there before."""
        instance = trial.instance
        index = self._places.setdefault(instance.id, len(self._places))
        key = key_of(index, trial.epoch)
        if not 0 <= trial.epoch < 2**20 or key in self._seen:
            raise DataError(
                f"{self._source.name}: sample {instance.id}, epoch {trial.epoch + 1}, is there twice; "
                "each may be there once"
            )
        self._seen.add(key)
        if instance.id not in self.repeats:
            self.content.add(self._source.identity(instance))
            self.prompts.add(trial.prompt)
        self.repeats[instance.id] += 1
        self.count += 1
        trial = msgspec.structs.replace(trial, index=index, score=self._score(trial))
        self.progress.add(trial)
        return trial

    def _score(self, trial: Trial) -> Score:
        """The score with values only where the headline is one; what others a trial has are its parts."""
        score = trial.score
        values = {free(name): value for name, value in score.values.items() if math.isfinite(value)}
        if self.headline is None and values:
            self.headline = next(iter(values))
        if score.outcome in NOT_JUDGED or self.headline not in values:
            outcome = score.outcome if score.outcome in NOT_JUDGED else "unjudged"
            parts = (*score.parts, *values.items())
            return msgspec.structs.replace(score, values={}, outcome=outcome, parts=parts)
        values = {self.headline: values.pop(self.headline)} | values
        self.scored += 1
        self.names.update(values.keys())
        return msgspec.structs.replace(score, values=values)

    def data(self, instances: int | None) -> dict[str, Any]:
        """The data's part of the rules: its digest only where all of it is here."""
        found = len(self.repeats)
        everything = instances is not None and found >= instances
        return {"instances": instances, "digest": self.content.hex if everything else None}

    def sample(self, instances: int | None) -> dict[str, Any]:
        found = len(self.repeats)
        if instances is not None and found >= instances:
            return {"n": "all", "epochs": self.epochs}
        return {"n": found, "epochs": self.epochs, "how": CHOSEN, "digest": self.content.hex}


def free(name: str) -> str:
    """A score's name, changed where a column of trials has it."""
    return f"{name}_score" if name in BEFORE_SCORES or name in AFTER_SCORES else name


def _rewrite(folder: Path, ragged: set[str]) -> None:
    """Write the journal again with these scores as parts: a trial's columns are a run's, so all must have them."""
    held = columns.contents(folder)
    journal = Journal(folder)
    try:
        for trial in columns.trials(held):
            kept = {name: value for name, value in trial.score.values.items() if name not in ragged}
            parts = tuple((name, value) for name, value in trial.score.values.items() if name in ragged)
            score = msgspec.structs.replace(trial.score, values=kept, parts=(*trial.score.parts, *parts))
            journal.write(msgspec.structs.replace(trial, score=score))
    finally:
        journal.close()
    for path in held.files:
        path.unlink()
