"""One run's trials, read from its columns by duckdb: rows, pages, neighbours and counts, never the whole table.

A run that goes on, or was stopped, has journals only. They are turned into columns in a folder of our own, anew when
they have grown, and no more often than that takes a small part of the time.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.text import one_line, shorten
from howgood.runs import columns, journal, notes
from howgood.runs.columns import AFTER_SCORES, BEFORE_SCORES
from howgood.runs.query import allow, constant, pattern
from howgood.studio.filters import LEVEL, LONGEST_GROUP, Filter, name, order, places, where

if TYPE_CHECKING:
    import duckdb

    from howgood.runs.store import SavedRun

Row = dict[str, Any]
Key = tuple[int, int]
"""A trial: its instance's place in the benchmark, and its epoch."""

ENDED = ("finished", "incomplete")
"""What runs with a table of their own are; others have journals."""
MEMORY = "512MB"
"""What a query may take; one that needs more fails and says so."""
LONGEST = 2_000
"""Characters of a text in a page's cell."""
NEAR = 20_000
"""Places of instances among which the trial before or after one is looked for first."""
SELDOM = 20
"""A journal is read again after this many times what reading it took."""
SQL_TYPES = {"String": "varchar", "Int32": "integer", "Int64": "bigint", "Float64": "double", "Boolean": "boolean",
             "List(String)": "varchar[]"}  # fmt: skip
# What is asked of every table, though one that an older howgood wrote may be without it.
NEEDED = ("id", "stratum", "cluster", "input", "targets", "choices", "prompt", "text", "answer", "error", "latency",
          "cost", "input_tokens", "output_tokens")  # fmt: skip


class Page(Struct, frozen=True):
    """Some trials in the order asked for; `more` says whether others follow."""

    rows: list[Row]
    more: bool


class Neighbours(Struct, frozen=True):
    """The trials before and after one, in the order asked for; None at the ends."""

    before: Key | None
    after: Key | None


