"""What most samples answer: which answers are one, which do not vote, and how ties are split."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.types import Instance, Prediction, StopReason
from howgood.outputs.base import judge
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.match import Match, Numeric
from howgood.outputs.samples import Majority, vote_for

SUM = Instance("sum", "2 + 3?", targets=("5",))
CHOICE = Instance("sky", "Which?", choices=("red", "blue", "green"), gold=(1,))


def samples(*texts: str, reasons: tuple[StopReason, ...] = ()) -> Prediction:
    kept = reasons or ("stop",) * len(texts)
    return Prediction(text=texts[0], attempts=texts, stop_reasons=kept, stop_reason="stop")


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=9))
def test_the_score_is_the_share_of_the_right_answer_among_the_winners(letters: list[str]) -> None:
    score = judge(Majority(ChoiceAccuracy()), CHOICE, samples(*(f"Answer: {letter}" for letter in letters)))
    counts = Counter(letters)
    winners = [letter for letter in counts if counts[letter] == max(counts.values())]
    assert score.values["acc"] == float(Fraction("B" in winners, len(winners)))
    assert set((score.answer or "").split(" | ")) == set(winners)
    assert score.outcome == ("wrong" if "B" not in winners else "right" if winners == ["B"] else "partial")


@given(st.permutations(["5", "5", "6", "7", "I cannot say"]))
def test_the_order_of_samples_does_not_matter(texts: list[str]) -> None:
    score = judge(Majority(Numeric()), SUM, samples(*texts))
    assert (score.values["exact_match"], score.outcome) == (1.0, "right")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("18", "18.0", True),
        ("1,000", "$1000", True),
        ("Paris.", "the paris", True),
        ("A", "a", True),
        ("A", "B", False),
        ("-5", "5", False),
        ("!!!", "???", False),
        ("3.5", "35", False),
    ],
)
def test_answers_that_are_one(one: str, other: str, alike: bool) -> None:
    assert (vote_for(one) == vote_for(other)) is alike


def test_no_answer_is_no_vote() -> None:
    score = judge(Majority(Numeric()), SUM, samples("none", "", "I'm sorry, I can't help with that", "#### 5"))
    assert (score.outcome, score.explanation) == ("right", "votes: 5 x1, no answer x3")


def test_where_nobody_answers_the_first_one_stands() -> None:
    score = judge(Majority(Numeric()), SUM, samples("none", "nothing"))
    assert (score.values["exact_match"], score.outcome) == (0.0, "unanswered")
    assert score.explanation == "votes: no answer x2"


def test_a_sample_that_was_cut_off_votes_only_with_an_answer_it_gave() -> None:
    cut = samples("There are 7", "It is 7 minus", "#### 5", reasons=("length", "length", "stop"))
    assert judge(Majority(Numeric()), SUM, cut).explanation == "votes: 5 x1, no answer x2"


def test_a_tie_is_told() -> None:
    score = judge(Majority(Numeric()), SUM, samples("5", "6"))
    assert (score.values["exact_match"], score.outcome, score.answer) == (0.5, "partial", "5 | 6")
    assert score.explanation == "votes: 5 x1, 6 x1; the score is the mean of 2 tied answers"


def test_one_answer_that_is_judged_differently_scores_the_mean() -> None:
    instance = Instance("city", "?", targets=("Paris",))
    score = judge(Majority(Match("exact")), instance, samples("Paris", "paris", "Rome"))
    assert (score.values["exact_match"], score.outcome, score.answer) == (0.5, "partial", "Paris")


def test_an_answer_without_attempts_is_judged_as_it_is() -> None:
    assert judge(Majority(Numeric()), SUM, Prediction(text="5", stop_reason="stop")).outcome == "right"


def test_the_rules_say_that_it_was_a_vote() -> None:
    assert Majority(Numeric()).describe() == {
        "kind": "numeric",
        "version": 1,
        "vote": "majority, ties split (version 1)",
    }
