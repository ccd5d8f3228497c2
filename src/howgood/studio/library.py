"""The runs that the studio shows: found in folders, read again when they change, and found by id alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.runs import store
from howgood.runs.remote import Mirror, is_address
from howgood.runs.store import SavedRun
from howgood.web.guard import Refused


def place(text: str) -> Path | Mirror:
    """Where runs are: a folder, or an address such as s3://bucket/runs. Raises `HowgoodError` for a folder that is not
    there, and for an address that nothing here reads."""
    if is_address(text):
        return Mirror(text)
    if not Path(text).is_dir():
        raise HowgoodError(f"{text} is not a folder; give one that holds runs, or make some with howgood run")
    return Path(text)


class _Kept(Struct):
    """A run as it was read, and by what a change of its run.json shows."""

    stamp: tuple[int, int]
    run: SavedRun


class Library:
    """The runs below some folders; of two of one id the first folder's. `run.json` is read again only when it changed,
    so that a page over thousands of runs costs one look at each file. Runs at an address (`Mirror`) are copied as far
    as they are looked at, and nothing is written beside them."""

    def __init__(self, places: Sequence[Path | Mirror]) -> None:
        self._mirrors = [place for place in places if isinstance(place, Mirror)]
        self._folders = [place.path if isinstance(place, Mirror) else place.absolute() for place in places]
        self.places = [place.address if isinstance(place, Mirror) else str(place) for place in places]
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def runs(self) -> list[SavedRun]:
        """All runs, newest first."""
        for mirror in self._mirrors:
            mirror.refresh()
        with self._lock:
            found: dict[str, _Kept] = {}
            for folder in self._folders:
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
            now = None if kept is None else self._read(kept.run.path / "run.json")
        run = now.run if now is not None else next((run for run in self.runs() if run.path.name == name), None)
        if run is None:
            raise Refused(404, "There is no such run. It may have been moved or removed.")
        self.fetch(run)
        return run

    def fetch(self, run: SavedRun) -> None:
        """Copy what is not here of a run that is kept elsewhere, of which `runs` knows the record alone. Raises
        `HowgoodError`."""
        if mirror := self._mirror(run):
            mirror.fetch(run.path.name)

    def to_write(self, name: str) -> SavedRun:
        """The run of this id, beside which something is to be kept. Raises `Refused`: 404, or 409 for a copy of a run
        that is kept elsewhere."""
        run = self.run(name)
        if mirror := self._mirror(run):
            raise Refused(409, f"This run is read from {mirror.address}, and nothing can be kept beside it from here.")
        return run

    def _mirror(self, run: SavedRun) -> Mirror | None:
        return next((mirror for mirror in self._mirrors if run.path.parent == mirror.path), None)

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
