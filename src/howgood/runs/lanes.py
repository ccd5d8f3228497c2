"""Trials for a server that remembers what it has read: each worker goes on with prompts that begin as its last one did.

Servers keep what they computed of a prompt and compute only what is new of the next: llama.cpp one prompt a slot, vLLM
blocks of all. Handed out in the order of the data, eight questions below the same worked examples go to eight slots at
once, and each reads the examples anew. So trials are looked at some way ahead, sorted by their prompts, and cut into
as many runs as there are workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from msgspec.structs import replace

from howgood.runs.columns import as_text
from howgood.runs.forecast import Work
from howgood.runs.plan import Plan, prompt_of

LOOK_AHEAD, IN_LANE = 1_024, 8
"""Trials that are looked at together: so many in all, or so many for each worker where that is more."""
LOOK_AHEAD_TEXT = 8_000_000
"""Characters of their prompts; what is longer is looked at in smaller parts."""


class Lanes:
    """Hands out `trials`, each once, to so many `workers`."""

    def __init__(self, plan: Plan, trials: Iterator[Work], workers: int) -> None:
        self._plan, self._trials = plan, trials
        self._lanes: list[deque[Work]] = [deque() for _ in range(workers)]
        self._left = 0  # in the lanes
        self._ahead: list[tuple[str, Work]] = []  # with their prompts; the next that are cut into lanes
        self._text, self._most = 0, max(LOOK_AHEAD, IN_LANE * workers)
        self._ended = False

    def take(self, worker: int) -> Work | None:
        """The next trial for a worker: of its own lane, else of the second half of the longest; None at the end."""
        own = self._lanes[worker]
        if not own and self._left < len(self._lanes):  # too few to share out before the next are cut into lanes
            while not self._left and self._look():
                pass
            if self._ahead:
                self._cut()
            elif not self._left:
                return None
        if not own:
            longest = max(self._lanes, key=len)
            for _ in range((len(longest) + 1) // 2):
                own.appendleft(longest.pop())
        self._look()  # one at a time, so that nobody waits for a thousand
        self._left -= 1
        return own.popleft()

    def waiting(self) -> Iterator[Work]:
        """The trials that were looked at and not yet handed out."""
        return chain(*self._lanes, (work for _, work in self._ahead))

    def _look(self) -> bool:
        """Look at one trial more; False where there is none, or no room for it."""
        if self._ended or len(self._ahead) >= self._most or self._text >= LOOK_AHEAD_TEXT:
            return False
        work = next(self._trials, None)
        if work is None:
            self._ended = True
            return False
        request = self._plan.request(work.instance, work.epoch)
        prompt = as_text(prompt_of(request))
        self._ahead.append((prompt, replace(work, request=request)))
        self._text += len(prompt)
        return True

    def _cut(self) -> None:
        """Sort what was looked at, and cut it into lanes of one length (but for one trial)."""
        ahead = [work for _, work in sorted(self._ahead, key=lambda found: found[0])]
        self._ahead, self._text, self._left = [], 0, self._left + len(ahead)
        workers = len(self._lanes)
        for number, lane in enumerate(self._lanes):
            lane.extend(ahead[len(ahead) * number // workers : len(ahead) * (number + 1) // workers])
