"""Small pieces that the terminal's views share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from howgood.core.text import visible
from howgood.core.types import Estimate
from howgood.report import numbers
from howgood.report.safe import line

BAR = (9, 20)
"""The fewest and the most cells of a drawn interval."""
SHORTEST_NAME = 12
"""Characters of a name that stay together however narrow the terminal is."""

OUTCOME_STYLES = {"right": "green", "wrong": "red", "partial": "yellow", "scored": ""}
ODD_STYLE = "yellow"


def say(value: object, style: str = "") -> Text:
    """Any value as text that is shown as it is."""
    return Text(visible(str(value)), style=style)


def short(value: object, width: int, style: str = "") -> Text:
    """Any value on one line of at most `width` characters."""
    return Text(line(str(value), width), style=style)


def plain_table(*headings: str) -> Table:
    """A table without a frame. A heading that begins with < is of words, which fold; with > of numbers, set right;
    with = of what must stay on its line."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in headings:
        kind, words = heading[0], heading[1:]
        side: JustifyMethod = "right" if kind == ">" else "left"
        table.add_column(words, justify=side, overflow="fold", no_wrap=kind != "<")
    return table


def record(lines: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names and values, one a line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(name, value)
    return table


def section(title: str, *body: RenderableType) -> Group:
    """A titled part of a view, after an empty line."""
    return Group(Text(""), Text(title, style="bold"), *(Padding(part, (0, 0, 0, 2)) for part in body))


def two_lines(first: Text, second: Text) -> Text:
    return Text("\n").join([first, second])


class Bar:
    """The interval of a share drawn between 0 and 100%, `width` cells or as many as there is room for: ┄┄━━●━━┄┄┄.
    Empty for an estimate that has no common scale."""

    def __init__(self, estimate: Estimate, width: int = BAR[1]) -> None:
        self.estimate, self.width = estimate, width

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(BAR[0], self.width), self.width) if self.estimate.percent else Measurement(0, 0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.estimate.percent:
            yield self.drawn(min(self.width, options.max_width))

    def drawn(self, width: int) -> Text:
        ends = (self.estimate.low, self.estimate.value, self.estimate.high)
        low, value, high = (min(width - 1, max(0, int(end * width))) for end in ends)
        text = Text()
        for cell in range(width):
            inside = low <= cell <= high
            text.append("●" if cell == value else "━" if inside else "┄", style="cyan" if inside else "dim")
        return text


class Fitted:
    """A table of names and bars that `build` makes from the widths of both. Where room is short the bars give way
    first, then the names are broken; where there is room for all of it, `fuller` makes one that says more."""

    def __init__(
        self,
        build: Callable[[int, int], Table],
        names: Iterable[str],
        fuller: Callable[[int, int], Table] | None = None,
    ) -> None:
        self.build, self.fuller, self.longest = build, fuller, max(map(cell_len, names), default=0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.fuller is not None:
            table = self.fuller(BAR[1], self.longest)
            if natural_width(console, options, table) <= options.max_width:
                yield table
                return
        wide, narrow = (natural_width(console, options, self.build(bar, self.longest)) for bar in reversed(BAR))
        bar = max(BAR[0], BAR[1] - max(0, wide - options.max_width))
        yield self.build(bar, max(SHORTEST_NAME, self.longest - max(0, narrow - options.max_width)))


def natural_width(console: Console, options: ConsoleOptions, table: Table) -> int:
    """How wide a table would be if there were room for all of it."""
    return Measurement.get(console, options.update(width=1000), table).maximum


def broken(name: str, width: int, style: str = "") -> Text:
    """A name on lines of at most `width` characters, broken after - / , _ where that is possible."""
    lines = [""]
    for piece in re.findall(r"[^-/,_]*[-/,_]|[^-/,_]+", visible(name)):
        if lines[-1] and len(lines[-1] + piece) > width:
            lines.append("")
        whole = lines.pop() + piece
        lines += [whole[i : i + width] for i in range(0, len(whole), width)]
    return Text("\n".join(lines), style=style)


def named(estimate: Estimate) -> Text:
    """An estimate's name with an arrow to where better is."""
    return say(f"{estimate.name} {'↑' if estimate.higher_is_better else '↓'}", "dim")


def number(estimate: Estimate) -> Text:
    """The value, bold, and its interval."""
    return Text.assemble((numbers.value(estimate), "bold"), f" {numbers.interval(estimate)}")


def number_of(difference: Estimate) -> Text:
    """A difference, bold, and its interval below."""
    return Text.assemble((numbers.difference(difference), "bold"), "\n", (numbers.interval(difference), "dim"))


def counts(outcomes: dict[str, int]) -> Text:
    """Outcomes with how many trials had each, what went wrong first."""
    from howgood.report.instances import place  # not for those who draw no outcomes

    names = sorted(outcomes, key=place)
    parts = [say(f"{outcomes[name]:,} {name}", OUTCOME_STYLES.get(name, ODD_STYLE)) for name in names]
    return Text(", ").join(parts) if parts else Text("none", style="dim")


def short_count(number: int) -> str:
    """A count in at most five characters: 812, 12.8k, 1.28M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)
