"""MMLU's questions with their labels looked over again.

Redux: https://arxiv.org/abs/2406.04127, up to 100 questions of each subject. Platinum: https://arxiv.org/abs/2502.03461,
high-school mathematics alone.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from howgood.core.text import LETTERS
from howgood.inputs.base import Row, Source
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local

Labels = Literal["original", "redux", "platinum"]
PLATINUM_SUBJECT = "high_school_mathematics"


class Subjects:
    """A split "test" whose subjects lie in files of their own, and worked examples (the other splits) from the first
    of other sources: the splits of `tests` are named after the subjects, which become each row's `subject`, with the
    row's `place` in it."""

    def __init__(self, tests: Source, subjects: tuple[str, ...], examples: tuple[Source, ...]) -> None:
        self.tests, self.subjects, self.examples = tests, subjects, examples

    def at(self, folder: Path) -> Subjects:
        return Subjects(self.tests.at(folder), self.subjects, tuple(source.at(folder) for source in self.examples))

    def has(self, split: str) -> bool:
        if split == "test":
            return all(self.tests.has(subject) for subject in self.subjects)
        return any(source.has(split) for source in self.examples)

    def rows(self, split: str) -> Iterator[Row]:
        if split != "test":
            return self._other(split).rows(split)
        return (
            {"subject": subject, "place": place} | row
            for subject in self.subjects
            for place, row in enumerate(self.tests.rows(subject))
        )

    def provenance(self, split: str) -> dict[str, Any]:
        if split != "test":
            return self._other(split).provenance(split)
        told = [self.tests.provenance(subject) for subject in self.subjects]
        return {
            "source": told[0]["source"],
            "revision": " ".join(dict.fromkeys(str(one["revision"]) for one in told)),
            "files": [file for one in told for file in one["files"]],
        }

    def _other(self, split: str) -> Source:
        return next(source for source in self.examples if source.has(split))


def sources(labels: Labels, subjects: tuple[str, ...]) -> tuple[Source, ...]:
    """Where the questions and the worked examples are, the data folder first."""
    local = Local(test="mmlu/test.jsonl.gz", dev="mmlu/dev.jsonl")
    hub = Hub("cais/mmlu", test="all/test-*.parquet", dev="all/dev-*.parquet")
    if labels == "original":
        return local, hub
    if labels == "redux":
        held = subjects
        here = Local(**{subject: f"mmlu_redux/{subject}.jsonl" for subject in held})
        # The authors' own files are in arrow's format; the Hub keeps a copy of them in parquet.
        files = {subject: f"{subject}/test/*.parquet" for subject in held}
        there = Hub("edinburgh-dawg/mmlu-redux-2.0", revision="refs/convert/parquet", **files)
    else:
        held = (PLATINUM_SUBJECT,)
        here = Local(**{PLATINUM_SUBJECT: "mmlu_platinum/mmlu_math.jsonl"})
        there = Hub("madrylab/platinum-bench", **{PLATINUM_SUBJECT: "mmlu_math/test-*.parquet"})
    return tuple(Subjects(tests, held, (local, hub)) for tests in (here, there))


def relabelled(row: Row) -> tuple[int, ...]:
    """The right choices by the row's new label; none where the question was thrown out.

    Redux keeps a question that is `ok`, and one with `wrong_groundtruth` whose `correct_answer` names a choice (by
    index, letter or text). Platinum gives the letters as `platinum_target`, and none for a question it rejects.
    """
    if "error_type" in row:
        if row["error_type"] == "ok":
            return (int(row["answer"]),)
        return _choice(row) if row["error_type"] == "wrong_groundtruth" else ()
    if "platinum_target" in row:
        targets = row["platinum_target"] or ()
        return tuple(sorted({LETTERS.index(target.strip().upper()) for target in targets}))
    return (int(row["answer"]),)


def _choice(row: Row) -> tuple[int, ...]:
    said = str(row["correct_answer"] if row["correct_answer"] is not None else "").strip()
    if said in ("0", "1", "2", "3"):
        return (int(said),)
    letter = said.strip(string.punctuation + " ")
    if len(letter) == 1 and letter.upper() in LETTERS[:4]:
        return (LETTERS.index(letter.upper()),)
    texts = [choice.strip() for choice in row["choices"]]
    return (texts.index(said),) if texts.count(said) == 1 else ()
