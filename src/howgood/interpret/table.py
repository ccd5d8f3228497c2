"""The scores of a run as columns, and as one row an instance: what every interpretation reads."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from howgood.core.errors import DataError
from howgood.core.types import NOT_JUDGED, Trial

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from howgood.interpret.statistics import Floats, Ints


Parts = tuple[tuple[str, float], ...]
Strings = Any
"""A numpy array of strings of any length (StringDType), which numpy's own types have no name for."""


class Labels(Sequence[str | None]):
    """A name of a stratum or cluster for each row, or None, kept as `codes` (4 bytes a row; none where all are None)
    and the `names` in order, None last."""

    def __init__(self, codes: NDArray[np.int32], met: Sequence[str | None]) -> None:
        """`codes` are places in `met`, in any order."""
        import numpy as np

        order = sorted(range(len(met)), key=lambda place: (met[place] is None, met[place] or ""))
        self.names = [met[place] for place in order]
        self.named = self.names not in ([], [None])
        rank = np.empty(len(met), np.int32)
        rank[order] = np.arange(len(met))
        self.codes = rank[codes] if self.named else np.zeros(len(codes), np.int32)  # which take nothing until read

    @classmethod
    def of(cls, labels: Sequence[str | None] | pl.Series) -> Labels:
        import numpy as np

        met: dict[str | None, int] = {}
        codes = np.fromiter((met.setdefault(label, len(met)) for label in labels), np.int32, len(labels))
        return cls(codes, list(met))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: Any) -> Any:
        return self.names[self.codes[row]]

    def at(self, rows: Ints | slice) -> tuple[Ints | None, list[str | None]]:
        """The labels of some rows as codes of the names that they have, and these; no codes where all are None."""
        import numpy as np

        if not self.named:
            return None, []
        codes = self.codes[rows]
        there = np.bincount(codes, minlength=len(self.names)) > 0
        names = [name for name, is_there in zip(self.names, there.tolist(), strict=True) if is_there]
        return (None, []) if names == [None] else ((np.cumsum(there) - 1)[codes], names)


@dataclass(frozen=True, eq=False)
class Instances:
    """One row for each instance that has a score, sorted by id so that the order of trials changes nothing.

    `scores` are means over the epochs that did not fail; `strata` and `clusters` are codes, None where no instance has
    one (an instance without a cluster is its own); `names` are the strata's names by code; `epochs` is the largest
    number of epochs an instance has; `missing` counts failed trials by stratum.
    """

    packed: Strings
    scores: dict[str, Floats]
    strata: Ints | None
    names: list[str | None]
    clusters: Ints | None
    epochs: int
    missing: Counter[str | None]

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def ids(self) -> list[str]:
        """The instances' ids, as Python's own strings."""
        return list(self.packed)

    def by_stratum(self) -> Iterator[tuple[str, Ints]]:
        """The name and the rows of each named stratum, in order of name."""
        import numpy as np

        if self.strata is None:
            return
        order = np.argsort(self.strata, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(self.strata))[:-1])
        for name, rows in zip(self.names, parts, strict=True):
            if name is not None:
                yield name, rows


