"""The trials of runs as tables: csv, parquet and JSON Lines, each trial with the run it is of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from howgood.runs.columns import GROUP, schema, score_names
from howgood.runs.interop.rows import slices
from howgood.runs.store import SavedRun

if TYPE_CHECKING:
    import polars as pl

RUN = ("run", "benchmark", "system")
"""The columns that say which run a trial is of; as in the view of `howgood sql`."""
FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV injection)."""
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def write_csv(runs: Sequence[SavedRun], path: Path) -> None:
    """All trials as RFC 4180, UTF-8. Lists are JSON. Text that a spreadsheet would run as a formula begins with an
    apostrophe; numbers stay as they are."""
    with path.open("wb") as file:
        for place, frame in enumerate(frames(runs)):
            flat(frame).write_csv(file, include_header=place == 0)


def write_jsonl(runs: Sequence[SavedRun], path: Path) -> None:
    """All trials, one JSON object a line; columns that hold JSON (metadata, transcript, ...) stay text."""
    with path.open("wb") as file:
        for frame in frames(runs):
            frame.write_ndjson(file)


def write_parquet(runs: Sequence[SavedRun], path: Path) -> None:
    """All trials in one parquet file (zstd), with the types that runs have."""
    from polars.io.plugins import register_io_source

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from frames(runs)

    lazy = register_io_source(source, schema=_schema(runs))
    lazy.sink_parquet(path, compression="zstd", row_group_size=GROUP, maintain_order=True)


def frames(runs: Sequence[SavedRun]) -> Iterator[pl.DataFrame]:
    """All trials with the columns of all runs, a slice at a time; what a run does not have is null. At least one."""
    import polars as pl

    types = _schema(runs)
    yield pl.DataFrame(schema=types)
    for run in runs:
        for frame in slices(run):
            told = dict(zip(RUN, (run.id, run.rules.benchmark, run.system.label), strict=True))
            whole = frame.with_columns(pl.lit(value).alias(name) for name, value in told.items())
            yield pl.DataFrame([_column(whole, name, kind) for name, kind in types.items()])


def _column(frame: pl.DataFrame, name: str, kind: pl.DataType) -> pl.Series:
    """A column as a run of today has it: one of an older version may lack it, or fields in it."""
    import polars as pl

    if name not in frame.columns:
        return pl.Series(name, [None], kind).new_from_index(0, len(frame))
    column = frame[name]
    if column.dtype == kind:
        return column
    return pl.Series(name, column.to_list(), kind) if kind.is_nested() else column.cast(kind)


def _schema(runs: Sequence[SavedRun]) -> dict[str, pl.DataType]:
    import polars as pl

    scores = dict.fromkeys(name for run in runs for name in score_names(run.columns))
    return dict.fromkeys(RUN, pl.String()) | schema([name for name in scores if name not in RUN])


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column a number or text that no spreadsheet runs, and so are the columns' names: those of
    scores may come from another program's log."""
    import polars as pl

    encode = msgspec.json.Encoder().encode
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    made = [
        pl.Series(name, [None if v is None else encode(v).decode() for v in frame[name].to_list()], pl.String)
        for name in nested
    ]
    frame = frame.with_columns(made)
    texts = [pl.col(name) for name, kind in frame.schema.items() if kind == pl.String]
    frame = frame.with_columns(
        pl.when(text.str.contains(FORMULA) & ~text.str.contains(NUMBER))
        .then(pl.concat_str(pl.lit("'"), text))
        .otherwise(text)
        .alias(text.meta.output_name())
        for text in texts
    )
    return frame.rename({name: f"'{name}" for name in frame.columns if re.match(FORMULA, name)})
