"""Trials as columns: from the journal's lines to a frame or a parquet file, a batch at a time."""

from __future__ import annotations

import contextlib
import ctypes
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.types import Message, Prompt, Trial
from howgood.models.base import text_of
from howgood.runs import journal

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Ints

BATCH, GROUP = 500, 10_000
"""Trials that are turned into columns at once, and those that the table keeps together."""
BATCH_TEXT = 16_000_000
"""Characters of text held at once."""

# The columns and their polars types; the score values stand between these two groups.
BEFORE_SCORES = {
    "id": "String",
    "variant": "String",
    "epoch": "Int32",
    "index": "Int64",
    "stratum": "String",
    "cluster": "String",
    "input": "String",
    "targets": "List(String)",
    "choices": "List(String)",
    "gold": "List(Int32)",
    "metadata": "String",
    "prompt": "String",
    "text": "String",
    "attempts": "List(String)",
    "reasoning": "String",
    "answer": "String",
    "outcome": "String",
}
AFTER_SCORES = {
    "explanation": "String",
    "parts": "String",
    "verdicts": "String",
    "likelihoods": "List(Likelihood)",
    "stop_reason": "String",
    "answer_tokens": "List(Token)",
    "transcript": "String",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cached_tokens": "Int64",
    "cache_write_tokens": "Int64",
    "reasoning_tokens": "Int64",
    "latency": "Float64",
    "first_token": "Float64",
    "cost": "Float64",
    "retries": "Int32",
    "replayed": "Boolean",
    "error": "String",
}


def refuse_taken(names: Iterable[str]) -> None:
    """Raises `HowgoodError` for a score name that is a column already."""
    for name in names:
        if name in BEFORE_SCORES or name in AFTER_SCORES:
            raise HowgoodError(f"a score cannot be named '{name}': every trial has a column of that name; rename it")


def schema(names: list[str]) -> dict[str, Any]:
    """The columns of a run whose trials have these score names, with their polars types. Raises `HowgoodError` for a
    score name that is a column already."""
    import polars as pl

    refuse_taken(names)
    likelihood = pl.Struct(
        {
            "logprob": pl.Float64,
            "tokens": pl.Int32,
            "greedy": pl.Boolean,
            "token_logprobs": pl.List(pl.Float32),
            "token_lengths": pl.List(pl.Int32),
        }
    )

    structs = {"Likelihood": likelihood, "Token": pl.Struct({"text": pl.String, "logprob": pl.Float32})}

    def polars_type(name: str) -> Any:
        if name.startswith("List("):
            return pl.List(polars_type(name[5:-1]))
        return structs.get(name) or getattr(pl, name)

    columns = BEFORE_SCORES | dict.fromkeys(names, "Float64") | AFTER_SCORES
    return {name: polars_type(kind) for name, kind in columns.items()}


def score_names(columns: list[str]) -> list[str]:
    """The score columns of a run's trials, the headline first: they stand between outcome and explanation."""
    return columns[columns.index("outcome") + 1 : columns.index("explanation")]


def to_row(trial: Trial) -> dict[str, Any]:
    """A trial as one row; the score values under their own names."""
    instance, prediction, score, usage = trial.instance, trial.prediction, trial.score, trial.prediction.usage
    return {
        "id": instance.id,
        "variant": instance.variant,
        "epoch": trial.epoch,
        "index": trial.index,
        "stratum": instance.stratum,
        "cluster": instance.cluster,
        "input": as_text(instance.input),
        "targets": instance.targets,
        "choices": instance.choices,
        "gold": instance.gold,
        "metadata": msgspec.json.encode(instance.metadata).decode() if instance.metadata else None,
        "prompt": as_text(trial.prompt),
        "text": prediction.text,
        "attempts": prediction.attempts,
        "reasoning": prediction.reasoning,
        "answer": score.answer,
        "outcome": score.outcome,
        **score.values,
        "explanation": score.explanation,
        "parts": msgspec.json.encode(score.parts).decode() if score.parts else None,
        "verdicts": msgspec.json.encode(score.verdicts).decode() if score.verdicts else None,
        "likelihoods": [msgspec.structs.asdict(x) for x in prediction.likelihoods],
        "stop_reason": prediction.stop_reason,
        "answer_tokens": [{"text": t.text, "logprob": t.logprob} for t in prediction.tokens],
        "transcript": as_text(prediction.transcript) if prediction.transcript else None,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cached_tokens": usage.cached,
        "cache_write_tokens": usage.cache_writes,
        "reasoning_tokens": usage.reasoning,
        "latency": prediction.latency,
        "first_token": prediction.first_token,
        "cost": prediction.cost,
        "retries": prediction.retries,
        "replayed": prediction.replayed,
        "error": prediction.error,
    }


def as_text(prompt: Prompt) -> str:
    """Raw text as it is; a conversation as JSON."""
    return prompt if isinstance(prompt, str) else msgspec.json.encode(prompt).decode()


def said(row: dict[str, Any]) -> tuple[str, str]:
    """What was asked and what was answered, of a row with `input`, `text`, `metadata` and `transcript`: in a
    conversation whose turns the instance has, all that the user said, and all answers."""
    if not row["transcript"] or "turns" not in msgspec.json.decode(row["metadata"] or "{}"):
        return row["input"], row["text"] or ""
    turns = msgspec.json.decode(row["transcript"], type=tuple[Message, ...])
    asked = msgspec.json.decode(row["input"], type=tuple[Message, ...])
    answers = (text_of(turn) for turn in turns if turn.role == "assistant")
    return as_text((*asked, *(turn for turn in turns if turn.role == "user"))), "\n\n".join(answers)


