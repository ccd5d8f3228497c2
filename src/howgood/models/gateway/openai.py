"""What the endpoints of the OpenAI dialect have in common: sampling fields, usage, errors, events
(https://platform.openai.com/docs/api-reference)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from howgood.core.types import Prediction, StopReason, Usage
from howgood.models.gateway.asked import Reason, Refusal

MOST_CHOICES = 1024
LOWEST = -9999.0
"""What OpenAI gives for the log-probability of what cannot be; JSON has no infinity."""

FINISH: dict[StopReason | None, str] = {
    None: "stop",
    "stop": "stop",
    "refusal": "stop",
    "length": "length",
    "filter": "content_filter",
    "tool": "tool_calls",
}
ERRORS: dict[Reason, tuple[str, str | None]] = {
    "request": ("invalid_request_error", None),
    "key": ("invalid_request_error", "invalid_api_key"),
    "model": ("invalid_request_error", "model_not_found"),
    "path": ("invalid_request_error", "unknown_url"),
    "size": ("invalid_request_error", "request_too_large"),
    "budget": ("insufficient_quota", "insufficient_quota"),
    "failure": ("server_error", None),
}
"""Type and code of each kind of error (https://platform.openai.com/docs/guides/error-codes)."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "best_of": (1,),
    "suffix": ("",),
    "top_k": (-1, 0),
    "min_p": (0,),
    "parallel_tool_calls": (True,),
    "functions": ([],),
    "function_call": ("none",),
    "modalities": (["text"],),
    "audio": (),
    "verbosity": ("medium",),
    "web_search_options": (),
}
"""Fields that would change the answer and that no model here takes, with the values that change nothing."""

Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Stops = Annotated[list[str], Meta(max_length=64)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=1, le=128)]


class StreamOptions(Struct):
    include_usage: bool | None = None


class Common(Struct, kw_only=True):
    """Fields of both endpoints."""

    model: str
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stop: str | Stops | None = None
    seed: Seed | None = None
    n: Count | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: Any = None
    presence_penalty: Any = None
    repetition_penalty: Any = None
    logit_bias: Any = None
    top_k: Any = None
    min_p: Any = None


def sampling(asked: Common) -> dict[str, Any]:
    """The fields of a request that say how to sample. OpenAI's temperature is 1 where none is given."""
    stops = (asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ())
    return {
        "temperature": 1.0 if asked.temperature is None else asked.temperature,
        "top_p": asked.top_p,
        "stop": tuple(stop for stop in stops if stop),
    }


def check_neutral(asked: Struct) -> None:
    """Raise `Refusal` for a field that would change the answer and that no model here takes."""
    for name, neutral in NEUTRAL.items():
        value = getattr(asked, name, None)
        if value is not None and value not in neutral:
            raise Refusal("request", f"{name} is not supported here: leave it out")


def seeds(asked: Common) -> list[int | None]:
    """The seed of each of the `n` answers: a sample drawn with the same seed would be the same."""
    n = asked.n or 1
    if asked.seed is None:
        return [None] * n
    return [asked.seed + number if asked.seed + number < 2**63 else asked.seed - number for number in range(n)]


def usage_of(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """What the model read and wrote for all of them: a prompt counts as often as it was read. `cost` in US dollars is
    OpenRouter's field (https://openrouter.ai/docs/use-cases/usage-accounting)."""
    usage = sum((p.usage for p in predictions), Usage())
    told: dict[str, Any] = {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_writes},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
    costs = [p.cost for p in predictions if p.cost is not None]
    return told | {"cost": sum(costs)} if len(costs) == len(predictions) else told


def envelope(id: str, kind: str, model: str) -> dict[str, Any]:
    return {"id": id, "object": kind, "created": int(time.time()), "model": model}


def error(refusal: Refusal) -> dict[str, Any]:
    kind, code = ERRORS[refusal.reason]
    return {"error": {"message": str(refusal), "type": kind, "param": None, "code": code}}


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"
