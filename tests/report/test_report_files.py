"""Reports as files for others: Markdown that obeys no output, PDF by a browser, and what is said where neither goes."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from report_pages import HOSTILE
from report_runs import choice_run, choice_trial, grid_run, perplexity_run, rules, save_run, written_run, written_trial

import howgood as hg
from howgood.core.errors import HowgoodError
from howgood.core.registry import Card
from howgood.interpret.pairs import by_group, pair
from howgood.report import numbers
from howgood.report.document import document, plain
from howgood.report.files import write_report
from howgood.report.html import render
from howgood.report.pdf import browser
from howgood.runs.evaluate import scores

ALLOWED = {"h1", "h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "br"}


def shown(text: str) -> str:
    """The document as a renderer makes HTML of it that lets raw HTML through, turns addresses into links and knows the
    dialects' extensions."""
    markdown_it = pytest.importorskip("markdown_it")
    made = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    html: str = made.render(text)
    return html


def tables(html: str) -> list[list[list[str]]]:
    """The tables of a page as rows of cells."""
    cells = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
    return [
        [[re.sub("<[^>]+>", "", cell) for cell in cells.findall(row)] for row in one.split("<tr>")[1:]]
        for one in re.findall(r"<table>(.*?)</table>", html, re.DOTALL)
    ]


def test_the_document_has_the_figures_of_the_page(tmp_path: Path) -> None:
    a = choice_run(tmp_path)
    b = choice_run(tmp_path, shift=1, system="other", name="aa11")
    made, found = hg.compare(a, b), tables(shown(document([a, b])))
    assert ["mmlu", "smollm2", "20.0% [15.0, 26.1] acc ↑", "200", "none", "1 min 23 s", "$0.00"] in found[0]
    flips = next(one for one in found if one[0] == ["What flipped", "B right", "B wrong"])
    assert (int(flips[2][1]), int(flips[1][2])) == (made.gained, made.lost)
    forest = next(one for one in found if one[0] == ["Group", "B minus A", "p, Holm", "n"])
    groups = by_group(pair(scores(a), scores(b), a.rules.interpret))
    assert [row[:2] for row in forest[1:]] == [
        [g.difference.group, f"{numbers.difference(g.difference)} {numbers.interval(g.difference)}"] for g in groups
    ]
    needed = next(one for one in found if one[0] == ["To see a difference of", "n"])
    assert made.detectable is not None
    assert needed[2] == ["1 point", f"{math.ceil(200 * (made.detectable / 0.01) ** 2):,}"]
    page = render([a, b])
    for words in (numbers.difference(made.difference), numbers.interval(made.difference)):
        assert words in page


def test_every_kind_of_run_becomes_a_document(tmp_path: Path) -> None:
    text = document([choice_run(tmp_path), written_run(tmp_path), perplexity_run(tmp_path), grid_run(tmp_path)])
    assert "**Incomplete" in text
    assert "HTTP 500" not in text  # single answers are on the page, and in the run
    assert "bits\\_per\\_byte ↓" in text
    assert set(re.findall(r"<(\w+)", shown(text))) <= ALLOWED


