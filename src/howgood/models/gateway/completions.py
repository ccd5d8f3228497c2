"""POST /v1/completions (https://platform.openai.com/docs/api-reference/completions), with log-probabilities of the
prompt by `echo`, as lm-evaluation-harness's `local-completions` and howgood's own HTTP models ask for them."""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from howgood.core.types import Generate, Prediction, Token
from howgood.models.base import Echo
from howgood.models.gateway import openai
from howgood.models.gateway.asked import Asked, Refusal, decode

MAX_TOKENS = 16
"""OpenAI's longest answer where the client names none."""


class _Completion(openai.Common, kw_only=True):
    prompt: str | Annotated[list[Any], Meta(min_length=1, max_length=openai.MOST_CHOICES)]
    max_tokens: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    best_of: Any = None
    suffix: Any = None


_decoder = msgspec.json.Decoder(_Completion)


class Completions:
    """The endpoint. The requests of a call are, for each prompt, the prompt's echo (with `echo` and `logprobs`) and
    then its answers (unless `max_tokens` is 0)."""

    dialect = "openai"
    prefix = "cmpl-"

    def read(self, body: bytes) -> Asked:
        asked = decode(body, _decoder)
        openai.check_neutral(asked)
        prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
        if not all(isinstance(prompt, str) for prompt in prompts):
            raise Refusal("request", "a prompt is text here, no tokens (for lm-eval: tokenized_requests=False)")
        if len(prompts) * (asked.n or 1) > openai.MOST_CHOICES:
            raise Refusal("request", f"one call can ask for {openai.MOST_CHOICES} answers, not more")
        length = MAX_TOKENS if asked.max_tokens is None else asked.max_tokens
        if length == 0 and not asked.echo:
            raise Refusal("request", "max_tokens 0 needs echo: there would be no answer")
        if asked.echo and asked.stream:
            raise Refusal("request", "echo cannot be streamed here")
        requests: list[Generate | Echo] = []
        for prompt in prompts:
            if asked.echo and asked.logprobs is not None:
                requests.append(Echo(prompt, asked.logprobs))
            common: dict[str, Any] = {"max_tokens": length, "logprobs": asked.logprobs, **openai.sampling(asked)}
            requests += [Generate(prompt, seed=seed, **common) for seed in openai.seeds(asked) if length]
        return Asked(
            asked.model,
            tuple(requests),
            stream=bool(asked.stream),
            usage=bool(asked.stream_options and asked.stream_options.include_usage),
            echoed=tuple(prompts) if asked.echo else (),
        )

    def reply(self, asked: Asked, predictions: list[Prediction], id: str) -> dict[str, Any]:
        choices = [_choice(number, prediction) for number, prediction in enumerate(predictions)]
        return openai.envelope(id, "text_completion", asked.model) | {
            "choices": _echoed(asked, predictions) if asked.echoed else choices,
            "usage": openai.usage_of(predictions),
        }

    def events(self, asked: Asked, id: str) -> CompletionEvents:
        return CompletionEvents(asked, id)

    def error(self, refusal: Refusal) -> dict[str, Any]:
        return openai.error(refusal)


class CompletionEvents:
    """The pieces of a streamed completion."""

    def __init__(self, asked: Asked, id: str) -> None:
        self.asked = asked
        self.envelope = openai.envelope(id, "text_completion", asked.model)

    def start(self) -> bytes:
        return b""

    def text(self, index: int, piece: str) -> bytes:
        return self._chunk({"index": index, "text": piece, "logprobs": None, "finish_reason": None})

    def finish(self, index: int, prediction: Prediction, told: bool) -> bytes:
        return self._chunk(_choice(index, prediction) | ({"text": ""} if told else {}))

    def end(self, predictions: list[Prediction]) -> bytes:
        used = openai.usage_of(predictions)
        last = openai.event(self.envelope | {"choices": [], "usage": used}) if self.asked.usage else b""
        return last + openai.DONE

    def error(self, refusal: Refusal) -> bytes:
        return openai.event(openai.error(refusal))

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        return openai.event(self.envelope | {"choices": [choice]})


def _choice(index: int, prediction: Prediction) -> dict[str, Any]:
    return {
        "index": index,
        "text": prediction.text or "",
        "logprobs": _logprobs(None, prediction.tokens) if prediction.tokens else None,
        "finish_reason": openai.FINISH[prediction.stop_reason],
    }


def _echoed(asked: Asked, predictions: list[Prediction]) -> list[dict[str, Any]]:
    """The choices of a call with echo: every prompt's answers, each after its prompt, or the prompt alone."""
    each = len(asked.requests) // len(asked.echoed)
    choices: list[dict[str, Any]] = []
    for number, prompt in enumerate(asked.echoed):
        requests = asked.requests[number * each : (number + 1) * each]
        found = predictions[number * each : (number + 1) * each]
        scored = [p for p, request in zip(found, requests, strict=True) if isinstance(request, Echo)]
        answers = [p for p, request in zip(found, requests, strict=True) if isinstance(request, Generate)]
        for answer in answers or [Prediction(text="", stop_reason="length")]:
            choice = _choice(len(choices), answer)
            choice["text"] = prompt + choice["text"]
            if scored:
                choice["logprobs"] = _logprobs(scored[0].text, (*scored[0].tokens, *answer.tokens))
            choices.append(choice)
    return choices


def _logprobs(first: str | None, tokens: tuple[Token, ...]) -> dict[str, Any]:
    """Parallel lists of the tokens' texts, their log-probabilities, those of the likeliest at their places, and where
    in the text they begin. The `first` token, where there is one, has no log-probability."""
    texts = [first] if first else []
    logprobs: list[float | None] = [None for _ in texts]
    tops: list[dict[str, float] | None] = [None for _ in texts]
    for token in tokens:
        texts.append(token.text)
        logprobs.append(max(token.logprob, openai.LOWEST))
        top = {text: max(logprob, openai.LOWEST) for text, logprob in token.alternatives.items()}
        top.setdefault(token.text, max(token.logprob, openai.LOWEST))
        tops.append(top)
    offsets = [0, *accumulate(map(len, texts))][: len(texts)]
    return {"tokens": texts, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}
