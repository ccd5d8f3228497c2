"""Stop strings, applied to answers that are there."""

from __future__ import annotations

import pytest

from howgood.core.types import Prediction, StopReason, ToolCall
from howgood.models.stopping import stopped, until_stop


def test_the_first_of_all_stops_counts_and_an_empty_one_never() -> None:
    assert until_stop("a b c", ("c", "", "b")) == ("a ", True)
    assert until_stop("a b c", ("", "x")) == ("a b c", False)


@pytest.mark.parametrize(
    ("reason", "text", "then"),
    [("length", "a", "stop"), ("filter", "a", "stop"), (None, "a", "stop"), ("refusal", "a\nb", "refusal")],
)
def test_an_answer_that_was_cut_has_ended_but_a_refusal_stays_one(
    reason: StopReason | None, text: str, then: StopReason
) -> None:
    found = stopped(Prediction(text="a\nb", stop_reason=reason), ("\n",))
    assert (found.text, found.stop_reason) == (text, then)


def test_tool_calls_are_still_wanted() -> None:
    calling = Prediction(text="a\nb", stop_reason="tool", tool_calls=(ToolCall("1", "f", "{}"),))
    assert stopped(calling, ("\n",)).stop_reason == "tool"
