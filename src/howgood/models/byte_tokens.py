"""Bytes as tokens, with what is known of the place of each."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import msgspec

from howgood.core.types import Prediction, Token

Place = tuple[float, list[tuple[int, float]]]
"""What stands at one place of a text: the byte's log-probability, and the likeliest bytes there with theirs."""


def byte_tokens(data: bytes, places: Sequence[Place]) -> tuple[Token, ...]:
    """One token a byte. Their texts join to the text: the last byte of a character has it, those before have none."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    tokens = []
    for number, (byte, (logprob, best)) in enumerate(zip(data, places, strict=True), 1):
        text = decoder.decode(bytes([byte]), number == len(data))
        alternatives: dict[str, float] = {}
        for other, p in best:  # the likeliest first; two bytes can look alike where each is part of a character
            alternatives.setdefault(text if other == byte else bytes([other]).decode(errors="replace"), p)
        tokens.append(Token(text, logprob, alternatives))
    return tuple(tokens)


def with_tokens(prediction: Prediction, data: bytes, places: Sequence[Place]) -> Prediction:
    """The prediction with its tokens, as far as its text goes."""
    tokens, left = [], len(prediction.text or "")
    for token in byte_tokens(data, places):
        if left <= 0:
            break
        tokens.append(token)
        left -= len(token.text)
    return msgspec.structs.replace(prediction, tokens=tuple(tokens))
