"""Runs out of the files of other programs: what is what, and what is here already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from howgood.core.errors import DataError, HowgoodError
from howgood.runs import store
from howgood.runs.interop import alpaca_eval, helm, inspect_log, lm_eval
from howgood.runs.interop.files import fingerprint
from howgood.runs.interop.keeping import Source, keep
from howgood.runs.store import SavedRun

HEAD = 4096
KINDS = (
    "an Inspect log (.eval or .json), an lm-eval results_*.json, a HELM run folder, AlpacaEval's annotations.json, "
    "or a folder of these"
)


class Found(Struct):
    """What came of one source: its run, and whether it is new; or why there is none."""

    name: str
    run: SavedRun | None = None
    new: bool = False
    problem: HowgoodError | None = None


def import_all(paths: list[Path], root: Path) -> Iterator[Found]:
    """Import every run that the paths hold. What cannot be read is told and the next one is tried."""
    there = {run.origin.sha256: run for run in store.runs(root) if run.origin}
    for path in paths:
        try:
            readers = list(_readers(path))
        except HowgoodError as error:
            yield Found(str(path), problem=error)
            continue
        for name, read in readers:
            try:
                sources = read()
            except HowgoodError as error:
                yield Found(name, problem=error)
                continue
            for source in sources:
                yield _imported(source, root, there)


def _imported(source: Source, root: Path, there: dict[str, SavedRun]) -> Found:
    """The run of a source: made now, unless it is `there` by the sha256 of what it was read from."""
    name = f"{source.name} ({source.part})" if source.part else source.name
    try:
        sha256 = fingerprint(source.files, source.part)
        if sha256 in there:
            return Found(name, there[sha256])
        there[sha256] = keep(source, sha256, root)
        return Found(name, there[sha256], new=True)
    except HowgoodError as error:
        return Found(name, problem=error)


Reader = tuple[str, Callable[[], list[Source]]]


def _readers(path: Path) -> Iterator[Reader]:
    """What can be read at a path: its name, and how. Raises `DataError` where there is nothing."""
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check the path")
    if path.is_file():
        reader = _reader(path)
        if reader is None:
            raise DataError(f"{path} is nothing that howgood imports: it reads {KINDS}")
        yield reader
        return
    found = list(_within(path))
    if not found:
        raise DataError(f"nothing in {path} is what howgood imports: it reads {KINDS}")
    yield from found


def _within(folder: Path) -> Iterator[Reader]:
    """The runs in a folder and those below it."""
    if (folder / helm.SPEC).is_file():
        yield str(folder), lambda: [helm.source(folder)]
        return
    try:
        inner = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror or error}); check its permissions") from error
    for path in inner:
        if path.is_dir() and not path.is_symlink():
            yield from _within(path)
        elif path.suffix in (".eval", ".json") and (reader := _reader(path)):
            yield reader


def _reader(path: Path) -> Reader | None:
    """How a file is read; None for what is none of ours. A file of samples is read with the results beside it."""
    if path.suffix == ".eval":
        return str(path), lambda: [inspect_log.source(path)]
    if path.name == helm.SPEC:
        return str(path), lambda: [helm.source(path.parent)]
    if path.suffix == ".jsonl" and path.name.startswith("samples_"):
        raise DataError(f"{path} holds samples alone; give the results_*.json beside it, or the folder")
    if path.suffix != ".json":
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
    if path.name.startswith("results") and lm_eval.is_results(head):
        return str(path), lambda: lm_eval.sources(path)
    if inspect_log.is_log(head):
        return str(path), lambda: [inspect_log.source(path)]
    if alpaca_eval.is_annotations(head):
        return str(path), lambda: alpaca_eval.sources(path)
    return None
