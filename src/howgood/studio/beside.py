"""Side by side: systems answer the same prompt, with their names hidden until somebody said which answer is best."""

from __future__ import annotations

import csv
import io
import random
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from howgood.arena import preferences
from howgood.arena.answers import Answered, Ended, Piece, check_writers, prompt_for, side_by_side
from howgood.arena.leaks import Leaks
from howgood.arena.preferences import Preference, Preferred
from howgood.core.text import duration, money, visible
from howgood.core.types import Generate
from howgood.models.base import Model
from howgood.models.registry import load_model
from howgood.web.guard import Refused

LONGEST_PROMPT = 8_000
"""Characters."""
MOST_PROMPTS = 500
LONGEST_HEADER = 10_000
"""Characters of the names of a CSV file's columns."""
MOST_SYSTEMS = 4
MOST_AT_ONCE = 4
"""Prompts that may be under way at a time."""
MOST_KEPT = 200
"""Answered prompts that may still be noted; beyond it the oldest are forgotten."""


class Round(Struct):
    """A prompt and its answers as they stand beside each other. `named` says that the names were shown, `preferred`
    what was said first of all, before they were."""

    id: str
    prompt: str
    models: list[Model]
    blind: bool
    settings: dict[str, float]
    named: bool
    answers: list[Answered] = []
    preferred: Preferred | None = None


class Beside:
    """The models a studio was started with, what they were asked, and the folder that preferences are kept in (None:
    nowhere). Models given by name are closed at the end. Raises `ModelError` for what cannot answer here."""

    def __init__(self, models: Sequence[str | Model], folder: Path | None) -> None:
        self.models = [load_model(one) if isinstance(one, str) else one for one in models]
        self._own = [model for model, given in zip(self.models, models, strict=True) if isinstance(given, str)]
        check_writers(self.models)
        self.folder = folder
        self._leaks = Leaks(model.name for model in self.models)
        self._rounds: OrderedDict[str, Round] = OrderedDict()
        self._under_way = 0

    async def close(self) -> None:
        for model in self._own:
            await model.close()

    def begin(self, prompt: str, systems: Sequence[int], blind: bool, max_tokens: int, temperature: float) -> Round:
        """A round of these systems, in an order drawn by lot where it is blind. Raises `Refused`."""
        if not prompt.strip():
            raise Refused(400, "Write a prompt first.")
        chosen = [self.models[place] for place in dict.fromkeys(systems) if place < len(self.models)]
        if not 2 <= len(chosen) <= MOST_SYSTEMS:
            raise Refused(400, f"Choose 2 to {MOST_SYSTEMS} systems.")
        if self._under_way >= MOST_AT_ONCE:
            raise Refused(429, "Answers to earlier prompts are still being written. Try again when they are there.")
        if blind:
            random.SystemRandom().shuffle(chosen)
        settings = {"max_tokens": max_tokens, "temperature": temperature}
        return Round(secrets.token_hex(16), prompt, chosen, blind, settings, named=not blind)

    async def answers(self, asked: Round) -> AsyncIterator[dict[str, Any]]:
        """What happens, as events, until all have answered; None of it is kept where the reader goes away."""
        self._under_way += 1
        try:
            yield {"type": "round", "round": asked.id, "systems": self.told(asked) if asked.named else None}
            requests = [
                Generate(
                    prompt_for(model, (), 0, asked.prompt),
                    max_tokens=int(asked.settings["max_tokens"]),
                    temperature=asked.settings["temperature"],
                )
                for model in asked.models
            ]
            ended: dict[int, Answered] = {}
            async with aclosing(side_by_side(asked.models, requests, self._leaks)) as events:
                async for came in events:
                    if isinstance(came, Piece):
                        yield {"type": "piece", "side": came.side, "text": visible(came.text)}
                    elif isinstance(came, Ended):
                        ended[came.side] = came.answer
                        yield self._ended(asked, came)
                    else:
                        yield {"type": "waiting"}
            asked.answers = [ended[side] for side in range(len(asked.models))]
            self._rounds[asked.id] = asked
            while len(self._rounds) > MOST_KEPT:
                self._rounds.popitem(last=False)
            yield {"type": "end", "fine": any(one.error is None for one in asked.answers)}
        finally:
            self._under_way -= 1

    def _ended(self, asked: Round, came: Ended) -> dict[str, Any]:
        """How one answer ended. What it took, and why it failed, may give the system away, and waits for the names."""
        told = {"type": "ended", "side": came.side, "text": visible(came.answer.text)}
        if came.answer.error is not None:
            told = {"type": "failed", "side": came.side, "error": ""}
        return told | ({"error": _error(came.answer), "took": _took(came.answer)} if asked.named else {})

    def name(self, id: str) -> list[dict[str, str]]:
        """The names of a round's systems, which is blind no more. Raises `Refused`."""
        asked = self._round(id)
        asked.named = True
        return self.told(asked)

    def prefer(self, id: str, preferred: Preferred, words: str) -> list[dict[str, str]]:
        """Keep a preference, in place of an earlier one of the same round; the names of its systems. One that is
        another than what was said before the names were seen is not blind. Raises `Refused` and `HowgoodError`."""
        asked = self._round(id)
        if self.folder is None:
            raise Refused(409, "The runs are kept elsewhere, and nothing can be kept beside them from here.")
        if isinstance(preferred, int):
            if not 0 <= preferred < len(asked.answers):
                raise Refused(400, "There is no such answer.")
            if asked.answers[preferred].error is not None:
                raise Refused(400, "That system gave no answer.")
        preferences.add(
            self.folder,
            Preference(
                id=asked.id,
                prompt=storable(asked.prompt),
                systems=tuple(model.name for model in asked.models),
                answers=tuple(msgspec.structs.replace(one, text=storable(one.text)) for one in asked.answers),
                preferred=preferred,
                blind=asked.blind and (not asked.named or preferred == asked.preferred),
                words=storable(words.strip()),
                settings=asked.settings,
            ),
        )
        if not asked.named:
            asked.preferred = preferred
        asked.named = True
        return self.told(asked)

    def kept(self) -> list[Preference]:
        return [] if self.folder is None else preferences.read(self.folder)

    def told(self, asked: Round) -> list[dict[str, str]]:
        """The systems by name, with what each answer took and why it failed, as far as they have ended."""
        answers: list[Answered | None] = [*asked.answers] or [None] * len(asked.models)
        return [
            {
                "name": visible(model.name),
                "took": "" if answer is None else _took(answer),
                "error": "" if answer is None else _error(answer),
            }
            for model, answer in zip(asked.models, answers, strict=True)
        ]

    def _round(self, id: str) -> Round:
        found = self._rounds.get(id)
        if found is None:
            raise Refused(404, "These answers are no longer here. Ask again.")
        return found


