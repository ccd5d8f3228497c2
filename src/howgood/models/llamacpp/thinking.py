"""Thinking that nothing marks: templates such as DeepSeek-R1's end the prompt with `<think>`, and llama.cpp (xllamacpp
2026.10), which keeps the thinking of newer ones apart, takes all that follows for the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec.structs import replace

from howgood.core.types import Prediction
from howgood.models.base import THINKING, split_thinking
from howgood.models.llamacpp.process import Process
from howgood.models.stopping import until_stop
from howgood.models.streaming import Unthought, Until

PROBE = {"messages": [{"role": "user", "content": "Hi"}]}


def is_unmarked(process: Process) -> bool:
    """Whether the model's template begins its thinking and llama.cpp does not see it."""
    if not str(process.ask("/apply-template", PROBE)["prompt"]).rstrip().endswith(THINKING[0]):
        return False
    reply = process.ask("/v1/chat/completions", PROBE | {"max_tokens": 4, "temperature": 0})
    return not reply["choices"][0]["message"].get("reasoning_content")


def apart(prediction: Prediction, stops: tuple[str, ...]) -> Prediction:
    """The prediction with its thinking kept apart and the stop strings applied to its answer."""
    reasoning, text = prediction.reasoning, prediction.text or ""
    if reasoning is None:  # the end of the thinking was not reached
        reasoning, text = split_thinking(THINKING[0] + text)
    text, met = until_stop(text, stops)
    return replace(
        prediction,
        text=text,
        reasoning=reasoning,
        stop_reason="stop" if met else prediction.stop_reason,
        tokens=prediction.tokens if text == prediction.text else (),
    )


async def stream_apart(
    pieces: AsyncIterator[str | Prediction], stops: tuple[str, ...]
) -> AsyncIterator[str | Prediction]:
    """The pieces of the answer without those of the thinking, up to a stop string."""
    answer, until = Unthought(), Until(stops)
    answer.feed(THINKING[0])
    async for piece in pieces:
        if isinstance(piece, Prediction):
            if rest := until.end():
                yield rest
            yield apart(piece, stops)
        elif fresh := until.feed(answer.feed(piece)):
            yield fresh
