"""A model that looks its answers up in a file: it scores what others recorded, without calling anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.errors import DataError, RequestError, UnknownName
from howgood.core.text import shorten
from howgood.core.types import Generate, Likelihood, Loglikelihood, Prediction, Prompt, StopReason, Usage
from howgood.models.base import TRIAL, Capabilities, Model, text_of
from howgood.models.dialects import MOST

TEXT_COLUMNS = ("output", "text", "response", "prediction")
STOP_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "length": "length",
    "refusal": "refusal",
    "filter": "filter",
    "tool": "tool",
    # the words of other formats
    "max_tokens": "length",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "content_filter": "filter",
    "tool_calls": "tool",
    "tool_use": "tool",
}

UNSAID = ("length", "refusal", "filter")
"""Stop reasons that say why there is no text."""


class ReplayModel(Model):
    """Answers out of the file at `path` (.jsonl, .json, .csv, .tsv or .parquet), one row each.

    A row is found by the instance's id in column `id`, or, in a file without one, by the request's exact text in
    column `prompt` (of a conversation: its last message). Several rows of one id are its epochs, in file order, and
    every id has equally many. The answer is in column `text` (unless named: the first there is of output, text,
    response and prediction), the log-likelihoods of a question's choices are in `logprobs`. A row may also tell `cost`
    (US dollars), `latency` (seconds), `input_tokens`, `output_tokens`, `reasoning` (text) and `stop_reason`. An answer
    that is not there is a failed request and no empty answer; so is a null, unless the row's `stop_reason` says why
    there is no text (length, refusal, filter).

    Raises `DataError` for a file that cannot be read this way, when the model is made.
    """

    concurrency = 32

    def __init__(self, name: str, path: str, *, id: str = "id", text: str | None = None) -> None:
        from howgood.inputs.files import digest, read_rows

        self.name, self._path = name, path
        columns: list[str] = []
        self._answers: dict[str, list[Prediction]] = {}
        for number, row in enumerate(read_rows(path), start=1):
            if not columns:
                columns = list(row)
                self._key, self._text = _columns(path, columns, id, text)
            try:
                key, answer = _read(row, self._key, self._text)
            except (ValueError, TypeError, RecursionError) as error:
                raise DataError(f"{path}, row {number}: {error}") from None
            self._answers.setdefault(key, []).append(answer)
        self._epochs = _epochs(path, self._key, self._answers)
        self._sha256 = digest(path)
        texts, scores = self._text is not None, "logprobs" in columns
        self.capabilities = Capabilities(
            generate=texts, loglikelihood=scores, completion=True, chat=True, images=texts, samples=False
        )

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "replay",
            "answers": "recorded; how they were made is not known",
            "file": Path(self._path).name,
            "sha256": self._sha256,
            "instances": len(self._answers),
            "epochs": self._epochs,
            "by": self._key,
            "text": self._text,
        }

    async def generate(self, request: Generate) -> Prediction:
        answer = self._find(request)
        if answer.text is None:
            raise RequestError(f"{self._path} has no {self._text} for this instance: the value is null or missing")
        return msgspec.structs.replace(answer, likelihoods=())

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        answer = self._find(request)
        if len(answer.likelihoods) != len(request.continuations):
            raise RequestError(
                f"{self._path} has {len(answer.likelihoods)} logprobs for an instance with "
                f"{len(request.continuations)} choices"
            )
        return msgspec.structs.replace(answer, text=None)

    def _find(self, request: Generate | Loglikelihood) -> Prediction:
        trial = TRIAL.get(None)
        epoch = trial[1] if trial else 0
        if self._key == "prompt":
            key = _prompt_text(request.prompt)
        elif trial:
            key = trial[0]
        else:
            raise RequestError(f"{self._path} is read by instance ids, which there are only in a run", fatal=True)
        recorded = self._answers.get(key, [])
        if not recorded:
            known = shorten(next(iter(self._answers)), 60)
            raise RequestError(f"{self._path} has no row whose {self._key} is '{shorten(key, 60)}'; one is '{known}'")
        if epoch >= len(recorded):
            raise RequestError(
                f"{self._path} has {len(recorded)} rows for this instance, and this is epoch {epoch + 1}"
            )
        return recorded[epoch]


def _columns(path: str, columns: list[str], id: str, text: str | None) -> tuple[str, str | None]:
    """The column that names the instance, and the one with the answer (None: the file has only log-likelihoods)."""
    if id in columns:
        key = id
    elif id == "id" and "prompt" in columns:
        key = "prompt"
    else:
        hint = f"{path} has: {', '.join(columns)}. Name the column with instance ids, as in replay/FILE,id=COLUMN."
        raise UnknownName("column", id, columns, hint)
    if text is None:
        text = next((name for name in TEXT_COLUMNS if name in columns), None)
        if text is None and "logprobs" not in columns:
            raise DataError(
                f"{path} has no column {', '.join(TEXT_COLUMNS)} or logprobs, only: {', '.join(columns)}; "
                "name the one with the answers, as in replay/FILE,text=COLUMN"
            )
    elif text not in columns:
        raise UnknownName("column", text, columns, f"{path} has: {', '.join(columns)}.")
    return key, text


def _epochs(path: str, key: str, answers: Mapping[str, Sequence[Prediction]]) -> int:
    """How many rows every instance has. Raises `DataError` when they have not equally many: then some answers would
    never be looked at, and nobody could say which count."""
    fewest = min(map(len, answers.values()))
    more = [f"'{shorten(name, 60)}' ({len(rows)} rows)" for name, rows in answers.items() if len(rows) > fewest]
    if more:
        raise DataError(
            f"{path}: some rows have the same {key} as others, such as {', '.join(more[:3])}, where others have "
            f"{fewest}; rows of one {key} are its epochs, so keep equally many of each"
        )
    return fewest


def _read(row: dict[str, Any], key: str, text: str | None) -> tuple[str, Prediction]:
    """A row's key and what it recorded. Raises `ValueError` or `TypeError` that says which column is wrong."""
    if row.get(key) is None:
        raise ValueError(f"column {key} is null or missing")
    answer = row.get(text) if text else None
    if answer is not None and not isinstance(answer, str | int | float):
        raise TypeError(f"column {text} holds {type(answer).__name__}, not text")
    told, reason = row.get("stop_reason"), None
    if told not in (None, ""):
        reason = STOP_REASONS.get(str(told))
        if reason is None:
            raise ValueError(f"stop_reason {told!r:.40} is none of {', '.join(STOP_REASONS)}")
    if answer is None and text and reason in UNSAID:
        answer = ""
    reasoning = row.get("reasoning") or None
    if not isinstance(reasoning, str | None):
        raise TypeError(f"column reasoning holds {type(reasoning).__name__}, not text")
    prediction = Prediction(
        text=None if answer is None else str(answer),
        likelihoods=_likelihoods(row.get("logprobs")),
        reasoning=reasoning,
        stop_reason=reason,
        usage=Usage(_tokens(row, "input_tokens"), _tokens(row, "output_tokens")),
        latency=_number(row, "latency") or 0.0,
        cost=_number(row, "cost"),
    )
    return str(row[key]), prediction


def _number(row: dict[str, Any], column: str) -> float | None:
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= MOST:
        raise ValueError(f"{column} must be a number from 0 to 2**53, not {value!r:.40}")
    return number


def _tokens(row: dict[str, Any], column: str) -> int:
    number = _number(row, column) or 0.0
    if not number.is_integer():
        raise ValueError(f"{column} must be a whole number, not {row[column]!r:.40}")
    return int(number)


def _likelihoods(value: Any) -> tuple[Likelihood, ...]:
    """A row's log-likelihoods: a list of numbers, or its JSON in a file that holds only text. How many tokens each
    choice had was not recorded, so it stands as 0."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = msgspec.json.decode(value)
    numbers = isinstance(value, Sequence) and all(isinstance(p, int | float) and p is not False for p in value)
    if not numbers or not all(-MOST <= p <= 0 for p in value):
        raise ValueError(f"logprobs must be a list of finite numbers up to 0, not {value!r:.60}")
    return tuple(Likelihood(float(p), 0) for p in value)


def _prompt_text(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else text_of(prompt[-1])
