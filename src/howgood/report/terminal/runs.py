"""Runs in a terminal: estimates side by side, all runs, one run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from howgood.core.text import duration, money
from howgood.core.types import Estimate
from howgood.report import cards, costs, numbers
from howgood.report.safe import line
from howgood.report.terminal.parts import (
    ODD_STYLE,
    Bar,
    Fitted,
    broken,
    counts,
    named,
    natural_width,
    number,
    plain_table,
    record,
    say,
    section,
    short_count,
    two_lines,
)
from howgood.report.terminal.robustness import robustness_section

if TYPE_CHECKING:
    from howgood.runs.store import SavedRun

MOST_GROUPS = 60
"""Groups listed before the rest is only counted."""
LONGEST_GROUP = 60
"""Characters of a group's name that are shown."""
STATUS_STYLES = {"finished": "green", "incomplete": "yellow", "running": "cyan"}


def estimates_table(runs: Sequence[SavedRun]) -> RenderableType:
    """The headline of each run with its interval, n, what went amiss, tokens, time and cost, of all and of each; two
    lines a run."""

    def build(bar: int, name: int, each: bool = False) -> Table:
        table = plain_table(
            "=benchmark\nsystem",
            "=estimate\n95% interval",
            "=0 to 100%",
            ">n\nodd",
            ">tokens\nin, out",
            ">time\ncost",
            *([">latency\neach cost"] if each else []),
        )
        for run in runs:
            odd = sum(cards.odd_outcomes(run.outcomes).values())
            table.add_row(
                _names(run, name),
                *_headline(run, bar),
                two_lines(Text(_n(run)), Text(f"{odd:,}", style=ODD_STYLE if odd else "dim")),
                two_lines(Text(short_count(run.usage.input)), Text(short_count(run.usage.output))),
                two_lines(Text(duration(run.seconds)), Text(money(run.cost))),
                *([two_lines(Text(costs.latency(run)), Text(costs.each(run)))] if each else []),
            )
        return table

    notes = [note for run in runs if (note := _note(run))]
    known = any(run.took for run in runs)
    return Group(Fitted(build, _all_names(runs), partial(build, each=True) if known else None), *notes)


def runs_table(runs: Sequence[SavedRun]) -> RenderableType:
    """All runs: the part of the id that names each, what on what, the headline, how many, how it ended, its cost."""
    ids = short_ids([run.id for run in runs])

    def build(_: int, name: int) -> Table:
        table = plain_table("=id\nstarted", "=benchmark\nsystem", "=estimate", ">n", ">status\ncost")
        for run, short_id in zip(runs, ids, strict=True):
            value = two_lines(*_cell(run.estimates[0])) if run.estimates else Text("none yet", style="dim")
            table.add_row(
                two_lines(say(short_id), say(_started(run), "dim")),
                _names(run, name),
                value,
                Text(_n(run)),
                two_lines(_status(run), Text(money(run.cost))),
            )
        return table

    return OneLineEach(_one_line_each(runs, ids), Fitted(build, _all_names(runs)))


class OneLineEach:
    """The first table where it has room, the second elsewhere."""

    def __init__(self, wide: Table, narrow: RenderableType) -> None:
        self.wide, self.narrow = wide, narrow

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = natural_width(console, options, self.wide) <= options.max_width
        yield self.wide if fits else self.narrow


def _one_line_each(runs: Sequence[SavedRun], ids: list[str]) -> Table:
    table = plain_table("=id", "=benchmark", "=system", "=estimate", "=score", ">n", "=status", ">cost", "=started")
    for run, short_id in zip(runs, ids, strict=True):
        value = _cell(run.estimates[0]) if run.estimates else (Text("none yet", style="dim"), Text(""))
        names = (say(run.rules.benchmark, "bold"), say(run.system.label))
        ended = (_status(run), Text(money(run.cost)), say(_started(run), "dim"))
        table.add_row(say(short_id), *names, *value, Text(_n(run)), *ended)
    return table


def short_ids(ids: Sequence[str]) -> list[str]:
    """For each id the shortest end of it, in whole parts, that no other id holds: enough to name the run."""

    def shortest(run: str) -> str:
        parts = run.split("_")
        ends = ("_".join(parts[-n:]) for n in range(1, len(parts)))
        return next((end for end in ends if sum(end in other for other in ids) == 1), run)

    return [shortest(run) for run in ids]


