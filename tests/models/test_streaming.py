"""Text that arrives in pieces: what is shown is the answer, however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.models.base import split_thinking
from howgood.models.stopping import until_stop
from howgood.models.streaming import Unthought, Until

PIECES = st.lists(st.text("<think>/ \nab", max_size=9) | st.sampled_from(["<think>", "</think>", "\n\n"]), max_size=8)


@given(pieces=PIECES)
def test_thinking_is_left_out(pieces: list[str]) -> None:
    whole = "".join(pieces)
    answer = Unthought()
    shown = "".join(map(answer.feed, pieces)) + answer.end()
    if whole.lstrip().startswith("<think>"):
        assert shown == split_thinking(whole)[1]
    else:
        assert shown == whole


@given(pieces=PIECES, stops=st.lists(st.text("<think>/ \nab", max_size=3), max_size=3))
def test_nothing_is_shown_after_a_stop_string(pieces: list[str], stops: list[str]) -> None:
    until = Until(tuple(stops))
    shown = "".join(map(until.feed, pieces)) + until.end()
    assert shown == until_stop("".join(pieces), tuple(stops))[0]


def test_nothing_is_held_back_longer_than_it_must() -> None:
    answer, until = Unthought(), Until(("\nQ",))
    assert [answer.feed(piece) for piece in ("4", "2")] == ["4", "2"]
    assert [until.feed(piece) for piece in ("4", "2\n", "\n")] == ["", "42", "\n"]
    assert [until.feed(piece) for piece in ("Q: more", "and more")] == ["", ""]


@pytest.mark.parametrize("stops", [(), ("",)])
def test_without_stop_strings_all_passes(stops: tuple[str, ...]) -> None:
    assert Until(stops).feed("42") == "42"
