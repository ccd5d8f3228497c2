"""Log-likelihoods of rows: batches of what is in flight, forwarded, read at the places asked about."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from howgood.core.errors import RequestError
from howgood.core.types import Likelihood, Prediction, Usage
from howgood.models.huggingface import plan
from howgood.models.huggingface.network import LOGITS_AT_ONCE, Network, failure, is_out_of_memory
from howgood.models.huggingface.worker import Job


@dataclass(eq=False)
class ScoreJob(Job):
    """A request to score `items`; `whole` when they are windows of one text, not continuations to tell apart."""

    items: list[plan.Scored]
    whole: bool
    found: dict[int, Likelihood] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0

    def rows(self, network: Network) -> list[plan.Row]:
        return plan.rows(self.items, network.longest_branching)

    def take(self, row: plan.Row, likelihoods: list[Likelihood], seconds: float) -> None:
        """One row's results; the last one answers the request."""
        self.tokens += len(row)
        self.seconds += seconds
        self.found |= {read.item: found for read, found in zip(row.reads, likelihoods, strict=True)}
        if len(self.found) < len(self.items):
            return
        found = [self.found[number] for number in range(len(self.items))]
        if not all(math.isfinite(likelihood.logprob) for likelihood in found):
            self.fail(RequestError("the model's log-probabilities are not finite numbers: use dtype=float32"))
            return
        likelihoods = [_joined(found)] if self.whole else found
        usage = Usage(self.tokens)
        self.answer(Prediction(likelihoods=tuple(likelihoods), usage=usage, latency=self.seconds, cost=0.0))


@dataclass(eq=False)
class DistributionJob(ScoreJob):
    """A request for every token's log-probability after the one item, read as any scored token is."""

    def rows(self, network: Network) -> list[plan.Row]:
        [item] = self.items
        n, size = len(item.inputs), network.vocabulary
        everything = plan.Read(0, [n - 1] * size, range(size))
        return [plan.Row(list(item.inputs), list(range(n)), [n] * n, [everything])]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A row that waits to be forwarded for its job."""

    job: ScoreJob
    row: plan.Row


class Scorer:
    """The rows that wait, and one step: forward a batch of them. `budget` is in tokens, padding included."""

    def __init__(self, network: Network, budget: int) -> None:
        self.network = network
        self.budget = budget
        self.waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self.waiting)

    def add(self, job: ScoreJob) -> None:
        if not job.items:
            job.answer(Prediction(likelihoods=(_joined([]),) if job.whole else (), cost=0.0))
        self.waiting += [Waiting(job, row) for row in job.rows(self.network)]

    def step(self) -> None:
        """Forward one batch and give its results to their jobs. A batch that does not fit in memory is tried again
        with half the budget; whatever else goes wrong fails its jobs alone."""
        self.waiting = [waiting for waiting in self.waiting if not waiting.job.done]
        if not self.waiting:
            return
        indices = plan.batch([len(waiting.row) for waiting in self.waiting], self.budget)
        batch = [self.waiting[index] for index in indices]
        start = time.perf_counter()
        try:
            scores = score(self.network, [waiting.row for waiting in batch])
        except Exception as error:
            if is_out_of_memory(error) and len(batch) > 1:
                self.budget = max(1, len(batch) * max(len(waiting.row) for waiting in batch) // 2)
                return
            for waiting in batch:
                waiting.job.fail(failure(error, len(waiting.row)))
            return
        seconds = time.perf_counter() - start
        total = sum(len(waiting.row) for waiting in batch)
        taken = set(indices)
        self.waiting = [waiting for index, waiting in enumerate(self.waiting) if index not in taken]
        for waiting, likelihoods in zip(batch, scores, strict=True):
            waiting.job.take(waiting.row, likelihoods, seconds * len(waiting.row) / total)


def score(network: Network, rows: Sequence[plan.Row]) -> list[list[Likelihood]]:
    """The likelihoods of each row's reads, from one forward of all rows, padded on the right."""
    length = max(map(len, rows))
    device = network.device
    tokens = torch.tensor([row.tokens + [0] * (length - len(row)) for row in rows], device=device)
    positions = torch.tensor([row.positions + [0] * (length - len(row)) for row in rows], device=device)
    # Padding on the right of a causal row is seen by no token that is read.
    mask = network.branching_mask(list(rows), length) if any(row.branches for row in rows) else None
    states = network.states(tokens, positions, mask).flatten(0, 1)

    reads = [(number, read) for number, row in enumerate(rows) for read in row.reads]
    places = [number * length + place for number, read in reads for place in read.places]
    targets = [target for _, read in reads for target in read.targets]
    logprobs, greedy = _at(network, states, places, targets)
    found: list[list[Likelihood]] = [[] for _ in rows]
    start = 0
    for number, read in reads:
        stop = start + len(read.targets)
        own = logprobs[start:stop]
        found[number].append(Likelihood(math.fsum(own), len(own), all(greedy[start:stop]), tuple(own)))
        start = stop
    return found


def _at(
    network: Network, states: torch.Tensor, places: list[int], targets: list[int]
) -> tuple[list[float], list[bool]]:
    """The log-probability of each target at its place, in float32, and whether it is the likeliest token there."""
    # Single tokens after one prompt are all read at one place, whose logits are computed once.
    numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
    different = torch.tensor(list(numbers), device=network.device)
    number = torch.tensor([numbers[place] for place in places], device=network.device)
    token = torch.tensor(targets, device=network.device)
    logprobs = torch.empty(len(places), device=network.device)
    greedy = torch.empty(len(places), dtype=torch.bool, device=network.device)
    size = max(1, LOGITS_AT_ONCE // network.vocabulary)
    for start in range(0, len(different), size):
        logits = network.logits(states[different[start : start + size]])
        here = ((number >= start) & (number < start + size)).nonzero()[:, 0]
        row = number[here] - start
        logprobs[here] = logits[row, token[here]] - logits.logsumexp(-1)[row]
        greedy[here] = logits.argmax(-1)[row] == token[here]
    return logprobs.tolist(), greedy.tolist()


def _joined(parts: Sequence[Likelihood]) -> Likelihood:
    """The likelihood of a text from those of its windows."""
    logprobs = tuple(logprob for part in parts for logprob in part.token_logprobs)
    return Likelihood(math.fsum(logprobs), len(logprobs), all(part.greedy for part in parts), logprobs)
