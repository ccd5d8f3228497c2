"""How far running runs are, read from their journals as they grow."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from pathlib import Path

import msgspec
from msgspec import Struct

from howgood.runs.journal import journals
from howgood.runs.store import SavedRun

WINDOW = 30.0
"""Seconds over which the rate is told."""
MOST_READ = 64_000_000
"""Bytes of a journal read at a look; the next look goes on from there."""


class Told(Struct):
    """What must be known of a journalled trial to count it."""

    class _Score(Struct):
        outcome: str

    class _Prediction(Struct):
        cost: float | None = None
        error: str | None = None

    index: int
    epoch: int
    score: _Score
    prediction: _Prediction


class Standing(Struct):
    """How far a run (`run`: its folder's name) is: trials `done` of `planned`, `odd` of them without a proper answer,
    what they cost so far (US dollars; None: not known), trials a second over the last half minute, and what is `left`
    in seconds and `total` in dollars at that rate (None: not known yet). `silent` is how long ago, in seconds,
    something was written."""

    run: str
    status: str
    done: int
    planned: int
    odd: int
    cost: float | None
    rate: float
    left: float | None
    total: float | None
    silent: float


class Watch:
    """One run's journals, read from where the last look ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._costs: dict[tuple[int, int], float | None] = {}
        self._odd: set[tuple[int, int]] = set()
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, run: SavedRun) -> Standing:
        """How far the run is now."""
        last = 0.0
        with contextlib.suppress(FileNotFoundError):  # removed since it was listed
            for path in journals(self._folder):
                last = max(last, self._take(path))
        now, done = time.time(), len(self._costs)
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        rate = (done - before) / (now - then) if now - then > 0.5 else 0.0
        known = [cost for cost in self._costs.values() if cost is not None]
        cost = sum(known) if len(known) == done else None
        return Standing(
            run=run.path.name,
            status=run.status,
            done=done,
            planned=run.planned,
            odd=len(self._odd),
            cost=cost,
            rate=rate,
            left=(run.planned - done) / rate if rate else None,
            total=cost / done * run.planned if cost is not None and done else None,
            silent=max(0.0, now - last) if last else 0.0,
        )

    def _take(self, path: Path) -> float:
        """Read what a journal has grown by, whole lines only; returns when it was last written."""
        decode = msgspec.json.Decoder(Told).decode
        try:
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                content = file.read(MOST_READ)
            written = path.stat().st_mtime
        except OSError:  # compacted between two looks
            return 0.0
        whole = content.rfind(b"\n") + 1
        self._read[path] = self._read.get(path, 0) + whole
        for line in content[:whole].splitlines():
            try:
                told = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            key = told.index, told.epoch
            self._costs[key] = told.prediction.cost if told.prediction.error is None else told.prediction.cost or 0.0
            if told.score.outcome in ("right", "wrong", "partial", "scored"):
                self._odd.discard(key)
            else:
                self._odd.add(key)
        return written
