"""What a run may take in all: dollars, tokens or time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.text import duration, money
from howgood.core.types import Usage
from howgood.models.base import Model

if TYPE_CHECKING:
    from howgood.runs.progress import Progress

Kind = Literal["dollars", "tokens", "seconds"]
NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
FORMS: tuple[tuple[Kind, str, dict[str, float]], ...] = (
    ("dollars", rf"\$\s*{NUMBER}()", {"": 1}),
    ("dollars", rf"{NUMBER}\s*(usd|\$)", {"usd": 1, "$": 1}),
    ("tokens", rf"{NUMBER}\s*([kmg]?)(?:tok|tokens)", {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}),
    ("seconds", rf"{NUMBER}\s*(s|min|h)", {"s": 1, "min": 60, "h": 3600}),
)


class Budget(Struct, frozen=True):
    """The most a run may take over all its sessions, in US dollars, in tokens read and written, and in seconds of
    work. None: as much as it needs."""

    dollars: float | None = None
    tokens: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return ", ".join(written(kind, limit) for kind, limit in self.limits())

    def limits(self) -> Iterator[tuple[Kind, float]]:
        """The limits that there are."""
        if self.dollars is not None:
            yield "dollars", self.dollars
        if self.tokens is not None:
            yield "tokens", self.tokens
        if self.seconds is not None:
            yield "seconds", self.seconds

    def doubled(self) -> str:
        """Twice the budget, as one writes it."""
        forms = {"dollars": "${:g}", "tokens": "{:.0f}tok", "seconds": "{:g}s"}
        return ",".join(forms[kind].format(2 * limit) for kind, limit in self.limits())

    def check(self, model: Model) -> None:
        """Raises `HowgoodError` for a budget in dollars where the model's price is not known: nobody could hold it."""
        from howgood.models import prices

        if self.dollars is not None and prices.cost_of(model, Usage(input=1, output=1)) is None:
            raise HowgoodError(
                f"the price of {prices.plain_name(model)} is not known, so a budget in dollars cannot be held: put it "
                f'into {prices.own_file()} as {{"{prices.plain_name(model)}": {{"input": .., "output": ..}}}} (dollars '
                "per million tokens), or give a budget in tokens (2Mtok) or time (30min)"
            )


def parse_budget(text: str) -> Budget:
    """A budget such as `$5`, `5usd`, `2Mtok`, `500ktok`, `30min`, `2h`, `90s`, or several joined by commas. Raises
    `HowgoodError` for what is none."""
    given: dict[Kind, float] = {}
    for part in text.split(","):
        kind, amount = _amount(part.strip())
        if kind in given:
            raise HowgoodError(f"--budget '{text}' has two limits in {kind}; give one")
        given[kind] = amount
    return Budget(**given)


def _amount(part: str) -> tuple[Kind, float]:
    for kind, form, units in FORMS:
        if match := re.fullmatch(form, part, re.IGNORECASE):
            amount = float(match[1]) * units[match[2].lower()]
            if 0 < amount < math.inf:
                return kind, amount
    raise HowgoodError(
        f"--budget takes dollars ('$5' in quotes, or 5usd), tokens (500ktok, 2Mtok) or time (90s, 30min, 2h), several "
        f"joined by commas, not '{part}'"
    )


def written(kind: Kind, amount: float) -> str:
    """An amount in words."""
    if kind == "seconds":
        return duration(amount)
    return money(amount) if kind == "dollars" else f"{amount:,.0f} tokens"


class Gate:
    """Lets a trial start only while what was spent and what the trials in flight are expected to take stay below the
    budget, so that a run never spends more than its budget and the trials then in flight.

    A trial is expected to take the mean of those of this session that were paid for; the first ones, before there is
    any, the most that they can take.
    """

    def __init__(self, budget: Budget, progress: Progress) -> None:
        self.budget, self.progress = budget, progress
        self.in_flight = self.paid = 0
        self._before = {kind: self._spent(kind) or 0.0 for kind, _ in budget.limits()}

    def used_up(self) -> str | None:
        """Which limit is reached, in words; None while there is something left."""
        for kind, limit in self.budget.limits():
            spent = self._spent(kind)
            if spent is None:
                return "what some trials cost is not known (no token counts came back), so the budget cannot be held"
            if spent >= limit:
                return f"the budget of {written(kind, limit)} is used up ({written(kind, spent)} spent)"
        return None

    def admits(self, most: dict[Kind, float]) -> bool:
        """Whether one more may start; `most` is what it can take at most."""
        if not self.in_flight:
            return True
        return all(
            (self._spent(kind) or 0.0) + self.in_flight * self._expected(kind, most) < limit
            for kind, limit in self.budget.limits()
            if kind != "seconds"  # time passes for all at once
        )

    def _expected(self, kind: Kind, most: dict[Kind, float]) -> float:
        if self.paid:
            return ((self._spent(kind) or 0.0) - self._before[kind]) / self.paid
        return most.get(kind, 0.0)

    def _spent(self, kind: Kind) -> float | None:
        progress = self.progress
        return {"dollars": progress.spent, "tokens": progress.tokens, "seconds": progress.seconds}[kind]
