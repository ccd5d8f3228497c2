"""A comparison in plain words, shared by terminal, page and notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from howgood.report import numbers
from howgood.report.cards import plain

if TYPE_CHECKING:
    from howgood.interpret.compare import Comparison
    from howgood.interpret.variance import Split

Difference = tuple[str, str, str]
SURE = 0.05
"""p-values below are told as found."""


def differences(comparison: Comparison) -> list[Difference]:
    """The rules in which the two runs differ, as (name, a's, b's) in words."""
    return [(name, plain(a), plain(b)) for name, a, b in comparison.rules]


def verdict(comparison: Comparison) -> str:
    """What the difference says, in one sentence. Only under the same rules is it about the systems alone."""
    difference = comparison.difference
    if difference.low <= 0 <= difference.high:
        return "Which of the two is better cannot be told from these instances"
    b_better = (difference.value > 0) == difference.higher_is_better
    better, worse = ("B", "A") if b_better else ("A", "B")
    if comparison.same_rules:
        return f"{better} is better than {worse}"
    return f"{better} did better than {worse}, by other rules"


def evidence(comparison: Comparison) -> list[tuple[str, str]]:
    """What the verdict rests on, as (name, words)."""
    difference = comparison.difference
    lines = [
        ("paired on", _paired_on(comparison)),
        ("B better / worse", f"on {numbers.count(comparison.gained)} / {numbers.count(comparison.lost)} instances"),
        ("p value", f"{pplain(comparison.p)} ({comparison.test})"),
        ("method", difference.method),
    ]
    if comparison.ahead is not None:
        words = f"with probability {probability(comparison.ahead)} (uniform prior on the flips)"
        lines.insert(3, ("B is better", words))
    if comparison.correlation is not None:
        unpaired = numbers.interval(comparison.unpaired)
        correlation = f"{comparison.correlation:.2f}".replace("-", "−")
        lines.append(("pairing", f"correlation {correlation}; without it the interval is {unpaired}"))
    if comparison.split is not None:
        ways = "error from" if comparison.split.prompts == 1 else f"error over {comparison.split.prompts} ways"
        lines.append((ways, split_words(comparison.split)))
    if comparison.detectable is not None:
        seen = numbers.difference(difference, comparison.detectable)
        lines.append(("can be seen", f"a difference of {seen} or more, in 8 of 10 such comparisons"))
    if comparison.needed is not None and difference.low <= 0 <= difference.high:
        lines.append(("would take", f"{numbers.count(comparison.needed)} instances to see one of the size observed"))
    return lines


def split_words(split: Split) -> str:
    """Where a squared error comes from, as shares: question 88%, prompt 12%."""
    whole = sum(split.parts.values())
    if whole == 0:
        return "nowhere: nothing varied"
    return ", ".join(f"{name} {numbers.proportion(part / whole)}" for name, part in split.parts.items())


def probability(value: float) -> str:
    """A probability as it is printed: never as certain."""
    return numbers.proportion(value) if 0.0005 <= value <= 0.9995 else "< 0.1%" if value < 0.5 else "> 99.9%"


def pplain(p: float | None) -> str:
    """A p-value as it is printed: three decimals, tiny ones as less than 0.001, none as none."""
    if p is None:
        return "none"
    return "less than 0.001" if p < 0.001 else f"{p:.3f}"


def _paired_on(comparison: Comparison) -> str:
    left_out = [
        f"{numbers.count(n)} only in {name}" for name, n in (("A", comparison.only_a), ("B", comparison.only_b)) if n
    ]
    missing = comparison.difference.missing
    if missing:
        left_out.append(f"{numbers.count(missing)} failed trials missing")
    shared = numbers.many(comparison.difference.n, "instance")
    return f"{shared} ({', '.join(left_out)})" if left_out else shared
