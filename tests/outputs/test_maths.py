from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from howgood.core.errors import MissingExtra
from howgood.core.types import Instance, Outcome, Prediction, StopReason
from howgood.outputs.base import judge
from howgood.outputs.maths import Comparer, Maths, boxed, comparer, final_answer, plain

needs_library = pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="needs math-verify")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} and then \boxed{ 2 }", "2"),
        (r"\boxed {3}", "3"),
        (r"\boxed 5$ is it", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{7} but \boxed{never closed", "7"),
        (r"\boxed{}", None),
        ("no box", None),
    ],
)
def test_the_last_box_is_opened(text: str, answer: str | None) -> None:
    assert boxed(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"The answer is 3. \boxed{4}", "4"),
        ("Final Answer: The final answer is $[2,5)$. I hope it is correct.", "[2,5)"),
        ("The answer is 3.5. I hope it is correct.", "3.5"),
        ("The answer is 5.\nProblem: 6", "5"),
        ("**Answer:** 12", "12"),
        (r"ANSWER: \(x+1\)", "x+1"),
        ("We get $x = 2$ and so $y = 3$", "y = 3"),
        ("I do not know", None),
        ("The answer is", None),
    ],
)
def test_the_final_answer_is_read(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\frac12", r"\frac{1}{2}"),
        (r"\left( 1, 2 \right)", "(1,2)"),
        (r"10\text{ cm}", "10"),
        (r"90^\circ", "90"),
        (r"\$1,234", "1234"),
        (r"10{,}000", "10000"),
        ("x = 5", "5"),
        (".5", "0.5"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"50\%", "50"),
    ],
)
def test_looks_do_not_count(one: str, other: str) -> None:
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(r"\text{A}", r"\text{B}"), ("(1,234)", "(1234)"), ("-5", "5"), (r"\frac{1}{2}", r"\frac{2}{1}"), ("x^2", "x^3")],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert plain(one) != plain(other)


def score(target: str, text: str, compare: Any = "math-verify", stop: StopReason = "stop") -> dict[str, float]:
    return judge(Maths(compare), Instance("", "", targets=(target,)), Prediction(text=text, stop_reason=stop)).values


@needs_library
@pytest.mark.parametrize(
    ("target", "text", "exact", "equal"),
    [
        (r"\boxed{\frac{1}{2}}", r"\boxed{0.5}", 0, 1),
        (r"\boxed{\frac{1}{2}}", r"\boxed{1/2}", 0, 1),
        (r"\boxed{x+1}", r"\boxed{1+x}", 0, 1),
        (r"\boxed{2\sqrt{2}}", r"\boxed{\sqrt{8}}", 0, 1),
        (r"\boxed{(1,2)}", r"\boxed{(2,1)}", 0, 0),
        (r"\boxed{\frac{1}{2}}", r"\boxed{\frac{1}{3}}", 0, 0),
        (r"\boxed{42_8}", r"\boxed{42_9}", 0, 0),
        (r"\boxed{42_8}", r"\boxed{42_{8}}", 0, 1),
        (r"\boxed{\text{Evelyn}}", r"\boxed{Evelyn}", 1, 1),
        ("7", "The answer is $7$.", 1, 1),
    ],
)
def test_equal_as_mathematics(target: str, text: str, exact: int, equal: int) -> None:
    assert score(target, text) == {"math_verify": equal, "exact_match": exact}
    assert score(target, text, "text") == {"exact_match": exact}


@pytest.mark.parametrize(
    ("text", "stop", "outcome"),
    [
        ("so the answer is 7", "length", "truncated"),
        (r"\boxed{7} and", "length", "right"),
        ("no idea", "stop", "unanswered"),
        ("", "stop", "empty"),
        (r"\boxed{8}", "stop", "wrong"),
    ],
)
def test_outcomes(text: str, stop: StopReason, outcome: Outcome) -> None:
    prediction = Prediction(text=text, stop_reason=stop)
    assert judge(Maths("text"), Instance("", "", targets=("7",)), prediction).outcome == outcome


@needs_library
def test_an_answer_that_takes_too_long_is_given_up_and_the_next_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howgood.outputs.maths.LIMIT", 1.0)
    mine = Comparer()
    try:
        assert mine.equal("2", "9^{9^{9^{9}}}") is not True
        assert mine.equal("2", "1+1") is True
    finally:
        mine.close()


@needs_library
def test_hostile_answers_are_only_read(tmp_path: Any) -> None:
    witness = tmp_path / "written"
    for answer in (
        f"__import__('pathlib').Path({str(witness)!r}).touch()",
        f"exec(open({str(witness)!r}, 'w'))",
        "{" * 500,
        "\\frac" * 100,
        "\x00",
        "\n",
    ):
        assert comparer().equal("1", answer) is False
    assert not witness.exists()


@pytest.mark.parametrize("piece", ["$", r"\boxed{", r"\(", "answer is ", "answer: \n", "_{9}", "\\text{", "answer *"])
def test_endless_text_has_no_answer(piece: str) -> None:
    assert final_answer(piece * (200_000 // len(piece))) is None


def test_without_the_library_it_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"compare=text is the way without.*howgood\[maths\]"):
        Maths()
    assert Maths("text").describe() == {"kind": "maths", "compare": "text", "version": 1}
