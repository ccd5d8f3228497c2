"""Vega-Lite drawn to SVG by vl-convert, in the page's own colours: one drawing serves light and dark, page and report.

A specification is plain data. Its colours are CSS variables of the page's style sheet; its texts are escaped by Vega.
No script goes to the page, and nothing is loaded from anywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from howgood.core.errors import MissingExtra
from howgood.core.text import visible

if TYPE_CHECKING:
    from markupsafe import Markup

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
CONFIG = {
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "titleFontWeight": "normal",
        "domainColor": "var(--track)",
        "tickColor": "var(--track)",
        "gridColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
    },
    "legend": {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "labelFontSize": 12, "titleFontSize": 12},
    "header": {"labelColor": "var(--soft)", "titleColor": "var(--soft)"},
    "text": {"color": "var(--ink)"},
    "mark": {"color": "var(--accent)"},
}
"""How every drawing looks; a specification's own `config` goes over it."""
KEPT = 256
"""Drawings kept, so that a page that is loaded again costs nothing."""


def svg(spec: dict[str, Any], label: str) -> Markup:
    """A Vega-Lite specification as an SVG element that is as wide as its place and no wider than its own width. `label`
    says in words what is to be seen. Raises `MissingExtra` without vl-convert."""
    import msgspec
    from markupsafe import Markup, escape

    whole = {"$schema": SCHEMA, **spec, "config": {**CONFIG, **spec.get("config", {})}}
    drawn = _draw(msgspec.json.encode(whole))
    # Roles of its parts say less than the label and confuse readers of screens.
    head = f'<svg class="chart" role="img" aria-label="{escape(visible(label))}" '
    return Markup(head + drawn.removeprefix("<svg "))


@lru_cache(KEPT)
def _draw(spec: bytes) -> str:
    try:
        import vl_convert
    except ImportError:
        raise MissingExtra("charts", "studio") from None
    drawn: str = vl_convert.vegalite_to_svg(spec.decode(), allowed_base_urls=[])
    return re.sub(r' (?:class|role|aria-[a-z]+)="[^"]*"', "", drawn)