@dataclass(frozen=True, eq=False)
class Table:
    """The scores of trials, one row a trial. `scores` are NaN exactly where a trial failed.

    `random_sample` says that the instances were drawn at random from the whole benchmark without regard to strata.
    The strata's shares are then random too, so a mean over instances must not take a stratified error. `sizes` are
    those of a stratified sample: how many instances each stratum has in the whole benchmark ("" for those without one).
    `parts` are each trial's (see `Score`); empty where no trial has any.
    Raises `DataError` for a score that is not a finite number and, once instances are asked for, for a repeated trial.
    """

    ids: Sequence[str]
    epochs: NDArray[np.signedinteger[Any]]
    strata: Sequence[str | None]
    clusters: Sequence[str | None]
    failed: NDArray[np.bool_]
    scores: dict[str, Floats]
    random_sample: bool = False
    sizes: dict[str, int] | None = None
    parts: Sequence[Parts] = ()

    def __post_init__(self) -> None:
        import numpy as np

        for name, values in self.scores.items():
            bad = ~(np.isfinite(values) | self.failed)
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise DataError(
                    f"score {name} of instance {self.ids[row]} is {values[row]:g}, not a finite number; "
                    "the scorer must give one or the trial must count as failed"
                )

    @classmethod
    def of(
        cls,
        trials: Iterable[Trial],
        random_sample: bool = False,
        sizes: dict[str, int] | None = None,
        names: Iterable[str] = (),
    ) -> Table:
        """From trials in any order, of which one is held at a time. The rows are put in order of id, as in
        `from_columns`. Every trial that did not fail must have the same score names, in any order; the scores are in
        that of `names` (none: of the first trial that did not fail)."""
        import numpy as np

        strata, clusters, epochs, failed = array("i"), array("i"), array("i"), array("b")
        of_strata, of_clusters = dict[str | None, int](), dict[str | None, int]()
        scores: dict[str, array[float]] = {name: array("d") for name in names}
        parts: dict[int, Parts] = {}  # by row

        def gathered(trial: Trial) -> str:
            values = trial.score.values
            lost = trial.score.outcome in NOT_JUDGED
            if not lost and not scores:
                scores.update({name: array("d", [float("nan")]) * len(failed) for name in values})
            if not lost and values.keys() != scores.keys():
                raise DataError(f"instance {trial.instance.id} has the scores {_list(values)}, others {_list(scores)}")
            if trial.score.parts:
                parts[len(failed)] = trial.score.parts
            strata.append(of_strata.setdefault(trial.instance.stratum, len(of_strata)))
            clusters.append(of_clusters.setdefault(trial.instance.cluster, len(of_clusters)))
            epochs.append(trial.epoch)
            failed.append(lost)
            for name, column in scores.items():
                column.append(float("nan") if lost else values[name])
            return trial.instance.id

        ids: Strings = np.fromiter(map(gathered, trials), np.dtypes.StringDType())
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        return cls(
            ids,
            np.frombuffer(epochs, np.intc)[order],
            Labels(np.frombuffer(strata, np.intc)[order], list(of_strata)),
            Labels(np.frombuffer(clusters, np.intc)[order], list(of_clusters)),
            np.frombuffer(failed, np.bool_)[order],
            {name: np.frombuffer(column)[order] for name, column in scores.items()},
            random_sample,
            sizes,
            [parts.get(row, ()) for row in order.tolist()] if parts else (),
        )

    @classmethod
    def from_frame(
        cls,
        frame: pl.DataFrame,
        names: Iterable[str],
        random_sample: bool = False,
        sizes: dict[str, int] | None = None,
    ) -> Table:
        """From a frame of trials with the columns id, epoch, stratum, cluster, outcome and one for each score name;
        `parts` (JSON) where trials have some."""
        return cls.from_columns(frame.__getitem__, names, "parts" in frame.columns, random_sample, sizes)

    @classmethod
    def from_columns(
        cls,
        column: Callable[[str], pl.Series],
        names: Iterable[str],
        parts: bool,
        random_sample: bool = False,
        sizes: dict[str, int] | None = None,
    ) -> Table:
        """As `from_frame`, with the columns asked for one after another, so that one of them is held at a time; `parts`
        says whether there is such a column. The rows are put in order of id, so that `instances` need no copy."""
        import numpy as np

        ids = _packed(column("id"))
        order = np.argsort(ids, kind="stable")
        ids = ids[order]

        def ordered(name: str) -> pl.Series:
            found = column(name)
            return found if found.null_count() == len(found) else found.gather(order)

        strata, clusters = (_labels(ordered(name)) for name in ("stratum", "cluster"))
        read = _read_parts(ordered("parts")) if parts else ()
        failed = column("outcome").is_in(NOT_JUDGED).gather(order).to_numpy()
        epochs, scores = ordered("epoch").to_numpy(), {}
        for name in names:
            values = ordered(name).cast(float).fill_null(float("nan")).to_numpy()
            scores[name] = np.where(failed, np.nan, values) if failed.any() else values
        return cls(ids, epochs, strata, clusters, failed, scores, random_sample, sizes, read)

    def score(self, name: str) -> Floats:
        """The score of this name, one value an instance. Raises `DataError` naming those there are."""
        if name not in self.scores:
            raise DataError(f"there is no score '{name}'; these trials have {_list(self.scores) or 'none'}")
        return self.instances.scores[name]

    @cached_property
    def instances(self) -> Instances:
        """One row an instance. Raises `DataError` where no trial has a score."""
        import numpy as np

        packed = _packed(self.ids)
        order = np.argsort(packed, kind="stable")
        rows: Any = slice(None) if (order[1:] > order[:-1]).all() else order  # a slice of all copies nothing
        ordered = packed[rows]
        fresh = _changes(ordered)
        if not fresh.all():  # else one trial an instance, and nothing to be sorted by epoch
            rows = order = order[np.lexsort((self.epochs[rows], np.cumsum(fresh)))]
            self._refuse_repeats(fresh | _changes(self.epochs[order]), ordered, order)
        kept = ~self.failed[rows]
        if not kept.any():
            raise DataError(f"none of {len(self.ids)} trials has a score; see `howgood show RUN --errors` for why")
        if not kept.all():
            rows, ordered = order[kept], ordered[kept]
            fresh = _changes(ordered)
        scores, epochs = {name: values[rows] for name, values in self.scores.items()}, 1
        if not fresh.all():
            first = np.flatnonzero(fresh)
            count = np.diff(first, append=len(fresh))
            scores = {name: np.add.reduceat(values, first) / count for name, values in scores.items()}
            rows, ordered, epochs = order[kept][first], ordered[first], int(count.max())
        strata, names = _labels(self.strata).at(rows)
        return Instances(
            packed=ordered,
            scores=scores,
            strata=strata,
            names=names,
            clusters=_own(*_labels(self.clusters).at(rows)),
            epochs=epochs,
            missing=Counter(self.strata[i] for i in np.flatnonzero(self.failed).tolist()),
        )

    def _refuse_repeats(self, changes: NDArray[np.bool_], ids: Strings, order: Ints) -> None:
        if not changes.all():
            where = int(changes.argmin())
            raise DataError(
                f"instance {ids[where]}, epoch {self.epochs[order[where]]}, is there twice; ids must be unique"
            )


