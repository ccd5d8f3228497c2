"""A leaderboard for a terminal: ratings and ranks, and what they rest on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

from howgood.core.text import visible
from howgood.report import numbers
from howgood.report.terminal.parts import SHORTEST_NAME, number, plain_table, record, say, section, short_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from howgood.core.types import Estimate
    from howgood.interpret.rating.records import Leaderboard, Rated

SHOWN = 5


def leaderboard_view(board: Leaderboard) -> RenderableType:
    """What was rated and how, the models, and then what was left out, what style is worth, how few votes carry the
    first place, the voters, the drift, and which votes would tell most."""
    head = f"{numbers.many(len(board.models), 'model')}, {numbers.many(board.votes, 'vote')}: {board.method}"
    parts: list[RenderableType] = [say(head, "bold"), Text(""), _models(board)]
    for title, lines in (
        ("What was left out", _left_out(board)),
        ("To bear in mind", [(str(place + 1), say(note)) for place, note in enumerate(board.notes)]),
        ("Ties", _ties(board)),
        ("What style is worth", [(one.name, _odds(one)) for one in board.style]),
        ("How firm the first place is", _firm(board)),
        ("Voters", _voters(board)),
        ("Over time", _drift(board)),
    ):
        if lines:
            parts.append(section(title, record(lines)))
    parts += [Text(""), say(_explained(board), "dim")]
    return Group(*parts)


def _models(board: Leaderboard) -> RenderableType:
    """In 80 columns there is room for what was asked for in place of what was not."""
    columns: list[tuple[str, Callable[[Rated], RenderableType], bool]] = [
        (">rank", lambda one: str(one.rank), True),
        (">", _range, True),
        ("<model", lambda one: say(one.model, "bold" if one.rank == 1 or one.model == board.baseline else ""), True),
        (">rating", lambda one: Text(_whole(one.rating), style="bold"), True),
        (f">{100 * board.level:g}%", lambda one: _interval(one, board.baseline), True),
        (">votes", lambda one: short_count(one.votes), True),
        (">won", lambda one: numbers.proportion(one.win_rate), not board.style and board.baseline is None),
        (">best", lambda one: _likely(one.best), board.baseline is None),
        (">beats the baseline", lambda one: _beats(one.beats), board.baseline is not None),
        (">unstyled", lambda one: _whole(one.plain), bool(board.style)),
        (">Elo", lambda one: _whole(one.elo), any(one.elo is not None for one in board.models)),
    ]
    shown = [(heading, cell) for heading, cell, here in columns if here]
    table = plain_table(*(heading for heading, _ in shown))
    table.columns[2].min_width = min(SHORTEST_NAME, max(cell_len(visible(one.model)) for one in board.models))
    for one in board.models:
        table.add_row(*(cell(one) for _, cell in shown))
    return table


def _interval(one: Rated, baseline: str | None) -> str:
    return "baseline" if one.model == baseline else f"[{_whole(one.low)}, {_whole(one.high)}]"


def _range(one: Rated) -> Text:
    same = one.rank_low == one.rank_high
    return Text("" if same else f"{one.rank_low}–{one.rank_high}", style="dim")


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}".replace("-", "−")


def _likely(probability: float) -> str:
    return numbers.proportion(probability) if probability >= 0.0005 else "–" if probability == 0 else "<0.1%"


def _beats(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{numbers.value(estimate)} {numbers.interval(estimate)}"


def _left_out(board: Leaderboard) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = [
        (numbers.many(number, "vote"), say(why, "yellow")) for why, number in board.left_out.items()
    ]
    if board.unrated:
        names = ", ".join(f"{one.model} ({numbers.many(one.votes, 'vote')})" for one in board.unrated[:SHOWN])
        more = f" and {len(board.unrated) - SHOWN} more" if len(board.unrated) > SHOWN else ""
        words = f"{names}{more}: nothing compares them with those rated, so they are on no common scale"
        lines.append((numbers.many(len(board.unrated), "model"), say(words, "yellow")))
    return lines


def _ties(board: Leaderboard) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = []
    if board.tied is not None:
        lines.append(("equal models tie", number(board.tied)))
    if board.both_bad:
        lines.append(("both bad", say(f"{numbers.many(board.both_bad, 'vote')}, taken as ties")))
    return lines


def _odds(one: Estimate) -> Text:
    value, low, high = (f"{x:+.3f}".replace("-", "−") for x in (one.value, one.low, one.high))
    return Text.assemble((value, "bold"), f" [{low}, {high}] in log-odds, for one standard deviation more")


def _firm(board: Leaderboard) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = []
    if board.flip is not None:
        flip = board.flip
        share = f"{100 * flip.share:.2g}%"
        words = f"without {numbers.many(flip.votes, 'vote')} of {numbers.count(board.votes)} ({share}), "
        lines.append(("to be lost", say(f"{words}{flip.other} would lead and not {flip.leader}")))
        which = [f"{n} of {a} over {b}" for a, b, n in flip.which] + [
            f"{n} ties of {a} and {b}" for a, b, n in flip.ties
        ]
        lines.append(("such as", say(", ".join(which))))
    if board.next:
        pairs = "; ".join(f"{one.a} and {one.b}" for one in board.next)
        lines.append(("ask next", say(f"{pairs}: a vote on these tells most")))
    return lines


def _voters(board: Leaderboard) -> list[tuple[str, RenderableType]]:
    if board.voters is None:
        return []
    lines: list[tuple[str, RenderableType]] = []
    if board.agreement is not None:
        words = f" between voters on the same pair and item (Krippendorff's alpha), n {board.agreement.n:,}"
        lines.append(("agreement", number(board.agreement).append(words)))
    suspects = len(board.suspects)
    lines.append(("unlike others", say(f"{suspects} of {numbers.many(board.voters, 'voter')}")))
    for one in board.suspects[:SHOWN]:
        told = []
        if one.against <= one.side:
            told.append(f"votes against what others say (p = {one.against:.1g})")
        else:
            told.append(f"{numbers.proportion(one.first)} for the first side (p = {one.side:.1g})")
        lines.append((f"  {one.voter}", say(f"{numbers.many(one.votes, 'vote')}: {', '.join(told)}", "yellow")))
    if suspects > SHOWN:
        lines.append(("", say(f"and {suspects - SHOWN} more; --json lists them")))
    return lines


def _drift(board: Leaderboard) -> list[tuple[str, RenderableType]]:
    if not board.spans:
        return []
    begins = ", ".join(_when(seconds) for seconds in board.spans)
    words = f"{numbers.many(board.followed, 'model')} in {len(board.spans)} spans of votes, from {begins}"
    lines: list[tuple[str, RenderableType]] = [("followed", say(words))]
    if not board.changed:
        lines.append(("changed", say("none that chance does not explain")))
    for one in board.changed[:SHOWN]:
        course = " → ".join(f"{x:+.0f}".replace("-", "−") for x in one.ratings)
        lines.append((one.model, say(f"{course} against the mean of those followed (p = {one.p:.1g})", "yellow")))
    return lines


def _when(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d") if seconds > 1e8 else f"{seconds:g}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"


POINTS = {
    "half": "100 points more win 64% of votes, a tie being half",
    "davidson": "100 points more win 64% of the votes that are no ties",
    "rao-kupper": "100 points more make the odds of a win 1.8 times as high",
}


def _explained(board: Leaderboard) -> str:
    words = [
        f"{POINTS[board.ties]}; {f'{board.baseline} is at' if board.baseline else 'the mean is'} 1000. [ ] holds each "
        f"rating on its own; the grey ranks cannot be excluded, for all models at once at {100 * board.level:g}%."
    ]
    if board.baseline is None:
        words.append("best: probability of the highest rating.")
        if not board.style:
            words.append("won: mean share of the votes against each opponent.")
    if board.style:
        words.append("unstyled: the rating if style is not controlled for.")
    return " ".join(words)
