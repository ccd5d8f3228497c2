"""The gateway's log: one JSON line for each call, written as it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from howgood.core.types import Generate, Prediction, Usage
from howgood.models.base import Echo
from howgood.models.secrets import HIDDEN, scrub_bytes


class Call(Struct, frozen=True, omit_defaults=True):
    """One call: when it began (UTC), with which key (its name; None: without one), in which dialect, how it was
    answered (HTTP status; 499: its client went away), what was asked of the model and what it said. `latency` is in
    seconds, `cost` in US dollars (None: not known); `error` says why there is no answer."""

    id: str
    time: str
    key: str | None
    dialect: str
    path: str
    status: int
    requests: tuple[Generate | Echo, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    usage: Usage = Usage()
    cost: float | None = None
    latency: float = 0.0
    error: str | None = None


class Log:
    """Appends calls to the file at `path`, each line at once, so that a killed gateway loses none that had ended. No
    key stands in it, not even where a client wrote one of `keys` into a prompt."""

    def __init__(self, path: Path, keys: Sequence[str] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._keys = [msgspec.json.encode(key)[1:-1] for key in keys]  # as JSON has them: " is \\"

    def write(self, call: Call) -> None:
        line = scrub_bytes(msgspec.json.encode(call))
        for key in self._keys:
            line = line.replace(key, HIDDEN.encode())
        self._file.write(line + b"\n")

    def close(self) -> None:
        self._file.close()


def read_log(path: Path) -> Iterator[Call]:
    """The calls in a log, in the order in which they ended."""
    with path.open("rb") as file:
        for line in file:
            yield msgspec.json.decode(line, type=Call)