def prompts_of(text: str) -> list[str]:
    """The prompts in a pasted text: JSON Lines or CSV with a column `prompt`, or else one a line. Raises `Refused` for
    none, too many, one that is too long, and for a line that cannot be read."""
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].lstrip().startswith("{"):
        found = [_prompt(line, number) for number, line in enumerate(lines, 1)]
    elif len(lines) > 1 and len(lines[0]) <= LONGEST_HEADER and "prompt" in (header := next(csv.reader(lines[:1]))):
        place = header.index("prompt")
        try:
            rows = list(csv.reader(io.StringIO(text.strip("\r\n"))))[1:]
        except csv.Error as error:
            raise Refused(400, f"That cannot be read as CSV: {error}.") from None
        found = [row[place] for row in rows if len(row) > place]
    else:
        found = lines
    found = [prompt.strip() for prompt in found if prompt.strip()]
    if not found:
        raise Refused(400, "There is no prompt in that.")
    if len(found) > MOST_PROMPTS:
        raise Refused(400, f"A set has at most {MOST_PROMPTS} prompts, and these are {len(found):,}.")
    if long := next((place for place, prompt in enumerate(found, 1) if len(prompt) > LONGEST_PROMPT), None):
        raise Refused(400, f"Prompt {long} has more than {LONGEST_PROMPT:,} characters.")
    return found


def _prompt(line: str, number: int) -> str:
    class Row(Struct):
        prompt: str

    try:
        return msgspec.json.decode(line, type=Row).prompt
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise Refused(400, f"Line {number} is no JSON object with a text as its `prompt`.") from None


def storable(text: str) -> str:
    """A text that a file can hold: no half of a surrogate pair."""
    return text.encode("utf-8", errors="replace").decode()


def _took(answer: Answered) -> str:
    """What an answer took, in words."""
    parts = [duration(answer.seconds)]
    if answer.tokens is not None:
        parts.append(f"{answer.tokens:,} token{'' if answer.tokens == 1 else 's'}")
    if answer.error is None:
        parts.append(money(answer.cost))
    return ", ".join(parts)


def _error(answer: Answered) -> str:
    return "" if answer.error is None else visible(answer.error)
