"""What must stay as it is when a question's spelling is changed: whatever its right answer hangs on."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from howgood.core.types import Instance

SHORT_ANSWER = 8
"""A target of at most so many words is an answer that may be copied out of the question; a longer one explains."""

# Spans, the first that fits at a place: fenced and inline code, LaTeX, tags and templates, addresses, quotations.
SPANS = re.compile(
    r"""
    ```.*?(?:```|\Z) | ~~~.*?(?:~~~|\Z) | `[^`\n]+`
    | \$\$.+?\$\$ | \$[^$\n]+\$ | \\\(.+?\\\) | \\\[.+?\\\] | \\[A-Za-z]+(?:\{[^{}]*\})*
    | <[^<>\n]{1,200}> | \{[^{}\n]*\} | \[[^\[\]\n]*\]
    | (?:https?://|www\.)\S+ | \S+@\S+\.\S+ | (?:[A-Za-z]:)?(?:[\w.-]*[/\\])+[\w.-]+
    | "[^"\n]+" | “[^”]+” | «[^»]+» | „[^“”]+[“”] | 「[^」]+」
    | (?<![\w])'[^'\n]+'(?!\w) | (?<!\w)‘[^’\n]+’(?!\w)
    """,
    re.DOTALL | re.VERBOSE,
)
# Lines of code, of grids and of tables; and what is set in by a tab or four spaces.
LINE = re.compile(
    r"""
    (?:\t|[ ]{4}).*
    | \s*(?:def|class|import|from|return|for|while|if|elif|else|try|except|with|public|private|static|void|int|const|let
        |var|function|func|fn|package|using|\#include|SELECT|INSERT|UPDATE|CREATE)\b.*[:;(){}=\]].*
    | \s*(?:from\s+[\w.]+\s+import|import)\s+[\w.,* ]+
    | \s*(?:\#!|//|/\*|>>>|\$[ ]).*
    | .*[;{}]\s*
    | .*\|.*\|.*
    | [\W\d_]*
    """,
    re.VERBOSE,
)
WORD = re.compile(r"\w+(?:['’]\w+)*")
NUMBERS = frozenset(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million
    millions billion billions trillion half halves third thirds quarter quarters fourth fifth sixth seventh eighth ninth
    tenth first second once twice thrice double triple dozen dozens score pair couple single percent""".split()
)
DECISIVE = frozenset(
    """not never none neither nor without except least most more less fewer than always only before after above below
    under over between true false incorrect correct wrong right each every both either unless until""".split()
)
"""Words that turn an answer round; a slip in one of them is another question."""


class Protected:
    """The places of one instance's text that no change of spelling may touch."""

    def __init__(self, text: str, instance: Instance) -> None:
        self.spans = _merged(sorted([*_matches(text), *_code_lines(text)]))
        self._starts = [start for start, _ in self.spans]
        self.words = NUMBERS | DECISIVE | answer_words(instance)

    def free(self, text: str) -> Iterator[re.Match[str]]:
        """The words that may be changed: of letters alone, written small or with one capital in front (so no DNA, mL,
        NaCl or x_1), outside every protected span, in no short answer, not joined to a digit or a symbol."""
        for word in WORD.finditer(text):
            plain = word[0].isalpha() and word[0][1:] == word[0][1:].lower() and not _joined(text, word)
            if plain and word[0].casefold() not in self.words and not self.holds(word.start(), word.end()):
                yield word

    def holds(self, start: int, end: int) -> bool:
        """Whether a stretch of the text touches a protected span."""
        place = bisect_right(self._starts, end - 1)
        return place > 0 and self.spans[place - 1][1] > start


def answer_words(instance: Instance) -> frozenset[str]:
    """The words of short targets, which a model may copy out of the question. A choice is named, not copied."""
    short = [t for t in instance.targets if len(t.split()) <= SHORT_ANSWER and not instance.choices]
    return frozenset(word[0].casefold() for text in short for word in WORD.finditer(text))


def _joined(text: str, word: re.Match[str]) -> bool:
    """Whether a word is part of a formula, a name of a file or a list of hyphens: a symbol stands against it."""
    before, after = text[word.start() - 1 : word.start()], text[word.end() : word.end() + 2]
    return bool(re.match(r"[-_=+*/^\\@#$%&~|<>]", before) or re.match(r"[-_=+*/^\\@#$%&~|<>(\[]|\.\w", after))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order of their starts, with those that overlap as one."""
    out: list[tuple[int, int]] = []
    for start, end in spans:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _matches(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in SPANS.finditer(text))


def _code_lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip() and LINE.fullmatch(line.rstrip("\r\n")):
            yield start, start + len(line)
        start += len(line)