def test_several_systems_stand_in_one_table(tmp_path: Path) -> None:
    runs = [choice_run(tmp_path, shift=i, n=40, system=f"system {i}", name=f"a{i:03}") for i in range(12)]
    text = document(runs)
    assert "## mmlu: 12 runs beside each other" in text
    found = next(one for one in tables(shown(text)) if "p, Holm" in one[0])
    assert len(found) == 13
    pairs = {one.b: one for one in hg.compare_many(*runs).pairs}
    for row in found[2:]:
        made = pairs[row[0]].comparison.difference
        assert row[2] == f"{numbers.difference(made)} {numbers.interval(made)}"


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    bad = [
        *HOSTILE[:11],
        "[click](javascript:alert(1)) ![x](https://evil.example/x.png) <https://evil.example>",
        "| a | b |\n| --- | --- |",
        "``` \n# heading\n- [ ] task",
        "***strong*** __it__ ~~gone~~ https://evil.example www.evil.example a@evil.example",
        "[^1]: note $x$ \\(y\\) :smile: {: .class}",
        "- list",
        "1. one",
        "> quote",
        "&lt;b&gt; &#60;",
    ]
    trials = [
        msgspec.structs.replace(
            trial := choice_trial(i, i % 2), instance=msgspec.structs.replace(trial.instance, id=text, stratum=text)
        )
        for i, text in enumerate(bad)
    ]
    given = rules(data={"source": bad[11], "revision": bad[12], "split": bad[13], "instances": 3})
    card = Card("mmlu", bad[0], bad[1], bad[11], human=0.5, human_source=bad[11])
    runs = [
        save_run(tmp_path, trials, system=text, name=f"a{i:03}", given=given, card=card, parameters={"x": "```\n# y"})
        for i, text in enumerate(bad[11:14])
    ]
    failed = [written_trial(0, None, "failed", error=bad[0])]
    other = rules(benchmark=bad[15])
    runs.append(save_run(tmp_path, failed, system=bad[14], status="incomplete", name="b000", given=other))
    text = document(runs)
    html = shown(text)
    assert set(re.findall(r"<(\w+)", html)) <= ALLOWED
    assert not re.search(r"<[^>]*(href|src)", html)
    assert html.count("<h1>") == 1
    for found in tables(html):
        assert len({len(row) for row in found}) == 1
    # What stands in a cell is the text as it was.
    cells = {cell for found in tables(html) for row in found for cell in row}
    assert "***strong*** __it__ ~~gone~~ https://evil.example www.evil.example a@evil.example" in cells
    assert "&amp;lt;b&amp;gt; &amp;#60;" in cells
    assert "<script" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("- x", r"\- x"),
        ("1. x", "1\\. x"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("x|y", r"x\|y"),
        ("two\nlines", "two lines"),
    ],
)
def test_marks_are_escaped(text: str, written: str) -> None:
    assert plain(text) == written


def test_the_ending_says_what_is_made(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=8)
    assert hg.write_report(run) == run.path / "report.html"
    assert hg.write_report(run, out=tmp_path / "r.md").read_text() == document([run])
    assert (tmp_path / "r.md").read_bytes() == document([run]).encode()
    with pytest.raises(HowgoodError, match=r"ending in \.html, \.htm, \.md, \.pdf, and report\.docx is none"):
        write_report([run], tmp_path / "report.docx")
    with pytest.raises(HowgoodError, match="give some"):
        hg.write_report()
    both = hg.write_report(run, choice_run(tmp_path, n=8, system="other", name="bbbb"))
    assert both == tmp_path / "2026-11-24T10-00-00_report.html"
    assert "B minus A" in both.read_text()


def test_without_a_browser_a_pdf_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOWGOOD_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("howgood.report.pdf.PLACES", ())
    with pytest.raises(HowgoodError, match="printed by Chromium, Chrome or Edge, and none was found"):
        write_report([choice_run(tmp_path, n=4)], tmp_path / "r.pdf")
    monkeypatch.setenv("HOWGOOD_BROWSER", "no-such-browser")
    with pytest.raises(HowgoodError, match="HOWGOOD_BROWSER names no-such-browser"):
        browser()
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("HOWGOOD_BROWSER", str(broken))
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    with pytest.raises(HowgoodError, match="printed nothing: it is broken"):
        write_report([choice_run(tmp_path, n=4, name="cccc")], tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


def test_a_pdf_is_printed(tmp_path: Path) -> None:
    try:
        browser()
    except HowgoodError as error:
        pytest.skip(str(error))
    run = choice_run(tmp_path, n=12, system="<b>bold</b>")
    content = hg.write_report(run, out=tmp_path / "r.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 10_000
    assert not list(tmp_path.glob("*.part"))


def test_reports_need_no_drawing_library(tmp_path: Path) -> None:
    """The core install has no vl-convert: a report is drawn without it."""
    run = choice_run(tmp_path, n=8)
    code = (
        "import sys; sys.modules['vl_convert'] = None; sys.modules['altair'] = None\n"
        f"import howgood as hg; print(hg.write_report({str(run.path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "<svg" in Path(done.stdout.strip()).read_text()
