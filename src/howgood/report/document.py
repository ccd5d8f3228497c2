"""Runs as a Markdown document: the same figures as the page, drawings as tables, every text escaped.

Nothing of a run becomes markup: what Markdown or HTML would read as more than text is escaped, so that the document is
as harmless as the page wherever it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from howgood.core.text import duration, money
from howgood.core.types import Estimate
from howgood.report import cards, comparisons, costs, html, numbers, versus
from howgood.report.safe import line
from howgood.runs.store import SavedRun

LONGEST = 300
"""Characters of one text in a table."""
# ASCII's punctuation can be escaped by a backslash everywhere in Markdown; these marks begin or end something in one of
# its dialects. Angle brackets and ampersands are written as entities, which no dialect reads as HTML.
MARKS = re.compile(r"[\\`*_{}\[\]()#+!|~$^=@:]")
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def document(runs: Sequence[SavedRun]) -> str:
    """Runs, and those of one benchmark beside each other, as Markdown. Equal runs give equal documents."""
    together = versus.compared(runs)
    parts = [f"# {plain(html.title(runs))}", plain(html.lede(runs))]
    if runs:
        parts.append(_overview(runs))
    for front, _ in together.fronts:
        parts += _front(front)
    for many in together.manies:
        parts += _many(many)
    for two in together.twos:
        parts += _two(two)
    if together.overall:
        parts += ["## Over all benchmarks", _overall(together)]
    for run in runs:
        parts += _run(run)
    parts.append(
        "Made by howgood. Estimates carry a confidence interval; outcomes that are neither right nor wrong are counted "
        "apart."
    )
    return "\n\n".join(parts) + "\n"


def plain(text: str, longest: int = LONGEST) -> str:
    """A text on one line that Markdown shows as it is."""
    escaped = MARKS.sub(r"\\\g<0>", line(text, longest).translate(ENTITIES))
    # A list, a rule or a number with a dot begins at the start of a line only; addresses become links anywhere.
    escaped = re.sub(r"^([-]|\d+(?=[.]))", r"\\\1" if escaped.startswith("-") else r"\1\\", escaped)
    return re.sub(r"(?i)\b(www)\.", r"\1\\.", escaped)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """A table of cells that are Markdown already; `right` has a letter r for each column of numbers."""
    sides = ["---:" if side == "r" else "---" for side in right.ljust(len(heads), "l")[: len(heads)]]
    lines = [heads, sides, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(text: str) -> str:
    """A command as a block: the fence is longer than any in it."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{line(text, 4_000)}\n{fence}"


def _estimate(estimate: Estimate) -> str:
    return f"**{numbers.value(estimate)}** {plain(numbers.interval(estimate))}"


def _difference(estimate: Estimate) -> str:
    return f"**{numbers.difference(estimate)}** {plain(numbers.interval(estimate))}"


def _name(estimate: Estimate) -> str:
    return f"{plain(estimate.name)} {'↑' if estimate.higher_is_better else '↓'}"


def _overview(runs: Sequence[SavedRun]) -> str:
    rows = []
    for run in runs:
        first = run.estimates[0] if run.estimates else None
        odd = cards.odd_outcomes(run.outcomes)
        rows.append(
            [
                plain(run.rules.benchmark),
                plain(run.system.label),
                f"{_estimate(first)} {_name(first)}" if first else plain(run.status),
                numbers.count(first.n) if first else "",
                ", ".join(f"{numbers.count(n)} {name}" for name, n in odd.items()) or "none",
                duration(run.seconds),
                plain(money(run.cost)),
            ]
        )
    return table(["Benchmark", "System", "Estimate", "n", "Odd outcomes", "Time", "Cost"], rows, "lllrlrr")


def _front(front: costs.Front) -> list[str]:
    rows = [
        [plain(s.name), _estimate(s.score), plain(costs.figure(s.cost)), plain(costs.verdict(s))]
        for s in front.standings
    ]
    return [
        f"## Quality against cost on {plain(front.benchmark)}",
        "A system is beaten by one that is no dearer and no worse; perhaps, where their intervals meet."
        + ("" if front.same_rules else " **Not all of these runs have the same rules: they are different games.**"),
        table(["System", "Score", front.axis.capitalize(), "Standing"], rows),
    ]


def _rules(differing: Sequence[comparisons.Difference], a: str = "A", b: str = "B") -> str:
    return table(["Rule", a, b], [[plain(cell) for cell in row] for row in differing])


