"""Other words for the same question: one template for all instances, or a paraphrase of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from howgood.core.errors import DataError, Unsupported
from howgood.core.text import digest
from howgood.core.types import Instance
from howgood.inputs.perturb.base import Perturbation, Shown, with_text

SLOT = "{input}"
LARGEST = 20_000_000
"""Bytes of a file of wordings."""


class Wording(Perturbation):
    """The question within another wording, a text with the slot {input} where the question goes; the worked examples
    are worded alike. Wordings are the benchmark's own, or of a `file`: one after the other, an empty line between.
    There are as many variants as wordings, or the first `n`."""

    name = "wording"

    def __init__(self, *, n: int | None = None, file: Path | None = None) -> None:
        super().__init__(n=n or 1)
        self.asked, self.file = n, file
        self.wordings = read_wordings(file) if file else ()
        if file:
            self._take(self.wordings)

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        if call["kind"] in ("rolling", "continuation"):
            raise Unsupported("the likelihood of a given text is measured, which no --perturb wording can go around")
        if not self.file:
            if not wordings:
                raise Unsupported(
                    "this benchmark gives no wordings of its own; give yours: --perturb wording,file=FILE (texts with "
                    f"{SLOT} where the question goes, an empty line between)"
                )
            self._take(wordings)

    def _take(self, wordings: tuple[str, ...]) -> None:
        if self.asked and self.asked > len(wordings):
            raise Unsupported(f"there are {len(wordings)} wordings, not {self.asked}; leave out n= or give fewer")
        self.wordings = wordings[: self.asked]
        self.n = len(self.wordings)

    def describe(self) -> dict[str, Any]:
        return {"n": self.n, "wordings": list(self.wordings)}

    def instance(self, instance: Instance, number: int, seed: int) -> Instance | None:
        return with_text(instance, lambda text: self.wordings[number - 1].replace(SLOT, text))

    def shots(self, shots: Shown, id: str, number: int, seed: int) -> Shown:
        return tuple(self.instance(shot, number, seed) or shot for shot in shots)


class Paraphrase(Perturbation):
    """The question in other words, given for each instance: by a `file` of lines {"id": ..., "input": ...}, several
    for one id where there are several, or by the benchmark itself (its instances' metadata `paraphrases`)."""

    name = "paraphrase"
    most: ClassVar[int] = 100

    def __init__(self, *, n: int = 1, file: Path | None = None) -> None:
        super().__init__(n=n)
        self.file, self.given = file, read_paraphrases(file) if file else {}

    def check(self, call: dict[str, Any], wordings: tuple[str, ...]) -> None:
        if call["kind"] in ("rolling", "continuation"):
            raise Unsupported("the likelihood of a given text is measured, so a paraphrase would be another measure")

    def describe(self) -> dict[str, Any]:
        return {"n": self.n, "digest": digest(self.given) if self.file else "the benchmark's own"}

    def instance(self, instance: Instance, number: int, seed: int) -> Instance | None:
        texts = self.given.get(instance.id, ()) if self.file else instance.metadata.get("paraphrases", ())
        return with_text(instance, lambda _: texts[number - 1]) if number <= len(texts) else None


def read_wordings(path: Path) -> tuple[str, ...]:
    """The wordings of a text file. Raises `DataError`."""
    texts = tuple(text.strip("\n") for text in re.split(r"\n[ \t]*\n", _read(path)) if text.strip())
    if not texts:
        raise DataError(f"{path} has no wordings; write texts with {SLOT} in them, an empty line between")
    for number, text in enumerate(texts, start=1):
        if text.count(SLOT) != 1:
            raise DataError(
                f"{path}: wording {number} has {text.count(SLOT)} slots {SLOT}; it needs one, where the question goes"
            )
        if text == SLOT:
            raise DataError(f"{path}: wording {number} is {SLOT} alone, which is the question as it was; take it out")
    return texts


def read_paraphrases(path: Path) -> dict[str, list[str]]:
    """The paraphrases of a file of JSON lines, by instance. Raises `DataError`."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if line.strip():
            try:
                row = msgspec.json.decode(line, type=_Paraphrased)
            except msgspec.DecodeError as error:
                raise DataError(f'{path}, line {number}: {error}; a line is {{"id": "...", "input": "..."}}') from None
            found.setdefault(row.id, []).append(row.input)
    if not found:
        raise DataError(f'{path} has no paraphrases; a line is {{"id": "...", "input": "..."}}')
    return found


class _Paraphrased(msgspec.Struct):
    id: str
    input: str


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than {LARGEST:,} bytes; give a part of it")
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give the path of a file of wordings") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error.reason}; save it as UTF-8") from error
