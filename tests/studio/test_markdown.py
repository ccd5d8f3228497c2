"""Markdown and LaTeX of models: drawn as meant, harmless whatever is meant."""

from __future__ import annotations

import re

import pytest

from howgood.report.markdown import formula, render
from limits import in_time


def test_markdown_is_drawn() -> None:
    made = render("## So\n\n1. **two**\n2. `x < 1`\n\n| a | b |\n|---|--:|\n| 1 | 2 |")
    assert made is not None
    assert '<p class="head"><strong>So</strong></p>' in made
    assert "<li><strong>two</strong></li>" in made
    assert "<code>x &lt; 1</code>" in made
    assert "<th>a</th>" in made
    assert "<td>2</td>" in made
    assert "style=" not in made  # which the pages' policy would refuse


@pytest.mark.parametrize("text", ["Plain words.", "The answer is (B).", "snake_case_names and 2 * 3 * 4", "", "$5"])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert render(text) is None


@pytest.mark.parametrize(
    ("text", "block"),
    [("so $x^2$", False), ("so \\(x^2\\)", False), ("so $$x^2$$", True), ("so \\[x^2\\]", True)],
)
def test_formulas_are_drawn_in_all_their_delimiters(text: str, block: bool) -> None:
    made = render(text)
    assert made is not None
    assert f'<math display="{"block" if block else "inline"}">' in made
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in made


def test_prices_are_no_formulas() -> None:
    assert render("**It** costs $5 and then $6.") == "<p><strong>It</strong> costs $5 and then $6.</p>\n"


def test_pictures_and_links_lead_nowhere() -> None:
    made = render("**a** ![p](https://evil.example/p.png) [here](https://evil.example/?q=1) <https://evil.example>")
    assert made is not None
    assert not re.search(r"<(?:img|a)\b|href|src=", made)
    assert '[picture: p] <span class="address">⟨https://evil.example/p.png⟩</span>' in made
    assert 'here <span class="address">⟨https://evil.example/?q=1⟩</span>' in made


@pytest.mark.parametrize(
    "text",
    [
        "**a** <script>alert(1)</script>",
        "**a** <img src=x onerror=alert(1)>",
        "**a** <svg/onload=alert(1)>",
        "**a** [x](javascript:alert(1)) [y](data:text/html,<script>)",
        "**a** <a href='javascript:alert(1)'>x</a>",
        "**a**\n\n<div onclick=alert(1)>\n\n<style>*{display:none}</style>",
        "**a** $\\text{<script>alert(1)</script>}$",
        "**a** $\\href{javascript:alert(1)}{x}$ $\\style{background:url(//e)}{x}$ $\\class{main}{x}$",
        "**a** $\\color{red;} x$ $\\unicode{<img>}$ $x</math><script>alert(1)</script>$",
        "```html\n<script>alert(1)</script>\n```",
        "**a** &lt;script&gt; &#60;script&#62;",
        '**a** [x](https://e "onmouseover=alert(1)")',
        '**a** [x](<https://e"onmouseover="alert(1)>)',
    ],
)
def test_nothing_of_a_text_becomes_a_tag_of_its_own(text: str) -> None:
    made = render(text)
    assert made is not None
    tags = set(re.findall(r"</?([a-zA-Z]+)", made))
    assert tags <= set("p strong code pre span math mrow mi mo mn mtext mstyle".split()), made
    attributes = re.findall(r"<[a-z]+ ([^>]*)>", made)
    assert all(re.fullmatch(r'(?:class="address"|(?:[a-z]+="[a-z]+" ?)+)', one) for one in attributes), made


@pytest.mark.parametrize(
    "latex",
    [
        r"\def\a{\a\a}\a",
        r"\newcommand{\x}{\x\x}\x",
        r"\let\a=\b",
        r"\href{javascript:1}{x}",
        "{" * 900 + "x" + "}" * 900,
        r"\sqrt" * 390 + "x",
        r"\frac{1}{" * 200 + "}" * 200,
        "x" * 3_000,
        r"\begin{matrix}" * 100,
        r"\left(" * 300,
    ],
)
def test_formulas_that_loop_or_never_end_are_refused_at_once(latex: str) -> None:
    with in_time():
        assert formula(latex) is None


def test_a_refused_formula_is_seen_as_it_was_written() -> None:
    made = render(r"so $\def\a{\a\a}\a$")
    assert made == "<p>so <code>$\\def\\a{\\a\\a}\\a$</code></p>\n"


def test_a_formula_cannot_be_wider_than_its_place() -> None:
    assert formula(r"\hspace{9999em}x") == '<math display="inline"><mrow><mspace></mspace><mi>x</mi></mrow></math>'
    assert 'width="0.167em"' in (formula(r"a\,b") or "")


@pytest.mark.parametrize(
    "text",
    [
        "# a\n" + ">" * 10_000 + " deep",
        "# a\n" + "- " * 9_000 + "deep",
        "# a\n" + "".join(" " * i + "- a\n" for i in range(190)),
        "# a\n" + "[" * 10_000,
        "[" * 20_000,
        "[a" * 10_000,
        "# a\n" + "[a](b " * 3_000,
        "# a\n" + "*a **a " * 2_500,
        "# a\n" + "![a" * 5_000,
        "# a\n" + "".join("`" * i + " " for i in range(190)),
        "# a\n" + "$x$ " * 4_000,
        "# a\n" + "\\" * 19_000,
        "# a\n" + "<a" * 9_000,
        "# a\n" + "x" * 5_000_000,
    ],
    ids=str.__len__,
)
def test_bombs_are_seen_as_they_were_written(text: str) -> None:
    with in_time():
        assert render(text) is None  # nothing of it is lost: the page shows the text itself


def test_what_is_unseen_is_written_out() -> None:
    assert render("**a** \x00 \u202egnp.exe \ud800 \u200bb") == (
        "<p><strong>a</strong> ␀ ⟨U+202E⟩gnp.exe ⟨U+D800⟩ ⟨U+200B⟩b</p>\n"
    )
