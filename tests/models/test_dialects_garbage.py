"""Whatever a server sends, reading it gives a prediction or one of the two errors, and never anything else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from exchanges import body
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dialects_anthropic import REPLIES as ANTHROPIC
from test_dialects_anthropic import events_of
from test_dialects_google import REPLIES as GOOGLE
from test_dialects_openai import LAST, STREAMS, completion
from test_dialects_openai import REPLIES as OPENAI
from test_dialects_responses import REPLIES as RESPONSES

from howgood.core.types import Prediction
from howgood.models.dialects import (
    ErrorReply,
    MalformedReply,
    anthropic,
    echo,
    google,
    openai,
    prompt_logprobs,
    responses,
)

DIALECTS = {"openai": openai, "responses": responses, "anthropic": anthropic, "google": google}
RECORDED: dict[str, list[Any]] = {
    "openai": [reply for reply, _ in OPENAI.values()] + [c for chunks, _ in STREAMS.values() for c in chunks] + [LAST],
    "responses": [reply for reply, _ in RESPONSES.values()],
    "anthropic": [reply for reply, _ in ANTHROPIC.values()] + [e for r, _ in ANTHROPIC.values() for e in events_of(r)],
    "google": [reply for reply, _ in GOOGLE.values()],
}
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a JSON value something can be put."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in places_in(inner, (*path, key)))]


def spoilt(value: Any, path: tuple[Any, ...], what: Any) -> Any:
    """The value with something else at one place."""
    if not path:
        return what
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = spoilt(copy[path[0]], path[1:], what)
    return copy


@st.composite
def nearly(draw: st.DrawFn, name: str) -> Any:
    """A recorded reply or event with one thing in it changed."""
    value = draw(st.sampled_from(RECORDED[name]))
    return spoilt(value, draw(st.sampled_from(places_in(value))), draw(ANYTHING))


def check(name: str, given: bytes) -> None:
    dialect: Any = DIALECTS[name]
    assert isinstance(dialect.read_error(given), ErrorReply)
    with contextlib.suppress(MalformedReply, ErrorReply):
        assert isinstance(dialect.decode(given), Prediction)
    stream = dialect.Stream()
    try:
        assert isinstance(stream.feed("message", given.decode("utf-8", errors="replace")), str)
        assert isinstance(stream.result(), Prediction)
    except (MalformedReply, ErrorReply):
        pass


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_nearly_right(name: str, data: st.DataObject) -> None:
    check(name, json.dumps(data.draw(nearly(name))).encode())


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.binary(max_size=40) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_garbage(name: str, data: bytes) -> None:
    check(name, data)


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_streams_in_any_order(name: str, data: st.DataObject) -> None:
    stream: Any = DIALECTS[name].Stream()  # type: ignore[attr-defined]
    try:
        for event in data.draw(st.lists(st.sampled_from(RECORDED[name]) | nearly(name), max_size=8)):
            assert isinstance(stream.feed("message", json.dumps(event)), str)
        assert isinstance(stream.result(), Prediction)
    except (MalformedReply, ErrorReply):
        pass


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"choices":' * 100_000, b'{"error":' * 100_000])
def test_a_well(name: str, deep: bytes) -> None:
    check(name, deep)


SCORED = {
    "tokens": ["a", "b"],
    "token_logprobs": [None, -1.0],
    "top_logprobs": [None, {"b": -1.0}],
    "text_offset": [0, 1],
}
PLACES = [None, {"5": {"logprob": -1.0, "rank": 1, "decoded_token": "b"}}]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_scores(data: st.DataObject) -> None:
    for form, field, told in ((echo, "logprobs", SCORED), (prompt_logprobs, "prompt_logprobs", PLACES)):
        reply = {"choices": [{"index": 0, "text": "", field: told}], "usage": {"completion_tokens": 0}}
        reply = spoilt(reply, data.draw(st.sampled_from(places_in(reply))), data.draw(ANYTHING))
        try:
            scores, _ = form.read_scores(body(reply), ["ab"])  # type: ignore[attr-defined]
            assert len(scores) == 1
            scores[0].greedy(0)
            scores[0].scored(2)
        except (MalformedReply, ErrorReply, ValueError):
            pass


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (r"\ud83d", "\ufffd"),
        (r"42 \ude00!", "42 \ufffd!"),
        (r"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d \ud83d", r"\ud83d" + " \ufffd"),
    ],
)
def test_half_a_character_costs_no_answer(written: str, wanted: str) -> None:
    """Servers that cut an answer inside an emoji send one half of it."""
    reply = json.dumps(completion({"content": "HERE"})).replace("HERE", written).encode()
    assert openai.decode(reply).text == wanted
    stream = openai.Stream()
    assert stream.feed("", '{"choices": [{"delta": {"content": "HERE"}}]}'.replace("HERE", written)) == wanted
