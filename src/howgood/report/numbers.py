"""Numbers as people read them: as many digits as the uncertainty allows, never more."""

from __future__ import annotations

import math

from howgood.core.types import Estimate
from howgood.interpret.statistics import UNBOUNDED

LARGEST_WRITTEN = 1e12
"""From here on a number is written with its power of ten."""


def value(estimate: Estimate, number: float | None = None) -> str:
    """The estimate's value, or another number on its scale, in its unit: 25.5%, 24.53."""
    number = estimate.value if number is None else number
    return _number(estimate, number) + ("%" if estimate.percent else "")


def difference(estimate: Estimate, number: float | None = None) -> str:
    """A difference's value, or another number on its scale: shares differ by points, not by per cents."""
    number = estimate.value if number is None else number
    return _number(estimate, number) + (" points" if estimate.percent else "")


def interval(estimate: Estimate) -> str:
    """The estimate's interval in its unit: [19.9, 32.0]. An end about which nothing is known is an infinity."""
    return f"[{_number(estimate, estimate.low)}, {_number(estimate, estimate.high)}]"


def proportion(number: float) -> str:
    """A share of 1 as per cent: 25%, 89.8%."""
    return f"{100 * number:.1f}".removesuffix(".0") + "%"


def level(estimate: Estimate) -> str:
    """The interval's confidence: 95%."""
    return f"{100 * estimate.level:g}%"


def count(number: int) -> str:
    """A whole number with thousands separated."""
    return f"{number:,}"


def bounded(estimate: Estimate) -> bool:
    """Whether both ends of the interval are known."""
    return abs(estimate.low) < UNBOUNDED and abs(estimate.high) < UNBOUNDED


def _number(estimate: Estimate, number: float) -> str:
    if math.isnan(number):
        return "unknown"
    if abs(number) >= UNBOUNDED:
        return "∞" if number > 0 else "−∞"
    scale = 100 if estimate.percent else 1
    if abs(number * scale) >= LARGEST_WRITTEN:
        return f"{number * scale:.3g}".replace("-", "−")
    text = f"{number * scale:,.{_decimals(estimate, scale)}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.removeprefix("-")


def _decimals(estimate: Estimate, scale: int) -> int:
    """Decimals that give the interval's half width two significant digits; per cents have at least one."""
    least = 1 if estimate.percent else 0
    half = (estimate.high - estimate.low) / 2 * scale
    if not bounded(estimate) or half <= 0:
        half = abs(estimate.value * scale) / 10 or 1.0
    return min(8, max(least, 1 - math.floor(math.log10(half))))


def many(number: int, noun: str) -> str:
    """A count of things: 1 instance, 1,234 instances."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
