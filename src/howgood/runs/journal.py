"""The journal of a run: one line for each finished trial, on disk before its result is counted.

Each process that works on a run appends to a journal file of its own, so that a line torn by a crash can only be the
last of its file. Lines are written with a single system call: what was written survives kill -9.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from howgood.core.errors import HowgoodError
from howgood.core.types import Trial

NAME = re.compile(r"journal-(\d+)\.jsonl")
AS_IT_IS = getattr(os, "O_BINARY", 0)
"""Keeps Windows from writing each line's end as two bytes, which offsets do not count."""


class Journal:
    """Appends trials to a new journal file of a run's folder. At the end of a `with` it is closed; where that fails
    after another error, the other one is told."""

    def __init__(self, folder: Path) -> None:
        taken = [int(match[1]) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
        self.path = folder / f"journal-{max(taken, default=0) + 1:03d}.jsonl"
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | AS_IT_IS, 0o644)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._encode = msgspec.json.Encoder().encode
        self._length = 0
        self._broken: HowgoodError | None = None

    def write(self, trial: Trial) -> None:
        """Append a trial. Raises `HowgoodError` when the disk is full, and from then on; what was written stays."""
        if self._broken:
            raise self._broken
        line = self._encode(trial) + b"\n"
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            self._broken = cannot_write(self.path, error)
            os.ftruncate(self._file, self._length)  # no half line for a later one to be glued to
            raise self._broken from error
        self._length += len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except HowgoodError:
            if kind is None:
                raise

    def close(self) -> None:
        """Flush to the disk itself and close. Raises `HowgoodError` where the disk does not take it."""
        try:
            try:
                os.fsync(self._file)
            finally:
                os.close(self._file)
        except OSError as error:
            raise cannot_write(self.path, error) from error


def journals(folder: Path) -> list[Path]:
    """The journal files of a run, oldest first."""
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a journal file with their offsets; a torn last line (a crash) is left out."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield offset, line
            offset += len(line)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file that people add to now and then, on the disk itself before this returns. Where the last line
    was cut off, it stays a line of its own. Raises `HowgoodError` where it cannot be written."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | AS_IT_IS, 0o644)
        try:
            torn = False
            if os.fstat(file).st_size:
                os.lseek(file, -1, os.SEEK_END)
                torn = os.read(file, 1) != b"\n"
            os.write(file, (b"\n" if torn else b"") + line + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never half of it. Raises `HowgoodError` where
    it cannot be written."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> HowgoodError:
    """A failed write as an error for people."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        remedy = "What was finished is kept; free some space, then `howgood resume`"
    else:
        remedy = "Choose a folder that can be written (for runs: HOWGOOD_RUNS, or `runs` in the working directory)"
    return HowgoodError(f"cannot write {path}: {error.strerror}. {remedy}")
