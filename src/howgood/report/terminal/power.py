"""What a number of instances can show, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.interpret.power import Variances
from howgood.report import numbers
from howgood.report.terminal.parts import plain_table, say, section

SIZES = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
FORMULA = (
    "n = (z(α/2) + z(β))² · (ω² + (σ²(A) + σ²(B))/K) / d²  "
    "(Miller, arXiv:2411.00640, section 5), K epochs of each instance"
)


def power_view(
    variances: Variances, epochs: Sequence[int], difference: float | None, power: float, level: float
) -> RenderableType:
    """The instances that a difference needs, then the smallest difference that each of `SIZES` shows, by epochs."""
    promise = f"in {numbers.proportion(power)} of such comparisons, at {numbers.proportion(level)} confidence"
    parts: list[RenderableType] = [say(f"Planned from: {variances.source}")]
    if difference is not None:
        rows = plain_table(">epochs", ">instances", ">answers of each system")
        for k in epochs:
            n = variances.instances(difference, k, power, level)
            rows.add_row(numbers.count(k), numbers.count(n), numbers.count(n * k))
        parts.append(section(f"To see a difference of {_points(difference, variances.percent)} {promise}", rows))
    table = plain_table(">instances", *(f">{numbers.many(k, 'epoch')}" for k in epochs))
    for n in SIZES:
        seen = (variances.detectable(n, k, power, level) for k in epochs)
        table.add_row(numbers.count(n), *(_points(d, variances.percent) for d in seen))
    parts.append(section(f"The smallest difference seen {promise}", table))
    note = Text(FORMULA, style="dim")
    if not variances.sampling and len(epochs) > 1:
        note.append("\nthe variance of single answers is unknown or none, so epochs change nothing: --sampling sets it")
    return Group(*parts, Text(""), note)


def _points(difference: float, percent: bool) -> str:
    """A difference in its unit, to three digits: 3.14 points."""
    return f"{100 * difference:.3g} points" if percent else f"{difference:.3g}"