class Trials:
    """The trials of a run, open for reading:

        with Trials(run) as trials:
            trials.row(7, 0)

    `other` is a run of the same instances, which a filter's `differ` and the pages' `other_...` columns need; the runs
    `beside` it are a view of that name, of each trial's `id` and `LEVEL`. `scores`
    are the names of the scores, the headline first. Not for several threads at once. Raises `HowgoodError` where the
    table is missing or no table, and from every method for a query that takes too much.
    """

    def __init__(self, run: SavedRun, other: SavedRun | None = None, beside: Sequence[SavedRun] = ()) -> None:
        self.run, self.other, self.beside = run, other, beside
        self.path = table(run)
        self.columns = _columns(self.path, _stamp(self.path))
        self.scores = columns.score_names([*self.columns])
        self.headline = self.scores[0] if self.scores else None

    def __enter__(self) -> Self:
        import duckdb

        self._connection = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": ""})
        try:
            paths = [self.path]
            self._view("trials", self.columns, self.path)
            if self.other is not None:
                paths.append(there := table(self.other))
                self._view("others", _columns(there, _stamp(there)), there)
            paths += (more := [table(run) for run in self.beside])
            for place, there in enumerate(more):
                self._view(f"beside_{place}", _columns(there, _stamp(there)), there)
            if more:
                parts = " union all ".join(f"select id, {LEVEL} from beside_{place}" for place in range(len(more)))
                self._run(f"create view beside as {parts}")
            # What the query may open from here on, in case words from an address ever became part of one.
            allow(self._connection, paths)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def row(self, index: int, epoch: int) -> Row | None:
        """One trial with all its columns; None where there is none. Only its part of the table is read."""
        found = self.ask(
            f'select * exclude ({LEVEL}) from trials where "index" = ? and epoch = ? limit 1', index, epoch
        )
        return found[0] if found else None

    def count(self, asked: Filter) -> int:
        """How many trials meet a filter."""
        if not asked.narrows:
            return int(self.ask("select count(*) as n from trials")[0]["n"])
        met = self._met(asked)
        return int(self.ask(f"select count(*) as n from {self._tables(asked)} where {met.sql}", *met.values)[0]["n"])

    def page(self, asked: Filter, sort: str, start: int, rows: int, wanted: Sequence[str]) -> Page:
        """`rows` trials that meet a filter, from the one at `start` on, with the columns `wanted`, beside `index` and
        `epoch`. A text is cut to `LONGEST` characters, and of a conversation in `input` only the last turn is given.
        With another run each row has `other_outcome` and `other_score` too (None where it lacks the trial)."""
        by, falling = order(sort, self.headline)
        met, way = self._met(asked), " desc" if falling else ""
        # The rows are found first, by the few columns that say which: reading their texts for all would take longest.
        found = self.ask(
            f'select t."index", t.epoch from {self._tables(asked)} where {met.sql} '
            f'order by {by}{way} nulls last, t."index", t.epoch limit {rows + 1:d} offset {start:d}',
            *met.values,
        )
        keys = [(row["index"], row["epoch"]) for row in found]
        return Page(self._rows(keys[:rows], wanted), len(keys) > rows)

    def neighbours(self, asked: Filter, sort: str, index: int, epoch: int) -> Neighbours:
        """The trials before and after one (which need not meet the filter itself), for stepping through a page's
        order."""
        by, falling = order(sort, self.headline)
        here = self.ask(f'select {by} as x from trials t where t."index" = ? and t.epoch = ?', index, epoch)
        if not here:
            return Neighbours(None, None)
        return Neighbours(
            self._next(asked, by, falling, here[0]["x"], (index, epoch), -1),
            self._next(asked, by, falling, here[0]["x"], (index, epoch), 1),
        )

    def outcomes(self, asked: Filter) -> dict[str, int]:
        """How many trials that meet a filter have each outcome, the most frequent first."""
        met = self._met(asked)
        found = self.ask(
            f"select t.outcome as name, count(*) as n from {self._tables(asked)} where {met.sql} "
            "group by 1 order by 2 desc, 1",
            *met.values,
        )
        return {row["name"]: row["n"] for row in found}

    def groups(self, most: int) -> list[str]:
        """The names of the strata in order, at most so many, without those that are too long for an address."""
        found = self.ask(
            f"select distinct stratum as name from trials where length(stratum) between 1 and {LONGEST_GROUP:d} "
            f"order by 1 limit {most:d}"
        )
        return [row["name"] for row in found]

    def ask(self, query: str, *values: Any) -> list[Row]:
        """The answer of a query over `trials`, as rows. For queries of our own: nothing of it may come from outside
        but its values. Raises `HowgoodError`."""
        answer = self._run(query, values)
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def _run(self, query: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        import duckdb

        try:
            return self._connection.execute(query, list(values))
        except duckdb.OutOfMemoryException as error:
            raise HowgoodError("that takes more memory than a page may; ask for less at once") from error
        except duckdb.Error as error:
            raise HowgoodError(f"the trials of {self.run.id} cannot be read: {shorten(str(error), 200)}") from error

    def _view(self, view: str, known: dict[str, Any], path: Path) -> None:
        """A table as a view, with every column that is asked for; `LEVEL` among them."""
        kinds = BEFORE_SCORES | AFTER_SCORES
        missing = "".join(f", null::{SQL_TYPES[kinds[one]]} as {name(one)}" for one in NEEDED if one not in known)
        if self.headline in known and self.headline in self._shared():
            level = f"{name(str(self.headline))}::double"
        else:
            level = "case outcome when 'right' then 1.0 when 'partial' then 0.5 else 0.0 end"
        self._run(
            f"create view {view} as select *{missing}, case when outcome in ('failed', 'unsupported', 'unjudged') "
            f"then null else {level} end as {LEVEL} from read_parquet({constant(pattern(path))})"
        )

    def _shared(self) -> set[str]:
        """The columns that all runs have."""
        paths = [table(run) for run in (self.other, *self.beside) if run is not None]
        return set(self.columns).intersection(*(_columns(path, _stamp(path)) for path in paths))

    def _tables(self, asked: Filter) -> str:
        if not asked.differ:
            return "trials t"
        if self.other is None:
            raise HowgoodError("there is no other run to differ from; choose one")
        return "trials t join others o on t.id = o.id and t.epoch = o.epoch"

    def _met(self, asked: Filter) -> Any:
        flagged = [*notes.flagged(notes.read(self.run))] if asked.flagged else None
        return where(asked, self.headline, flagged)

    def _rows(self, keys: list[Key], wanted: Sequence[str]) -> list[Row]:
        """Some columns of some trials, in the order of the keys."""
        if not keys:
            return []
        indices = sorted({index for index, _ in keys})
        shown = ", ".join(f"{_cell(one, self.columns)} as {name(one)}" for one in dict.fromkeys(("id", *wanted)))
        found = self.ask(
            f'select t."index", t.epoch, {shown} from trials t where t."index" in ({places(indices)})', *indices
        )
        by_key = {(row["index"], row["epoch"]): row for row in found}
        rows = [by_key[key] for key in keys]
        if self.other is not None:
            ids = [row["id"] for row in rows]
            beside = self.ask(
                f"select id, epoch, outcome, {LEVEL} as level from others where id in ({places(ids)})", *ids
            )
            theirs = {(row["id"], row["epoch"]): row for row in beside}
            for row in rows:
                there = theirs.get((row["id"], row["epoch"]), {})
                row["other_outcome"], row["other_score"] = there.get("outcome"), there.get("level")
        return rows

    def _next(self, asked: Filter, by: str, falling: bool, x: Any, key: Key, step: int) -> Key | None:
        """The nearest trial after (`step` 1) or before (-1) the one with the value `x` of what is sorted by."""
        met = self._met(asked)
        past, key_past = (">" if falling == (step < 0) else "<"), (">" if step > 0 else "<")
        index, epoch = key
        tie = f't."index" {key_past} ? or (t."index" = ? and t.epoch {key_past} ?)'
        if by == 't."index"':
            # Where the table itself is in this order, the rows on the other side need not be looked at.
            met.add(f"{by} {past}= ? and ({by} {past} ? or t.epoch {key_past} ?)", index, index, epoch)
        elif x is None:  # what has none comes last
            met.add(f"{by} is null and ({tie})" if step > 0 else f"{by} is not null or ({tie})", index, index, epoch)
        else:
            last = f" or {by} is null" if step > 0 else ""
            met.add(f"{by} {past} ? or ({by} = ? and ({tie})){last}", x, x, index, index, epoch)
        way = "desc" if falling == (step > 0) else ""
        nulls, turn = ("last", "") if step > 0 else ("first", "desc")
        # In the table's own order the nearest is most often near, and a search of all texts before it is spared.
        spans = [f"{by} between {index - NEAR:d} and {index + NEAR:d}"] if by == 't."index"' else []
        for span in [*spans, "true"]:
            found = self.ask(
                f'select t."index", t.epoch from {self._tables(asked)} where {span} and {met.sql} '
                f'order by {by} {way} nulls {nulls}, t."index" {turn}, t.epoch {turn} limit 1',
                *met.values,
            )
            if found:
                return found[0]["index"], found[0]["epoch"]
        return None


def row(run: SavedRun, index: int, epoch: int) -> Row | None:
    """One trial of a run with all its columns; None where there is none."""
    with Trials(run) as trials:
        return trials.row(index, epoch)


def neighbours(
    run: SavedRun, asked: Filter, sort: str, index: int, epoch: int, other: SavedRun | None = None
) -> Neighbours:
    """The trials before and after one, of those that meet a filter."""
    with Trials(run, other) as trials:
        return trials.neighbours(asked, sort, index, epoch)


def table(run: SavedRun) -> Path:
    """The run's trials as a file of columns: its own once it has ended, if it is there, else one made from its
    journals. Raises `HowgoodError` where neither is there."""
    if run.table:
        return run.table
    if run.status in ENDED and not journal.journals(run.path):
        path = run.path / "trials.parquet"
        raise HowgoodError(f"{path} is missing, so the run's instances cannot be shown; copy the whole run folder")
    return _snapshots().of(run.path)


class _Snapshot(Struct):
    """Journals as columns: the files made so far (the newest last), what the journals were then, when that was, and how
    long it took (seconds)."""

    paths: list[Path]
    sizes: tuple[tuple[str, int], ...] = ()
    made: float = 0.0
    took: float = 0.0


class _Snapshots:
    """Journals as files of columns, in a folder that goes with the process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="howgood-studio-", ignore_cleanup_errors=True)
        self._made: dict[Path, _Snapshot] = {}
        self._number = 0
        self._lock = threading.Lock()

    def of(self, folder: Path) -> Path:
        with self._lock:
            kept = self._made.setdefault(folder, _Snapshot([]))
            sizes = tuple((path.name, path.stat().st_size) for path in journal.journals(folder))
            begun = time.monotonic()
            if not kept.paths or (kept.sizes != sizes and begun - kept.made > SELDOM * kept.took):
                self._number += 1
                path = Path(self._folder.name) / f"{self._number}.parquet"
                columns.write(columns.contents(folder), path)
                kept.paths.append(path)
                kept.sizes, kept.made = sizes, time.monotonic()
                kept.took = kept.made - begun
                while len(kept.paths) > 2:  # the one before may still be read
                    kept.paths.pop(0).unlink(missing_ok=True)
            return kept.paths[-1]


@cache
def _snapshots() -> _Snapshots:
    return _Snapshots()


def _stamp(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_mtime_ns, told.st_size


@lru_cache(64)
def _columns(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    """The names of a table's columns, and their types. Raises `HowgoodError` for a file that is no table."""
    import polars as pl

    try:
        with path.open("rb") as file:  # by its name it would be a pattern
            known = dict(pl.read_parquet_schema(file))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HowgoodError(f"{path} cannot be read: {one_line(str(error))[:200]}") from error
    if not {"index", "epoch", "outcome", "explanation"} <= set(known):
        raise HowgoodError(f"{path} has no columns of trials; it was not written by howgood")
    return known


def _cell(column: str, known: dict[str, Any]) -> str:
    """A column as a page shows it."""
    import polars as pl

    if column not in known and column not in NEEDED:
        raise HowgoodError(f"trials have no column '{column}'")
    told = f"t.{name(column)}"
    if column == "input":
        # A conversation: its last turn's words.
        last = f"try(json_extract_string({told}, '$[#-1].content'))"
        told = f"""case when starts_with({told}, '[{{"role":') then coalesce({last}, {told}) else {told} end"""
    return f"left({told}, {LONGEST:d})" if known.get(column) == pl.String else told
