"""How surprised a model was by each token, ready to be coloured: bits, their level, and two models on one text."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct

STEPS = (1.0, 2.0, 4.0, 6.0, 9.0, 13.0)
"""Bits at which a level of surprise ends; above the last one stands the highest."""
APART = (0.5, 2.0, 5.0)
"""Bits by which two models differ at which a level ends."""


class Spelled(Struct, frozen=True):
    """A piece of text and how surprising it was in `bits` (None: not known), at a `level` from 0 to `len(STEPS)`."""

    text: str
    bits: float | None
    level: int | None


class Both(Struct, frozen=True):
    """A piece of text that both models read from its first to its last character in whole tokens: the bits of each, and
    the `level` of their difference from -`len(APART)` (the second was less surprised) to `len(APART)`."""

    text: str
    first: float
    second: float
    level: int

    @property
    def difference(self) -> float:
        """Bits by which the second model was more surprised than the first."""
        return self.second - self.first


class Word(Struct, frozen=True):
    """A word of a text (the piece between white space) and its bits; `place` is where it begins, in characters."""

    text: str
    bits: float
    place: int


def bits(logprob: float | None) -> float | None:
    """Nats of a log-probability as bits of surprise; None for what is none."""
    if logprob is None or not math.isfinite(logprob):
        return None
    return max(0.0, -logprob / math.log(2))


def level(surprise: float | None) -> int | None:
    """Which step of `STEPS` a surprise in bits has reached, 0 below the first; None where it is not known."""
    return None if surprise is None else bisect_right(STEPS, surprise)


def token(text: str, logprob: float | None) -> Spelled:
    """A token's text with its surprise, from its log-probability in nats (None: not known)."""
    surprise = bits(logprob)
    return Spelled(text, surprise, level(surprise))


def spelled(text: str, lengths: Sequence[int], logprobs: Sequence[float]) -> tuple[Spelled, ...] | None:
    """A text in the tokens it was scored in; None where the run does not say where they end. Tokens of no characters
    (the first ones of a character spread over several) are joined with the one that ends it."""
    found = _tokens(text, lengths, logprobs)
    return None if found is None else tuple(Spelled(text[a:b], x, level(x)) for a, b, x in found)


Reading = tuple[Sequence[int], Sequence[float]]
"""A model's tokens of a text: their lengths in characters and log-probabilities."""


def compared(text: str, first: Reading, second: Reading) -> tuple[Both, ...] | None:
    """Two models on one text, in the smallest pieces that end where a token ends in both: so nothing has to be shared
    out within a token. None where one does not say where its tokens end."""
    a, b = _tokens(text, *first), _tokens(text, *second)
    if a is None or b is None:
        return None
    sums = [
        {end: total for (_, end, _), total in zip(of, accumulate(x for _, _, x in of), strict=True)} for of in (a, b)
    ]
    made, start, before = [], 0, (0.0, 0.0)
    for end in sorted(sums[0].keys() & sums[1].keys()):
        now = sums[0][end], sums[1][end]
        one, two = now[0] - before[0], now[1] - before[1]
        made.append(Both(text[start:end], one, two, _apart(two - one)))
        start, before = end, now
    return tuple(made)


def surprising(tokens: Sequence[Spelled], most: int) -> list[Word]:
    """The words with the highest surprise, each with all tokens that end in it or on the white space before it."""
    words: list[Word] = []
    text, total, start, place = "", 0.0, 0, 0
    for one in tokens:
        lead = len(one.text) - len(one.text.lstrip())
        if lead and text.strip():
            words.append(Word(text.strip(), total, start))
            text, total = "", 0.0
        if not text.strip():
            start = place + lead
        text, total, place = text + one.text, total + (one.bits or 0.0), place + len(one.text)
    if text.strip():
        words.append(Word(text.strip(), total, start))
    return sorted(words, key=lambda word: -word.bits)[:most]


def _tokens(text: str, lengths: Sequence[int], logprobs: Sequence[float]) -> list[tuple[int, int, float]] | None:
    """(start, end, bits) of each token; None where they do not make up the text."""
    if not lengths or len(lengths) != len(logprobs) or min(lengths) < 0 or sum(lengths) != len(text):
        return None
    found, start, held = [], 0, 0.0
    for length, logprob in zip(lengths, logprobs, strict=True):
        surprise = bits(logprob)
        if surprise is None:
            return None
        held += surprise
        if length:
            found.append((start, start + length, held))
            start, held = start + length, 0.0
    if held and found:
        a, b, x = found[-1]
        found[-1] = a, b, x + held
    return found


def _apart(difference: float) -> int:
    size = bisect_right(APART, abs(difference))
    return size if difference > 0 else -size
