"""SQL over all runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from howgood.core.errors import HowgoodError
from howgood.core.text import shorten
from howgood.runs.store import SavedRun, runs

if TYPE_CHECKING:
    import duckdb
    import polars as pl

RUNS = (
    "run varchar, benchmark varchar, system varchar, status varchar, rules varchar, started varchar, seconds double, "
    "planned bigint, metric varchar, value double, se double, low double, high double, n bigint, input_tokens bigint, "
    "output_tokens bigint, cost double, parameters varchar"
)
LONGEST_ERROR = 300
"""Characters of duckdb's words that are told."""


def sql(query: str, root: Path | None = None) -> pl.DataFrame:
    """The answer of a duckdb query over two views: `runs` (one row a run: its benchmark, system, status, estimate,
    tokens, cost) and `trials` (one row a trial of every run that has ended, with its run, benchmark and system).

    Only reads: anything but a select is refused, and so is every file but the runs' own. A second column of one name
    is called `name_2`. Raises `HowgoodError` with duckdb's words when the query is wrong.
    """
    import duckdb
    import polars as pl

    saved = runs(root)
    paths = [run.path.absolute() / "trials.parquet" for run in saved]
    files = [str(path) for path in paths if path.exists()]
    with duckdb.connect() as connection:
        _make_views(connection, saved, files)
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise HowgoodError("the query must be one select statement: howgood sql only reads")
            # A file that may be read may be written too, by a COPY in the outermost WITH: inside another select duckdb
            # refuses it.
            connection.execute(f"explain select * from (\n{query.strip().rstrip(';')}\n)")
            # Not .pl(): that goes through pyarrow, which the core install does without.
            rows = connection.execute(statements[0]).fetchall()
            names = [column[0] for column in connection.description or []]
        except duckdb.Error as error:
            hint = "" if files else " There are no finished runs yet, so there is no view `trials`."
            raise HowgoodError(f"the query failed: {_words(error)}.{hint}") from error
    return pl.DataFrame(rows, schema=_distinct(names), orient="row", infer_schema_length=None)


def _make_views(connection: duckdb.DuckDBPyConnection, saved: list[SavedRun], files: list[str]) -> None:
    """Make `runs` and `trials`, then close the way to every file but those of `trials`."""
    connection.execute(f"create table runs ({RUNS})")
    if saved:
        places = ", ".join("?" * len(RUNS.split(", ")))
        connection.executemany(f"insert into runs values ({places})", [_row(run) for run in saved])
    listed = ", ".join(constant(pattern(file)) for file in files)
    if files:
        connection.execute(
            "create view trials as select runs.run, runs.benchmark, runs.system, t.* exclude (filename) "
            f"from read_parquet([{listed}], union_by_name = true, filename = true) t "
            "join runs on runs.run = split_part(t.filename, '/', -2)"
        )
    allow(connection, files)


def pattern(path: Path | str) -> str:
    """What means this one file where duckdb takes a pattern."""
    return re.sub(r"([*?[])", r"[\1]", str(path))


def constant(words: str) -> str:
    """Words as a constant in SQL."""
    return "'" + words.replace("'", "''") + "'"


def allow(connection: duckdb.DuckDBPyConnection, files: Sequence[Path | str]) -> None:
    """Let a connection open these files from here on, and nothing else."""
    # duckdb asks for a file by its pattern, then by its name.
    names = ", ".join(constant(name) for name in dict.fromkeys([*map(pattern, files), *map(str, files)]))
    connection.execute(f"set allowed_paths = [{names}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _words(error: Exception) -> str:
    """duckdb's words on one line, with its suggestions, without the picture of where in the query it happened."""
    told = str(error).partition("\nLINE ")[0]
    return shorten(told, LONGEST_ERROR).rstrip(".")


def _distinct(names: list[str]) -> list[str]:
    """The names, every one that was there before numbered."""
    out: list[str] = []
    for name in names:
        number, new = 1, name
        while new in out:
            number += 1
            new = f"{name}_{number}"
        out.append(new)
    return out


def _row(run: SavedRun) -> list[Any]:
    head = run.estimates[0] if run.estimates else None
    estimate = [head.name, head.value, head.se, head.low, head.high, head.n] if head else [None] * 6
    return [
        run.id,
        run.rules.benchmark,
        run.system.name,
        run.status,
        run.rules.hash,
        run.started,
        run.seconds,
        run.planned,
        *estimate,
        run.usage.input,
        run.usage.output,
        run.cost,
        msgspec.json.encode(run.parameters).decode(),
    ]
