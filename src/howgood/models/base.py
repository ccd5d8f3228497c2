"""What a model is: something that answers requests, each kind only where it truly can."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Loglikelihood, Message, Prediction, Prompt, Request, Rolling, Usage

TRIAL: ContextVar[tuple[str, int]] = ContextVar("TRIAL")
"""The trial a request belongs to, as (instance id, epoch from 0); set by the engine, unset outside a run. Only a model
that looks its answers up may read it: what a model says depends on the request alone."""

LANE: ContextVar[int] = ContextVar("LANE")
"""Which of a model's lanes a request is in (see `Model.lanes`); set by the engine, unset outside a run."""

THINKING = ("<think>", "</think>")
"""How models that think in their text mark where that begins and ends (DeepSeek-R1, Qwen3)."""


class Echo(Struct, frozen=True, omit_defaults=True, tag="echo"):
    """A request for the log-probability of each token of `text` after those before it, with the `alternatives`
    likeliest tokens at each place. Nothing but the text is given to the model, no prefix token that the model's
    tokenizer does not set itself."""

    text: str
    alternatives: int = 0


class Capabilities(Struct, frozen=True):
    """What a model can do, known before the run begins. `chat` means it takes messages (a chat template or a chat
    endpoint); `completion` that it continues raw text; `images` that messages may hold images; `tools` that it can call
    tools; `schema` that its answer can be held to a JSON Schema; `logprobs` that it gives the log-probabilities of what
    it generates; `effort` that it can be told how long to think; `samples` that a request asked
    again can have another answer. `remedy` is a command after which it would give log-likelihoods, if it does not."""

    generate: bool = False
    loglikelihood: bool = False
    loglikelihood_rolling: bool = False
    completion: bool = False
    chat: bool = False
    images: bool = False
    tools: bool = False
    schema: bool = False
    logprobs: bool = False
    effort: bool = False
    samples: bool = True
    remedy: str = ""


class Model:
    """Base of all models. A subclass overrides what its `capabilities` promise.

    Methods are safe to call concurrently from one event loop; a local model gathers what is in flight into batches.
    `concurrency` is how many requests in flight the model can make good use of. A request that fails for good raises
    `RequestError`. Loading anything heavy waits until the first request, so that a prompt can be looked at for free.
    `paid` says that its answers cost money, so that none is asked for twice (see `models/cache.py`); `share` is what
    it takes of its price, also of the user's own one: half in batches.
    """

    name: str
    capabilities: Capabilities
    concurrency: int = 1
    paid: bool = False
    share: float = 1.0

    def describe(self) -> dict[str, Any]:
        """What identifies the model beyond its name: revision, dtype, prefix token, context length, template digest.
        Plain JSON values; never a secret."""
        return {}

    def render(self, prompt: Prompt) -> str:
        """The exact text the model is given for a prompt (chat template applied), as far as it can be known here."""
        if isinstance(prompt, str):
            return prompt
        return "\n\n".join(f"[{m.role}]\n{text_of(m)}" for m in prompt)

    def check_request(self, request: Generate) -> None:
        """Raises `Unsupported` for a request that could not be sent, as far as that can be known here."""

    def lanes(self, request: Request) -> int:
        """How many requests like this one are read side by side, each best after one that begins like it, since what
        was read is remembered; 0 where the order is all the same."""
        return 0

    async def generate(self, request: Generate) -> Prediction:
        raise Unsupported(f"{self.name} cannot generate text")

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        """The answer piece by piece as it is written, and last the whole prediction. A model that cannot write so gives
        its answer in one piece."""
        prediction = await self.generate(request)
        if prediction.text:
            yield prediction.text
        yield prediction

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        raise Unsupported(f"{self.name} cannot score given text: it gives no log-likelihoods")

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        raise Unsupported(f"{self.name} cannot score whole texts: it gives no log-likelihoods")

    async def echo(self, request: Echo) -> Prediction:
        """The text's tokens with their log-probabilities, as the prediction's `tokens`. Those at its start that nothing
        stands before, so that they have none (for most models the first token), are the prediction's `text`."""
        raise Unsupported(f"{self.name} gives no log-probabilities of the tokens of a given text")

    async def send(self, request: Request) -> Prediction:
        """Answer a request of any kind."""
        if isinstance(request, Generate):
            return await self.generate(request)
        if isinstance(request, Loglikelihood):
            return await self.loglikelihood(request)
        return await self.loglikelihood_rolling(request)

    def price(self, usage: Usage) -> float | None:
        """What one request of so many tokens costs, in US dollars, before any is sent; None where it is not known."""
        return None if self.paid else 0.0

    async def check(self) -> None:
        """Whether the model can be called at all: its key is there, its server answers. Costs nothing. Raises
        `ModelError`."""

    async def close(self) -> None:
        """Let go of connections, threads and memory."""


def split_thinking(text: str) -> tuple[str | None, str]:
    """The thinking at the start of a text, `<think>...</think>`, and the answer after it; None where nothing was marked
    as thinking. Thinking that was cut off leaves an empty answer: nothing in it was meant as one. The opening mark may
    be missing, since some chat templates put it into the prompt (DeepSeek-R1's)."""
    opening, closing = THINKING
    start = text.lstrip()
    thinking, closed, answer = start.removeprefix(opening).partition(closing)
    if not start.startswith(opening) and (not closed or opening in thinking):
        return None, text
    return thinking.strip(), answer.lstrip() if closed else ""


def text_of(message: Message) -> str:
    """The text of a message; an image stands as `[image/png, 1234 bytes]`."""
    if isinstance(message.content, str):
        return message.content
    return "".join(
        part.text if hasattr(part, "text") else f"[{part.media_type}, {len(part.data)} bytes]"
        for part in message.content
    )
