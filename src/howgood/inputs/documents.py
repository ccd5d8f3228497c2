"""Documents of one's own, cut into passages and searched: by words (BM25) or by meaning (embeddings)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from howgood.core.errors import DataError, MissingExtra
from howgood.inputs.files import read_rows

LONGEST = 1_200
"""Characters of a passage, about 200 words."""
PLAIN = (".txt", ".md")
ROWS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
WORD = re.compile(r"\w+")
BM25 = "bm25"


class Passage(Struct, frozen=True):
    """A part of a document: its text, and the `source` that it stands in."""

    source: str
    text: str


class Documents:
    """The passages of the file or folder at `path`: .txt and .md as they are, and the column `text` of .jsonl, .csv,
    .tsv and .parquet, each row a document. `digest` tells their content. Raises `DataError` where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        hashed = hashlib.sha256()
        self.passages: list[Passage] = []
        for source, text in _documents(path):
            hashed.update(f"{source}\0{text}\0".encode(errors="surrogatepass"))
            self.passages += [Passage(source, part) for part in passages(text)]
        if not self.passages:
            raise DataError(f"there is no text in {path}: documents are {', '.join((*PLAIN, *ROWS))} files")
        self.digest = hashed.hexdigest()[:12]


class Index(Protocol):
    """A search over passages."""

    def describe(self) -> dict[str, Any]:
        """What changes what is found: plain values."""

    def search(self, query: str, k: int) -> list[int]:
        """The places of at most `k` passages, the nearest first; equally near ones in their own order."""


class WordIndex:
    """Search by words: BM25 as Lucene computes it (k1 1.5, b 0.75), over lower-case words as they are written, no
    stemming, no stop words. Passages that share no word with the query are not found."""

    def __init__(self, passages: list[Passage]) -> None:
        try:
            import bm25s  # noqa: F401
        except ImportError:
            raise MissingExtra("search by words", "retrieval") from None
        self._passages = passages

    def describe(self) -> dict[str, Any]:
        return {"by": BM25}

    def search(self, query: str, k: int) -> list[int]:
        known = [word for word in word_list(query) if word in self._index.vocab_dict]
        if not known:
            return []
        scores = self._index.get_scores(known).tolist()
        best = sorted(range(len(scores)), key=lambda place: -scores[place])[:k]
        return [place for place in best if scores[place] > 0]

    @cached_property
    def _index(self) -> Any:
        import bm25s

        index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        index.index([word_list(passage.text) for passage in self._passages], show_progress=False)
        return index


class MeaningIndex:
    """Search by meaning: the cosine between the query's embedding and each passage's, by a sentence-transformers
    `model` (a folder, or a name of the Hugging Face Hub)."""

    def __init__(self, passages: list[Passage], model: str) -> None:
        try:
            import sentence_transformers  # noqa: F401
        except ImportError:
            raise MissingExtra("search by meaning", "embeddings") from None
        self._passages, self._name = passages, model

    def describe(self) -> dict[str, Any]:
        folder = Path(self._name)
        if not folder.is_dir():
            return {"by": self._name}
        hashed = hashlib.sha256()
        for path in sorted(folder.rglob("*.safetensors")):
            hashed.update(path.read_bytes())
        return {"by": folder.name, "weights": hashed.hexdigest()[:12]}

    def search(self, query: str, k: int) -> list[int]:
        scores = (self._embeddings @ self._embed([query])[0]).tolist()
        return sorted(range(len(scores)), key=lambda place: -scores[place])[:k]

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self._name)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot load the embedding model {self._name}: {error}") from error

    @cached_property
    def _embeddings(self) -> Any:
        return self._embed([passage.text for passage in self._passages])

    def _embed(self, texts: list[str]) -> Any:
        return self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def passages(text: str) -> Iterator[str]:
    """A text in passages of at most 1,200 characters: paragraphs together as long as they fit, longer ones cut after a
    sentence, else at a space, else anywhere."""
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        for part in _cut(paragraph.strip()):
            if held and len(held) + 2 + len(part) > LONGEST:
                yield held
                held = ""
            held = f"{held}\n\n{part}" if held else part
    if held:
        yield held


def word_list(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _cut(paragraph: str) -> Iterator[str]:
    start = 0  # an index, since a paragraph may be a whole book
    while len(paragraph) - start > LONGEST:
        window = paragraph[start : start + LONGEST]
        ends = [m.end() for m in re.finditer(r"[.!?]\s", window)] or [m.end() for m in re.finditer(r"\s", window)]
        place = ends[-1] if ends else LONGEST
        yield window[:place].rstrip()
        start += place
        while paragraph[start].isspace():  # it ends in none
            start += 1
    if start < len(paragraph):
        yield paragraph[start:]


def _documents(path: Path) -> Iterator[tuple[str, str]]:
    """Every document's source and text, in the order of their names."""
    if not path.exists():
        raise DataError(f"there is no file or folder {path} to read documents from")
    files = (
        [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (*PLAIN, *ROWS) and p.is_file())
    )
    for file in files:
        name = file.name if path.is_file() else file.relative_to(path).as_posix()
        if file.suffix in PLAIN:
            try:
                yield name, file.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{file} is no text in UTF-8: byte {error.start} is not") from None
            except OSError as error:
                raise DataError(f"{file} cannot be read: {error.strerror or error}") from None
        elif file.suffix in ROWS:
            for number, row in enumerate(read_rows(file), start=1):
                if not isinstance(row.get("text"), str):
                    raise DataError(f"{file}, row {number}: a document stands in a column 'text', and there is none")
                yield f"{name}#{number}", row["text"]
        else:
            raise DataError(f"{file} is no document that can be read: {', '.join((*PLAIN, *ROWS))}")
