"""The trials of runs, read a slice at a time, for those who write them down elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from howgood.core.types import Message, Prompt
from howgood.runs.columns import AFTER_SCORES, BEFORE_SCORES
from howgood.runs.store import SavedRun

if TYPE_CHECKING:
    import polars as pl

SLICE = 1_000
"""Trials read at once."""


def slices(run: SavedRun) -> Iterator[pl.DataFrame]:
    """The trials of a run as frames of at most `SLICE` rows; one without a table is read whole from its journals."""
    if not run.table:
        yield from run.read().iter_slices(SLICE)
        return
    start = 0
    while len(frame := run.page(start, SLICE)):
        yield frame
        start += len(frame)


def rows(run: SavedRun) -> Iterator[dict[str, Any]]:
    """The trials of a run, one record each; columns that an older version did not have are None."""
    empty: dict[str, Any] = dict.fromkeys((*BEFORE_SCORES, *AFTER_SCORES))
    for frame in slices(run):
        for row in frame.iter_rows(named=True):
            yield empty | row


def as_prompt(written: str) -> Prompt:
    """What a column of prompts holds: a conversation where it is one in JSON (see `columns.as_text`), else raw text."""
    if written.startswith('[{"role":'):
        try:
            return msgspec.json.decode(written, type=tuple[Message, ...])
        except (msgspec.DecodeError, RecursionError):
            pass
    return written


def turns(prompt: Prompt) -> tuple[Message, ...]:
    """A prompt as messages; raw text is what a user says."""
    return (Message("user", prompt),) if isinstance(prompt, str) else prompt