def run_view(run: SavedRun) -> RenderableType:
    """One run: how it ended, the four questions answered, estimates, groups, outcomes, cost, how to run it again."""
    title = Text.assemble(
        say(run.rules.benchmark, "bold"), "  ", say(run.card.get("title", ""), "dim"), "\n", say(run.system.label)
    )
    parts: list[RenderableType] = [title]
    if run.status != "finished":
        parts.append(_ended(run))
    if run.estimates:
        parts.append(section("Estimates", scores_table(run.estimates)))
    for question, answer in cards.four_questions(run):
        parts.append(section(question, say(answer)))
    if run.groups:
        parts.append(section("By group", _groups(run.groups)))
    if "perturb" in run.rules.sample and run.estimates:
        parts.append(robustness_section(run))
    parts.append(section("Outcomes", counts(run.outcomes)))
    parts.append(section("What it took", _cost(run)))
    parts.append(section("To look closer", *_next(run)))
    return Group(*parts)


def _names(run: SavedRun, width: int) -> Text:
    return two_lines(broken(run.rules.benchmark, width, "bold"), broken(run.system.label, width, "dim"))


def _all_names(runs: Sequence[SavedRun]) -> list[str]:
    return [name for run in runs for name in (run.rules.benchmark, run.system.label)]


def _started(run: SavedRun) -> str:
    return run.started[:16].replace("T", " ")


def _status(run: SavedRun) -> Text:
    return Text(run.status, style=STATUS_STYLES.get(run.status, "red"))


def _headline(run: SavedRun, bar: int) -> tuple[RenderableType, RenderableType]:
    if not run.estimates:
        return _status(run), Text("")
    first = run.estimates[0]
    return two_lines(*_cell(first)), Bar(first, bar)


def _cell(estimate: Estimate) -> tuple[Text, Text]:
    return number(estimate), named(estimate)


def _n(run: SavedRun) -> str:
    """How many instances the headline stands on; of how many trials where there is none."""
    if run.estimates:
        return f"{run.estimates[0].n:,}"
    return f"{sum(run.outcomes.values()):,} of {run.planned:,}"


def _note(run: SavedRun) -> Text | None:
    """What must be known beside a run's number: how it ended, and what went amiss."""
    odd = cards.odd_outcomes(run.outcomes)
    if not odd and run.status == "finished":
        return None
    ended = "" if run.status == "finished" else f" {run.status};"
    amiss = ", ".join(f"{n:,} {name}" for name, n in odd.items()) or "nothing odd"
    return say(f"{run.rules.benchmark} on {run.system.label}:{ended} {amiss}", ODD_STYLE)


def _ended(run: SavedRun) -> Text:
    words = say(cards.ending(run, run.outcomes), STATUS_STYLES.get(run.status, "red"))
    if run.origin:
        return words
    return words.append_text(say(f"\n  howgood resume {run.id}", "not bold default"))


def scores_table(estimates: Sequence[Estimate]) -> Table:
    """Estimates with their intervals, n and how they were made."""
    table = plain_table("=score", "=value", "<0 to 100%", ">n", "<method")
    for estimate in estimates:
        table.add_row(named(estimate), number(estimate), Bar(estimate), f"{estimate.n:,}", say(estimate.method, "dim"))
    return table


def _groups(groups: list[Estimate]) -> RenderableType:
    named_groups = [(line(group.group or "", LONGEST_GROUP), group) for group in groups[:MOST_GROUPS]]

    def build(bar: int, width: int) -> Table:
        table = plain_table("=group", "=score", "=value", "=0 to 100%", ">n")
        for name, group in named_groups:
            table.add_row(broken(name, width), named(group), number(group), Bar(group, bar), f"{group.n:,}")
        return table

    table = Fitted(build, (name for name, _ in named_groups))
    if len(groups) <= MOST_GROUPS:
        return table
    return Group(table, Text(f"{len(groups) - MOST_GROUPS} more groups: howgood report", style="dim"))


def _cost(run: SavedRun) -> Table:
    usage = run.usage
    tokens = f"{numbers.count(usage.input)} in"
    if usage.cached:
        tokens += f" ({numbers.count(usage.cached)} from a cache)"
    tokens += f", {numbers.count(usage.output)} out"
    if usage.reasoning:
        tokens += f" ({numbers.count(usage.reasoning)} hidden reasoning)"
    versions = cards.plain(run.environment)
    system = cards.plain(run.system.model)
    return record(
        [
            *((name, Text(words)) for name, words in costs.lines(run)),
            ("time", Text("unknown" if run.origin and not run.seconds else duration(run.seconds))),
            ("tokens", Text(tokens)),
            ("model", say(system)),
            ("ran on", say(versions)),
            ("started", say(run.started)),
            ("rules", say(f"{run.rules.hash} (version {run.rules.version} of {run.rules.benchmark})")),
        ]
    )


def _next(run: SavedRun) -> list[Text]:
    again = cards.command(run)
    lines = [cards.look_closer(run, run.id), f"howgood report {run.id}"]
    return [say(text, "dim") for text in ([again] if again else []) + lines]
