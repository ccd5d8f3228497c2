"""The arena's pages. Whatever a visitor or a system wrote is put into them as text alone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from howgood.arena.board import Board
from howgood.arena.database import Variant
from howgood.core.text import shorten
from howgood.core.types import Estimate
from howgood.report import charts, numbers
from howgood.report.html import TEMPLATES as REPORTS
from howgood.report.html import environment
from howgood.web.files import SHARED, TEMPLATES, Files
from howgood.web.visitors import Visitor

if TYPE_CHECKING:
    from jinja2 import Environment

    from howgood.interpret.rating.records import Rated

HERE = Path(__file__).parent
NAVIGATION = (("/", "Vote"), ("/board", "Leaderboard"))
LONGEST_DETAIL = 40
"""Characters of one thing told of a system: enough for a name, and the beginning of a digest."""


class Row(Struct, frozen=True):
    """A rated system, its rating (`plain`: without control of style) and its interval, also as a drawing (SVG)."""

    rated: Any
    rating: str
    plain: str
    interval: str
    svg: str


class System(Struct, frozen=True):
    """A system that was ever registered. `details` are what it is, in words."""

    variant: Variant
    share: float
    since: str
    here: bool
    details: str


def vote_page(visitor: Visitor, nonce: str, systems: int, longest: int) -> str:
    return _page("vote.html.j2", nonce, visitor, "/", systems=systems, longest=longest)


def enter_page(visitor: Visitor, nonce: str) -> str:
    return _page("enter.html.j2", nonce, visitor, "", place="arena")


def board_page(board: Board, style: bool, here: Collection[int], visitor: Visitor, nonce: str) -> str:
    """The leaderboard; `here` are the systems that are in the arena now."""
    found = board.leaderboard
    rows = [] if found is None else _rows(found.models, found.level)
    systems = [
        System(
            one,
            board.share(one),
            datetime.fromtimestamp(one.registered, UTC).strftime("%Y-%m-%d"),
            one.id in here,
            ", ".join(
                f"{name} {shorten(str(value), LONGEST_DETAIL)}"
                for name, value in one.details.items()
                if isinstance(value, str | int | float)
            ),
        )
        for one in board.variants
    ]
    values = {"board": board, "found": found, "rows": rows, "systems": systems, "style": style}
    return _page("board.html.j2", nonce, visitor, "/board", **values)


def _rows(models: list[Rated], level: float) -> list[Row]:
    drawn = [Estimate("rating", m.rating, m.se, m.low, m.high, m.votes, "", level) for m in models]
    on = charts.scale(drawn)
    return [
        Row(
            model,
            f"{model.rating:,.0f}",
            "" if model.plain is None else f"{model.plain:,.0f}",
            f"{model.low:,.0f} to {model.high:,.0f}",
            charts.interval(estimate, on) if on else "",
        )
        for model, estimate in zip(models, drawn, strict=True)
    ]


def _page(template: str, nonce: str, visitor: Visitor, path: str, **values: Any) -> str:
    known = {"nonce": nonce, "csrf": visitor.csrf, "path": path, "brand": "howgood arena", "navigation": NAVIGATION}
    return _environment().get_template(template).render(**known, **values)


@cache
def static_files() -> Files:
    """The style and scripts of all pages, and the arena's own."""
    return Files([REPORTS / "report.css", *sorted(SHARED.iterdir()), *sorted((HERE / "static").iterdir())])


@cache
def _environment() -> Environment:
    """Reports' environment, in which everything is escaped, with the arena's templates."""
    from jinja2 import FileSystemLoader

    made = environment()
    made.loader = FileSystemLoader([HERE / "templates", TEMPLATES])
    made.globals |= static_files().globals()
    made.filters["share_of"] = numbers.proportion
    return made
