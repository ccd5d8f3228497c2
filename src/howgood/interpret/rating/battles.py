"""Battles out of a table: columns found by their names, words turned into codes, and every row left out counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from howgood.core.errors import DataError, UnknownName
from howgood.core.text import shorten
from howgood.interpret.rating import style
from howgood.interpret.rating.votes import TIE, A, B

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Floats, Ints

NAMES = {
    "model_a": ("model_a", "left", "a"),
    "model_b": ("model_b", "right", "b"),
    "winner": ("winner", "outcome", "vote"),
    "weight": ("weight",),
    "voter": ("voter", "worker", "judge", "user", "annotator"),
    "time": ("time", "timestamp", "tstamp", "date"),
    "item": ("item", "question_id", "prompt_id", "prompt", "instance"),
}
"""The columns, each by the first of its names that the table has."""
NUMBERS = ("weight", "time")
WORDS = {
    **dict.fromkeys(("model_a", "a", "left", "first", "[[a]]"), A),
    **dict.fromkeys(("model_b", "b", "right", "second", "[[b]]"), B),
    **dict.fromkeys(("tie", "draw", "both", "equal", "[[c]]", "c"), TIE),
}
BOTH_BAD = ("tie (bothbad)", "bothbad", "both_bad", "both bad", "neither")
SYNONYMS = {"length": ("length", "tokens")}
MOST_MODELS = 2_000
SHOWN_WORDS = 5


class Battles(NamedTuple):
    """N votes: codes `a`, `b` of `models` and the `outcome`; where the table has them `weight`, `voter` and `cluster`
    codes with the voters' names, `time` in seconds (NaN where it cannot be read), `item` codes, and `features` (N, K)
    named by `feature_names`. `left_out` says how many rows of the table are no votes, and why; `both_bad` how many of
    the ties say that both are bad; `clustered_by` the column of the clusters."""

    models: list[str]
    a: Ints
    b: Ints
    outcome: Ints
    left_out: dict[str, int]
    both_bad: int = 0
    weight: Floats | None = None
    voter: Ints | None = None
    voters: tuple[str, ...] = ()
    cluster: Ints | None = None
    clustered_by: str | None = None
    time: Floats | None = None
    item: Ints | None = None
    features: Floats | None = None
    feature_names: tuple[str, ...] = ()

    def chosen(self, rows: Any) -> Battles:
        """The votes of these rows, models as they are."""

        def cut(x: Any) -> Any:
            return None if x is None else x[rows]

        return self._replace(
            a=self.a[rows],
            b=self.b[rows],
            outcome=self.outcome[rows],
            weight=cut(self.weight),
            voter=cut(self.voter),
            cluster=cut(self.cluster),
            time=cut(self.time),
            item=cut(self.item),
            features=cut(self.features),
        )


def read(source: Any, cluster: str | None = None, styled: bool = False) -> Battles:
    """Battles from a csv or parquet file, or from a table (anything `polars.DataFrame` takes: a frame, a mapping of
    columns, a list of records).

    Columns: `model_a`, `model_b`, `winner` (model_a, model_b, tie, bothbad, left, right, a, b, or the winner's name),
    and optionally `weight`, `voter`, `time`, `item`; for style (`styled`) the counts `length_a`, `length_b` (or
    tokens_), `headers_a`, ..., `lists_a`, ..., `bold_a`, ..., or the texts `answer_a`, `answer_b` to count them in.
    `cluster` names the column of what belongs together (default: the voter's; "none" for none). A row that is no vote
    is left out and counted. Raises `DataError` where a column is missing or no vote is left."""
    import polars as pl

    path = Path(source) if isinstance(source, str | Path) else None
    named = path.name if path else "the table"
    try:
        frame = _scanned(path) if path else pl.LazyFrame(source)
        columns = frame.collect_schema().names()
        found = _columns(columns, named)
        if cluster not in (None, "none") and cluster not in columns:
            raise UnknownName("column", str(cluster), columns, f"{named} has {', '.join(map(str, columns[:12]))}.")
        by = None if cluster == "none" else cluster or found.get("voter")
        sides = _style_columns(columns, named) if styled else {}
        labels = {**found, **({"cluster": by} if by else {})}
        kept = [
            (pl.col(real) if role in NUMBERS else pl.col(real).cast(pl.String).cast(pl.Categorical)).alias(role)
            for role, real in labels.items()
        ]
        kept += [pl.col(real).alias(f"{name} {side}") for (name, side), real in sides.items()]
        # Block by block, so that never all labels are in memory as text.
        table = frame.select(kept).collect(engine="streaming")
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"{named} cannot be read as a table: {shorten(str(error), 150)}") from None
    except OSError as error:
        raise DataError(f"{named} cannot be read: {error.strerror or error}") from None
    return _battles(table, named, by, sorted({name for name, _ in sides}, key=_order))


def _scanned(path: Path) -> pl.LazyFrame:
    import polars as pl

    if not path.is_file():
        raise DataError(f"there is no file {path}; give a csv or parquet file of battles")
    match path.suffix.lower():
        case ".parquet":
            return pl.scan_parquet(path, glob=False)
        case ".csv" | ".tsv":
            return pl.scan_csv(
                path, infer_schema=False, separator="\t" if path.suffix.lower() == ".tsv" else ",", glob=False
            )
        case ".jsonl" | ".ndjson":
            return pl.scan_ndjson(path)
    raise DataError(f"{path.name} is neither csv, tsv, jsonl nor parquet; battles are read from one of these")


def _columns(columns: list[str], named: str) -> dict[str, str]:
    found = {role: name for role, names in NAMES.items() if (name := next((n for n in names if n in columns), None))}
    missing = [role for role in ("model_a", "model_b", "winner") if role not in found]
    if missing:
        raise DataError(
            f"{named} has no column {' nor '.join(missing)}; battles need model_a, model_b and winner (or left, right, "
            f"winner), and its columns are {shorten(', '.join(map(str, columns)), 120)}"
        )
    return found


def _style_columns(columns: list[str], named: str) -> dict[tuple[str, str], str]:
    found = {}
    for name in style.FEATURES:
        for real in SYNONYMS.get(name, (name,)):
            if f"{real}_a" in columns and f"{real}_b" in columns:
                found[name, "a"], found[name, "b"] = f"{real}_a", f"{real}_b"
                break
    if not found and {"answer_a", "answer_b"} <= set(columns):
        found = {("answer", side): f"answer_{side}" for side in "ab"}
    if not found:
        raise DataError(
            f"{named} says nothing of style; it takes columns such as length_a and length_b, headers_, lists_, bold_, "
            "or the texts answer_a and answer_b"
        )
    return found


def _battles(table: pl.DataFrame, named: str, by: str | None, features: list[str]) -> Battles:
    import numpy as np
    import polars as pl

    if not len(table):
        raise DataError(f"{named} has no rows")
    left_out: Counter[str] = Counter()
    a, b, models = _coded_together(table["model_a"], table["model_b"])
    outcome, both_bad = _outcomes(table, a, b, models, left_out)
    keep: Any = outcome >= 0
    for why, wrong in (("a model without a name", (a < 0) | (b < 0)), ("a model against itself", a == b)):
        left_out[why] += int(np.count_nonzero(keep & wrong))
        keep &= ~wrong
    weight = None
    if "weight" in table.columns:
        weight = table["weight"].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        wrong = ~(np.isfinite(weight) & (weight > 0))
        left_out["a weight that is not above zero"] += int(np.count_nonzero(keep & wrong))
        keep &= ~wrong
    values, names, known = _features(table, features)
    left_out["no count of style"] += int(np.count_nonzero(keep & ~known))
    keep &= known
    if not keep.any():
        why = ", ".join(f"{number:,} {reason}" for reason, number in left_out.items() if number)
        raise DataError(f"none of the {len(table):,} rows of {named} is a vote: {why}")
    present = np.union1d(a[keep], b[keep])
    if len(present) > MOST_MODELS:
        raise DataError(f"{named} names {len(present):,} models, and at most {MOST_MODELS:,} can be rated together")
    place = np.full(len(models) + 1, -1)
    place[present] = np.arange(len(present))
    whole = Battles(
        [models[code] for code in present],
        place[a].astype(np.int16),
        place[b].astype(np.int16),
        outcome.astype(np.int8),
        {why: number for why, number in left_out.items() if number},
        weight=weight,
        clustered_by=by,
        features=values,
        feature_names=names,
    )
    voters: list[str] = []
    if "voter" in table.columns:
        codes, voters = _coded(table["voter"])
        whole = whole._replace(voter=codes, voters=tuple(voters))
    if "cluster" in table.columns:
        whole = whole._replace(cluster=_coded(table["cluster"])[0])
    if "item" in table.columns:
        whole = whole._replace(item=_coded(table["item"])[0])
    if "time" in table.columns:
        whole = whole._replace(time=_seconds(table["time"]))
    return whole.chosen(keep)._replace(both_bad=int(np.count_nonzero(both_bad & keep)))


def _coded_together(first: pl.Series, second: pl.Series) -> tuple[Ints, Ints, list[str]]:
    """Codes of two columns of names, and the names in alphabetical order; -1 where there is none."""
    import numpy as np

    (a, names_a), (b, names_b) = _coded(first), _coded(second)
    names = sorted({*names_a, *names_b})
    place = {name: code for code, name in enumerate(names)}
    turned: list[Any] = [np.array([*(place[name] for name in one), -1], np.int32) for one in (names_a, names_b)]
    return turned[0][a], turned[1][b], names


def _coded(column: pl.Series) -> tuple[Ints, list[str]]:
    """A column of labels as codes of its labels in order, blanks around them taken off; -1 where there is none."""
    import numpy as np
    import polars as pl

    different = column.unique().drop_nulls()
    labels = [label.strip() for label in different.cast(pl.String).to_list()]
    names = sorted({label for label in labels if label})
    place = {name: code for code, name in enumerate(names)}
    own = different.to_physical().to_numpy().astype(np.int64)
    turned = np.full(int(own.max(initial=-1)) + 2, -1, np.int32)
    turned[own] = [place.get(label, -1) for label in labels]
    return turned[column.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()], names


def _outcomes(table: pl.DataFrame, a: Ints, b: Ints, models: list[str], left_out: Counter[str]) -> tuple[Ints, Ints]:
    """The outcome of each row, -1 where its word is not known, and whether it says that both are bad."""
    import numpy as np

    codes, words = _coded(table["winner"])
    place = {name: code for code, name in enumerate(models)}
    as_model = np.array([*(place.get(word, -2) for word in words), -2])[codes]
    plain = [word.casefold() for word in words]
    as_word = np.array([*(TIE if word in BOTH_BAD else WORDS.get(word, -1) for word in plain), -1])[codes]
    bad = np.array([*(word in BOTH_BAD for word in plain), False])[codes]
    outcome = np.where(as_model == a, A, np.where(as_model == b, B, as_word))
    unknown = np.bincount(codes[outcome < 0] + 1, minlength=len(words) + 1)
    if unknown[0]:
        left_out["no winner"] += int(unknown[0])
    order = np.argsort(-unknown[1:], kind="stable")
    told = [place for place in order.tolist() if unknown[1 + place]]
    for one in told[:SHOWN_WORDS]:
        left_out[f"the winner '{shorten(words[one], 40)}'"] += int(unknown[1 + one])
    rest = sum(int(unknown[1 + one]) for one in told[SHOWN_WORDS:])
    if rest:
        left_out[f"{len(told) - SHOWN_WORDS:,} other words for the winner"] += rest
    return outcome, bad & (as_model != a) & (as_model != b)


def _features(table: pl.DataFrame, names: list[str]) -> tuple[Floats | None, tuple[str, ...], Any]:
    """The features that differ, scaled; their names; and which rows have them all."""
    import numpy as np
    import polars as pl

    known = np.ones(len(table), bool)
    if not names:
        return None, (), known
    if names == ["answer"]:
        names = list(style.FEATURES)
        sides = []
        for side in "ab":
            text = table[f"answer {side}"].cast(pl.String)
            known &= text.is_not_null().to_numpy()
            sides.append(np.array([style.counts(one or "") for one in text.to_list()], float).T)
    else:
        sides = []
        for side in "ab":
            columns = [
                table[f"{name} {side}"].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() for name in names
            ]
            known &= np.logical_and.reduce([np.isfinite(x) & (x >= 0) for x in columns])
            sides.append(np.where(np.isfinite(columns) & (np.asarray(columns) >= 0), columns, 0.0))
    raw = np.stack([style.difference(x, y, name) for x, y, name in zip(*sides, names, strict=True)], axis=1)
    values, size = style.scaled(np.where(known[:, None], raw, 0.0))
    told = size > 0
    if not told.any():
        raise DataError("the answers do not differ in style, so there is nothing to control for")
    return values[:, told], tuple(name for name, one in zip(names, told, strict=True) if one), known


def _seconds(column: pl.Series) -> Floats:
    import numpy as np
    import polars as pl

    if column.dtype.is_temporal():
        found = column.cast(pl.Datetime("us"), strict=False).dt.epoch("us") / 1e6
    elif column.dtype.is_numeric():
        found = column.cast(pl.Float64)
    else:
        text = column.cast(pl.String)
        found = text.cast(pl.Float64, strict=False)
        if found.null_count() > len(found) / 2:
            try:
                found = text.str.to_datetime(strict=False, time_unit="us").dt.epoch("us") / 1e6
            except pl.exceptions.ComputeError:  # no form of dates fits any of them
                found = text.cast(pl.Float64, strict=False)
    return np.asarray(found.cast(pl.Float64).fill_null(np.nan).to_numpy(), np.float64)


def _order(name: str) -> int:
    return style.FEATURES.index(name) if name in style.FEATURES else -1
