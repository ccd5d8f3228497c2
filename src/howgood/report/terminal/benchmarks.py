"""A benchmark's card and a suite's parts in a terminal."""

from __future__ import annotations

import inspect
import re
import typing
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howgood.core.registry import Entry, describe_type
from howgood.report import numbers
from howgood.report.terminal.parts import plain_table, record, say, section

if TYPE_CHECKING:
    from howgood.benchmarks.suites import Suite


def card_view(entry: Entry) -> RenderableType:
    """What a reader must know before a benchmark's number, and what it takes."""
    card = entry.card
    random = "not given" if card.random is None else f"{card.random:g}"
    human = "not given" if card.human is None else f"{card.human:g}"
    if card.human_source:
        human += f" ({card.human_source})"
    facts: list[tuple[str, RenderableType]] = [
        ("paper", say(card.cite or "none")),
        ("for", say(card.purpose)),
        ("guessing", say(random)),
        ("people", say(human)),
        ("data", say(card.data or "none of its own to fetch")),
        ("version", say(card.version)),
    ]
    parts: list[RenderableType] = [
        Text.assemble(say(card.name, "bold"), "  ", say(card.title)),
        Text(""),
        record(facts),
    ]
    for title, items in (("Known flaws", card.flaws), ("Deviations from the published protocol", card.deviations)):
        if items:
            parts.append(section(title, *(say(f"• {item}") for item in items)))
    if entry.parameters:
        parts.append(section("Parameters (-P name=value)", _parameters(entry)))
    about = _about(inspect.getdoc(entry.build) or "")
    if about:
        parts.append(section("About", say("\n\n".join(about))))
    return Group(*parts)


def suite_view(name: str, suite: Suite) -> RenderableType:
    """A suite's parts: each benchmark with its parameters and how many instances are sampled."""
    table = plain_table("<benchmark", ">instances", "<parameters")
    for part in suite.parts:
        given = ", ".join(f"{key}={value}" for key, value in part.parameters.items())
        many = "all" if part.limit is None else numbers.count(part.limit)
        table.add_row(say(part.benchmark, "bold"), many, say(given, "dim"))
    return Group(Text.assemble(say(name, "bold"), "  ", say(suite.title)), Text(""), table)


def _about(doc: str) -> list[str]:
    """The paragraphs of a docstring after its title, each on one line, without what it says to programmers: what is
    raised."""
    flat = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", doc.partition("\n")[2]))
    told = (re.split(r"(?:^|(?<=[.:;] ))Raises ", paragraph)[0].strip() for paragraph in flat)
    return [paragraph for paragraph in told if paragraph]


def _parameters(entry: Entry) -> Table:
    table = plain_table("<name", "<takes", "<default")
    hints = typing.get_type_hints(entry.build)
    for name, parameter in entry.parameters.items():
        must = parameter.default is inspect.Parameter.empty
        default = "must be given" if must else str(parameter.default)
        table.add_row(say(name, "bold"), say(describe_type(hints[name])), say(default, "dim"))
    return table
