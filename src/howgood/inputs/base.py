"""Inputs: a benchmark's instances, read lazily from the first source that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from howgood.core.errors import DataError
from howgood.core.types import Instance

Row = dict[str, Any]


class Source(Protocol):
    """Somewhere rows come from: a split's name leads to an iterator over dicts, each read when it is asked for."""

    def has(self, split: str) -> bool:
        """Whether this source can be tried for the split (a hub says yes without asking the network)."""

    def rows(self, split: str) -> Iterator[Row]:
        """The split's rows in file order. Raises `DataError` or `AccessError`, naming file, row and remedy."""

    def provenance(self, split: str) -> dict[str, Any]:
        """`source` (words), `revision` (what pins the bytes) and `files` of the split, for the rules."""

    def at(self, folder: Path) -> Source:
        """The same source, looking into this data folder where it looks into one at all."""


@dataclass(frozen=True)
class Given:
    """Rows that are in memory already."""

    splits: dict[str, tuple[Row, ...]]

    def has(self, split: str) -> bool:
        return bool(self.splits.get(split))

    def rows(self, split: str) -> Iterator[Row]:
        return iter(self.splits[split])

    def provenance(self, split: str) -> dict[str, Any]:
        return {"source": "given in Python", "revision": None, "files": []}

    def at(self, folder: Path) -> Source:
        return self


@dataclass(frozen=True)
class Inputs:
    """The instances of a benchmark: `to_instance(row, index)` maps a row of the first source that has the split to one
    instance, to several (a corpus into documents) or to none (an empty iterable). `wordings` are other wordings of the
    question that ask the same, each with {input} where the question goes (for `--perturb wording`)."""

    to_instance: Callable[[Row, int], Instance | Iterable[Instance]]
    sources: tuple[Source, ...]
    split: str = "test"
    wordings: tuple[str, ...] = ()

    @classmethod
    def of(cls, instances: Iterable[Instance], shots: Iterable[Instance] = ()) -> Inputs:
        """Inputs made in Python: the evaluated instances, and the pool of worked examples (split `dev`)."""
        splits = {"test": tuple({"instance": i} for i in instances), "dev": tuple({"instance": i} for i in shots)}
        return cls(lambda row, index: row["instance"], (Given(splits),))

    def instances(self, split: str | None = None) -> Iterator[Instance]:
        """All instances of a split (default: the evaluated one), in source order; can be called again and again."""
        split = split or self.split
        for index, row in enumerate(self.source(split).rows(split)):
            try:
                made = self.to_instance(row, index)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                where = self.provenance(split)["source"]
                raise DataError(
                    f"row {index + 1} of {where} does not fit: {type(error).__name__}: {error}. It has the columns "
                    f"{', '.join(map(str, row))}; see `howgood describe` for the columns this benchmark takes"
                ) from error
            if isinstance(made, Instance):
                yield made
            else:
                yield from made

    def provenance(self, split: str | None = None) -> dict[str, Any]:
        """Where a split comes from: source, revision, files."""
        split = split or self.split
        return self.source(split).provenance(split)

    def at(self, folder: Path) -> Inputs:
        """The same inputs, looking into `folder` for local data."""
        return replace(self, sources=tuple(source.at(folder) for source in self.sources))

    def source(self, split: str) -> Source:
        for source in self.sources:
            if source.has(split):
                return source
        if len(self.sources) == 1 and split == self.split:
            self.sources[0].provenance(split)  # which says what is missing
        raise DataError(
            f"no source has the split '{split}'; pass --data FOLDER or set HOWGOOD_DATA to a folder that does"
        )
