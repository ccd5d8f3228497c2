"""Reading answers out of text: what is meant, and that no text, however hostile, breaks or stalls it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from howgood.core.text import LETTERS
from howgood.outputs.extract import (
    MAX_SCANNED,
    bounded,
    is_refusal,
    letter,
    marked_number,
    normalize,
    number,
    parse_number,
    squad,
    target_number,
)
from howgood.outputs.grid import read_grid
from limits import in_time

CHOICES = ["red", "the blue one", "green", "none of these"]
READERS: dict[str, Callable[[str], object]] = {
    "letter": lambda text: letter(text, CHOICES),
    "number": number,
    "marked_number": marked_number,
    "is_refusal": is_refusal,
    "read_grid": read_grid,
    "bounded": bounded,
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("B", "B"),
        (" B\n", "B"),
        ("(C)", "C"),
        ("**D**", "D"),
        ("B. The blue one, since the sky is.", "B"),
        ("A) red", "A"),
        ("Answer: C", "C"),
        ("**Answer:** (C)", "C"),
        ("**Answer**: C", "C"),
        ("The answer is B.", "B"),
        ("the correct answer is: **D**", "D"),
        ("The answer is option C, not A.", "C"),
        ("Let me see. The answer is A. No, wait. The answer is B", "B"),
        ("Answer: B. The answer A is wrong.", "B"),
        ("I choose answer D because", "D"),
        ("So $\\boxed{C}$.", "C"),
        ("So \\boxed{\\text{ (B) }}", "B"),
        ("the blue one", "B"),
        ("None of these!", "D"),
        ("The answer is C, B is wrong.", "C"),
        ("The answer is B and I think so.", "B"),
        ("A, B and C are wrong. The answer is D.", "D"),
        ("The answer is A or B. No: the answer is B.", "B"),
        ("The answer is A or B, so \\boxed{B}", "B"),
        ("A, because the sky is.", "A"),
        # more than one answer is none
        ("Answer: A, B, C or D", None),
        ("The answer is A or B", None),
        ("The answer is B. No, wait. The answer is **A** or **B** because", None),
        ("Answer: (A) and (B)", None),
        ("Answer: A/B", None),
        ("I choose answer A, or option B", None),
        ("A, B and C are wrong, D is right", None),
        ("(A), (B)", None),
        # no answer
        ("A dog is an animal", None),
        ("As I see it, many are right.", None),
        ("the answer is E", None),
        ("Answer: Because", None),
        ("the answer is a colour", None),
        ("The answer is not clear", None),
        ("\\boxed{AB}", None),
        ("red or green", None),
        ("", None),
    ],
)
def test_letter(text: str, wanted: str | None) -> None:
    assert letter(text, CHOICES) == wanted


def test_a_choice_that_is_there_twice_cannot_be_told_by_its_text() -> None:
    assert letter("red", ["red", "Red.", "blue"]) is None
    assert letter("blue", ["red", "Red.", "blue"]) == "C"


def test_letters_reach_as_far_as_the_choices() -> None:
    assert letter("Answer: J", ["x"] * 10) == "J"
    assert letter("Answer: K", ["x"] * 10) is None
    assert letter("Answer: A", []) is None
    assert letter("The answer is H and I think so", ["x"] * 10) == "H"
    assert letter("The answer is H and I", ["x"] * 10) is None
    assert letter("thirty", [str(i) for i in range(26)] + ["thirty"]) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The total is 18.", "18"),
        ("#### 18", "18"),
        ("3 + 4 = 7\n#### 7\nThat took 2 steps.", "7"),
        ("#### $1,234.50", "1234.50"),
        ("#### -15", "-15"),
        ("#### .5", "0.5"),
        ("\\boxed{42} after 3 tries", "42"),
        ("\\boxed{ 1,000 }", "1000"),
        ("it costs $18.00", "18"),
        ("1,234,567 people", "1234567"),
        ("minus: -4", "-4"),
        ("from 3-5", "5"),
        ("<<2*9=18>>18", "18"),
        ("between 10 and 20%", "20"),
        ("version 1.2.3 of 7.", "7"),
        ("#### 1. First we add.\n1 + 8 = 9\n#### 2. Then we double.\nSo the answer is **18**.", "18"),
        ("#### 12) Last step\nIt is 18", "18"),
        ("#### 2 - Then\nIt is 18", "18"),
        ("#### 1. First\n#### 18\nThat took 2 steps.", "18"),
        ("#### 18.\nThat took 2 steps.", "18"),
        ("#### 7 packs and 2 extra", "7"),
        ("#### 2:00 pm", "2"),
        ("#### $18 (about 20)", "18"),
        ("it is \N{MINUS SIGN}5", "-5"),
        ("#### \N{MINUS SIGN}5", "-5"),
        ("it is .5", "0.5"),
        ("it is 1e-5", "0.00001"),
        ("#### 2.5E3", "2500"),
        ("no number here", None),
        ("####", None),
        ("", None),
    ],
)
def test_number(text: str, wanted: str | None) -> None:
    assert number(text) == (None if wanted is None else Decimal(wanted))


def test_a_marked_number_is_only_what_follows_the_mark() -> None:
    assert marked_number("I get 12.\n#### 13") == 13
    assert marked_number("#### 1\n#### 2") == 2
    assert marked_number("I get 12.") is None


@pytest.mark.parametrize(
    "text", ["nan", "Infinity", "-inf", "sNaN", "", "1e", "twelve", "0x10", "1/2", "--3", "3,5", "1_0", "18 eggs"]
)
def test_what_is_no_number_has_no_value(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-5", "0.00001"), ("\N{MINUS SIGN}2.5", "-2.5"), (" .5 ", "0.5"), ("-$1,234.50", "-1234.50"), ("18.", "18")],
)
def test_a_number_has_its_value(text: str, value: str) -> None:
    assert parse_number(text) == Decimal(value)


def test_no_number_is_guessed_out_of_a_target() -> None:
    assert target_number("so 9 * 2 = 18\n#### 18") == 18
    assert target_number("so 9 * 2 = 18\nA: 18") == 18
    assert target_number("-18") == -18
    assert target_number("1/2") is None
    assert target_number("18 eggs") is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=2))
def test_a_written_number_is_read_as_itself(value: Decimal) -> None:
    for text in (f"{value}", f"{value:,}", f"#### {value:,}", f"The answer is ${abs(value):,}."):
        wanted = abs(value) if "$" in text else value
        assert number(text) == wanted


@given(st.sampled_from(LETTERS[:4]), st.sampled_from(["Answer: {}", "the answer is ({}).", "{}", "**{}**", "{}) x"]))
def test_a_written_letter_is_read_as_itself(chosen: str, form: str) -> None:
    assert letter(form.format(chosen), CHOICES) == chosen


@given(st.text())
@example("\\boxed{" + "9" * 5_000 + "}")
@example("#### " + "9" * 5_000)
@example("[[" + "9" * 5_000 + "]]")
@example("[[٣, ४]]")
@example("Answer: ²")
@example("\ud800")
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in READERS.values():
        read(text)
    assert (found := letter(text, CHOICES)) is None or found in "ABCD"
    assert (value := number(text)) is None or value.is_finite()
    assert normalize(normalize(text)) == normalize(text)


PIECES = [
    "answer ", "answer:", "Answer: A'", "answer*", "option", "1", "1,", "1,111", "1.", "#", "#### ", "####,", "$", "-",
    "*", "A*", " ", "\n", "[", "[[", "[ ", "[]", "[],", "[[],", "[[1] ", "[1],", "1 ", "1\n", "\\boxed{",
    "\\boxed{\\text{", "i can ", "(", "]", "]]",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_five_megabytes_of_anything_are_read_in_time(piece: str) -> None:
    """Each reader by itself; text that would send a careless expression back and forth for hours."""
    body = piece * (5_000_000 // len(piece))
    for opening, end in (("", ""), ("\\boxed{", "x"), ("answer", "x"), ("[[", "x"), ("####", "x")):
        text = opening + body + end
        for read in READERS.values():
            with in_time():
                read(text)


@given(st.text(min_size=1, max_size=20), st.integers(0, 30_000))
def test_a_long_text_keeps_its_beginning_and_its_end(piece: str, times: int) -> None:
    text = piece * times
    kept = bounded(text)
    assert len(kept) <= MAX_SCANNED + 1
    assert kept == text or (text.startswith(kept[:1000]) and text.endswith(kept[-1000:]))


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I’m sorry, I cannot assist with this request.", True),
        ("I cannot provide instructions for that.", True),
        ("I won't help you do that", True),
        ("I am unable to assist.", True),
        ("As an AI language model, I", True),
        ('"I apologize, but no.', True),
        ("I can help with that: 5", False),
        ("I cannot see why not: 12", False),
        ("The answer: I'm sorry is a phrase.", False),
        ("", False),
    ],
)
def test_refusals_are_known_by_their_opening(text: str, refuses: bool) -> None:
    assert is_refusal(text) is refuses


def test_normal_form() -> None:
    assert normalize("The  Quick, brown-fox's\n(an) a_b") == "quick brown fox s a_b"
    assert squad("The  Quick, brown-fox's\n(an) a_b") == "quick brownfoxs ab"


DIFFERENT = [
    ("दिन", "दान"), ("-5", "5"), ("3.5", "35"), ("C++", "C"), ("C#", "C"), ("1/2", "12"), ("-$5", "$5"),
    ("1e-5", "1e5"), (".5", "5"), ("3,5", "35"), ("A+", "A"), ("+5", "-5"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_something_else_has_another_normal_form(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)
    assert normalize(f"It is {one}.") != normalize(f"It is {other}.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"), ("J\u030c", "\u01f0"), ("Paris\u2014the capital", "paris capital"),
        ("Answer:Paris", "answer: Paris"), ("1,234", "1234"), ("\N{MINUS SIGN}5", "-5"), ("-$1,234.50", "-1234.50"),
        ("U.S.", "US"), ("don\u2019t", "don't"), ("**_Paris_**!", "Paris"), ("3-5", "3 5"), ("COVID-19", "covid 19"),
        ("5.", "5"), ("great \u2764\ufe0f", "great"), ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u062e"),
    ],
)  # fmt: skip
def test_what_means_the_same_has_one_normal_form(one: str, other: str) -> None:
    assert normalize(one) == normalize(other) != ""


@given(st.text())
def test_the_composition_of_letters_does_not_count(text: str) -> None:
    import unicodedata

    composed, split = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert normalize(composed) == normalize(split)
    assert squad(composed) == squad(split)