def _two(two: versus.Two) -> list[str]:
    difference, n = two.comparison.difference, two.counts
    parts = [
        f"## {plain(two.first.rules.benchmark)}: {two.verdict}",
        f"A: {plain(two.first.system.label)}  \nB: {plain(two.second.system.label)}",
    ]
    if two.differing:
        words = "The same rules; only this differs" if two.same else "These are two different games: their rules differ"
        parts += [f"**{words}**", _rules(two.differing)]
    else:
        parts.append(f"The same rules, {two.first.rules.hash}.")
    parts.append(
        f"{_difference(difference)} {plain(difference.name)}, B minus A, {numbers.level(difference)} interval, "
        f"n {numbers.count(difference.n)}; {'higher' if difference.higher_is_better else 'lower'} is better."
    )
    a, b = two.comparison.a, two.comparison.b
    facts = [("A", f"{numbers.value(a)} {numbers.interval(a)}"), ("B", f"{numbers.value(b)} {numbers.interval(b)}")]
    parts.append(table(["What it rests on", ""], [[plain(x), plain(y)] for x, y in [*facts, *two.evidence, *two.took]]))
    if n.both is not None and n.neither is not None:
        rows = [
            ["A right", numbers.count(n.both), numbers.count(n.lost)],
            ["A wrong", numbers.count(n.gained), numbers.count(n.neither)],
        ]
        parts.append(table(["What flipped", "B right", "B wrong"], rows, "lrr"))
    else:
        parts.append(
            f"B better on {numbers.count(n.gained)}, A better on {numbers.count(n.lost)}, "
            f"the same on {numbers.count(n.same)} instances."
        )
    parts.append(plain(versus.likeness(two.alike)))
    if two.needs:
        often = two.needs[0].often is not None
        rows = [
            [need.size, numbers.count(need.once), *([numbers.count(need.often)] if need.often is not None else [])]
            for need in two.needs
        ]
        heads = ["To see a difference of", "n", *([f"n, each asked {versus.EPOCHS} times"] if often else [])]
        parts.append(table(heads, rows, "lrr"))
    if two.groups:
        parts += ["### By group", *([two.chance] if two.chance else []), _forest(two)]
    return parts


def _forest(two: versus.Two) -> str:
    rows = [
        [
            plain(one.group.difference.group or ""),
            _difference(one.group.difference),
            comparisons.pplain(one.group.adjusted),
            numbers.count(one.group.difference.n),
        ]
        for one in two.groups
    ]
    left = f"\n\n{numbers.count(two.groups_left_out)} more groups are left out." if two.groups_left_out else ""
    return table(["Group", "B minus A", "p, Holm", "n"], rows, "llrr") + left


def _many(many: versus.Many) -> list[str]:
    first = many.besides[0]
    parts = [f"## {plain(many.benchmark)}: {numbers.count(len(many.besides))} runs beside each other"]
    if many.same:
        parts.append(f"The same rules, {first.run.rules.hash}.")
    else:
        parts.append(f"**Not all of these are one game: their rules differ from those of {plain(first.name)}**")
        for one in many.besides:
            if one.differing:
                parts.append(_rules(one.differing, plain(first.name), plain(one.name)))
    rows = []
    for one in many.besides:
        made = one.pair.comparison if one.pair else None
        rows.append(
            [
                plain(one.name) + (" (other rules)" if one.differing else ""),
                _estimate(one.run.estimates[0]) if one.run.estimates else plain(one.run.status),
                _difference(made.difference) if made else plain(one.problem),
                comparisons.pplain(one.pair.adjusted) if one.pair else "",
                numbers.count(made.difference.n) if made else "",
            ]
        )
    parts.append(table(["System", "Estimate", f"Minus {plain(first.name)}", "p, Holm", "n"], rows, "lllrr"))
    marks = [str(place) for place in range(1, len(many.names) + 1)]
    matrix = [
        [f"{place} {plain(name)}", *(versus.cell(cell) if cell else "" for cell in row)]
        for place, name, row in zip(marks, many.names, many.matrix, strict=True)
    ]
    parts += ["How alike they answer (Cohen's kappa; of scores that are not right or wrong the correlation):",
              table(["", *marks], matrix, "l" + "r" * len(marks))]  # fmt: skip
    return parts


def _overall(together: versus.Compared) -> str:
    rows = [
        [f"{plain(one.b)} minus {plain(one.a)}, {one.difference.name}", _difference(one.difference)]
        for one in together.overall
    ]
    return table(["Systems", "Difference"], rows)


def _run(run: SavedRun) -> list[str]:
    parts = [f"## {plain(run.rules.benchmark)} on {plain(run.system.label)}"]
    if run.status != "finished":
        parts.append(f"**{plain(cards.ending(run, run.outcomes), 600)}** `howgood resume {line(run.id, 200)}`")
    parts += [f"**{question}** {plain(answer, 2_000)}" for question, answer in cards.four_questions(run)]
    if run.estimates:
        rows = [[_name(e), _estimate(e), numbers.count(e.n), plain(e.method)] for e in run.estimates]
        parts.append(table(["Score", "Estimate", "n", "Method"], rows, "llrl"))
    if run.outcomes:
        counted = ", ".join(f"{numbers.count(n)} {plain(name)}" for name, n in run.outcomes.items())
        parts.append(f"Outcomes: {counted}.")
    if took := costs.lines(run):
        parts.append(table(["What it took", ""], [[plain(name), plain(words)] for name, words in took]))
    if run.groups:
        shown = run.groups[: versus.MOST_GROUPS]
        rows = [[plain(e.group or ""), _estimate(e), numbers.count(e.n)] for e in shown]
        parts.append(table(["Group", "Estimate", "n"], rows, "llr"))
        if len(run.groups) > len(shown):
            parts.append(f"{numbers.count(len(run.groups) - len(shown))} more groups are in run.json.")
    if command := cards.command(run):
        parts += ["To run it again:", code(command)]
    return parts
