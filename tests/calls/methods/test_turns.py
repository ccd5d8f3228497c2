"""Several turns: what is said when, and what is kept."""

from __future__ import annotations

import pytest
from method_models import CHATS, COMPLETES, Scripted, spent

from howgood.calls.base import Settings
from howgood.calls.generation import Generation
from howgood.calls.methods.registry import apply
from howgood.calls.methods.turns import CHECK, Turns
from howgood.core.errors import DataError, RequestError, Unsupported
from howgood.core.text import digest
from howgood.core.types import Generate, Instance, Message, Prediction, Usage

SUM = Instance("sum", "2 + 3?", targets=("5",))
TALK = Instance("talk", "Name a colour.", metadata={"turns": ["Another one.", "And a third."]})


async def test_the_last_answer_counts_and_the_conversation_is_kept() -> None:
    call = Turns(Generation()).bind(CHATS, Settings())
    model = Scripted("4", "5")
    found = await call(call.request(SUM, (), 7), model)
    asked = Message("user", "2 + 3?")
    said = (Message("assistant", "4"), Message("user", CHECK), Message("assistant", "5"))
    assert model.requests == [Generate((asked,), seed=7), Generate((asked, *said[:2]), seed=7)]
    assert (found.text, found.transcript, found.attempts) == ("5", said, ())
    assert (found.cost, found.usage, found.latency) == (0.5, Usage(input=20, output=2), 1.0)


async def test_an_instance_says_what_follows() -> None:
    call = Turns(Generation(), say=None).bind(CHATS, Settings())
    model = Scripted("red", "<think>hm</think>blue", "green")
    found = await call(call.request(TALK, (), 0), model)
    assert [m.content for m in found.transcript] == ["red", "Another one.", "blue", "And a third.", "green"]
    assert type(model.requests[0]) is Generate
    assert call.describe()["methods"] == [{"name": "turns", "turns": "the instance's"}]
    with pytest.raises(DataError, match="instance sum has no further turns"):
        call.request(SUM, (), 0)


def test_what_is_said_is_in_the_rules() -> None:
    around, _ = apply(("turns,say=Are you sure?",), Generation(), None)
    assert around.bind(CHATS, Settings()).describe()["methods"] == [
        {"name": "turns", "turns": 2, "say": digest("Are you sure?")}
    ]
    assert Turns(Generation()).bind(CHATS, Settings()).told() == {"turns": 2, "say": "check (version 1)"}


async def test_a_turn_that_fails_fails_the_trial_and_keeps_what_was_said() -> None:
    call = Turns(Generation()).bind(CHATS, Settings())
    found = await call(call.request(SUM, (), 7), Scripted("4", RequestError("the second broke")))
    assert (found.error, found.cost) == ("the second broke", 0.25)
    assert found.transcript == (Message("assistant", "4"), Message("user", CHECK))
    with pytest.raises(RequestError, match="the first broke"):
        await call(call.request(SUM, (), 7), Scripted(RequestError("the first broke")))
    with pytest.raises(RequestError, match="wrong key"):
        await call(call.request(SUM, (), 7), Scripted("4", RequestError("wrong key", fatal=True)))


async def test_a_turn_in_which_nothing_was_said_is_no_empty_message() -> None:
    call = Turns(Generation()).bind(CHATS, Settings())
    model = Scripted(Prediction(text="<think>and on", stop_reason="length"), spent("5"))
    await call(call.request(SUM, (), 7), model)
    assert model.requests[1].prompt[1] == Message("assistant", "(no answer)")


async def test_votes_are_whole_conversations() -> None:
    around, _ = apply(("vote,n=2", "turns,say=Sure?"), Generation(), None)
    call = around.bind(CHATS, Settings())
    model = Scripted("a", "b", "c", "d")
    found = await call(call.request(SUM, (), 7), model)
    assert found.attempts == ("b", "d")
    assert [len(request.prompt) for request in model.requests] == [1, 3, 1, 3]


@pytest.mark.parametrize("settings", [Settings(chat=False), Settings()])
def test_a_conversation_needs_a_chat(settings: Settings) -> None:
    with pytest.raises(Unsupported, match="turns goes on with a conversation"):
        Turns(Generation()).bind(CHATS if settings.chat is False else COMPLETES, settings)
