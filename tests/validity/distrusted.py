"""Models with one fault each, and the honest ones they are made of."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.types import Generate, Likelihood, Loglikelihood, Prediction, Prompt, Rolling
from howgood.models.base import Echo
from howgood.models.reference import FittedNgram, NgramSource
from howgood.validity.trust.steadiness import GREEDY

ENGLISH = (
    "The village lies on a small island in the north. In the morning the men go out to the sea, and in the evening "
    "they come back with fish. She had never seen the house, but she knew the way to it. There was a tree in the "
    "garden, and under the tree there was a table with a lamp, a book, and a cup of tea. It was the first day of May. "
)


def english(folder: Path) -> Path:
    """A file of English text to count bytes in."""
    file = folder / "english.txt"
    file.write_text(ENGLISH)
    return file


def changed(prediction: Prediction, logprob: float) -> Prediction:
    """A prediction with so much added to each of its log-probabilities."""
    return msgspec.structs.replace(
        prediction,
        likelihoods=tuple(
            Likelihood(
                one.logprob + logprob * one.tokens,
                one.tokens,
                one.greedy,
                tuple(p + logprob for p in one.token_logprobs),
            )
            for one in prediction.likelihoods
        ),
    )


class TooMuch(NgramSource):
    """Its probabilities sum to 1.3."""

    def probability(self, history: bytes, token: int) -> float:
        return 1.3 * super().probability(history, token)

    def distribution(self, history: bytes) -> Sequence[float]:
        return [1.3 * p for p in super().distribution(history)]


class Tempered(NgramSource):
    """Scores with temperature 1.5 what it writes with 1."""

    def probability(self, history: bytes, token: int) -> float:
        weights = [p ** (1 / 1.5) for p in self.distribution(history)]
        return super().probability(history, token) ** (1 / 1.5) / math.fsum(weights)


class Biased(NgramSource):
    """Never writes its last token, and scores as if it did."""

    def _find_cumulative(self, history: bytes, temperature: float) -> list[float]:
        sums = super()._find_cumulative(history, temperature)
        return [*sums[:-1], sums[-2]]


class Joining(NgramSource):
    """Rewards long continuations."""

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        prediction = await super().loglikelihood(request)
        long = [one.tokens > 70 for one in prediction.likelihoods]
        return changed(prediction, 0.01) if all(long) else prediction


class Crowded(NgramSource):
    """Scores otherwise when it has more than one request in flight."""

    now = 0

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        self.now += 1
        await asyncio.sleep(0)
        crowd = self.now
        try:
            return changed(await super().loglikelihood(request), 0.001 * (crowd > 1))
        finally:
            self.now -= 1


class Remembering(NgramSource):
    """Scores a long text otherwise when it comes again."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.seen: Counter[Loglikelihood] = Counter()

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        self.seen[request] += 1
        long = len(request.prompt) > 300
        return changed(await super().loglikelihood(request), 0.001 * (long and self.seen[request] > 1))


class OutOfOrder(NgramSource):
    """Takes the first of several continuations for another."""

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        prediction = await super().loglikelihood(request)
        first, *rest = prediction.likelihoods
        likelihoods = (msgspec.structs.replace(first, logprob=first.logprob - 1, token_logprobs=()), *rest)
        return prediction if not rest else msgspec.structs.replace(prediction, likelihoods=likelihoods)


class Restless(NgramSource):
    """Writes something else each time, also at temperature 0."""

    asked = 0

    async def generate(self, request: Generate) -> Prediction:
        self.asked += 1
        if request.temperature == 0:
            request = msgspec.structs.replace(request, temperature=1.0, seed=self.asked)
        return await super().generate(request)


class Distracted(NgramSource):
    """Writes something else at temperature 0 when it has more than one request in flight."""

    now = 0

    async def generate(self, request: Generate) -> Prediction:
        self.now += 1
        await asyncio.sleep(0)
        if request.temperature == 0 and self.now > 1:
            request = msgspec.structs.replace(request, temperature=1.0, seed=self.now)
        try:
            return await super().generate(request)
        finally:
            self.now -= 1


class Modest(NgramSource):
    """Calls nothing greedy."""

    def _likelihood(self, before: bytes, text: bytes, reach: int) -> Likelihood:
        return msgspec.structs.replace(super()._likelihood(before, text, reach), greedy=False)


class TwoEngines(NgramSource):
    """One engine writes and another scores, which calls the first of the answers it is asked for not greedy."""

    doubted: bytes | None = None

    def describe(self) -> dict[str, Any]:
        return {"kind": "gguf", "scores": super().describe() | {"dtype": "float16"}}

    def _likelihood(self, before: bytes, text: bytes, reach: int) -> Likelihood:
        found = super()._likelihood(before, text, reach)
        if found.greedy and len(text) >= GREEDY:
            self.doubted = self.doubted or before + text
        return msgspec.structs.replace(found, greedy=found.greedy and before + text != self.doubted)


class Greedy(NgramSource):
    """Calls everything greedy."""

    def _likelihood(self, before: bytes, text: bytes, reach: int) -> Likelihood:
        return msgspec.structs.replace(super()._likelihood(before, text, reach), greedy=True)


class Unbegun(NgramSource):
    """Leaves the first token of a text out."""

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        [whole] = (await super().loglikelihood_rolling(request)).likelihoods
        logprobs = whole.token_logprobs[1:]
        return Prediction(likelihoods=(Likelihood(math.fsum(logprobs), len(logprobs), False, logprobs),))


class Forgetful(NgramSource):
    """Loses a token where a text is cut into windows."""

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        prediction = await super().loglikelihood_rolling(request)
        if request.max_length is None:
            return prediction
        [whole] = prediction.likelihoods
        logprobs = whole.token_logprobs[:-1]
        return Prediction(likelihoods=(Likelihood(math.fsum(logprobs), len(logprobs), False, logprobs),))


class Spaceless(FittedNgram):
    """Loses spaces that follow each other."""

    def detokenize(self, tokens: Sequence[int]) -> str:
        text = super().detokenize(tokens)
        while "  " in text:
            text = text.replace("  ", " ")
        return text


class TwiceBegun(FittedNgram):
    """Sets its BOS token before a prompt whose template has written it already."""

    bos = "<s>"

    def render(self, prompt: Prompt) -> str:
        return prompt if isinstance(prompt, str) else self.bos + super().render(prompt)

    def tokenize(self, text: str) -> list[int]:
        begins = text.startswith(self.bos)
        return [256] * begins + super().tokenize(text.removeprefix(self.bos))

    def detokenize(self, tokens: Sequence[int]) -> str:
        count = sum(token == 256 for token in tokens)
        return self.bos * count + super().detokenize(tokens[count:])

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        return [256, *self.tokenize(self.render(prompt))]


class Mispelled(FittedNgram):
    """Echoes its tokens as its vocabulary writes them, not as they stand in the text."""

    async def echo(self, request: Echo) -> Prediction:
        prediction = await super().echo(request)
        tokens = tuple(msgspec.structs.replace(t, text=t.text.replace(" ", "Ġ")) for t in prediction.tokens)
        return msgspec.structs.replace(prediction, tokens=tokens)


class Exaggerating(FittedNgram):
    """Gives the likeliest tokens together more than a probability of one."""

    async def generate(self, request: Generate) -> Prediction:
        prediction = await super().generate(request)
        tokens = [
            msgspec.structs.replace(token, logprob=0.0, alternatives=dict.fromkeys(token.alternatives, -0.1))
            for token in prediction.tokens
        ]
        return msgspec.structs.replace(prediction, tokens=tuple(tokens))