Key = int
"""A trial of a run: its instance's place in the benchmark, and its epoch, in one number that sorts like the two."""
Place = int
"""A line of a journal: the number of its file and its offset, in one number."""


def key_of(index: int, epoch: int) -> Key:
    return index << 20 | epoch


class Contents(Struct):
    """What a run's journals (`files`, oldest first) hold: the `places` of the lines that count, one a trial, in the
    order of the benchmark, and the score names, the headline first."""

    files: list[Path]
    places: Ints
    names: list[str]


def contents(folder: Path) -> Contents:
    """Look through a run's journals. A later line counts only where the earlier one had failed; a line that cannot be
    read (a crash of the machine may leave one) is passed over, so its trial is run again."""
    import numpy as np

    decode = msgspec.json.Decoder(Trial).decode
    files, names = journal.journals(folder), list[str]()
    keys, places, failed = array("q"), array("q"), array("b")  # a run of a million trials has as many of each
    for number, path in enumerate(files):
        for offset, line in journal.lines(path):
            try:
                trial = decode(line)  # whole: one whose body is damaged must not count either
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            keys.append(key_of(trial.index, trial.epoch))
            places.append(number << 48 | offset)
            failed.append(trial.score.outcome == "failed")
            names = names or list(trial.score.values)
    key, place, lost = (np.frombuffer(part, part.typecode) for part in (keys, places, failed))
    order = np.argsort(key, kind="stable")
    fresh = np.diff(key[order], prepend=-1) != 0
    if not fresh.all():  # of each trial's lines the first that did not fail counts, or the last of those that did
        order = np.lexsort((np.where(lost, -place, place), lost, key))[fresh]
    narrow = np.min_scalar_type(place.max(initial=0))  # 4 bytes a trial, of one journal of less than 4 GB
    return Contents(files, place[order].astype(narrow), names)


def trials(held: Contents) -> Iterator[Trial]:
    """The trials that count, in the order of the benchmark, each read when it is asked for."""
    decode = msgspec.json.Decoder(Trial).decode
    files = [path.open("rb") for path in held.files]
    try:
        for place in map(int, held.places):
            file = files[place >> 48]
            file.seek(place & (1 << 48) - 1)
            yield decode(file.readline())
    finally:
        for file in files:
            file.close()


def written(held: Contents) -> Iterator[tuple[Trial, bool]]:
    """All trials in the order in which they were written, and whether each is the one that counts: those that failed
    and were run again took something too."""
    import numpy as np

    decode = msgspec.json.Decoder(Trial).decode
    counting = map(int, np.sort(held.places))
    following = next(counting, None)
    for number, path in enumerate(held.files):
        for offset, line in journal.lines(path):
            counts = following == number << 48 | offset
            if counts:
                following = next(counting, None)
            try:
                trial = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            yield trial, counts


def frames(held: Contents) -> Iterator[pl.DataFrame]:
    """The trials that count as frames of at most `BATCH` rows and about `BATCH_TEXT` characters of prompts."""
    import polars as pl

    columns = schema(held.names)
    batch: list[dict[str, Any]] = []
    text = 0
    for trial in trials(held):
        row = to_row(trial)
        batch.append(row)
        text += len(row["prompt"]) + len(row["input"]) + len(row["text"] or "")
        if len(batch) == BATCH or text > BATCH_TEXT:
            yield pl.DataFrame(batch, schema=columns)
            batch, text = [], 0
    if batch:
        yield pl.DataFrame(batch, schema=columns)


def frame(folder: Path) -> pl.DataFrame:
    """All trials in a run's journals as one frame."""
    import polars as pl

    held = contents(folder)
    return pl.concat([pl.DataFrame(schema=schema(held.names)), *frames(held)])


def compact(folder: Path, held: Contents) -> None:
    """Turn a run's journals into trials.parquet, holding one batch in memory at a time. The journals stay; the caller
    removes them when nothing is left to do."""
    import polars as pl

    part = folder / "trials.parquet.part"
    give_back()
    try:
        write(held, part)
        os.replace(part, folder / "trials.parquet")
    except (OSError, pl.exceptions.ComputeError) as error:
        part.unlink(missing_ok=True)
        raise HowgoodError(
            f"cannot write {folder / 'trials.parquet'}: {error}. The journal is kept; free some space and "
            f"`howgood resume {folder.name}`"
        ) from error


def give_back() -> None:
    """Give the system back what was freed, which the C library keeps (on Linux glibc; others have no such function): 15
    MB after 200,000 trials."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def write(held: Contents, path: Path) -> None:
    """Write the trials that count as columns (parquet, zstd, in row groups), holding one batch in memory at a time."""
    from polars.io.plugins import register_io_source

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from frames(held)

    lazy = register_io_source(source, schema=schema(held.names))
    # A row group is held whole, so its rows are few where they are long.
    line = sum(path.stat().st_size for path in held.files) // max(1, len(held.places))
    rows = max(1, min(GROUP, 4 * BATCH_TEXT // max(1, line)))
    lazy.sink_parquet(path, compression="zstd", row_group_size=rows, maintain_order=True)
