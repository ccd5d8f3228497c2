"""Choice questions in three formulations: what is sent, and which formulation a model gets."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from howgood.calls.base import Settings
from howgood.calls.choices import Choices, Method
from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Instance, Loglikelihood, Message
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.outputs.choice import ChoiceAccuracy

ALL = Capabilities(True, True, True, completion=True, chat=True)
COMPLETES = Capabilities(True, True, completion=True)
CHATS = Capabilities(generate=True, chat=True)
WRITES = Capabilities(generate=True, completion=True)
SCORES_CHAT = Capabilities(loglikelihood=True, chat=True)

SKY = Instance("sky", "What colour is the sky?", choices=("red", "blue"), gold=(1,))
GRASS = Instance("grass", "And grass?", choices=("green", "pink", "grey"), gold=(0,))
HEADER = "Answer about colours.\n\n"
ASK = "End with a line 'Answer: X', where X is the letter of the right choice."


def bound(can: Capabilities, chat: bool | None = None, **values: Any) -> Choices:
    return Choices(header=HEADER, **values).bind(can, Settings(chat=chat))


def test_letters_by_likelihood() -> None:
    assert bound(COMPLETES).request(SKY, (GRASS,), 0) == Loglikelihood(
        "Answer about colours.\n\nAnd grass?\nA. green\nB. pink\nC. grey\nAnswer: A\n\n"
        "What colour is the sky?\nA. red\nB. blue\nAnswer:",
        (" A", " B"),
    )


def test_texts_by_likelihood() -> None:
    assert bound(COMPLETES, method="cloze-likelihood").request(SKY, (GRASS,), 0) == Loglikelihood(
        "Answer about colours.\n\nQuestion: And grass?\nAnswer: green\n\nQuestion: What colour is the sky?\nAnswer:",
        (" red", " blue"),
    )


def test_letters_by_writing_in_a_chat() -> None:
    request = bound(CHATS).request(SKY, (GRASS,), 7)
    assert request == Generate(
        (
            Message("system", "Answer about colours."),
            Message("user", f"And grass?\n\nA. green\nB. pink\nC. grey\n\n{ASK}"),
            Message("assistant", "Answer: A"),
            Message("user", f"What colour is the sky?\n\nA. red\nB. blue\n\n{ASK}"),
        ),
        max_tokens=1024,
        seed=7,
    )


def test_letters_by_writing_on() -> None:
    request = bound(WRITES).request(SKY, (), 7)
    assert request == Generate(
        "Answer about colours.\n\nWhat colour is the sky?\nA. red\nB. blue\nAnswer:",
        max_tokens=16,
        stop=("\n",),
        seed=7,
    )


def test_the_rules_tell_what_is_sent() -> None:
    call = bound(WRITES)
    assert {"max_tokens": 16, "stop": ["\n"]}.items() <= call.describe().items()
    for can in (WRITES, CHATS):
        call = Choices(method="letter-generation").bind(can, Settings(max_tokens=40))
        request = call.request(SKY, (), 7)
        assert isinstance(request, Generate)
        assert request.max_tokens == call.describe()["max_tokens"] == 40
        assert list(request.stop) == call.describe().get("stop", [])


def test_letters_by_likelihood_in_a_chat_follow_no_space() -> None:
    request = bound(SCORES_CHAT).request(SKY, (), 0)
    assert isinstance(request, Loglikelihood)
    assert request.continuations == ("A", "B")
    assert request.prompt[-1] == Message("user", "What colour is the sky?\nA. red\nB. blue\nAnswer:")


@pytest.mark.parametrize(
    ("can", "prefer", "method", "format"),
    [
        (ALL, ("letter-likelihood", "letter-generation"), "letter-likelihood", "completion"),
        (ALL, ("cloze-likelihood", "letter-generation"), "cloze-likelihood", "completion"),
        (CHATS, ("cloze-likelihood", "letter-generation"), "letter-generation", "chat"),
        (WRITES, ("letter-likelihood", "letter-generation"), "letter-generation", "completion"),
        (SCORES_CHAT, ("letter-likelihood", "letter-generation"), "letter-likelihood", "chat"),
    ],
)
def test_the_first_formulation_a_model_can_do_is_taken_and_told(
    can: Capabilities, prefer: tuple[Method, ...], method: str, format: str
) -> None:
    rules = bound(can, prefer=prefer).describe()
    assert (rules["method"], rules["format"]) == (method, format)


def test_what_a_model_cannot_do_is_told_at_once() -> None:
    with pytest.raises(Unsupported, match="no log-likelihoods"):
        bound(CHATS, method="cloze-likelihood")
    with pytest.raises(Unsupported, match=r"no log-likelihoods\); pip install this, or try another -P method="):
        bound(msgspec.structs.replace(CHATS, remedy="pip install this"), method="cloze-likelihood")
    with pytest.raises(Unsupported, match="cannot do letter-generation"):
        bound(SCORES_CHAT, method="letter-generation")
    with pytest.raises(Unsupported, match="no chat format"):
        bound(WRITES, chat=True)
    with pytest.raises(Unsupported, match="only chats"):
        bound(CHATS, chat=False)


def test_more_choices_than_letters_are_told() -> None:
    many = Instance("many", "?", choices=tuple(map(str, range(27))), gold=(0,))
    with pytest.raises(Unsupported, match="27 choices"):
        bound(COMPLETES).request(many, (), 0)
    assert bound(COMPLETES, method="cloze-likelihood").request(many, (), 0)


def test_settings_change_the_call_and_its_rules() -> None:
    call = Choices(shots=Shots(5, split="train")).bind(CHATS, Settings(shots=2, max_tokens=9, temperature=0.5))
    assert call.shots == Shots(2, split="train")
    assert {"max_tokens": 9, "temperature": 0.5}.items() <= call.describe().items()
    assert Choices().bind(ALL, Settings(shots=0)).describe()["shots"] == {"n": 0}


@pytest.mark.parametrize("method", ["letter-likelihood", "letter-generation", "cloze-likelihood"])
@pytest.mark.parametrize("instance", [SKY, GRASS])
@pytest.mark.parametrize("right", [True, False])
def test_what_is_imagined_scores_as_meant(method: Method, instance: Instance, right: bool) -> None:
    call = Choices(method=method).bind(ALL, Settings())
    for normalized in (True, False):
        outputs = ChoiceAccuracy(normalized).bind(call.describe())
        assert set(judge(outputs, instance, call.imagine(instance, right)).values.values()) == {float(right)}


def test_a_written_answer_may_be_thought_about_and_a_likelihood_may_not() -> None:
    thinks = Capabilities(True, True, completion=True, chat=True, effort=True)
    call = Choices(method="letter-generation").bind(thinks, Settings(effort="high", thinking=500))
    request = call.request(SKY, (), 0)
    assert isinstance(request, Generate)
    assert (request.effort, request.thinking, request.max_tokens) == ("high", 500, 1524)
    assert {"effort": "high", "thinking": 500}.items() <= call.describe().items()
    with pytest.raises(Unsupported, match="letter-likelihood compares likelihoods, without thinking"):
        Choices().bind(thinks, Settings(effort="high"))
