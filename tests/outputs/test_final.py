"""The answer at the end of a text that reasons."""

from __future__ import annotations

import pytest

from howgood.core.types import Instance, Prediction
from howgood.outputs.base import judge
from howgood.outputs.final import Final, final_answer
from howgood.outputs.match import F1, Match

CITY = Instance("city", "The capital of France?", targets=("Paris",))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("First ... then.\nAnswer: Paris", "Paris"),
        ("Answer: Rome\nNo.\nanswer: Paris \n", "Paris"),
        ("**Answer:** Paris", "Paris"),
        ("### Final answer: Paris", "Paris"),
        ("Answer: one\ntwo", "one\ntwo"),
        ("The answer: Paris", None),
        ("Paris", None),
        ("Answer:", ""),
    ],
)
def test_what_follows_the_last_mark(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


def test_a_text_without_a_mark_has_no_answer() -> None:
    for text, outcome in (("Paris", "unanswered"), ("", "empty"), ("I'm sorry, I can't help with that", "refused")):
        score = judge(Final(Match("contains")), CITY, Prediction(text=text, stop_reason="stop"))
        assert (score.outcome, score.values, score.answer) == (outcome, {"contains_match": 0.0}, None)
    cut = judge(Final(Match("contains")), CITY, Prediction(text="Well, Paris", stop_reason="length"))
    assert (cut.outcome, cut.values) == ("truncated", {"contains_match": 0.0})


def test_what_was_thought_on_the_way_is_not_judged() -> None:
    told = Prediction(text="Paris? No, not Paris.\nAnswer: Rome", stop_reason="stop")
    assert judge(Final(Match("contains")), CITY, told).outcome == "wrong"
    assert judge(Final(F1()), CITY, told).values["f1"] == 0.0


def test_a_target_of_several_lines_is_read_whole() -> None:
    poem = Instance("poem", "?", targets=("one\ntwo",))
    told = Prediction(text="Let me see.\nAnswer: one\ntwo", stop_reason="stop")
    assert judge(Final(Match("exact")), poem, told).outcome == "right"
