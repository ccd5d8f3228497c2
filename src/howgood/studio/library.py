"""The runs that the studio shows: found in folders, read again when they change, and found by id alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.runs import store
from howgood.runs.store import SavedRun
from howgood.web.guard import Refused


class _Kept(Struct):
    """A run as it was read, and by what a change of its run.json shows."""

    stamp: tuple[int, int]
    run: SavedRun


class Library:
    """The runs below some folders; of two of one id the first folder's. `run.json` is read again only when it changed,
    so that a page over thousands of runs costs one look at each file."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [folder.absolute() for folder in folders]
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def runs(self) -> list[SavedRun]:
        """All runs, newest first."""
        with self._lock:
            found: dict[str, _Kept] = {}
            for folder in self.folders:
                for path in folder.glob("*/run.json"):
                    name = path.parent.name
                    if name not in found and (kept := self._read(path)) is not None:
                        found[name] = kept
            self._kept = found
            return [kept.run for _, kept in sorted(found.items(), key=lambda item: (item[1].run.started, item[0]))][
                ::-1
            ]

    def run(self, name: str) -> SavedRun:
        """The run of this id, which never becomes part of a path before it was found. Raises `Refused` (404)."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and (now := self._read(kept.run.path / "run.json")) is not None:
                return now.run
        for run in self.runs():
            if run.path.name == name:
                return run
        raise Refused(404, "There is no such run. It may have been moved or removed.")

    def _read(self, path: Path) -> _Kept | None:
        """A run's record, from before where the file did not change; None for a folder that is no run."""
        with contextlib.suppress(OSError, HowgoodError):
            told = path.stat()
            stamp = told.st_mtime_ns, told.st_size
            kept = self._kept.get(path.parent.name)
            if kept is None or kept.stamp != stamp or kept.run.path != path.parent:
                kept = self._kept[path.parent.name] = _Kept(stamp, store.load(path.parent))
            return kept
        return None
