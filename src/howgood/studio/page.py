"""How a page is made: one environment in which everything is escaped, and our own style and scripts from memory.

A template extends `base.html.j2`. Its scripts are the modules of `static/` that it names in its block `scripts`; style
and scripts are served by name from a table made at the start, so no path from a URL reaches the disk.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from msgspec import Struct
from starlette.responses import HTMLResponse

from howgood.report.html import TEMPLATES as REPORTS
from howgood.report.html import environment

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript"}
NAVIGATION = (("/", "Runs"), ("/leaderboard", "Leaderboard"), ("/compare", "Compare"), ("/beside", "Side by side"))


class Static(Struct, frozen=True):
    """A file of our own, as it is served, and the digest that its address carries so that it can be kept."""

    content: bytes
    kind: str
    digest: str


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template as the answer to a request."""
    made = environment_of_pages().get_template(template)
    known = {
        "nonce": request.state.nonce,
        "csrf": request.state.visitor.csrf,
        "path": request.url.path,
        "navigation": NAVIGATION,
    }
    return HTMLResponse(made.render(**known, **values), status)


@cache
def static_files() -> dict[str, Static]:
    """Our own style and scripts by name."""
    files = [REPORTS / "report.css", *sorted((HERE / "static").iterdir())]
    return {
        path.name: Static(content := path.read_bytes(), TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
        for path in files
        if path.suffix in TYPES
    }


@cache
def environment_of_pages() -> Environment:
    """Reports' environment with the studio's templates beside those of reports."""
    from jinja2 import FileSystemLoader

    made = environment()
    made.loader = FileSystemLoader([HERE / "templates", REPORTS])
    made.filters |= {"segment": lambda text: quote(str(text), safe=""), "query": query}
    made.globals |= {"static": lambda name: f"/static/{name}?{static_files()[name].digest}"}
    return made


def query(values: dict[str, Any], **changed: Any) -> str:
    """A query string of values, some changed; what is None or empty is left out."""
    merged = {**values, **changed}
    return urlencode({k: v for k, v in merged.items() if v not in (None, "", [])}, doseq=True)
