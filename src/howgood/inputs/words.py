"""The text of an instance, and its words, for what looks at many instances at once."""

from __future__ import annotations

import re

from howgood.core.types import Instance, Text

# Scripts that set no spaces between words (Han, kana, Thai, Lao, Khmer, Burmese) are cut into pairs of letters.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
TOKEN = re.compile(rf"[{UNSPACED}]+|[^\W{UNSPACED}]+(?:['’][^\W{UNSPACED}]+)*")
SYMBOL = re.compile(rf"{TOKEN.pattern}|[^\w\s.,;:!?'’\"“”()\[\]–—-]")
LETTER = re.compile(rf"[{UNSPACED}]")


def question(instance: Instance) -> str:
    """What is asked, as text: the input, or all that the user says in it."""
    if isinstance(instance.input, str):
        return instance.input
    said: list[str] = []
    for message in instance.input:
        if message.role == "user":
            parts = (Text(message.content),) if isinstance(message.content, str) else message.content
            said += [part.text for part in parts if isinstance(part, Text)]
    return "\n".join(said)


def whole(instance: Instance) -> str:
    """What is asked, with the choices."""
    return "\n".join((question(instance), *instance.choices))


def words(text: str, symbols: bool = False) -> list[str]:
    """The words of a text in small letters; of scripts without spaces, their pairs of letters. With `symbols` also each
    symbol that is no punctuation: x > 1 and x < 1 are not the same."""
    tokens: list[str] = (SYMBOL if symbols else TOKEN).findall(text.casefold())
    if not LETTER.search(text):
        return tokens
    found: list[str] = []
    for token in tokens:
        if not LETTER.match(token) or len(token) == 1:
            found.append(token)
        else:
            found += [token[place : place + 2] for place in range(len(token) - 1)]
    return found
