"""What somebody preferred of answers that stood side by side: kept line by line, and made a benchmark or votes.

kept = preferences.read(Path("runs"))
howgood.rate(preferences.votes(kept).table)
preferences.write_file(kept, Path("own.jsonl"))     # howgood run own.jsonl --ask "{prompt}" --answer reference ...
"""

from __future__ import annotations

import io
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from howgood.arena.answers import Answered
from howgood.core.errors import DataError
from howgood.core.text import digest
from howgood.interpret.rating import style
from howgood.runs.journal import append_line, write_whole

FILE = "preferences.jsonl"
BENCHMARK = ".jsonl"
VOTES = (".csv", ".parquet")
Preferred = int | Literal["tie", "bad"]


class Preference(Struct, frozen=True):
    """`preferred` of the `answers` to a prompt, as they stood beside each other: the place of the best one (from 0),
    that they are all as good ("tie"), or all bad ("bad"), and free `words` on it. `systems` gave the answers; `blind`
    says that their names were hidden until then. `settings` are those of all answers; `made` is when (UTC)."""

    id: str
    prompt: str
    systems: tuple[str, ...]
    answers: tuple[Answered, ...]
    preferred: Preferred
    blind: bool
    words: str = ""
    settings: dict[str, float] = {}
    made: str = ""


class Votes(Struct, frozen=True):
    """Votes on pairs, as columns that `howgood.rate` takes, and how many pairs are no vote that counts, and why."""

    table: dict[str, list[Any]]
    left_out: dict[str, int]


class Tally(Struct, frozen=True):
    """How often a system's answers stood beside others, and how often one was the best of them."""

    system: str
    shown: int
    best: int


def add(folder: Path, preference: Preference) -> Preference:
    """Keep a preference in a folder of runs, on the disk before this returns; one of the same id takes the place of the
    earlier one. Raises `HowgoodError` where it cannot be written."""
    made = msgspec.structs.replace(preference, made=datetime.now(UTC).isoformat(timespec="seconds"))
    append_line(folder / FILE, msgspec.json.encode(made))
    return made


def read(folder: Path) -> list[Preference]:
    """What is kept in a folder of runs, oldest first; of one id the last. A line that cannot be read is passed over.
    Raises `DataError` for a file that cannot be read."""
    found: dict[str, Preference] = {}
    decode = msgspec.json.Decoder(Preference).decode
    try:
        content = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{folder / FILE} cannot be read: {error.strerror or error}") from None
    for line in content.splitlines():
        try:
            one = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            print(f"howgood: a line of {folder / FILE} is no preference and is passed over", file=sys.stderr)
            continue
        found[one.id] = one
    return list(found.values())


def tallies(kept: Sequence[Preference]) -> list[Tally]:
    """The systems, those first that were best most often."""
    shown = Counter(system for one in kept for system in one.systems)
    best = Counter(one.systems[one.preferred] for one in kept if isinstance(one.preferred, int))
    made = [Tally(system, number, best[system]) for system, number in shown.items()]
    return sorted(made, key=lambda one: (-one.best / one.shown, one.system))


def benchmark(kept: Sequence[Preference]) -> list[dict[str, Any]]:
    """A row for each prompt of which one answer was preferred, which is its `reference`: columns id, prompt, reference,
    system (whose it is), blind, words. Of a prompt that was asked more than once the last preference counts."""
    last = {one.prompt: one for one in kept}
    return [
        {
            "id": one.id,
            "prompt": one.prompt,
            "reference": one.answers[one.preferred].text,
            "system": one.systems[one.preferred],
            "blind": one.blind,
            "words": one.words,
        }
        for one in last.values()
        if isinstance(one.preferred, int)
    ]


