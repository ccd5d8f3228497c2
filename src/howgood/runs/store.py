"""Runs on disk: folders that explain themselves, readable without howgood."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.types import Estimate, Run
from howgood.runs import columns
from howgood.runs.journal import cannot_write, journals, write_whole

if TYPE_CHECKING:
    import polars as pl


class SavedRun(Run, kw_only=True):
    """A run folder that was read: everything in run.json, and its trials as a polars frame."""

    path: Path

    @property
    def estimate(self) -> Estimate:
        """The headline number. Raises `HowgoodError` while there is none."""
        if not self.estimates:
            why = f": {self.message}" if self.message else ""
            remedy = "its samples have no scores" if self.origin else f"`howgood resume {self.id}`"
            raise HowgoodError(f"run {self.id} has no estimate ({self.status}{why}); {remedy}")
        return self.estimates[0]

    @property
    def trials(self) -> pl.DataFrame:
        """One row a trial: ids, input, prompt, answer, outcome, scores, tokens, latency and cost."""
        return self.read()

    @property
    def columns(self) -> list[str]:
        """The names of the columns of `trials`."""
        import polars as pl

        if not self.table:
            return self.read().columns
        with self.table.open("rb") as file:  # by its name it would be a pattern
            return list(pl.read_parquet_schema(file))

    def read(self, names: list[str] | None = None) -> pl.DataFrame:
        """Some columns of `trials` (None: all). While a run is under way or stopped, from its journals."""
        import polars as pl

        if self.table:
            return pl.read_parquet(self.table, columns=names, glob=False)
        if self.status in ("finished", "incomplete") and not journals(self.path):
            missing = self.path / "trials.parquet"
            raise HowgoodError(f"{missing} is missing; the run's trials are in it, and its journal is gone")
        frame = columns.frame(self.path)
        return frame if names is None else frame.select(names)

    def page(self, start: int, rows: int) -> pl.DataFrame:
        """Some rows of `trials` with every column; of a run that has ended the others are not read."""
        import polars as pl

        if self.table:
            return pl.scan_parquet(self.table, glob=False).slice(start, rows).collect()
        return self.read().slice(start, rows)

    def find(self, ids: Sequence[str], names: list[str]) -> pl.DataFrame:
        """Some columns of the trials of these instances; of a run that has ended the others are not kept in memory."""
        import polars as pl

        wanted = pl.col("id").is_in(list(ids))
        if self.table:
            return pl.scan_parquet(self.table, glob=False).filter(wanted).select(names).collect(engine="streaming")
        return self.read(names).filter(wanted)

    @property
    def table(self) -> Path | None:
        """The file of its trials as columns; None where they are in journals alone."""
        # Of a run that goes on the journals are newer than the columns of an earlier end.
        path = self.path / "trials.parquet"
        return path if self.status in ("finished", "incomplete") and path.exists() else None


def runs_folder() -> Path:
    """Where runs live: HOWGOOD_RUNS, or `runs` in the working directory."""
    return Path(os.environ.get("HOWGOOD_RUNS", "runs"))


def create(run: Run, root: Path) -> SavedRun:
    """Make the folder of a new run. Raises `HowgoodError` where it cannot be written."""
    path = root / run.id
    try:
        root.mkdir(parents=True, exist_ok=True)
        while True:
            with contextlib.suppress(FileExistsError):  # two runs in one millisecond
                path.mkdir()
                break
            run.id = new_id(run.rules.benchmark, run.system.name)
            path = root / run.id
    except OSError as error:
        raise cannot_write(path, error) from error
    saved = SavedRun(**msgspec.structs.asdict(run), path=path)
    save(saved)
    return saved


def save(run: SavedRun) -> None:
    """Write run.json in one step."""
    record = {name: getattr(run, name) for name in Run.__struct_fields__}
    write_whole(run.path / "run.json", msgspec.json.format(msgspec.json.encode(record), indent=2))


@contextlib.contextmanager
def locked(run: SavedRun) -> Iterator[None]:
    """Hold a run's folder for this process alone. Raises `HowgoodError` where another one works on it."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    folder = os.open(run.path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HowgoodError(f"run {run.id} is being worked on by another process; wait for it or stop it") from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(folder)


def unsaved_seconds(run: SavedRun) -> float:
    """How long the last session worked, if it was killed before it could say: run.json was written at its start, its
    journal at its last trial."""
    if run.status != "running":
        return 0.0
    last = max((path.stat().st_mtime for path in journals(run.path)), default=0.0)
    return max(0.0, last - (run.path / "run.json").stat().st_mtime)


def load(name: str | Path, root: Path | None = None) -> SavedRun:
    """A run by its folder, its id, any unambiguous part of its id, or `last`. Raises `UnknownName`."""
    path = Path(name)
    if not (path / "run.json").is_file():
        path = _find(str(name), root or runs_folder())
    try:
        run = msgspec.json.decode((path / "run.json").read_bytes(), type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise HowgoodError(f"{path / 'run.json'} cannot be read as a run: {error}") from error
    return SavedRun(**msgspec.structs.asdict(run), path=path)


def runs(root: Path | None = None) -> list[SavedRun]:
    """All runs below a folder, oldest first. Folders that are no runs are passed over."""
    found = []
    for name in _ids(root or runs_folder()):
        with contextlib.suppress(HowgoodError):
            found.append(load((root or runs_folder()) / name))
    return found


def new_id(benchmark: str, system: str) -> str:
    """A folder name that sorts by time and says what it is: 2026-11-24T10-00-00_mmlu_smollm2_3e7a. The end holds the
    milliseconds, so that the runs of one second have an order too."""
    time = datetime.now(UTC)
    end = f"{time.microsecond // 1000:03x}{secrets.token_hex(1)[0]}"
    return f"{time:%Y-%m-%dT%H-%M-%S}_{_plain(benchmark)}_{_plain(system)}_{end}"


def _ids(root: Path) -> list[str]:
    """The ids of the runs in a folder, oldest first. Raises `HowgoodError` where it is none."""
    if root.exists() and not root.is_dir():
        raise HowgoodError(f"{root} is no folder, so there can be no runs in it; see what HOWGOOD_RUNS is set to")
    return sorted((path.parent.name for path in root.glob("*/run.json")), key=lambda name: (name[:19], name[-4:]))


def _find(name: str, root: Path) -> Path:
    ids = _ids(root)
    if not ids:
        raise HowgoodError(f"there are no runs in {root}; `howgood run` makes one, HOWGOOD_RUNS points elsewhere")
    if name == "last":
        return root / ids[-1]
    matching = [i for i in ids if name in i]
    if len(matching) > 1 and name not in matching:
        raise HowgoodError(f"'{name}' is part of {len(matching)} runs: {', '.join(matching[-5:])}; give more of the id")
    if not matching:
        raise UnknownName("run", name, ids, "`howgood runs` shows all.")
    return root / (name if name in matching else matching[0])


def _plain(name: str) -> str:
    """A name as part of a folder name: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[-60:]
