"""Log-probabilities of given texts as vLLM serves them: /completions with `prompt_logprobs`, which tells of each token
of the prompt its rank, and scores several prompts in one request
(https://docs.vllm.ai/en/latest/serving/openai_compatible_server/)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.types import Usage
from howgood.models.dialects import ErrorReply, MalformedReply
from howgood.models.dialects.echo import Scores, in_order
from howgood.models.dialects.openai import read_reply, usage_of

NONE_GIVEN = "it gives no prompt_logprobs (try ,scoring=echo)"


class _Place(Struct):
    logprob: float
    decoded_token: str | None = None


_Places = list[dict[str, _Place] | None]


def score_body(model: str, texts: Sequence[str], alternatives: int) -> dict[str, Any]:
    """The body of a request for the log-probabilities of texts. The one token that vLLM cannot but generate falls off
    the pass over the prompt, and is not given."""
    return {
        "model": model,
        "prompt": texts[0] if len(texts) == 1 else list(texts),
        "prompt_logprobs": max(1, alternatives),
        "max_tokens": 1,
        "temperature": 0,
    }


def read_scores(body: bytes, texts: Sequence[str]) -> tuple[list[Scores], Usage]:
    """The log-probabilities in a reply to a `score_body` request, text by text. Raises `MalformedReply`, or
    `ErrorReply` when the server gives none."""
    reply = read_reply(body)
    choices = in_order(reply.choices, len(texts))
    scores = [_scores(choice.prompt_logprobs, text) for choice, text in zip(choices, texts, strict=True)]
    return scores, usage_of(reply.usage)


def _scores(given: Any, text: str) -> Scores:
    """Each place holds the prompt's token first, then the likeliest. Of the first token vLLM tells nothing: it is what
    the others leave of the text, or stands outside (BOS)."""
    if given is None:
        raise ErrorReply(NONE_GIVEN, 501)
    try:
        places = msgspec.convert(given, _Places)
    except msgspec.ValidationError as error:
        raise MalformedReply(f"the reply's prompt_logprobs have another form ({error})") from None
    if not places or places[0] is not None or not all(places[1:]):
        raise MalformedReply("the reply's prompt_logprobs do not begin at the second token")
    top = [{place.decoded_token or "": place.logprob for place in (at or {}).values()} for at in places[1:]]
    chosen = [next(iter(at.values())) for at in places[1:] if at]
    tokens = [place.decoded_token or "" for place in chosen]
    rest = "".join(tokens)
    first = text[: len(text) - len(rest)] if text.endswith(rest) else ""
    return Scores([first, *tokens], [None, *(place.logprob for place in chosen)], [None, *top], [])
