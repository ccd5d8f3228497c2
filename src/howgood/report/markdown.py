"""Markdown and LaTeX of models as HTML that can do nothing: no tag of theirs, no link, no picture, no macro.

Three walls stand behind one another: markdown-it reads no HTML, formulas are written as MathML from a table of elements
and attributes, and nh3 passes over the whole. What is too long, too deep or takes too long stays as it was written.
"""

from __future__ import annotations

import html
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from howgood.core.errors import MissingExtra
from howgood.core.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markupsafe import Markup

LONGEST = 20_000
"""Characters of a text that is rendered; a longer one is shown as it was written."""
LONGEST_FORMULA = 2_000
DEEPEST = 60
"""Elements of a formula within one another."""
PATIENCE = 0.5
"""Seconds that the formulas of one text may take together; those after it stay as they were written."""
NESTED = 20
"""Blocks and spans within one another."""
CROWDED = 2_000
"""Marks (brackets, stars, backquotes, ...) of a text that is rendered: what a reader of Markdown tries to pair."""

MARKED = re.compile(
    r"^ {0,3}(#{1,6} |[-*+] |\d{1,9}[.)] |>|```|~~~|\|)|\*\*\S|(?<!\w)[*_]\S[^*_\n]*[*_](?!\w)|`[^`\n]+`|"
    r"\[[^\]\n]+\]\(|\$[^$\n]+\$|\$\$|\\\(|\\\[|\\begin\{",
    re.MULTILINE,
)
"""What a text looks like that was written to be rendered."""
MARKS = re.compile(r"[\[\]*_`!<~$\\]")

# What may define, repeat, reach out or restyle.
REFUSED = re.compile(
    r"\\(?:[gex]?def|edef|let|futurelet|(?:re|provide)?newcommand|renewcommand|providecommand|newenvironment|require|"
    r"csname|expandafter|input|include\w*|write|read|openin|catcode|loop|repeat|href|url|style|class|cssId|html\w*|"
    r"unicode|bbox|newcount|DeclareMathOperator)\b"
)
TAGS = frozenset("p strong em s del code pre ul ol li blockquote hr br table thead tbody tr th td span".split())
MATHML = frozenset(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts "
    "mtable mtr mtd mpadded mphantom menclose mstyle".split()
)
WORDS = re.compile(r"[a-z-]{1,24}")
LENGTH = re.compile(r"-?(?:\d{1,2}|\d?\.\d{1,3}|\d\.\d{1,3})(?:em|ex|pt|px)?")
ATTRIBUTES = {
    **dict.fromkeys(
        "display stretchy fence form largeop movablelimits accent accentunder mathvariant columnalign separator "
        "displaystyle notation symmetric".split(),
        WORDS,
    ),
    **dict.fromkeys("linethickness width lspace rspace scriptlevel minsize maxsize".split(), LENGTH),
}
"""Attributes of a formula's elements, and what each may be."""


def render(text: str) -> Markup | None:
    """A text's Markdown and LaTeX as HTML; None where it has none or is too long, so that it is shown as it is. Raises
    `MissingExtra` without markdown-it-py, latex2mathml and nh3."""
    # `MARKED` may look from each mark to the end of its line, so they are counted first.
    if len(text) > LONGEST or len(MARKS.findall(text)) > CROWDED or not MARKED.search(text):
        return None
    try:
        import nh3
        from markupsafe import Markup

        parser, env = _parser(), {"until": time.monotonic() + PATIENCE}
        tokens = parser.parse(visible(text), env)
        if max((token.level for token in tokens), default=0) >= NESTED - 1:  # what is deeper was left out
            return None
        made = parser.renderer.render(tokens, parser.options, env)
    except ImportError:
        raise MissingExtra("rendered Markdown", "studio") from None
    except RecursionError:
        return None
    clean = nh3.clean(
        made,
        tags={*TAGS, *MATHML},
        attributes={"ol": {"start"}, "span": set(), **{tag: set(ATTRIBUTES) for tag in MATHML}},
        allowed_classes={"span": {"address"}, "p": {"head"}},
        url_schemes=set(),
        link_rel=None,
    )
    return Markup(clean)


