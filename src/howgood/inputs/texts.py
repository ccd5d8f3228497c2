"""Whole texts: lines put together to the text that they come from, and spaced tokens to text as people write it.

Word-level data sets store text cut into tokens with spaces between. A model that was trained on text as people write it
is put right by a de-tokeniser (Radford et al. 2019, Language models are unsupervised multitask learners, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from howgood.core.errors import DataError
from howgood.inputs.base import Row, Source


@dataclass(frozen=True)
class Lines:
    """A source whose rows are the lines of one text, as that text: one row with the column `text`. `column` holds a
    line, with or without its line break; an empty one stands for `blank`, which data sets on the Hub leave out."""

    source: Source
    column: str = "text"
    blank: str = "\n"

    def at(self, folder: Path) -> Lines:
        return replace(self, source=self.source.at(folder))

    def has(self, split: str) -> bool:
        return self.source.has(split)

    def rows(self, split: str) -> Iterator[Row]:
        yield {"text": "".join(map(self._line, self.source.rows(split)))}

    def provenance(self, split: str) -> dict[str, Any]:
        return self.source.provenance(split)

    def _line(self, row: Row) -> str:
        if not isinstance(row.get(self.column), str):
            raise DataError(f"a line of text stands in a column '{self.column}', but there is only {', '.join(row)}")
        line: str = row[self.column]
        return line if line.endswith("\n") else f"{line}\n" if line else self.blank


def sentences(text: str) -> list[str]:
    """The lines of a text that has a sentence on each, without the space around them."""
    return [line for line in map(str.strip, text.split("\n")) if line]


def one_a_line(text: str) -> str:
    """Its `sentences` as one text, each on a line."""
    return "".join(f"{sentence}\n" for sentence in sentences(text))


def wikitext_detokenizer(text: str) -> str:
    """WikiText as people write it, to the letter as in lm-evaluation-harness (task `wikitext`, version 2)."""
    text = text.replace("s '", "s'").replace(" @-@ ", "-").replace(" @,@ ", ",").replace(" @.@ ", ".")
    for mark in ":;.!?,":
        text = text.replace(f" {mark} ", f"{mark} ")
    for left, right in ("()", "[]", "{}", '""', "''"):
        text = re.sub(rf"\{left}\s*([^\{right}]*?)\s*\{right}", rf"{left}\1{right}", text)
    text = text.replace("= = = =", "====").replace("= = =", "===").replace("= =", "==")
    text = text.replace(" ° ", "°").replace(" \n", "\n").replace("\n ", "\n")
    return text.replace(" N ", " 1 ").replace(" 's", "'s")


def penn_treebank_detokenizer(text: str) -> str:
    """Penn Treebank (lower case, without punctuation) with its words whole: n't, 's and a plural's ' at the word
    before, $ and # at the number after. No character but spaces is changed."""
    text = re.sub(r" (n't|'s|'re|'ve|'m|'ll|'d|')(?!\S)", r"\1", text)
    return re.sub(r"(?<!\S)([$#]) (?=[\dN])", r"\1", text)


def news_detokenizer(text: str) -> str:
    """One Billion Word as people write it: quotes around what stands between a line's first and second, third and
    fourth; punctuation, contractions and brackets at their words, currencies at their numbers. No character but spaces
    is changed."""
    end = r'(?![^\s"])'
    text = re.sub(r'(?<!\S)" ([^"\n]*?) "(?!\S)', r'"\1"', text)
    text = re.sub(rf"(?<=n) '(?=t{end})", "'", text)
    text = re.sub(rf" (n't|'s|'re|'ve|'m|'ll|'d){end}", r"\1", text)
    text = re.sub(rf"(?<=s) '{end}", "'", text)
    text = re.sub(r"(?<=\b[A-Z]) '(?=[A-Z])", "'", text)  # O 'Neill
    text = re.sub(rf" ([,.;:?!%)\]]+){end}", r"\1", text)
    return re.sub(r'(?<![^\s"])([(\[$£€]+) (?=\S)', r"\1", text)


def hugging_face_lines(text: str) -> str:
    """The text as the perplexity guide of Hugging Face puts it together: blank lines emptied, and an empty line put
    after every line's break (https://huggingface.co/docs/transformers/perplexity)."""
    lines = text.removesuffix("\n").split("\n")
    return "\n\n".join(f"{line}\n" if line.strip() else "" for line in lines)