def votes(kept: Sequence[Preference]) -> Votes:
    """A vote for each pair that a preference tells of: the best answer against each other one; all pairs where they are
    tied, or all bad. Only what was blind counts, and neither an answer that failed nor one that says who wrote it.

    Columns: `battle`, equal for the pairs of one preference, which are not independent (`howgood rate --cluster
    battle`); `time` (seconds since 1970), `model_a`, `model_b`, `winner`, `item` (equal for equal prompts), the counts
    of style; and the texts `prompt`, `answer_a`, `answer_b`."""
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for one in kept:
        for a, b, winner in _pairs(one):
            if why := _why_not(one, a, b):
                left_out[why] += 1
            else:
                rows.append(_vote(one, a, b, winner))
    return Votes({name: [row[name] for row in rows] for name in COLUMNS}, dict(left_out))


def counted(kept: Sequence[Preference]) -> int:
    """How many votes `votes` has."""
    return sum(not _why_not(one, a, b) for one in kept for a, b, _ in _pairs(one))


def _pairs(one: Preference) -> Iterator[tuple[int, int, str]]:
    for a, b in itertools.combinations(range(len(one.systems)), 2):
        if one.preferred == "tie":
            yield a, b, "tie"
        elif one.preferred == "bad":
            yield a, b, "bothbad"
        elif one.preferred in (a, b):
            yield a, b, "model_a" if one.preferred == a else "model_b"


def _why_not(one: Preference, a: int, b: int) -> str:
    if not one.blind:
        return "names were shown"
    if one.answers[a].error is not None or one.answers[b].error is not None:
        return "a system failed"
    if one.answers[a].leak is not None or one.answers[b].leak is not None:
        return "an answer says who wrote it"
    return ""


COUNTS = tuple(f"{name}_{side}" for name in style.FEATURES for side in "ab")
TEXTS = ("prompt", "answer_a", "answer_b")
COLUMNS = ("battle", "time", "model_a", "model_b", "winner", "item", *COUNTS, *TEXTS)


def _vote(one: Preference, a: int, b: int, winner: str) -> dict[str, Any]:
    told = {
        "battle": one.id,
        "time": datetime.fromisoformat(one.made).timestamp() if one.made else None,
        "model_a": one.systems[a],
        "model_b": one.systems[b],
        "winner": winner,
        "item": digest(one.prompt),
        "prompt": one.prompt,
        "answer_a": one.answers[a].text,
        "answer_b": one.answers[b].text,
    }
    for side, place in (("a", a), ("b", b)):
        counted = zip(style.FEATURES, style.counts(one.answers[place].text), strict=True)
        told |= {f"{name}_{side}": number for name, number in counted}
    return told


def as_file(kept: Sequence[Preference], suffix: str) -> tuple[bytes, int]:
    """The bytes of a file, and how many rows it has: a benchmark (.jsonl), or votes (.csv, .parquet). A csv has no
    texts: a spreadsheet may take one for a formula. Raises `DataError` for another suffix, and where no preference
    makes a row."""
    import polars as pl

    if suffix == BENCHMARK:
        rows = benchmark(kept)
        content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        if not rows:
            raise DataError("no answer was preferred yet, so there is no benchmark; note some side by side first")
        return content, len(rows)
    if suffix not in VOTES:
        raise DataError(f"'{suffix}' is no suffix for preferences: .jsonl is a benchmark, .csv and .parquet are votes")
    table = votes(kept).table
    if not table["battle"]:
        raise DataError("no preference counts as a vote yet; note some side by side, with the names hidden")
    frame, to = pl.DataFrame(table, strict=False), io.BytesIO()
    if suffix == ".csv":
        frame.drop(TEXTS).write_csv(to)
    else:
        frame.write_parquet(to)
    return to.getvalue(), len(frame)


def write_file(kept: Sequence[Preference], path: Path) -> int:
    """Write `as_file` of a path's suffix, which replaces an older file in one step; how many rows it has. Raises
    `DataError`, and `HowgoodError` where it cannot be written."""
    content, rows = as_file(kept, path.suffix.lower())
    write_whole(path, content)
    return rows
