"""The model under test: asked, counted, and with texts to put to it that it can read."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct

from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Likelihood, Loglikelihood, Message, Prediction, Prompt, Request, Rolling, Usage
from howgood.models.base import Echo, Model
from howgood.models.inside import Tokenizes

T = TypeVar("T")
Verdict = Literal["ok", "doubtful", "wrong", "cannot be told"]

PASSAGES = (
    "On Monday morning the ferry left the harbour an hour late, because nobody could find the key to the fuel pump. "
    "The passengers did not mind: they sat in the sun, drank coffee and watched the gulls.",
    "My grandmother kept bees behind the old school. Every summer she sold forty jars of honey at the market, and she "
    "always saved the last one for the postman.",
    "Water boils at a lower temperature on a mountain, so an egg has to be cooked for longer there than at the sea.",
)
"""Plain English, written for this purpose: in no model's training data before howgood was."""
BEGINNINGS = (
    "The capital of France is",
    "She opened the door and saw",
    "The colour of a clear sky is",
    "Once upon a time there was",
    "In the morning he drinks a cup of",
    "The first month of the year is",
)
OWN_TEXT = 120
"""Tokens of each text that a model writes itself, where it cannot read ours."""

PRECISION = {"float64": 1e-6, "float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-1}
"""Nats a token by which arithmetic alone may change a log-probability: logits of about 30, times the type's epsilon
(6e-8, 5e-4, 4e-3), times what a few hundred roundings add up to in float32."""
UNKNOWN_PRECISION = 2e-2
"""Where a model does not say how it computes: servers mostly compute in bfloat16 and answer nearer than its worst."""


class Finding(Struct, frozen=True, omit_defaults=True):
    """What a check found: its verdict, the figure in words, `value` and `tolerance` where the figure is one number
    (in the same unit), and what it took."""

    name: str
    verdict: Verdict
    figure: str
    why: str
    value: float | None = None
    tolerance: float | None = None
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Found(Struct, frozen=True):
    """A verdict and its figure, without the name and reason of the check that found it."""

    verdict: Verdict
    figure: str
    value: float | None = None
    tolerance: float | None = None


class CannotBeTold(Exception):
    """Why a check has nothing to go by: its text is the reason."""


class Probe:
    """A model, the texts to put to it (English, or its own where it cannot read that), and what it was asked so far.

    `seed` makes everything drawn here repeatable; no two samples share one.
    """

    def __init__(self, model: Model, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self.able = model.capabilities
        self.described = model.describe()
        # A GGUF file can have two engines; what is looked at here is first of all what scores.
        told = self.described.get("scores")
        self.two_engines = isinstance(told, dict)
        self._scorer: dict[str, Any] = told if isinstance(told, dict) else self.described
        self.passages: Sequence[str] = PASSAGES
        self.beginnings: Sequence[str] = BEGINNINGS
        self.requests, self.usage = 0, Usage()
        self.cost: float | None = 0.0
        self.failure: RequestError | None = None  # one that every request may share
        self._samples = 0
        self._echoed: dict[str, list[str] | None] = {}

    @property
    def tokens(self) -> int:
        return self.usage.input + self.usage.output

    @property
    def precision(self) -> str:
        return str(self._scorer.get("dtype", "unknown"))

    @property
    def tolerance(self) -> float:
        """Nats a token by which arithmetic alone may change a log-probability of this model."""
        return PRECISION.get(self.precision, UNKNOWN_PRECISION)

    @property
    def prefix(self) -> str:
        """The text of the token that the model sets before a text; empty where it does not say."""
        told = self._scorer.get("prefix")
        return str(told["text"] if isinstance(told, dict) else told or "")

    async def learn(self) -> None:
        """Find texts that the model can read: where it has no tokens for English, it writes some itself."""
        try:
            if self.able.loglikelihood:
                await self.score(self.beginnings[0], " Paris")
            elif self.able.generate:
                await self.write(self.beginnings[0], 1)
        except (RequestError, Unsupported):
            if not (self.able.generate and self.able.completion):
                return
            try:
                texts = [(await self.sample("", OWN_TEXT)).text or "" for _ in PASSAGES]
            except (RequestError, Unsupported):
                return
            if all(len(text) >= OWN_TEXT // 2 for text in texts):
                self.passages = texts
                self.beginnings = [texts[i % len(texts)][start : start + 12] for i, start in enumerate(range(0, 30, 5))]

    def prompt(self, text: str) -> Prompt:
        """A text as this model takes it: raw, or as a message to a model that only chats."""
        return text if self.able.completion else (Message("user", text),)

    async def send(self, request: Request) -> Prediction:
        self.requests += 1
        prediction = await self.model.send(request)
        if prediction.error is not None:
            raise RequestError(prediction.error)
        self._count(prediction)
        return prediction

    async def write(self, text: str, tokens: int, logprobs: int | None = None) -> Prediction:
        """What the model writes after `text` at temperature 0."""
        return await self.send(Generate(self.prompt(text), max_tokens=tokens, logprobs=logprobs))

    async def sample(self, text: str, tokens: int) -> Prediction:
        """A sample at temperature 1, by a seed of its own."""
        self._samples += 1
        seed = (self.seed * 1_000_003 + self._samples) % 2**31
        return await self.send(Generate(self.prompt(text), max_tokens=tokens, temperature=1.0, seed=seed))

    async def score(self, prompt: Prompt, continuation: str) -> Likelihood:
        return (await self.send(Loglikelihood(prompt, (continuation,)))).likelihoods[0]

    async def score_text(self, text: str, max_length: int | None = None) -> Likelihood:
        return (await self.send(Rolling(text, max_length))).likelihoods[0]

    async def pieces(self, text: str) -> Sequence[int | str] | None:
        """The tokens of a text: their ids, or the texts of those that a server echoes. None: they cannot be had."""
        if isinstance(self.model, Tokenizes):
            return self.model.tokenize(text)
        if text not in self._echoed:
            self._echoed[text] = await self.echoed(text)
        return self._echoed[text]

    async def echoed(self, text: str) -> list[str] | None:
        """The texts of the tokens that a server says a text has. None: it does not say."""
        if not self.able.loglikelihood:
            return None
        self.requests += 1
        try:
            prediction = await self.model.echo(Echo(text))
        except Unsupported:
            self.requests -= 1
            return None
        self._count(prediction)
        # What has no log-probability is the text's first token, or one that the server sets before it.
        unscored = prediction.text or ""
        first = [unscored] if unscored and text.startswith(unscored) else []
        return [*first, *(token.text for token in prediction.tokens)]

    def _count(self, prediction: Prediction) -> None:
        self.usage += prediction.usage
        self.cost = None if self.cost is None or prediction.cost is None else self.cost + prediction.cost

    async def extends(self, text: str, continuation: str) -> bool:
        """Whether the tokens of `text` stay what they are when `continuation` follows, so that it is scored after
        what it would be written after."""
        before, whole = await self.pieces(text), await self.pieces(text + continuation)
        if before is None or whole is None:
            return text[-1:].isalnum() and not continuation[:1].isalnum()
        return list(whole[: len(before)]) == list(before) and len(whole) > len(before)


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of requests that are in flight at once; when one fails, the others are given up."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def difference(a: Likelihood, b: Likelihood) -> float:
    """The largest difference between two likelihoods of one text, in nats a token: of any token's where both tell
    them, else of their means."""
    if len(a.token_logprobs) == len(b.token_logprobs) > 0:
        return max(abs(x - y) for x, y in zip(a.token_logprobs, b.token_logprobs, strict=True))
    return abs(a.logprob - b.logprob) / max(1, a.tokens, b.tokens)


def brief(value: float) -> str:
    """A small number in two digits."""
    return f"{value:.2g}"


def judged(value: float, tolerance: float) -> Verdict:
    """Within the tolerance, within ten times of it, or beyond."""
    if value <= tolerance:
        return "ok"
    return "doubtful" if value <= 10 * tolerance else "wrong"


def cut(text: str, place: int) -> int:
    """Where the last word before `place` ends, so that a cut there is between tokens; `place` where there are no
    words."""
    space = text.rfind(" ", 1, place)
    return space if space > 0 else place
