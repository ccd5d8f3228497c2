"""The votes of an arena as a file, cleaned by the rules Chatbot Arena publishes its by (arXiv:2403.04132)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from howgood.arena.database import Database
from howgood.core.errors import DataError
from howgood.core.text import digest

if TYPE_CHECKING:
    import polars as pl

FORMATS = (".csv", ".parquet")
AT_ONCE = 1_000
"""Battles whose texts are read together."""


def export(database: Database, path: Path) -> int:
    """Write the votes that count, a row each, to a csv or parquet file, which replaces an older one in one step; how
    many they are. Left out are battles without a vote, with a failed or cut off answer, with an answer that says who
    wrote it, votes of bots, and second votes on the same pair and prompts. The names were hidden in all of them.

    Columns: battle, time (seconds since 1970), voter (a digest), model_a, model_b, winner, turns, prompt_id (equal for
    equal prompts), the style counts length_a, length_b, headers_, lists_, bold_, and in parquet the texts: prompt,
    answer_a and answer_b, lists of one text a turn. A csv has no texts: a spreadsheet may take a text for a formula."""
    import polars as pl

    if path.suffix.lower() not in FORMATS:
        raise DataError(f"{path.name} is neither .csv nor .parquet; votes are exported as one of these")
    votes = database.votes()
    battles = votes["battle"]
    table = pl.DataFrame({**votes, "battle": [digest(battle) for battle in battles]}, strict=False)
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix.lower() == ".csv":
            table.write_csv(part)
        else:
            table.hstack(_texts(database, battles)).write_parquet(part)
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None
    return len(table)


def _texts(database: Database, battles: list[str]) -> pl.DataFrame:
    """What was asked and answered in each battle, some at a time: as a table, texts take a fraction of the memory."""
    import polars as pl

    schema = dict.fromkeys(("prompt", "answer_a", "answer_b"), pl.List(pl.String))
    parts = [pl.DataFrame(schema=schema)]
    for start in range(0, len(battles), AT_ONCE):
        read = database.texts(battles[start : start + AT_ONCE])
        columns = {
            "prompt": [[turn.prompt for turn in turns] for turns in read],
            "answer_a": [[turn.answers[0] for turn in turns] for turns in read],
            "answer_b": [[turn.answers[1] for turn in turns] for turns in read],
        }
        parts.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(parts)
