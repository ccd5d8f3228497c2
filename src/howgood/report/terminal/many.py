"""Many comparisons for a terminal: one row a pair, with p-values that answer for all of them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.interpret.multiple import Comparisons, Pair
from howgood.report import comparisons, numbers
from howgood.report.terminal.parts import number_of, plain_table, say, section, short, two_lines


def comparisons_view(found: Comparisons) -> RenderableType:
    """Each pair's paired difference with its p-value by itself and among all, what could be seen and what seeing it
    would take; the means over benchmarks; and which pairs are not of one game."""
    table = plain_table("<benchmark", "=B − A", ">p", ">can be seen")
    for pair in found.pairs:
        made = pair.comparison
        table.add_row(
            two_lines(say(pair.benchmark, "bold"), say(f"{pair.b} − {pair.a}", "dim")),
            number_of(made.difference),
            two_lines(_p(pair), say(f"alone {comparisons.pplain(made.p)}", "dim")),
            _power(pair),
        )
    for one in found.overall:
        name = say(one.difference.name, "bold")
        table.add_row(two_lines(name, say(f"{one.b} − {one.a}", "dim")), number_of(one.difference), Text("–"), "")
    parts: list[RenderableType] = [section("Differences, paired, B minus A", table), Text(""), say(_note(found), "dim")]
    if lower := [pair.benchmark for pair in found.pairs if not pair.comparison.difference.higher_is_better]:
        parts.append(say(f"Lower is better on {', '.join(dict.fromkeys(lower))}.", "dim"))
    if games := [pair for pair in found.pairs if not pair.comparison.same_rules]:
        rows = plain_table("<pair", "<rules that differ")
        for pair in games:
            names = ", ".join(name for name, _, _ in pair.comparison.rules)
            rows.add_row(say(f"{pair.benchmark}: {pair.b} − {pair.a}"), short(names, 200, "red"))
        parts.append(section("These are different games; howgood compare A B shows both sides", rows))
    return Group(*parts)


def _note(found: Comparisons) -> str:
    n = sum(pair.comparison.p is not None for pair in found.pairs)
    if n < 2:
        return "p is two-sided."
    return (
        f"p answers for all {numbers.count(n)} comparisons (Holm): if no system differed from another, one below "
        "0.05 anywhere would come up in 5% of such tables at most."
    )


def _p(pair: Pair) -> Text:
    told = pair.adjusted is not None and pair.adjusted < comparisons.SURE
    return say(comparisons.pplain(pair.adjusted), "bold green" if told and pair.comparison.same_rules else "")


def _power(pair: Pair) -> Text:
    made = pair.comparison
    if made.detectable is None:
        return Text("–")
    seen = say(numbers.difference(made.difference, made.detectable))
    if made.needed is None or not made.difference.low <= 0 <= made.difference.high:
        return two_lines(seen, say(f"n {numbers.count(made.difference.n)}", "dim"))
    took = f"n {numbers.count(made.difference.n)}, would take {numbers.count(made.needed)}"
    return two_lines(seen, say(took, "dim"))
