"""How a page is made: one environment in which everything is escaped, and our own style and scripts from memory.

A template extends `base.html.j2`. Its scripts are the modules of `static/` that it names in its block `scripts`; style
and scripts are served by name from a table made at the start, so no path from a URL reaches the disk.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse

from howgood.core.text import visible
from howgood.report.html import TEMPLATES as REPORTS
from howgood.report.html import environment
from howgood.web.files import SHARED, TEMPLATES, Files

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from starlette.requests import Request

HERE = Path(__file__).parent
NAVIGATION = (("/", "Runs"), ("/leaderboard", "Leaderboard"), ("/compare", "Compare"), ("/beside", "Side by side"))


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as the answer to a request."""
    made = environment_of_pages().get_template(template)
    known = {
        "nonce": request.state.nonce,
        "csrf": request.state.visitor.csrf,
        "path": request.url.path,
        "navigation": NAVIGATION,
        "brand": "howgood",
    }
    return HTMLResponse(made.render(**known, **values), status)


@cache
def static_files() -> Files:
    """The style and scripts of all pages, and the studio's own."""
    return Files([REPORTS / "report.css", *sorted(SHARED.iterdir()), *sorted((HERE / "static").iterdir())])


@cache
def environment_of_pages() -> Environment:
    """Reports' environment with the studio's templates beside those of reports."""
    from jinja2 import FileSystemLoader

    made = environment()
    made.loader = FileSystemLoader([HERE / "templates", TEMPLATES, REPORTS])
    made.filters |= {"segment": lambda text: quote(str(text), safe=""), "query": query, "breakable": breakable}
    made.globals |= static_files().globals()
    return made


def query(values: dict[str, Any], **changed: Any) -> str:
    """A query string of values, some changed; what is None or empty is left out."""
    merged = {**values, **changed}
    return urlencode({k: v for k, v in merged.items() if v not in (None, "", [])}, doseq=True)


def breakable(text: str) -> Markup:
    """A name that may go on in another line after what separates its parts, rather than within a word."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(?<=[_/.:-])(?=\w)", "<wbr>", str(escape(visible(text)))))
