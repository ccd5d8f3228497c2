"""Log-probabilities of the tokens of given texts, with the likeliest tokens at each place."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from howgood.core.errors import RequestError
from howgood.core.types import Prediction, Token, Usage
from howgood.models.huggingface import plan
from howgood.models.huggingface.encode import Encoder
from howgood.models.huggingface.network import Network, failure, is_out_of_memory
from howgood.models.huggingface.worker import Job

Place = tuple[float, list[tuple[int, float]]]
"""What stands at one place: the token's log-probability, and the likeliest tokens there with theirs."""


@dataclass(eq=False)
class EchoJob(Job):
    """A request for the log-probabilities of all `tokens` but the first, with so many `alternatives`."""

    tokens: list[int]
    alternatives: int

    def take(self, places: list[Place], encoder: Encoder, seconds: float) -> None:
        if any(math.isnan(logprob) for logprob, _ in places):
            self.fail(RequestError("the model's log-probabilities are not numbers: use dtype=float32"))
            return
        tokens = tokens_of(encoder, self.tokens, places)
        [first] = encoder.spell(self.tokens[:1])
        usage = Usage(len(self.tokens))
        self.answer(Prediction(text=first, tokens=tokens, usage=usage, latency=seconds, cost=0.0))


class Echoer:
    """The texts that wait, and one step: forward a batch of them. `budget` is in tokens, padding included."""

    def __init__(self, network: Network, encoder: Encoder, budget: int) -> None:
        self.network, self.encoder, self.budget = network, encoder, budget
        self.waiting: list[EchoJob] = []

    def add(self, job: EchoJob) -> None:
        self.waiting.append(job)

    def step(self) -> None:
        """Forward one batch and answer its jobs. A batch that does not fit in memory is tried again with half the
        budget; whatever else goes wrong fails its jobs alone."""
        self.waiting = [job for job in self.waiting if not job.done]
        if not self.waiting:
            return
        batch = [self.waiting[i] for i in plan.batch([len(job.tokens) for job in self.waiting], self.budget)]
        start = time.perf_counter()
        try:
            found = self._forward(batch)
        except Exception as error:
            if is_out_of_memory(error) and len(batch) > 1:
                self.budget = max(1, len(batch) * max(len(job.tokens) for job in batch) // 2)
                return
            for job in batch:
                job.fail(failure(error, len(job.tokens)))
            return
        seconds = (time.perf_counter() - start) / len(batch)
        for job, places in zip(batch, found, strict=True):
            job.take(places, self.encoder, seconds)

    def _forward(self, batch: Sequence[EchoJob]) -> list[list[Place]]:
        """What stands at each job's places, from one forward of all, padded on the right (which no token sees)."""
        length = max(len(job.tokens) for job in batch)
        tokens = torch.tensor([job.tokens + [0] * (length - len(job.tokens)) for job in batch])
        tokens = tokens.to(self.network.device)
        positions = torch.arange(length, device=self.network.device).expand(len(batch), length)
        states = self.network.states(tokens, positions)
        return [
            self._places(states[row], tokens[row, 1 : len(job.tokens)], job.alternatives)
            for row, job in enumerate(batch)
        ]

    def _places(self, states: torch.Tensor, targets: torch.Tensor, alternatives: int) -> list[Place]:
        places: list[Place] = []
        size = self.network.logits_at_once
        for start in range(0, len(targets), size):
            target = targets[start : start + size]
            places += read_places(self.network.logits(states[start : start + len(target)]), target, alternatives)
        return places


def read_places(logits: torch.Tensor, targets: torch.Tensor, alternatives: int) -> list[Place]:
    """What stands at n places, from their logits (float32, n x vocabulary) and their tokens (n)."""
    sums = logits.logsumexp(-1, keepdim=True)
    own = (logits.gather(-1, targets[:, None]) - sums)[:, 0].tolist()
    best, ids = logits.topk(min(alternatives, logits.shape[-1]), -1)
    rows = zip(own, ids.tolist(), (best - sums).tolist(), strict=True)
    return [(p, list(zip(others, ps, strict=True))) for p, others, ps in rows]


def tokens_of(
    encoder: Encoder, tokens: Sequence[int], places: Sequence[Place], special: bool = True
) -> tuple[Token, ...]:
    """The last `len(places)` of `tokens`, with their texts and what stands at their places."""
    texts = encoder.spell(tokens, special)[len(tokens) - len(places) :]
    found = []
    for token, text, (logprob, best) in zip(tokens[len(tokens) - len(places) :], texts, places, strict=True):
        alternatives: dict[str, float] = {}
        for other, p in best:  # the likeliest first; two tokens can look alike where each is part of a character
            alternatives.setdefault(text if other == token else encoder.decode([other], special=True), p)
        found.append(Token(text, logprob, alternatives))
    return tuple(found)
