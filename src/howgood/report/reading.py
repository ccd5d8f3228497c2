"""Where in what a model wrote its answer was read, as far as that can be found again."""

from __future__ import annotations

import re

LOOKED_AT = 200_000
"""Characters at the end of a text in which an answer is looked for."""
LONGEST = 400
"""Characters of an answer that is looked for; a longer one is the text itself."""


def place_of(answer: str | None, text: str | None) -> tuple[int, int] | None:
    """Where an answer stands in a text, from and to: after the last words that announce it, else where it stands last
    as a word of its own. None where it does not stand there as it was read (a number that was written in another way),
    or is the whole text."""
    if not answer or not text or len(answer) > LONGEST or answer.strip() == text.strip():
        return None
    start = max(0, len(text) - LOOKED_AT)
    within = text[start:]
    word = rf"(?<!\w){re.escape(answer)}(?!\w)"
    announced = rf"(?i:answer|boxed|####|final)[^\n\w]{{0,12}}(?:(?i:is)\W{{0,6}})?(?:\$|\\[a-z]+\{{)?({word})"
    for pattern, group in ((announced, 1), (word, 0)):
        found = None
        for match in re.finditer(pattern, within):
            found = match
        if found is not None:
            return start + found.start(group), start + found.end(group)
    if re.fullmatch(r"-?\d[\d.]*", answer):  # "1,234.00" is read as 1234
        for match in reversed(list(re.finditer(r"-?\d[\d,]*(?:\.\d+)?", within))):
            if _number(match[0]) == _number(answer):
                return start + match.start(), start + match.end()
    return None


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
