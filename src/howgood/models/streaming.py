"""Text that arrives piece by piece: what may be shown of it already."""

from __future__ import annotations

from howgood.models.base import THINKING


class Unthought:
    """Passes on the answer of a model that thinks in its text, `<think>...</think>` at its start, without the thinking.
    Thinking whose opening mark stands in the prompt cannot be told from an answer here; `split_thinking` of the whole
    text does."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    def feed(self, piece: str) -> str:
        """What of the text so far is new and known to be answer."""
        if self._state == "answer":
            return piece
        self._held += piece
        opening, closing = THINKING
        if self._state == "start":
            start = self._held.lstrip()
            if len(start) < len(opening) and opening.startswith(start):
                return ""
            if not start.startswith(opening):
                self._state = "answer"
                return self._take(self._held)
            self._held, self._state = start, "thinking"
        if self._state == "thinking":
            _, closed, after = self._held.partition(closing)
            if not closed:
                self._held = self._held[-len(closing) :]
                return ""
            self._held, self._state = after, "gap"
        fresh = self._held.lstrip()  # the empty lines between thinking and answer belong to neither
        if fresh:
            self._state = "answer"
        return self._take(fresh)

    def end(self) -> str:
        """What was held back and turned out to be answer: a text too short to tell."""
        return self._take(self._held) if self._state == "start" else ""

    def _take(self, text: str) -> str:
        self._held = ""
        return text


class Until:
    """Passes on a text up to the first of some stop strings, holding back what may be the beginning of one. An empty
    stop string stops nothing."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._keep = max((len(stop) for stop in self._stops), default=1) - 1
        self._held = ""
        self._met = False

    def feed(self, piece: str) -> str:
        """What of the text so far is new and comes before any stop string."""
        if self._met:
            return ""
        self._held += piece
        met = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        self._met = bool(met)
        safe = min(met) if met else len(self._held) - self._keep
        if safe <= 0:
            return ""
        fresh, self._held = self._held[:safe], self._held[safe:]
        return fresh

    def end(self) -> str:
        """The rest of a text in which no stop string came."""
        return "" if self._met else self._held
