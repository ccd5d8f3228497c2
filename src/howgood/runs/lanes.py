"""Trials for a server that remembers what it has read: each worker goes on with prompts that begin as its last one did.

Servers keep what they computed of a prompt and compute only what is new of the next: llama.cpp one prompt a slot, vLLM
blocks of all. Handed out in the order of the data, eight questions below the same worked examples go to eight slots at
once, and each reads the examples anew. So trials are looked at some way ahead, sorted by their prompts, and cut into
as many runs as there are workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from howgood.runs.columns import as_text
from howgood.runs.forecast import Work
from howgood.runs.plan import Plan, prompt_of

LOOK_AHEAD = 1_024
"""Trials that are looked at together."""
LOOK_AHEAD_TEXT = 8_000_000
"""Characters of their prompts; what is longer is looked at in smaller parts."""


class Lanes:
    """Hands out `trials`, each once, to so many `workers`."""

    def __init__(self, plan: Plan, trials: Iterator[Work], workers: int) -> None:
        self._plan, self._trials = plan, trials
        self._lanes: list[deque[Work]] = [deque() for _ in range(workers)]

    def take(self, worker: int) -> Work | None:
        """The next trial for a worker: of its own lane, else of the second half of the longest; None at the end."""
        own = self._lanes[worker]
        if not any(self._lanes):
            self._fill()
        if not own:
            longest = max(self._lanes, key=len)
            for _ in range((len(longest) + 1) // 2):
                own.appendleft(longest.pop())
        return own.popleft() if own else None

    def _fill(self) -> None:
        """Look ahead, sort, and cut into lanes of one length (but for one trial)."""
        ahead: list[tuple[str, Work]] = []
        text = 0
        while len(ahead) < LOOK_AHEAD and text < LOOK_AHEAD_TEXT and (work := next(self._trials, None)):
            _, instance, epoch = work
            ahead.append((as_text(prompt_of(self._plan.request(instance, epoch))), work))
            text += len(ahead[-1][0])
        ahead.sort(key=lambda found: found[0])
        workers = len(self._lanes)
        for number, lane in enumerate(self._lanes):
            begin, end = (len(ahead) * part // workers for part in (number, number + 1))
            lane.extend(work for _, work in ahead[begin:end])