def _changes(column: Any) -> NDArray[np.bool_]:
    """Where a value is another than the one before it; the first one is."""
    import numpy as np

    return np.append(np.ones(min(1, len(column)), np.bool_), column[1:] != column[:-1])


def _packed(ids: Sequence[str] | pl.Series) -> Strings:
    """Ids as an array of strings; a million of Python's own take 100 MB."""
    import numpy as np

    return ids if isinstance(ids, np.ndarray) else np.fromiter(ids, np.dtypes.StringDType(), len(ids))


def _labels(names: Sequence[str | None] | pl.Series) -> Labels:
    return names if isinstance(names, Labels) else Labels.of(names)


def _read_parts(written: pl.Series) -> Sequence[Parts]:
    import msgspec

    decode = msgspec.json.Decoder(Parts).decode
    if written.null_count() == len(written):
        return ()
    try:
        return [decode(text) if text else () for text in written]
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"what was judged apart (the column 'parts') cannot be read: {error}") from error


def _own(codes: Ints | None, names: list[str | None]) -> Ints | None:
    """Clusters as codes, an instance without one being its own; None where all are."""
    import numpy as np

    if codes is not None and names[-1] is None:
        alone = codes == len(names) - 1
        codes[alone] = len(names) + np.arange(int(alone.sum()))
    return codes


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
