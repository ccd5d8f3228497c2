"""Runs as files that others read: which format, and where it goes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.text import shorten
from howgood.runs.interop import every_eval_ever, hub_results, inspect_out, tables
from howgood.runs.store import SavedRun

Format = Literal["csv", "parquet", "jsonl", "every-eval-ever", "hf-eval-results", "inspect"]
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".eval": "inspect",
    ".yaml": "hf-eval-results",
}
"""The formats that the ending of a file tells."""
IN_ONE: dict[Format, Callable[[Sequence[SavedRun], Path], None]] = {
    "csv": tables.write_csv,
    "parquet": tables.write_parquet,
    "jsonl": tables.write_jsonl,
    "hf-eval-results": hub_results.write,
}
"""The formats that hold all runs in one file."""


def export(runs: Sequence[SavedRun], path: Path, format: str | None = None) -> list[Path]:
    """Write runs in a format (None: told by the ending of `path`) and return the files that were made. A file appears
    whole or not at all. Raises `HowgoodError`s for what cannot be written so."""
    if not runs:
        raise HowgoodError("nothing to export: give a run; `howgood runs` shows what there is")
    chosen = _format(path, format)
    if write := IN_ONE.get(chosen):
        import polars as pl

        with whole(path) as part:
            try:
                write(runs, part)
            except pl.exceptions.PolarsError as error:
                raise HowgoodError(f"cannot write {path}: {shorten(str(error), 200)}") from error
        return [path]
    if chosen == "every-eval-ever":
        return [made for run in runs for made in every_eval_ever.write(run, path)]
    if len(runs) == 1 and path.suffix == ".eval":
        targets = [path]
    elif path.suffix == ".eval":
        raise HowgoodError(f"a .eval file holds one run, not {len(runs)}; give a folder: -o logs --format inspect")
    else:
        targets = [path / f"{run.id}.eval" for run in runs]
    for run, target in zip(runs, targets, strict=True):
        with whole(target) as part:
            inspect_out.write(run, part)
    return targets


def _format(path: Path, format: str | None) -> Format:
    names = ["csv", "parquet", "jsonl", "every-eval-ever", "hf-eval-results", "inspect"]
    if format is not None:
        if format not in names:
            raise UnknownName("format", format, names, f"There are {', '.join(names)}.")
        return format  # type: ignore[return-value]
    if found := FORMATS.get(path.suffix):
        return found
    raise HowgoodError(
        f"the ending of {path} tells no format ({', '.join(FORMATS)} do); say which: --format {'|'.join(names)}"
    )


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to be written beside `path`, which takes its place once it is whole. Raises `HowgoodError` where it cannot
    be written."""
    if not path.name:
        raise HowgoodError(f"{path} is a folder; give the file's name too: -o trials.csv")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise HowgoodError(f"cannot write {path}: {error.strerror}; choose another place for it: -o PATH") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
