"""The page of `howgood trust`: the verdict on top, a table that fits, and no output that a terminal obeys."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from howgood.report.terminal.trust import headline, trust_view
from howgood.validity.trust import CHECKS, Finding, Report, Verdict


def report(*verdicts: Verdict, figure: str = "off by 0.5 (tolerance 0.0001)", model: str = "hf/a/b") -> Report:
    findings = [Finding(c.name, v, figure, c.why) for c, v in zip(CHECKS, verdicts, strict=False)]
    return Report(model, {"kind": "huggingface", "dtype": "float32"}, findings, 3, 1234, 5678, 81.2, None)


def printed(found: Report) -> str:
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(trust_view(found))
    lines = out.getvalue().splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    return "\n".join(line.rstrip() for line in lines)


def test_the_page_begins_with_the_verdict_and_fits() -> None:
    page = printed(report("ok", "wrong", "ok", "ok", "ok", "doubtful", "ok", "cannot be told"))
    lines = page.splitlines()
    assert lines[0] == "hf/a/b: its probabilities are not to be trusted: sampling agrees"
    assert lines[1] == "huggingface, float32, 1,234 requests, 5,678 tokens, 1 min 21 s, cost unknown,"
    assert len(lines) < 45
    assert all(word in page for check in CHECKS for word in check.name.split())
    assert page.count("off by 0.5 (tolerance 0.0001)") == 8


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("ok",) * 8, "its probabilities can be trusted: all 8 checks are ok"),
        (("ok", "doubtful"), "its probabilities can be trusted, but for a doubt: sampling agrees"),
        (("ok", "cannot be told"), "nothing is wrong in the 1 of 2 checks that could be made"),
        (("cannot be told",), "nothing can be told of its probabilities"),
        (("wrong", "doubtful", "wrong"), "its probabilities are not to be trusted: sums to one, adds up"),
    ],
)
def test_the_verdict_is_the_worst_that_was_found(verdicts: tuple[Verdict, ...], words: str) -> None:
    assert headline(report(*verdicts)) == f"hf/a/b: {words}"


def test_what_a_server_says_is_shown_and_not_obeyed() -> None:
    page = printed(report("cannot be told", figure="[bold]\x1b[2Jgone\u202e", model="http://h/v1#[red]x\x1b"))
    assert "\x1b" not in page
    assert "[bold]␛[2Jgone⟨U+202E⟩" in page
    assert "[red]x␛" in page