def formula(latex: str, display: bool = False) -> str | None:
    """A formula as MathML; None where it is too long or too deep, uses what is refused, or is none."""
    if len(latex) > LONGEST_FORMULA or REFUSED.search(latex):
        return None
    from latex2mathml.converter import Converter

    try:
        # Its own writing undoes the escaping of texts, so the tree is written here.
        root = Converter(display="block" if display else "inline").convert_to_element(latex)
        return "".join(_written(root, DEEPEST))
    except Exception:  # what a model wrote may be no formula in any way
        return None


def _written(element: Element, deep: int) -> list[str]:
    """An element and what is in it, in full; what is not known is left out with all that it holds."""
    if deep == 0:
        raise RecursionError
    if element.tag not in MATHML:
        return []
    given = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and ATTRIBUTES[name].fullmatch(value)
    )
    parts = [f"<{element.tag}{given}>", _text(element.text)]
    for child in element:
        parts += [*_written(child, deep - 1), _text(child.tail)]
    return [*parts, f"</{element.tag}>"]


def _text(text: str | None) -> str:
    return html.escape(visible(html.unescape(text))) if text else ""


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTED}).enable(["table", "strikethrough"])
    made.disable(["html_block", "html_inline", "reference"])
    made.inline.ruler.before("escape", "math", _math)
    for name, rule in (
        ("math", _draw_math),
        ("image", _draw_image),
        ("link_open", _nothing),
        ("link_close", _draw_address),
        ("heading_open", _draw_head),
        ("heading_close", _draw_head_end),
    ):
        made.add_render_rule(name, rule)
    made.core.ruler.push("addresses", _keep_addresses)
    return made


# Delimiters of formulas: $...$ as Pandoc reads it, so that prices stay prices, $$...$$, \(...\), \[...\].
OPENINGS = {"$$": "$$", "\\(": "\\)", "\\[": "\\]", "$": "$"}


def _math(state: StateInline, silent: bool) -> bool:
    source, start = state.src, state.pos
    opening = next((mark for mark in OPENINGS if source.startswith(mark, start)), None)
    if opening is None:
        return False
    begin = start + len(opening)
    end = source.find(OPENINGS[opening], begin, begin + LONGEST_FORMULA + 2)
    if end <= begin:
        return False
    latex = source[begin:end]
    stop = end + len(opening)
    if opening == "$" and (latex[0].isspace() or latex[-1].isspace() or source[stop : stop + 1].isdigit()):
        return False
    if not silent:
        token = state.push("math", "", 0)
        token.content, token.markup = latex, opening
    state.pos = stop
    return True


def _draw_math(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    made = formula(token.content, token.markup in ("$$", "\\[")) if time.monotonic() < env["until"] else None
    return made or f"<code>{html.escape(token.markup + token.content + OPENINGS[token.markup])}</code>"


def _draw_image(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    return f"[picture: {html.escape(token.content)}]{_address(str(token.attrGet('src') or ''))}"


def _keep_addresses(state: Any) -> None:
    """The end of a link gets its address, which is shown as text and leads nowhere."""
    for block in state.tokens:
        opened: list[str] = []
        for token in block.children or ():
            if token.type == "link_open":
                opened.append(str(token.attrGet("href") or ""))
            elif token.type == "link_close" and opened:
                token.meta["address"] = opened.pop()


def _draw_address(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return _address(tokens[index].meta.get("address", ""))


def _address(address: str) -> str:
    return f' <span class="address">⟨{html.escape(address[:300])}⟩</span>'


def _nothing(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return ""


def _draw_head(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return '<p class="head"><strong>'


def _draw_head_end(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return "</strong></p>\n"
