from __future__ import annotations

import pytest

from howgood.core.types import Prediction, Verdict
from howgood.interpret.judging import Case, audit, family, has_list


def said(judge: str, preference: float | None, first: bool | None = None) -> Verdict:
    values = {} if preference is None else {"preference": preference}
    return Verdict(judge, "", Prediction(text="x"), values, None if values else "no words", first)


def case(number: int, *verdicts: Verdict, answer: str = "", baseline: str | None = "base") -> Case:
    return Case(str(number), answer or f"answer {number}", baseline, verdicts)


def test_position() -> None:
    """Of four pairs two have one winner, one is tied in both orders, one is contradicted: the judge likes the first."""
    pairs = [(1.0, 1.0), (0.0, 0.25), (0.5, 0.5), (1.0, 0.0)]
    cases = [case(n, said("j", a, True), said("j", b, False)) for n, (a, b) in enumerate(pairs)]
    (report,) = audit(cases, "smollm2").judges
    assert report.consistent is not None
    assert report.first is not None
    assert (report.consistent.value, report.consistent.n) == (0.75, 4)
    # (1 + 0)/2, (0 + .75)/2, (.5 + .5)/2, (1 + 1)/2
    assert report.first.value == pytest.approx((0.5 + 0.375 + 0.5 + 1.0) / 4)
    assert (report.verdicts, report.unread, report.longer) == (8, 0, None)


def test_length_and_lists() -> None:
    listed = "- one\n- two\n- three"
    cases = [case(n, said("j", 0.9), answer=listed, baseline="short") for n in range(9)]
    cases += [case(n, said("j", 0.2), answer="tiny", baseline=f"{listed}\nmore") for n in range(9, 12)]
    cases.append(case(12, said("j", 0.5), answer="same", baseline="size"))
    (report,) = audit(cases, "smollm2").judges
    assert report.longer is not None
    assert report.lists is not None
    assert (report.longer.value, report.longer.n) == (1.0, 12)
    assert (report.lists.value, report.lists.n) == (1.0, 12)
    words = audit(cases, "smollm2").warnings
    assert any("prefers the longer answer in 100% of pairs" in line for line in words)


def test_epochs_are_told_apart_and_are_not_independent() -> None:
    """Ten instances of two epochs: the longer answer wins the first one and loses the second."""
    cases = [
        Case(str(n), "a long answer", "base", (said("j", liked, True), said("j", liked, False)), epoch)
        for n in range(10)
        for epoch, liked in enumerate((1.0, 0.0))
    ]
    (report,) = audit(cases, "smollm2").judges
    assert report.longer is not None
    assert (report.longer.value, report.longer.n) == (0.5, 20)
    alike = [case._replace(verdicts=cases[0].verdicts if int(case.id) < 5 else cases[1].verdicts) for case in cases]
    once = audit([case for case in alike if case.epoch == 0], "smollm2").judges[0].longer
    twice = audit(alike, "smollm2").judges[0].longer
    assert once is not None
    assert twice is not None
    assert twice.se == pytest.approx(once.se)  # the same said twice tells no more


def test_what_could_not_be_read_is_counted_by_reason() -> None:
    cases = [case(n, said("j", None)) for n in range(3)] + [case(3, said("j", 1.0))]
    found = audit(cases, "smollm2")
    assert found.judges[0].problems == {"no words": 3}
    assert "3 of 4 verdicts of j could not be read" in found.warnings


def test_judges_of_the_system_s_own_family() -> None:
    cases = [case(n, said("openai/gpt-5", 0.9), said("anthropic/claude-4", 0.6 + 0.01 * n)) for n in range(4)]
    found = audit(cases, "openai/gpt-5-mini")
    own = found.judges[1]
    assert (own.judge, own.same_family) == ("openai/gpt-5", True)
    assert own.own is not None
    assert own.own.value == pytest.approx(0.285)
    assert found.judges[0].own is None
    assert found.agree is not None


def test_a_constant_answer_is_flagged() -> None:
    cases = [case(n, said("j", 1.0), answer="I am the best.") for n in range(12)]
    found = audit(cases, "null")
    assert (found.answers, found.distinct) == (12, 1)
    assert found.warnings[0].startswith("100% of the answers are one and the same text")


def test_one_judge_and_nothing_to_agree_on() -> None:
    found = audit([case(0, said("j", 1.0))], "smollm2")
    assert found.agree is None
    assert audit([], "smollm2").judges == ()


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("openai/gpt-4-1106-preview", "gpt"), ("openai/o3-mini", "gpt"), ("meta-llama/Llama-3-8B", "llama"),
        ("http://localhost:8000/v1#qwen3-8b,chat=true", "qwen"), ("smollm2", "smollm"),
        ("gguf/models/7b.gguf", "7b.gguf"),
    ],
)  # fmt: skip
def test_families(name: str, of: str) -> None:
    assert family(name) == of


@pytest.mark.parametrize(("text", "has"), [("1. a\n2) b", True), ("* a\nand * b", False), ("- a\n  - b", True)])
def test_lists(text: str, has: bool) -> None:
    assert has_list(text) is has
