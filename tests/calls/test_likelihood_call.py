"""The likelihood of text that is there already: one continuation, or a whole document."""

from __future__ import annotations

import pytest

from howgood.calls.base import Settings
from howgood.calls.likelihood import Continuation, WholeText
from howgood.core.errors import Unsupported
from howgood.core.types import Instance, Loglikelihood, Message, Rolling
from howgood.models.base import Capabilities
from howgood.outputs.base import judge
from howgood.outputs.likelihood import ContinuationScore, Surprise

SCORES = Capabilities(loglikelihood=True, loglikelihood_rolling=True, completion=True)
CHATS = Capabilities(generate=True, chat=True)
PASSAGE = Instance("1", "To be or not to", targets=("be",))


def test_a_continuation_follows_one_space() -> None:
    call = Continuation().bind(SCORES, Settings())
    assert call.request(PASSAGE, (), 0) == Loglikelihood("To be or not to", (" be",))


def test_a_whole_text_is_cleaned_before_it_is_scored_and_the_rules_say_how() -> None:
    def without_spaces(text: str) -> str:
        return text.replace(" ", "")

    call = WholeText(clean=without_spaces, max_length=64, stride=57).bind(SCORES, Settings())
    assert call.request(Instance("1", "a b"), (), 0) == Rolling("ab", 64, 8)
    assert call.describe() == {
        "kind": "rolling",
        "format": "completion",
        "max_length": 64,
        "stride": 57,
        "context": 8,
        "clean": "without_spaces",
    }
    assert WholeText().describe()["clean"] == "none"


@pytest.mark.parametrize(
    ("max_length", "stride", "told"),
    [(None, None, (None, None, 1)), (64, None, (64, 64, 1)), (64, 64, (64, 64, 1)), (64, 1, (64, 1, 64))],
)
def test_windows_move_by_their_stride(max_length: int | None, stride: int | None, told: tuple[int, int, int]) -> None:
    call = WholeText(max_length=max_length, stride=stride)
    rules = call.describe()
    assert (rules["max_length"], rules["stride"], rules["context"]) == told
    assert call.request(Instance("1", "a"), (), 0) == Rolling("a", max_length, told[2])


@pytest.mark.parametrize("call", [Continuation(), WholeText()])
def test_a_model_without_likelihoods_is_told_at_once(call: Continuation | WholeText) -> None:
    with pytest.raises(Unsupported):
        call.bind(CHATS, Settings())


@pytest.mark.parametrize("call", [Continuation(), WholeText()])
def test_a_conversation_has_no_text_to_score(call: Continuation | WholeText) -> None:
    with pytest.raises(Unsupported, match="instance chat is a conversation"):
        call.request(Instance("chat", (Message("user", "a"),), targets=("b",)), (), 0)


@pytest.mark.parametrize("right", [True, False])
def test_what_is_imagined_scores_as_meant(right: bool) -> None:
    assert judge(ContinuationScore(), PASSAGE, Continuation().imagine(PASSAGE, right)).values["acc"] == float(right)
    nll = judge(Surprise(), PASSAGE, WholeText().imagine(PASSAGE, right)).values["nll"]
    assert (nll == 0) is right


@pytest.mark.parametrize(
    "settings", [Settings(shots=2), Settings(chat=True), Settings(effort="low"), Settings(thinking=9)]
)
def test_what_would_change_the_measured_text_is_refused(settings: Settings) -> None:
    can = Capabilities(True, True, True, completion=True, chat=True, effort=True)
    for call in (Continuation(), WholeText()):
        with pytest.raises(Unsupported, match="the likelihood of plain text is measured"):
            call.bind(can, settings)
