"""The files of CORE's tasks as llm-foundry publishes them, fetched once and checked."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howgood.core.errors import DataError
from howgood.core.folders import user_cache
from howgood.core.text import shorten
from howgood.inputs.base import Row
from howgood.inputs.files import read_rows

REPOSITORY = "mosaicml/llm-foundry"
COMMIT = "8c8dd48f72168c5d51e2f7b151595892a8fba43d"
RAW = "https://raw.githubusercontent.com"
BLOBS = {
    "commonsense_reasoning/commonsense_qa.jsonl": "f1cc16a88b05ab0934aab2ec2d02a6869e6e5520",
    "commonsense_reasoning/copa.jsonl": "b22f96e08ae9d0e97e1ae58f67b6425c77ef200a",
    "commonsense_reasoning/openbook_qa.jsonl": "a8aff255a64cbc72a85252acf00df25a315686c2",
    "commonsense_reasoning/piqa.jsonl": "a9992adfdefde366fe7ccff871f5aa62449a09cf",
    "language_understanding/bigbench_language_identification.jsonl": "1f132fbbb12a67ce267b7b92b458175632c265f3",
    "language_understanding/hellaswag.jsonl": "448321079fdc140bd8566b16b24eda9ceacd3501",
    "language_understanding/lambada_openai.jsonl": "4da02dd53b9e7385871d06ab855471d77b2f7dda",
    "language_understanding/winograd_wsc.jsonl": "762fe030ac6938ecba438c47a04057247c6ab891",
    "language_understanding/winogrande.jsonl": "316e87ae4659f0c402b0f00551fdec83ab0a0986",
    "reading_comprehension/boolq.jsonl": "f42083a58713d00ef4600118cfdf79618c269190",
    "reading_comprehension/coqa.jsonl": "028bd4e51326cc43f8394987ae47fbb271aeba9d",
    "reading_comprehension/squad.jsonl": "dc733b8f58ec666c53fd946198c434b819a00680",
    "symbolic_problem_solving/agi_eval_lsat_ar.jsonl": "d663b427ba310d3f877f09a6830198ca7c856189",
    "symbolic_problem_solving/bigbench_cs_algorithms.jsonl": "7ecee0f270f3de8b6558da14ae02181f3d950a40",
    "symbolic_problem_solving/bigbench_dyck_languages.jsonl": "27a4ac2b3b18716add92f4ecd62475c4f8d77768",
    "symbolic_problem_solving/bigbench_operators.jsonl": "a982dc4f962725c9dc4abb07d3cc333c99959290",
    "symbolic_problem_solving/bigbench_repeat_copy_logic.jsonl": "86621f10e7124ed6f3a61fb91493c1256c008f60",
    "world_knowledge/arc_challenge.jsonl": "ce66b8dcfb4bac892a404a0dda8b4e8ed0f84b89",
    "world_knowledge/arc_easy.jsonl": "b5fd1bf87a24246a6be67230b721541688f5c349",
    "world_knowledge/bigbench_qa_wikidata.jsonl": "5e1be72797ba082fd4f6efa42f7d759d2d23339a",
    "world_knowledge/jeopardy_all.jsonl": "2f771918dbc8b68550df204171b14d2648b5d494",
}
"""The files, with git's own hash of each one's content at `COMMIT`."""
LARGEST = 128 * 2**20
"""Bytes that a file may have."""


@dataclass(frozen=True)
class LlmFoundry:
    """One file of llm-foundry's evaluation data, of those in `BLOBS`, as the split "test". What comes over the network
    is only used if it has the published hash."""

    path: str

    def at(self, folder: Path) -> LlmFoundry:
        """Itself: the file does not lie in a data folder."""
        return self

    def has(self, split: str) -> bool:
        return split == "test"

    def rows(self, split: str) -> Iterator[Row]:
        """The file's rows, fetched into the user's cache where they are not there yet. Raises `DataError`."""
        kept = user_cache() / "llm-foundry" / BLOBS[self.path] / Path(self.path).name
        if not kept.is_file():
            self._fetch(kept)
        return read_rows(kept)

    def provenance(self, split: str) -> dict[str, Any]:
        return {"source": f"github {REPOSITORY}", "revision": COMMIT, "files": [self.path]}

    def _fetch(self, kept: Path) -> None:
        from urllib.request import urlopen

        url = f"{RAW}/{REPOSITORY}/{COMMIT}/scripts/eval/local_data/{self.path}"
        instead = f"or put the file into a data folder as dclm_core/{self.path} and pass --data FOLDER"
        try:
            with urlopen(url, timeout=60) as answer:
                content = answer.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{url} cannot be read ({shorten(str(error), 120)}); check the network, {instead}"
            ) from error
        if git_blob(content) != BLOBS[self.path]:
            raise DataError(f"{url} gave {len(content):,} bytes that are not the published file; try again, {instead}")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
                (Path(folder) / kept.name).write_bytes(content)
                (Path(folder) / kept.name).replace(kept)  # at once, so that another process sees all of it or nothing
        except OSError as error:
            raise DataError(f"{kept} cannot be written ({error.strerror or error}); set XDG_CACHE_HOME") from error


def git_blob(content: bytes) -> str:
    """The name git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
