"""Single instances in a terminal: a list of them, and one in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from howgood.outputs.grid import Grid
from howgood.report import grids
from howgood.report.instances import Choice, Shot, shot, verdict_line
from howgood.report.safe import show
from howgood.report.terminal.parts import ODD_STYLE, OUTCOME_STYLES, plain_table, say, section, short
from howgood.runs.columns import score_names

if TYPE_CHECKING:
    import polars as pl

LONGEST = 20_000
"""Characters of a prompt or an answer that are shown; the rest is counted."""
BAR = 24


def instances_table(frame: pl.DataFrame) -> Table:
    """Trials, one a line: id, outcome, headline score, target, the answer as it was read, how the answer begins."""
    names = score_names(frame.columns)
    table = plain_table("<id", "=outcome", *(f">{name}" for name in names[:1]), "<target")
    table.add_column("answer", overflow="ellipsis", no_wrap=True, ratio=1)
    table.expand = True
    for row in frame.iter_rows(named=True):
        values = [Text("" if row[n] is None else f"{row[n]:.4g}") for n in names[:1]]
        target = " | ".join(row["targets"] or [row["choices"][i] for i in row["gold"]])
        table.add_row(short(row["id"], 24), _outcome(row["outcome"]), *values, short(target, 18), _answered(row))
    return table


def instance_view(row: dict[str, Any]) -> RenderableType:
    """One trial in full: the prompt exactly as it was sent, targets, answer, scores, choices with their likelihoods,
    grids in colour."""
    item = shot(row, score_names(list(row)))
    facts = " · ".join(([item.stratum] if item.stratum else []) + [f"epoch {item.epoch}"] * bool(item.epoch))
    parts: list[RenderableType] = [
        Text.assemble(say(item.id, "bold"), "  ", _outcome(item.outcome), "  ", say(facts, "dim")),
        section("Prompt, exactly as sent", *_prompt(item)),
    ]
    if item.task:
        parts.append(section("Grids", _task(item)))
    if item.choices:
        more = [Text(f"{item.choices_left_out:,} more choices are not shown", "dim")] if item.choices_left_out else []
        parts.append(section("Choices", _choices(item.choices), *more))
    elif item.targets and not item.task:
        parts.append(section("Target", *(_long(target) for target in item.targets)))
    parts += _answer(item)
    for verdict in item.verdicts:
        said = _long(verdict.reply.text) if verdict.reply.text else Text("(nothing)", style=ODD_STYLE)
        parts.append(section(f"Judged by {verdict_line(verdict)}", said))
    scores = [f"{name} {value:.4g}" for name, value in item.scores.items()]
    parts.append(section("Scores", say(", ".join(scores) or "none: the trial has no answer to score")))
    if item.explanation and item.explanation != item.error:
        parts.append(section("Explanation", _long(item.explanation)))
    if item.facts:
        parts.append(section("Facts", say(" · ".join(item.facts), "dim")))
    return Group(*parts)


def _prompt(item: Shot) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for role, text in item.turns:
        if role:
            parts.append(say(role, "dim italic"))
        parts.append(_long(text))
    return parts


def _answer(item: Shot) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if item.reasoning:
        parts.append(section("Reasoning", _long(item.reasoning, "dim")))
    written = item.attempts or ((item.text,) if item.text is not None else ())
    for place, text in enumerate(written):
        title = f"Attempt {place + 1} of {len(written)}" if len(written) > 1 else "Answer"
        parts.append(section(title, _long(text) if text else Text("(empty)", style=ODD_STYLE)))
    if item.read_apart:
        assert item.answer is not None
        parts.append(section("Answer as it was read", _long(item.answer)))
    if item.error:
        parts.append(section("Failed", say(item.error, "red")))
    return parts


def _choices(choices: tuple[Choice, ...]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for choice in choices:
        style = "green" if choice.right else "red" if choice.picked else ""
        mark = ("✓" if choice.right else " ") + ("→" if choice.picked else " ")
        row = [Text(mark, style=style), Text(choice.label, style=f"bold {style}"), _long(choice.text, style)]
        if choice.share is not None and choice.logprob is not None:
            filled = round(choice.share * BAR) if choice.share == choice.share else 0
            drawn = Text.assemble(("█" * filled, style or "cyan"), ("░" * (BAR - filled), "dim"))
            row += [drawn, Text(f"{choice.share:6.1%} {choice.logprob:9.2f}", style="dim")]
        table.add_row(*row)
    return table


def _task(item: Shot) -> RenderableType:
    assert item.task is not None
    parts: list[RenderableType] = []
    for place, (given, wanted) in enumerate(item.task.train):
        parts.append(_side_by_side((f"example {place + 1}", given), ("becomes", wanted)))
    asked = [("asked", grid) for grid in item.task.test]
    answers = [(f"attempt {i + 1}", grid) for i, grid in enumerate(item.attempt_grids)]
    parts.append(_side_by_side(*asked, ("target", item.target_grid), *answers))
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def _side_by_side(*pictures: tuple[str, Grid | None]) -> Table:
    """Grids with their titles, beside each other as far as they fit: each is as wide as it must be."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for title, grid in pictures:
        table.add_column(no_wrap=True, min_width=max(len(title), 2 * len(grid[0]) if grid else 7))
    table.add_row(*(Text(title, style="dim") for title, _ in pictures))
    table.add_row(*(grids.text(grid) if grid else Text("no grid", style=ODD_STYLE) for _, grid in pictures))
    return table


def _long(text: str, style: str = "") -> Text:
    """A bounded text, what was cut said in yellow."""
    shown = show(text, LONGEST)
    whole = Text(shown.head, style=style)
    if shown.cut:
        whole.append(shown.gap, style=ODD_STYLE)
        whole.append(shown.tail)
    return whole


def _outcome(outcome: str) -> Text:
    return say(outcome, OUTCOME_STYLES.get(outcome, ODD_STYLE))


def _answered(row: dict[str, Any]) -> Text:
    if row["error"]:
        return short(row["error"], 120, "red")
    read, text = row["answer"], row["text"]
    if text is None:
        return short(read or "", 120)
    return short(text, 120) if read in (None, text) else Text.assemble(short(read, 40, "bold"), "  ", short(text, 120))
