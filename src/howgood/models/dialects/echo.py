"""Log-probabilities of given texts in the OpenAI dialect: /completions with `echo` and `logprobs`, as
llama-cpp-python, SGLang, vLLM and others serve it (https://platform.openai.com/docs/api-reference/completions).

The server splits the text into tokens, so what is left to do here is to find out which of them are the scored part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.types import Token, Usage
from howgood.models.dialects import ErrorReply, MalformedReply, count
from howgood.models.dialects.openai import Choice, read_reply, usage_of

NO_ECHO = "it gives no log-probabilities of the prompt (/completions with echo and logprobs)"
OFF_THE_TEXT = "the tokens it gives do not join to the text, so the scored ones cannot be told apart"


class Scores(Struct, frozen=True):
    """Log-probabilities (nats) of a given text, token by token: the text of each token, its log-probability (None
    where nothing precedes it), the highest ones at its place by token (None: not told), and where in the text the
    server says that it starts (empty: it does not say)."""

    tokens: list[str]
    logprobs: list[float | None]
    top: list[dict[str, float] | None]
    offsets: list[int]

    def greedy(self, first: int) -> bool:
        """Whether each token from the `first` on is the likeliest at its place."""
        places = zip(self.logprobs[first:], self.top[first:], strict=True)
        return all(p is not None and top is not None and p >= max(top.values(), default=p) for p, top in places)

    def scored(self, alternatives: int) -> tuple[str, tuple[Token, ...]]:
        """The text of the tokens at the start that have no log-probability, and the tokens after them, each with so
        many of the likeliest at its place. Raises `ValueError` if a token further on has none."""
        first = next((i for i, p in enumerate(self.logprobs) if p is not None), len(self.tokens))
        tokens = []
        for text, logprob, top in zip(self.tokens[first:], self.logprobs[first:], self.top[first:], strict=True):
            if logprob is None:
                raise ValueError("it gives a token in the middle of a text no log-probability")
            likeliest = sorted((top or {}).items(), key=lambda item: -item[1])[:alternatives]
            tokens.append(Token(text, logprob, dict(likeliest)))
        return "".join(self.tokens[:first]), tuple(tokens)


class _Logprobs(Struct):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int] | None = None


def score_body(model: str, texts: Sequence[str], alternatives: int) -> dict[str, Any]:
    """The body of a request for the log-probabilities of texts. One token is generated and thrown away, since servers
    differ in what `max_tokens` 0 means (an error in some, no limit in llama-cpp-python)."""
    return {
        "model": model,
        "prompt": texts[0] if len(texts) == 1 else list(texts),
        "echo": True,
        "logprobs": max(1, alternatives),
        "max_tokens": 1,
        "temperature": 0,
    }


def read_scores(body: bytes, texts: Sequence[str]) -> tuple[list[Scores], Usage]:
    """The log-probabilities in a reply to a `score_body` request, text by text, without the generated tokens.

    Raises `MalformedReply`, or `ErrorReply` when the server did not echo: llama.cpp's, for one, takes `echo` and
    `logprobs` and silently scores only what it generated (https://github.com/ggml-org/llama.cpp/issues/27174).
    """
    reply = read_reply(body)
    told = count(reply.usage.completion_tokens) if reply.usage else None
    generated = 1 if told is None else min(1, -(-told // len(texts)))
    choices = in_order(reply.choices, len(texts))
    return [_scores(choice.logprobs, generated) for choice in choices], usage_of(reply.usage)


def in_order(choices: list[Choice], texts: int) -> list[Choice]:
    """The choices of a reply to several prompts. Raises `ErrorReply` unless each prompt has one."""
    ordered = sorted(choices, key=lambda choice: choice.index)
    if [choice.index for choice in ordered] != list(range(texts)):
        raise ErrorReply(f"it answers {len(choices)} of {texts} prompts that are sent at once", 501)
    return ordered


def _scores(logprobs: Any, generated: int) -> Scores:
    try:
        given = msgspec.convert(logprobs, _Logprobs)
    except msgspec.ValidationError:
        raise ErrorReply(NO_ECHO, 501) from None
    size = len(given.tokens)
    top, offsets = given.top_logprobs, given.text_offset or []
    if not size == len(given.token_logprobs) == len(top) or len(offsets) not in (0, size):
        raise MalformedReply("the reply's lists of tokens and log-probabilities differ in length")
    end = size - generated
    if end < 1:
        raise ErrorReply(NO_ECHO, 501)
    return Scores(given.tokens[:end], given.token_logprobs[:end], top[:end], offsets[:end])


def first_scored(scores: Scores, text: str, start: int) -> int:
    """The index of the first token of `text[start:]`.

    The tokens' texts are laid along the text from its end, or else from its front, since a BOS token or a character
    spread over several tokens can stand in the way on one side; where both fail, the server's offsets decide if every
    whole token lies where they say. Raises `ValueError` when a token reaches over the boundary, or when the tokens
    cannot be placed.
    """
    index = _from_end(scores, text, start)
    if index is None:
        index = _from_front(scores, text, start)
    if index is None:
        index = _by_offset(scores, text, start)
    if index is None:
        raise ValueError(OFF_THE_TEXT)
    # Some servers give the first pieces of a character no text; they belong to the token that completes it.
    while index > 0 and scores.tokens[index - 1] == "" and scores.logprobs[index - 1] is not None:
        index -= 1
    return index


def _from_end(scores: Scores, text: str, start: int) -> int | None:
    place, index = len(text), len(scores.tokens)
    while place > start and index > 0:
        index -= 1
        token = scores.tokens[index]
        if not text.endswith(token, 0, place):
            return None
        place -= len(token)
        if place < start:
            raise _straddles(token)
    return index if place == start else None


def _from_front(scores: Scores, text: str, start: int) -> int | None:
    place = 0
    for index, token in enumerate(scores.tokens):
        if place == start and scores.logprobs[index] is not None:
            return index
        if text.startswith(token, place):
            place += len(token)
            if place > start:
                raise _straddles(token)
        elif place > 0 or scores.logprobs[index] is not None:
            return None  # not a BOS token, the only one that may stand outside the text
    return None


def _by_offset(scores: Scores, text: str, start: int) -> int | None:
    placed = list(zip(scores.tokens, scores.offsets, strict=False))
    if not placed or not all(text.startswith(token, at) for token, at in placed if "\ufffd" not in token):
        return None
    if start in scores.offsets:
        return scores.offsets.index(start)
    before = [token for token, at in placed if at < start]
    if not before:
        return None
    raise _straddles(before[-1])


def _straddles(token: str) -> ValueError:
    return ValueError(f"the token {token[:40]!r} reaches from the context into the scored text")
