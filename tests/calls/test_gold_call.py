"""The likelihood of the gold answer in place of the answer, after the same prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from howgood.calls.base import Call, Settings
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.calls.gold import GoldAnswer
from howgood.calls.likelihood import Continuation, WholeText
from howgood.calls.methods.registry import apply
from howgood.core.errors import Unsupported
from howgood.core.types import Instance, Loglikelihood, Message, Prediction
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities
from howgood.models.registry import load_model
from howgood.outputs.base import judge
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.likelihood import GoldBits
from howgood.outputs.match import Match

SCORES = Capabilities(loglikelihood=True, completion=True)
ALL = Capabilities(True, True, True, completion=True, chat=True)
CHATS = Capabilities(generate=True, loglikelihood=True, chat=True)
SUM = Instance("1", "Two plus two?", targets=("four", "4"))
SHOT = Instance("2", "One plus one?", targets=("two",))
SKY = Instance("3", "Colour of the sky?", choices=("red", "blue"), gold=(1,))


def asked(call: Call, instance: Instance, can: Capabilities = SCORES, **settings: Any) -> Loglikelihood:
    bound = GoldAnswer(call).bind(can, Settings(**settings))
    return bound.request(instance, (SHOT,) if bound.shots and bound.shots.n else (), 0)


def test_a_written_answer_is_scored_after_its_prompt() -> None:
    call = Generation(header="Add.\n\n", shots=Shots(1), stop=("\n",))
    prompt = "Add.\n\nOne plus one? two\n\nTwo plus two?"
    assert asked(call, SUM) == Loglikelihood(prompt, (" four",))
    assert asked(Generation(space="\n"), SUM) == Loglikelihood("Two plus two?", ("\nfour",))


def test_raw_text_is_read_unless_a_chat_is_asked_for_or_all_there_is() -> None:
    chat = Loglikelihood((Message("user", "Two plus two?"),), ("four",))
    assert asked(Generation(), SUM, ALL).prompt == "Two plus two?"
    assert asked(Generation(), SUM, ALL, chat=True) == chat
    assert asked(Generation(), SUM, CHATS) == chat


def test_a_choice_question_is_asked_without_its_choices_unless_letters_are_asked_for() -> None:
    assert asked(Choices(), SKY, ALL) == Loglikelihood("Question: Colour of the sky?\nAnswer:", (" blue",))
    assert asked(Choices(method="letter-likelihood"), SKY) == Loglikelihood(
        "Colour of the sky?\nA. red\nB. blue\nAnswer:", (" B",)
    )


def test_a_continuation_is_scored_as_ever() -> None:
    assert asked(Continuation(), SUM) == Loglikelihood("Two plus two?", (" four",))


def test_the_rules_say_what_is_scored_and_nothing_of_writing() -> None:
    bound = GoldAnswer(Generation(shots=Shots(2), stop=("\n",), max_tokens=7)).bind(SCORES, Settings())
    assert bound.describe() == {
        "kind": "gold-answer",
        "of": "generation",
        "format": "completion",
        "shots": {"n": 2, "split": "dev", "how": "random", "same_stratum": False},
    }
    assert GoldAnswer(Choices()).bind(SCORES, Settings()).describe()["method"] == "cloze-likelihood"


@pytest.mark.parametrize(
    ("call", "can", "settings", "message"),
    [
        (Generation(), Capabilities(generate=True, chat=True), {}, "the model gives no log-likelihoods"),
        (WholeText(), ALL, {}, "whole texts have no gold answer"),
        (Choices(method="letter-generation"), ALL, {}, "a written letter is no gold answer"),
        (Generation(), ALL, {"effort": "low"}, "without thinking; leave out --effort"),
        (apply(("vote,n=3",), Generation(), Match())[0], ALL, {}, "nothing is written; leave out vote"),
        (apply(("cot",), Choices(), ChoiceAccuracy())[0], ALL, {}, "nothing is written; leave out cot"),
    ],
)
def test_what_has_no_such_likelihood_is_refused_before_anything_is_sent(
    call: Call, can: Capabilities, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unsupported, match=message):
        GoldAnswer(call).bind(can, Settings(**settings))


def test_an_instance_without_an_answer_is_told() -> None:
    with pytest.raises(Unsupported, match="instance 9 has no gold answer"):
        asked(Generation(), Instance("9", "Write a poem."))


def test_retrieved_passages_stay_in_the_prompt(tmp_path: Path) -> None:
    pytest.importorskip("bm25s")
    (tmp_path / "a.txt").write_text("Two plus two is four, as everybody knows.")
    call, _ = apply((f"retrieval,docs={tmp_path}",), Generation(), Match())
    request = asked(call, SUM)
    assert "as everybody knows" in str(request.prompt)
    assert request.continuations == (" four",)


async def test_the_prediction_holds_what_was_scored() -> None:
    """A uniform model over bytes needs eight bits for each."""
    call = GoldAnswer(Generation()).bind(SCORES, Settings())
    found = await call(call.request(SUM, (), 0), load_model("reference/uniform"))
    assert found.text == " four"
    assert judge(GoldBits(), SUM, found).values["bpb"] == pytest.approx(8, rel=1e-12)


@pytest.mark.parametrize("instance", [SUM, SKY])
def test_what_is_imagined_scores_as_meant(instance: Instance) -> None:
    for right in (True, False):
        found: Prediction = GoldAnswer(Generation()).imagine(instance, right)
        assert (judge(GoldBits(), instance, found).values["bpb"] == 0) is right
