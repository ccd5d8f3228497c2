"""Use cases: read from hostile YAML, checked, and refused with the place and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import DataError, HowgoodError, UnknownName
from howgood.interpret import usecase
from howgood.interpret.usecase import Bound, Limits, Part, parse, read, template

SMALL = """question: Which?
benchmarks: {mmlu: 3, gsm8k: {weight: 1, score: strict_match}}
outcomes: {right: 1, wrong: -2}
"""


def test_a_small_use_case() -> None:
    case = parse(SMALL)
    assert case.parts == {"mmlu": Part(0.75), "gsm8k": Part(0.25, "strict_match")}
    assert case.worths(Part())["unanswered"] == 0
    assert case.worths(Part(outcomes={"abstain": -1, "refused": 2}))["refused"] == 2
    assert case.worths(Part(outcomes={"abstain": -1, "refused": 2}))["empty"] == -1


@pytest.mark.parametrize("kind", ["buyer", "researcher", "policy-maker", "model-developer"])
def test_the_templates_are_use_cases(kind: str) -> None:
    case = parse(template(kind))
    assert case.user == kind.replace("-", " ")
    assert template(kind.replace("-", " ")) == template(kind)
    assert max(map(len, template(kind).splitlines())) <= 100


def test_every_field_is_read() -> None:
    case = parse(
        SMALL + "user: buyer\ndollar: 2\nlimits: {cost: 0.1, latency: 3}\nrequire: {wrong: {at_most: 0.1}}\n"
        "confidence: 0.9\notherwise: 0.5\nanswers: 1000\ninstance: 0.25\n"
    )
    assert (case.dollar, case.limits, case.require) == (2, Limits(0.1, 3), {"wrong": Bound(at_most=0.1)})
    assert (case.confidence, case.otherwise, case.answers, case.instance) == (0.9, 0.5, 1000, 0.25)


BAD = {
    "a: &x [1]\nb: *x": "line 2: aliases are not taken",
    "a: 1\na: 2": "line 2: 'a' is there twice",
    "[[[[[[[[[1]]]]]]]]]": "nested more than 8 deep",
    "[" * 5000: "nested more than 8 deep",
    "!!python/object/apply:os.system [id]": "could not determine a constructor",
    "? [1, 2]\n: 3": "unhashable key",
    "a: b: c": "mapping values are not allowed",
    "\x00": "special characters are not allowed",
    "x: " + "9" * 5000: "Exceeds the limit",
    "": "Expected `object`, got `null`",
    "question: 3": "Expected `str`, got `int` - at `$.question`",
    SMALL + "price: 3": "unknown field `price`",
    SMALL + "confidence: 1.0": "confidence lies between",
    SMALL + "confidence: .nan": "confidence is nan, not a finite number",
    SMALL + "dollar: -1": "dollar must be 0 or more",
    SMALL + "limits: {cost: -1}": "limits.cost must be 0 or more",
    SMALL + "limits: {price: 1}": "unknown field `price`",
    SMALL + "require: {score: {at_least: 91}}": "require.score needs at_least or at_most, shares between 0 and 1",
    SMALL + "require: {score: {}}": "require.score needs at_least or at_most",
    SMALL.replace("3,", "-3,"): "weights of 0 or more",
    SMALL.replace("{mmlu: 3, gsm8k: {weight: 1, score: strict_match}}", "{mmlu: 0}"): "one above 0",
    SMALL.replace(", wrong: -2", ""): "must say what a right and a wrong answer are worth",
    SMALL.replace("-2", "1"): "must be worth more than a wrong one",
    SMALL.replace("-2", "." + "inf"): "outcomes.wrong is inf",
    SMALL.replace("-2", "9" * 400): "out of range",
}


@pytest.mark.parametrize(("text", "words"), BAD.items(), ids=list(BAD.values()))
def test_bad_ones_are_refused(text: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        parse(text, "case.yaml")
    assert words in str(error.value)
    assert str(error.value).startswith("case.yaml")
    assert "\n" not in str(error.value)


def test_unknown_names_are_said_with_those_that_are() -> None:
    with pytest.raises(UnknownName, match=r"'rong'. Did you mean wrong\? case.yaml: outcomes takes right, wrong, "):
        parse(SMALL.replace("wrong:", "rong:"), "case.yaml")
    with pytest.raises(UnknownName, match=r"'wong'.*case\.yaml: benchmarks\.m\.outcomes takes"):
        parse(SMALL.replace("mmlu: 3", "m: {outcomes: {wong: 1}}"), "case.yaml")
    with pytest.raises(UnknownName, match=r"'acc'.*require takes score, right, wrong, "):
        parse(SMALL + "require: {acc: {at_least: 0.9}}")
    with pytest.raises(UnknownName, match="There are buyer, model-developer, policy-maker, researcher"):
        template("../secrets")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL)
    assert read(tmp_path / "a.yaml") == parse(SMALL)
    with pytest.raises(DataError, match=r"--template buyer > b\.yaml"):
        read(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_bytes(b"#" * (usecase.BYTES + 1))
    with pytest.raises(DataError, match="more than 64,000 bytes"):
        read(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").write_bytes(b"question: \xff\xfe")
    with pytest.raises(DataError, match=r"d\.yaml"):
        read(tmp_path / "d.yaml")


@given(st.text(max_size=200))
def test_any_text_is_a_use_case_or_an_error_of_the_users(text: str) -> None:
    try:
        parse(text)
    except HowgoodError:
        return
    raise AssertionError("a random text is no use case")
