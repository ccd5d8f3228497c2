"""Chain of thought: what is asked, how it ends, and how much room it has."""

from __future__ import annotations

import msgspec
import pytest
from method_models import CHATS, COMPLETES

from howgood.calls.base import Settings
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.calls.methods.cot import ROOM, THINK
from howgood.calls.methods.registry import apply
from howgood.core.types import Generate, Image, Instance, Message, Prediction, Text
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.match import Match, Numeric

PLAIN = Settings()
SUM = Instance("sum", "2 + 3?", targets=("5",))
CHOICE = Instance("sky", "Which colour has the sky?", choices=("red", "blue"), gold=(1,))
NUMBER = "End with a line '#### N', where N is the answer, a number."
LETTER = "End with a line 'Answer: X', where X is the letter of the right choice."


def cot(call: Generation | Choices, outputs: Match | Numeric | ChoiceAccuracy, settings: Settings = PLAIN):
    around, judging = apply(("cot",), call, outputs)
    return around.bind(CHATS, settings), judging


def test_a_number_is_asked_for_in_the_form_that_is_read() -> None:
    call, outputs = cot(Generation(header="Be brief.", max_tokens=100), Numeric())
    assert call.request(SUM, (), 3) == Generate(
        (Message("system", "Be brief."), Message("user", f"2 + 3?\n\n{THINK} {NUMBER}")), max_tokens=ROOM, seed=3
    )
    assert outputs == Numeric()
    assert call.describe()["methods"] == [{"name": "cot", "version": 1}]
    assert call.describe()["max_tokens"] == ROOM


def test_a_choice_is_asked_for_once_and_by_letter() -> None:
    call, _ = cot(Choices(shots=Shots(5)), ChoiceAccuracy())
    request = call.request(CHOICE, (), 0)
    assert request.prompt[-1].content == (f"Which colour has the sky?\n\nA. red\nB. blue\n\n{LETTER}\n\n{THINK}")
    rules = call.describe()
    assert (rules["method"], rules["shots"]) == ("letter-generation", {"n": 0})


def test_worked_examples_of_choices_are_shown_where_the_user_asks_for_them() -> None:
    call, _ = cot(Choices(shots=Shots(5)), ChoiceAccuracy(), Settings(shots=2))
    assert call.shots == Shots(2)
    assert cot(Generation(shots=Shots(5)), Numeric())[0].shots == Shots(5)


def test_an_answer_that_is_the_whole_text_is_marked() -> None:
    call, outputs = cot(Generation(), Match("exact"))
    assert (
        "End with a line 'Answer: ...' that holds your final answer alone."
        in call.request(SUM, (), 0).prompt[0].content
    )
    told = Prediction(text="2 + 3: three and two more.\n**Answer:** 5", stop_reason="stop")
    assert judge(outputs, SUM, told).outcome == "right"
    assert judge(outputs, SUM, Prediction(text="It must be 5", stop_reason="stop")).outcome == "unanswered"
    assert outputs.describe() == {
        "kind": "match",
        "how": "exact",
        "version": 1,
        "read": "after the last 'Answer:' (version 1)",
    }


def test_raw_text_begins_to_think_and_is_not_stopped_by_its_first_paragraph() -> None:
    around, _ = apply(("cot",), Generation(question=lambda i: f"Q: {i.input}\nA:", stop=("\n\n", "Q:")), Numeric())
    call = around.bind(COMPLETES, Settings())
    request = call.request(SUM, (), 0)
    assert request.prompt == f"{THINK} {NUMBER}\n\nQ: 2 + 3?\nA: Let's think step by step."
    assert request.stop == ("Q:",)
    assert call.describe()["stop"] == ["Q:"]


def test_a_raw_choice_has_room_too() -> None:
    around, _ = apply(("cot",), Choices(), ChoiceAccuracy())
    request = around.bind(COMPLETES, Settings()).request(CHOICE, (), 0)
    assert (request.max_tokens, request.stop) == (ROOM, ())
    assert (
        request.prompt
        == f"{THINK} {LETTER}\n\nWhich colour has the sky?\nA. red\nB. blue\nAnswer: Let's think step by step."
    )


@pytest.mark.parametrize(
    ("own", "settings", "room"),
    [
        (100, Settings(), ROOM),
        (5000, Settings(), 5000),
        (100, Settings(max_tokens=7), 7),
        (100, Settings(thinking=1000), ROOM + 1000),
    ],
)
def test_room_for_reasoning(own: int, settings: Settings, room: int) -> None:
    around, _ = apply(("cot",), Generation(max_tokens=own), Numeric())
    can = msgspec.structs.replace(CHATS, effort=True)
    assert around.bind(can, settings).request(SUM, (), 0).max_tokens == room


def test_a_question_with_an_image_keeps_it() -> None:
    image = Image(b"\x89PNG")
    instance = Instance("1", (Message("user", (Text("What is this?"), image)),), targets=("a cat",))
    request = cot(Generation(), Match())[0].request(instance, (), 0)
    first, second, third = request.prompt[0].content
    assert (first, second) == (Text("What is this?"), image)
    assert third.text.startswith(f"\n\n{THINK}")


def test_only_a_model_that_scores_cannot_reason() -> None:
    around, _ = apply(("cot",), Choices(), ChoiceAccuracy())
    with pytest.raises(Exception, match="no generated text"):
        around.bind(Capabilities(loglikelihood=True, completion=True), Settings())
