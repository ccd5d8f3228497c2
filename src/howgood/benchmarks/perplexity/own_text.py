"""Perplexity on text of one's own; units as in Jelinek et al., https://doi.org/10.1121/1.2016299"""

from __future__ import annotations

import re
from typing import Literal

from howgood.calls.likelihood import WholeText
from howgood.core.errors import DataError
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.local import OwnFile
from howgood.interpret.estimate import Perplexity
from howgood.outputs.likelihood import Surprise
from howgood.runs.benchmark import Benchmark


@benchmark(
    "own-text",
    purpose="modelling",
    cite="https://doi.org/10.1121/1.2016299",
    flaws=("Per token it cannot be compared between models with different tokenizers; per byte and per word it can.",),
    data="-P file=PATH: a .txt file, or a .jsonl, .csv or .parquet file with one document a row (-P column=NAME)",
)
def own_text(
    file: str,
    split: Literal["none", "blank-lines"] = "none",
    column: str = "text",
    max_length: int | None = None,
    stride: int | None = None,
) -> Benchmark:
    """Your own text: perplexity per word, byte and token, and bits per byte."""

    def to_instances(row: Row, index: int) -> list[Instance]:
        if column not in row:
            raise DataError(f"{file} has no column '{column}', only {', '.join(row)}; pass -P column=NAME")
        if not isinstance(row[column], str):
            raise DataError(f"{file}, row {index + 1}: column '{column}' holds {row[column]!r:.50}, which is no text")
        parts = [row[column]] if split == "none" else re.split(r"\r?\n(?:[^\S\n]*\n)+", row[column])
        # Blank documents have nothing to be surprised by.
        return [Instance(f"{index}/{number}", part) for number, part in enumerate(parts) if part.strip()]

    return Benchmark(
        inputs=Inputs(to_instances, (OwnFile(file),)),
        call=WholeText(max_length=max_length, stride=stride),
        outputs=Surprise(words="plain"),
        interpret=Perplexity(),
    )
