"""Models whose probabilities are known exactly, and baselines that only look at the request. They answer at once and
the same request always alike, so they test everything that stands above a model, and time it.

All but `NgramSource` read and write UTF-8 bytes: one token is one byte.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
import random
from abc import abstractmethod
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.types import (
    Generate,
    Likelihood,
    Loglikelihood,
    Prediction,
    Prompt,
    Request,
    Rolling,
    StopReason,
    Usage,
)
from howgood.models.base import Capabilities, Model, text_of
from howgood.models.base import Echo as EchoRequest
from howgood.models.byte_tokens import Place, byte_tokens, with_tokens
from howgood.models.stopping import until_stop

SCORES = Capabilities(loglikelihood=True, chat=True, completion=True)
WRITES = Capabilities(generate=True, chat=True, completion=True)
EVERYTHING = Capabilities(True, True, True, completion=True, chat=True, logprobs=True)
MOST_STATES = 4096
MOST_STEPS = 10_000
LONGEST_ORDER = 8


class Reference(Model):
    """Base of the models below: what they say is a function of the request and of `seed` alone, and costs no money."""

    concurrency = 32

    def __init__(self, name: str, *, seed: int = 0) -> None:
        self.name, self.seed = name, seed

    def describe(self) -> dict[str, Any]:
        return {"kind": type(self).__name__, "seed": self.seed, "dtype": "float64"}

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def detokenize(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode(errors="replace")

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        return self.tokenize(self.render(prompt))

    def _random(self, request: Request) -> random.Random:
        content = msgspec.json.encode((self.seed, request))
        return random.Random(hashlib.blake2b(content, digest_size=8).digest())

    def _drawn(self, request: Generate, data: bytes, places: Callable[[int], Sequence[Place]]) -> Prediction:
        """A prediction of sampled bytes. Those that are no UTF-8 show as U+FFFD, as from any byte-level model. `places`
        says what stands at their places, with so many alternatives."""
        text, met = until_stop(data.decode(errors="replace"), request.stop)
        prediction = self._prediction(request, text, "stop" if met else "length", len(data))
        return prediction if request.logprobs is None else with_tokens(prediction, data, places(request.logprobs))

    def _said(self, request: Generate, text: str) -> Prediction:
        """A prediction of given text, as much of it as the request has room for."""
        data = text.encode()
        room = len(data) <= request.max_tokens
        text, met = until_stop(data[: request.max_tokens].decode(errors="ignore"), request.stop)
        return self._prediction(request, text, "stop" if met or room else "length", _size(text))

    def _prediction(self, request: Generate, text: str, reason: StopReason, tokens: int) -> Prediction:
        usage = Usage(input=_size(self.render(request.prompt)), output=tokens)
        return Prediction(text=text, stop_reason=reason, usage=usage, cost=0.0)

    def _echoed(self, request: EchoRequest, scores: Sequence[Place]) -> Prediction:
        data = request.text.encode()  # its first byte has a probability too
        return Prediction(text="", tokens=byte_tokens(data, scores), usage=Usage(len(data)), cost=0.0)

    def _scored(self, prompt: Prompt, texts: Sequence[str], likelihoods: Sequence[Likelihood]) -> Prediction:
        usage = Usage(input=_size(self.render(prompt)) + sum(map(_size, texts)))
        return Prediction(likelihoods=tuple(likelihoods), usage=usage, cost=0.0)


class Uniform(Reference):
    """Gives each of `vocabulary` tokens the same probability, whatever stands before: a text of n bytes has the
    log-likelihood -n ln(vocabulary), and any text the perplexity `vocabulary`. The first 256 tokens are the bytes; the
    others are never written."""

    capabilities = EVERYTHING

    def __init__(self, name: str = "reference/uniform", *, vocabulary: int = 256, seed: int = 0) -> None:
        super().__init__(name, seed=seed)
        if vocabulary < 256:
            raise ModelError(f"{name}: the vocabulary has the 256 bytes in it, so it cannot be {vocabulary}")
        self.vocabulary = vocabulary
        self.entropy = math.log(vocabulary)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"vocabulary": self.vocabulary}

    async def generate(self, request: Generate) -> Prediction:
        data = self._random(request).randbytes(request.max_tokens)
        return self._drawn(request, data, partial(self._places, len(data)))

    async def echo(self, request: EchoRequest) -> Prediction:
        return self._echoed(request, self._places(_size(request.text), request.alternatives))

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        texts = request.continuations
        return self._scored(request.prompt, texts, [self._likelihood(text) for text in texts])

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        scored = self._likelihood(request.text)
        each = (-self.entropy,) * scored.tokens
        scored = msgspec.structs.replace(scored, token_logprobs=each, token_lengths=_lengths(request.text))
        return self._scored("", (request.text,), [scored])

    async def next_token(self, prompt: Prompt) -> Sequence[float]:
        return [-self.entropy] * self.vocabulary

    def _likelihood(self, text: str) -> Likelihood:
        size = _size(text)
        return Likelihood(-size * self.entropy, size)

    def _places(self, size: int, alternatives: int) -> list[Place]:
        return [(-self.entropy, [(byte, -self.entropy) for byte in range(alternatives)])] * size


class Constant(Reference):
    """Always writes `text`."""

    capabilities = WRITES

    def __init__(self, name: str = "reference/constant", *, text: str = "A") -> None:
        super().__init__(name)
        self.text = text

    def describe(self) -> dict[str, Any]:
        return {"kind": "Constant", "text": self.text}

    async def generate(self, request: Generate) -> Prediction:
        return self._said(request, self.text)


class Echo(Reference):
    """Writes what it was asked: the last message, or the raw text."""

    capabilities = WRITES

    def __init__(self, name: str = "reference/echo") -> None:
        super().__init__(name)

    def describe(self) -> dict[str, Any]:
        return {"kind": "Echo"}

    async def generate(self, request: Generate) -> Prediction:
        prompt = request.prompt
        return self._said(request, prompt if isinstance(prompt, str) else text_of(prompt[-1]))


class Random(Reference):
    """Guesses among choices: a continuation's likelihood is a number between 0 and 1 drawn by a hash of the seed, the
    prompt and the continuation, so that every choice is equally likely to be the highest."""

    capabilities = SCORES

    def __init__(self, name: str = "reference/random", *, seed: int = 0) -> None:
        super().__init__(name, seed=seed)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        start = hashlib.blake2b(msgspec.json.encode((self.seed, request.prompt)), digest_size=8)
        likelihoods = []
        for continuation in request.continuations:
            drawn = start.copy()
            drawn.update(continuation.encode())
            number = (int.from_bytes(drawn.digest(), "big") + 1) / 2**64
            likelihoods.append(Likelihood(math.log(number), _size(continuation)))
        return self._scored(request.prompt, request.continuations, likelihoods)


class Ngram(Reference):
    """Base of models that predict the next byte from the `order` - 1 bytes before it. `tokens` are the bytes it can
    write, in the order of `distribution`."""

    def __init__(self, name: str, tokens: bytes, order: int, seed: int) -> None:
        super().__init__(name, seed=seed)
        if not 1 <= order <= LONGEST_ORDER:
            raise ModelError(f"{name}: the order can be 1 to {LONGEST_ORDER}, not {order}")
        self.tokens, self.order = tokens, order
        self._most_likely = lru_cache(MOST_STATES)(self._find_most_likely)
        self._cumulative = lru_cache(MOST_STATES)(self._find_cumulative)

    @abstractmethod
    def distribution(self, history: bytes) -> Sequence[float]:
        """The probability of each of `tokens` after `history`, of at most `order` - 1 bytes."""

    @abstractmethod
    def probability(self, history: bytes, token: int) -> float:
        """The probability of one byte after `history`, of at most `order` - 1 bytes."""

    async def generate(self, request: Generate) -> Prediction:
        if request.top_p is not None:
            raise Unsupported(f"{self.name} samples from its whole distribution; leave out top_p")
        draw, reach = self._random(request), self.order - 1
        data = bytearray(self._bytes(self.render(request.prompt)))
        start = len(data)
        for _ in range(request.max_tokens):
            history = bytes(data[max(0, len(data) - reach) :])
            if request.temperature == 0:
                data.append(self._most_likely(history))
            else:
                sums = self._cumulative(history, request.temperature)
                data.append(self.tokens[bisect(sums, draw.random() * sums[-1], hi=len(sums) - 1)])
        return self._drawn(request, bytes(data[start:]), partial(self._places, bytes(data), start))

    async def echo(self, request: EchoRequest) -> Prediction:
        return self._echoed(request, self._places(self._bytes(request.text), 0, request.alternatives))

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        before, texts = self._bytes(self.render(request.prompt)), request.continuations
        scored = [self._likelihood(before, self._bytes(text), self.order - 1) for text in texts]
        return self._scored(request.prompt, texts, scored)

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        # The window slides by one token, so each is given as many before it as the window allows.
        reach = self.order - 1 if request.max_length is None else min(self.order - 1, request.max_length)
        scored = self._likelihood(b"", self._bytes(request.text), reach)
        scored = msgspec.structs.replace(scored, token_lengths=_lengths(request.text))
        return self._scored("", (request.text,), [scored])

    def tokenize(self, text: str) -> list[int]:
        return [self.tokens.index(byte) for byte in self._bytes(text)]

    def detokenize(self, tokens: Sequence[int]) -> str:
        return bytes(self.tokens[token] for token in tokens).decode(errors="replace")

    async def next_token(self, prompt: Prompt) -> Sequence[float]:
        before = self._bytes(self.render(prompt))
        return [math.log(p) for p in self.distribution(before[max(0, len(before) - self.order + 1) :])]

    def _bytes(self, text: str) -> bytes:
        return text.encode()

    def _likelihood(self, before: bytes, text: bytes, reach: int) -> Likelihood:
        whole, logprobs, greedy = before + text, [], True
        for place in range(len(before), len(whole)):
            history = whole[max(0, place - reach) : place]
            logprobs.append(math.log(self.probability(history, whole[place])))
            greedy = greedy and whole[place] == self._most_likely(history)
        return Likelihood(math.fsum(logprobs), len(logprobs), greedy, tuple(logprobs))

    def _places(self, data: bytes, start: int, alternatives: int) -> list[Place]:
        places: list[Place] = []
        for place in range(start, len(data)):
            history = data[max(0, place - self.order + 1) : place]
            known = zip(self.tokens, map(math.log, self.distribution(history)), strict=True)
            best = heapq.nlargest(alternatives, known, key=itemgetter(1))
            places.append((math.log(self.probability(history, data[place])), best))
        return places

    def _find_most_likely(self, history: bytes) -> int:
        weights = self.distribution(history)
        return self.tokens[max(range(len(weights)), key=weights.__getitem__)]

    def _find_cumulative(self, history: bytes, temperature: float) -> list[float]:
        return list(itertools.accumulate(p ** (1 / temperature) for p in self.distribution(history)))


class NgramSource(Ngram):
    """A stationary source of text over a small `alphabet` of ASCII characters: the next one depends on the `order` - 1
    before it, by transition probabilities drawn by `seed` from the flat Dirichlet distribution.

    The first characters of a text follow the source's stationary distribution, so it writes text that is typical from
    the start. `entropy` is its entropy rate in nats a token (Cover and Thomas, Elements of Information Theory, 2006,
    section 4.2): the perplexity of a long text of its own tends to exp(entropy).
    """

    capabilities = Capabilities(True, True, True, completion=True, logprobs=True)

    def __init__(self, name: str = "reference/ngram", *, alphabet: str = "abcd", order: int = 2, seed: int = 0) -> None:
        super().__init__(name, alphabet.encode(), order, seed)
        if not alphabet.isascii() or not 2 <= len(set(alphabet)) == len(alphabet):
            raise ModelError(f"{name}: the alphabet must be at least two different ASCII characters")
        if len(alphabet) ** (order - 1) > MOST_STATES:
            raise ModelError(f"{name}: {len(alphabet)} characters at order {order} make more than {MOST_STATES} states")
        self._place = {token: place for place, token in enumerate(self.tokens)}
        self._distributions, self.entropy = self._build()

    def describe(self) -> dict[str, Any]:
        told = {"alphabet": self.tokens.decode(), "order": self.order, "entropy": self.entropy}
        return super().describe() | told

    def distribution(self, history: bytes) -> Sequence[float]:
        return self._distributions[history]

    def probability(self, history: bytes, token: int) -> float:
        return self._distributions[history][self._place[token]]

    def _bytes(self, text: str) -> bytes:
        data = text.encode()
        if strange := data.translate(None, self.tokens):
            raise RequestError(
                f"{self.name} only knows the characters {self.tokens.decode()}, not {chr(strange[0])!r}: "
                "its probability is zero"
            )
        return data

    def _build(self) -> tuple[dict[bytes, list[float]], float]:
        """The distribution after every history of up to `order` - 1 tokens, and the entropy rate."""
        import numpy as np

        draw = random.Random(f"{self.seed}/{self.tokens!r}/{self.order}")
        size, reach = len(self.tokens), self.order - 1
        states = [bytes(state) for state in itertools.product(self.tokens, repeat=reach)]
        after = np.array([[draw.expovariate(1.0) for _ in range(size)] for _ in states])
        after /= after.sum(axis=1, keepdims=True)
        # block[i] is the stationary probability of state i; a step shifts a token in and the oldest out.
        block = np.full(len(states), 1 / len(states))
        for _ in range(MOST_STEPS if reach else 0):
            before, block = block, (block[:, None] * after).reshape(size, -1).sum(axis=0)
            if np.abs(block - before).sum() < 1e-15:
                break
        entropy = -float((block[:, None] * after * np.log(after)).sum())
        distributions = dict(zip(states, after.tolist(), strict=True))
        for length in range(reach):  # fewer tokens before: what the stationary distribution says of them
            joint = block.reshape(size**length, size, -1).sum(axis=2)
            shorter = (bytes(state) for state in itertools.product(self.tokens, repeat=length))
            distributions |= zip(shorter, (joint / joint.sum(axis=1, keepdims=True)).tolist(), strict=True)
        return distributions, entropy


class FittedNgram(Ngram):
    """Predicts bytes from counts in a `file`, whatever it holds: a real baseline for compression and perplexity.

    Orders are interpolated by Witten and Bell's method C (IEEE Trans. Inf. Theory 37(4), 1991), down to the uniform
    distribution, so every byte has a probability after any history and they sum to one:
    p(b | h) = (count(hb) + kinds(h) p(b | h')) / (count(h) + kinds(h)), h' being h without its oldest byte and
    kinds(h) the number of different bytes seen after h. The file is read by the first request.
    """

    capabilities = EVERYTHING

    def __init__(self, name: str = "reference/fitted", *, file: str, order: int = 4, seed: int = 0) -> None:
        super().__init__(name, bytes(range(256)), order, seed)
        self._file = Path(file)
        if not self._file.is_file():
            raise ModelError(f"{name}: there is no file {file} to count")

    def describe(self) -> dict[str, Any]:
        from howgood.inputs.files import digest

        return super().describe() | {"order": self.order, "file": self._file.name, "sha256": digest(self._file)}

    def distribution(self, history: bytes) -> Sequence[float]:
        mixed = [1 / 256] * 256
        for seen, total in self._suffixes(history):
            kinds = len(seen)
            mixed = [(seen[token] + kinds * p) / (total + kinds) for token, p in enumerate(mixed)]
        return mixed

    def probability(self, history: bytes, token: int) -> float:
        mixed = 1 / 256
        for seen, total in self._suffixes(history):
            kinds = len(seen)
            mixed = (seen[token] + kinds * mixed) / (total + kinds)
        return mixed

    def _suffixes(self, history: bytes) -> Iterator[tuple[Counter[int], int]]:
        """What was counted after each suffix of a history, the shortest first, as far as it was ever seen."""
        for length in range(len(history) + 1):
            counted = self._counts.get(history[len(history) - length :])
            if counted is None:
                return
            yield counted

    @cached_property
    def _counts(self) -> dict[bytes, tuple[Counter[int], int]]:
        data = self._file.read_bytes()
        after: dict[bytes, Counter[int]] = defaultdict(Counter)
        for length in range(1, self.order + 1):
            grams = Counter(data[place : place + length] for place in range(len(data) - length + 1))
            for gram, count in grams.items():
                after[gram[:-1]][gram[-1]] = count
        return {history: (seen, seen.total()) for history, seen in after.items()}


def _lengths(text: str) -> tuple[int, ...]:
    """The characters of each byte of a text: the last byte of a character has it."""
    return tuple(int(last) for letter in text for last in (*[0] * (_size(letter) - 1), 1))


def _size(text: str) -> int:
    return len(text.encode())
