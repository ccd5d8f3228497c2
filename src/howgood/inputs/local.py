"""Files on this machine: a data folder that many benchmarks share, and a single file of the user's own."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from itertools import chain
from pathlib import Path
from typing import Any, Self

from howgood.core.errors import DataError
from howgood.inputs.base import Row
from howgood.inputs.files import digest, read_rows, split_part

VARIABLE = "HOWGOOD_DATA"
GIVEN: ContextVar[Path | None] = ContextVar("GIVEN", default=None)
"""The data folder that the user named for what is being made just now."""


class Local:
    """Files in the data folder, by split: `Local(test="mmlu/test.jsonl.gz", dev="mmlu/dev.jsonl")`.

    The data folder is the one given by `at`, or else what HOWGOOD_DATA names; without either the source has nothing.
    A split is a file's path in that folder, or a pattern such as "mmlu/test-*.parquet", whose files follow each other
    by name; `arc.json#eval` is one part of a .json file (`files.read_rows`).
    """

    def __init__(self, **splits: str) -> None:
        self.splits = splits
        self._folder: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The data folder, if there is one. Raises `DataError` if it is named but is no folder."""
        if self._folder is not None:
            return self._folder
        if (given := GIVEN.get()) is not None:
            return _checked(given, "the data folder")
        named = os.environ.get(VARIABLE)
        return _checked(Path(named), VARIABLE) if named else None

    def at(self, folder: Path) -> Self:
        """The same files in this folder. Raises `DataError` if it is no folder."""
        found = copy.copy(self)
        found._folder = _checked(folder, "the data folder")
        return found

    def has(self, split: str) -> bool:
        """Whether there is a data folder with the split's files in it."""
        return split in self.splits and self.folder is not None and bool(matching(self.folder, self.splits[split]))

    def rows(self, split: str) -> Iterator[Row]:
        """The split's rows, file after file. Raises `DataError`."""
        return rows_of(self._find(split)[1], split_part(self.splits[split])[1])

    def provenance(self, split: str) -> dict[str, Any]:
        """The files by their names in the data folder, pinned by the sha256 of their bytes."""
        folder, files = self._find(split)
        names = [path.relative_to(folder).as_posix() for path in files]
        return {"source": f"local {self.splits[split]}", "revision": content_revision(files), "files": names}

    def _find(self, split: str) -> tuple[Path, list[Path]]:
        if split not in self.splits:
            raise DataError(f"there is no split '{split}' in a data folder, only {', '.join(self.splits)}")
        folder, name = self.folder, self.splits[split]
        if folder is None:
            raise DataError(f"no data folder is given; pass --data FOLDER or set {VARIABLE}")
        if files := matching(folder, name):
            return folder, files
        raise DataError(
            f"there is no file {split_part(name)[0]} in {folder}; put it there or pass another --data FOLDER"
        )


class OwnFile:
    """A file of the user's own, whose rows are the one split "test"."""

    def __init__(self, path: Path | str) -> None:
        name, self.part = split_part(str(path))
        self.path = Path(name)

    def at(self, folder: Path) -> OwnFile:
        """Itself: its path does not depend on a data folder."""
        return self

    def has(self, split: str) -> bool:
        """Whether the split is "test"; a file that is missing is told when it is read."""
        return split == "test"

    def rows(self, split: str) -> Iterator[Row]:
        """The file's rows. Raises `DataError`."""
        return read_rows(self.path, self.part)

    def provenance(self, split: str) -> dict[str, Any]:
        """The file by its name, pinned by the sha256 of its bytes."""
        name = f"{self.path.name}#{self.part}" if self.part else self.path.name
        return {"source": name, "revision": content_revision([self.path]), "files": [self.path.name]}


def matching(folder: Path, name: str) -> list[Path]:
    """The files in a folder that a path or a pattern names, by name; the part after # does not count."""
    name, _ = split_part(name)
    if (folder / name).is_file():
        return [folder / name]
    return sorted(path for path in folder.glob(name) if path.is_file())


def rows_of(files: Iterable[Path], part: str) -> Iterator[Row]:
    """The rows of files that follow each other. Raises `DataError`."""
    return chain.from_iterable(read_rows(path, part) for path in files)


def content_revision(files: list[Path]) -> str:
    """What pins the bytes of files: the sha256 of the one, or of the many digests in order."""
    digests = [digest(path) for path in files]
    if len(digests) == 1:
        return f"sha256:{digests[0]}"
    return f"sha256:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


def _checked(folder: Path, named_by: str) -> Path:
    if not folder.is_dir():
        raise DataError(f"{named_by} is {folder}, which is no folder; name one that exists")
    return folder
