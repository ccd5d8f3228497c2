"""Client keys with budgets. A call is let in when the most it can take fits into what its key has left, so that no
number of calls at once spends more than the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.types import Prediction, Usage
from howgood.models.gateway.asked import Refusal


class Key(Struct, frozen=True):
    """A client's key and what may be spent with it: tokens (read and written), US dollars, seconds from its first
    call. None: no limit."""

    secret: str
    tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None

    def __repr__(self) -> str:
        return f"Key(tokens={self.tokens}, dollars={self.dollars}, seconds={self.seconds})"


class Spent(Struct, frozen=True):
    """What was spent with a key: calls let in, tokens, dollars (None: of some call not known), and seconds since the
    first call (None: there was none)."""

    calls: int = 0
    usage: Usage = Usage()
    tokens: int = 0
    dollars: float | None = 0.0
    seconds: float | None = None


class _Entry(Struct, forbid_unknown_fields=True):
    key: str
    tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None


def read_keys(path: Path) -> dict[str, Key]:
    """Keys by name from a JSON file: {"alice": {"key": "ALICE_KEY", "tokens": 100000, "dollars": 5, "seconds": 3600}}.
    `key` is the name of the environment variable, or of the entry in the keyring, that holds the key itself.

    Raises `HowgoodError` for a file of another form and for a key that is not there.
    """
    from howgood.models.secrets import secret

    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
    except OSError as error:
        raise HowgoodError(f"cannot read the keys in {path}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise HowgoodError(
            f'{path} has no form such as {{"alice": {{"key": "ALICE_KEY", "tokens": 1000}}}}: {error}'
        ) from None
    keys = {}
    for name, entry in entries.items():
        value = secret(entry.key)
        if not value:
            raise HowgoodError(f"{path}: there is no key {entry.key} (for {name}) in the environment or the keyring")
        keys[name] = Key(value, entry.tokens, entry.dollars, entry.seconds)
    return keys


@dataclass
class Bill:
    """The most that a call can take, while it is under way, and then what it took. A call that ends without saying so
    (its client went away, its stream broke off, its server tells no tokens) is charged the most: its model may have
    been paid."""

    tokens: int
    dollars: float | None
    predictions: list[Prediction] | None = None


@dataclass
class Account:
    """What the holder of one key may spend and has spent. `name` is None for clients without a key."""

    name: str | None
    tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    spent_tokens: int = 0
    spent_dollars: float = 0.0
    all_known: bool = True
    held_tokens: int = 0
    held_dollars: float = 0.0
    first: float | None = None
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def limited(self) -> bool:
        return any(limit is not None for limit in (self.tokens, self.dollars, self.seconds))

    def spent(self) -> Spent:
        seconds = None if self.first is None else time.monotonic() - self.first
        dollars = self.spent_dollars if self.all_known else None
        return Spent(self.calls, self.usage, self.spent_tokens, dollars, seconds)

    @asynccontextmanager
    async def billed(self, tokens: int, dollars: float | None) -> AsyncIterator[Bill]:
        """Hold the most that a call can take, and charge what it took at the end. Where only what other calls hold
        stands in the way, wait for them. Raises `Refusal` when the budget has not so much left."""
        bill = Bill(tokens, dollars)
        self._check(bill)
        while not self._fits(bill, self.held_tokens, self.held_dollars):
            self._freed.clear()
            await self._freed.wait()
            self._check(bill)
        self.calls += 1
        self.first = time.monotonic() if self.first is None else self.first
        self.held_tokens += tokens
        self.held_dollars += dollars or 0.0
        try:
            yield bill
        finally:
            self.held_tokens -= tokens
            self.held_dollars -= dollars or 0.0
            self._charge(bill)
            self._freed.set()

    def _fits(self, bill: Bill, tokens: int = 0, dollars: float = 0.0) -> bool:
        return (self.tokens is None or self.spent_tokens + tokens + bill.tokens <= self.tokens) and (
            self.dollars is None or self.spent_dollars + dollars + (bill.dollars or 0.0) <= self.dollars
        )

    def _check(self, bill: Bill) -> None:
        if self.seconds is not None and self.first is not None and time.monotonic() - self.first > self.seconds:
            raise Refusal("budget", f"the key {self.name} was good for {self.seconds:g} seconds from its first call")
        if self.dollars is not None and bill.dollars is None:
            raise Refusal("budget", f"the key {self.name} is good for dollars, and this model's price is not known")
        if self._fits(bill):
            return
        left = []
        if self.tokens is not None:
            left.append(f"{max(0, self.tokens - self.spent_tokens)} of {self.tokens} tokens")
        if self.dollars is not None:
            left.append(f"${max(0.0, self.dollars - self.spent_dollars):.4f} of ${self.dollars:g}")
        price = f" (${bill.dollars:.4f})" if self.dollars is not None else ""
        raise Refusal(
            "budget",
            f"the key {self.name} has {' and '.join(left)} left, and this call can take up to {bill.tokens} tokens"
            f"{price}: ask for fewer with max_tokens, or for a larger budget",
        )

    def _charge(self, bill: Bill) -> None:
        if bill.predictions is None:
            self.spent_tokens += bill.tokens
            self.spent_dollars += bill.dollars or 0.0
            self.all_known = self.all_known and bill.dollars is not None
            return
        counted = True
        for prediction in bill.predictions:
            tokens = prediction.usage.input + prediction.usage.output
            self.usage += prediction.usage
            self.spent_tokens += tokens
            counted = counted and (tokens > 0 or prediction.stop_reason == "filter")
            if prediction.cost is not None:
                self.spent_dollars += prediction.cost
        if not counted:  # a server that does not tell must not make a budget endless
            self.spent_tokens += bill.tokens
        if any(prediction.cost is None for prediction in bill.predictions):
            self.spent_dollars += bill.dollars or 0.0
            self.all_known = self.all_known and bill.dollars is not None
