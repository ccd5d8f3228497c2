"""Log-likelihoods of all that is in flight: a walk over the trie of its tokens, a budget of tokens at a time."""

from __future__ import annotations

import math
import time
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from howgood.core.errors import RequestError
from howgood.core.types import Likelihood, Prediction, Usage
from howgood.models.huggingface import plan
from howgood.models.huggingface.network import Network, failure, is_out_of_memory
from howgood.models.huggingface.tree import KEPT, Kept, Store
from howgood.models.huggingface.worker import Job

SHORTEST_KEPT = 16
"""Tokens. Forwarding fewer again costs less than to remember and join them."""
SMALLEST = 16
"""Tokens. Where not even so many fit in memory, a request fails."""


@dataclass(eq=False)
class ScoreJob(Job):
    """A request to score `items`; `whole` when they are windows of one text, not continuations to tell apart."""

    items: list[plan.Scored]
    whole: bool
    found: dict[int, Likelihood] = field(default_factory=dict)
    tokens: int = 0
    forwarded: int = 0
    seconds: float = 0.0

    def take(self, number: int, likelihood: Likelihood) -> None:
        """One item's result; the last one answers the request."""
        self.found[number] = likelihood
        if len(self.found) < len(self.items):
            return
        found = [self.found[number] for number in range(len(self.items))]
        if not all(math.isfinite(likelihood.logprob) for likelihood in found):
            self.fail(RequestError("the model's log-probabilities are not finite numbers: use dtype=float32"))
            return
        likelihoods = [_joined(found)] if self.whole else found
        usage = Usage(self.tokens, cached=max(0, self.tokens - self.forwarded))
        self.answer(Prediction(likelihoods=tuple(likelihoods), usage=usage, latency=self.seconds, cost=0.0))


@dataclass(eq=False)
class Waiting:
    """An item of a job that waits, or what of it is still to be read."""

    job: ScoreJob
    number: int
    item: plan.Scored
    key: tuple[int, ...]
    logprobs: list[float] = field(default_factory=list)
    greedy: bool = True

    @property
    def begun(self) -> bool:
        return self.item is not self.job.items[self.number]

    def take(self, logprobs: list[float], greedy: list[bool]) -> bool:
        """What the next targets got; whether these were the last ones."""
        self.logprobs += logprobs
        self.greedy = self.greedy and all(greedy)
        item = self.item
        self.item = plan.Scored(item.inputs, item.targets[len(logprobs) :], item.at_end)
        if self.item.targets:
            return False
        own = tuple(self.logprobs)
        self.job.take(self.number, Likelihood(math.fsum(own), len(own), self.greedy, own))
        return True


class Scorer:
    """The items that wait, and one step: forward some of them.

    Items that the network can share beginnings of wait in the order of their tokens and are walked through in it, round
    and round, at most `budget` tokens a step: so what is shared is forwarded once, and only the way to the next item
    has to be remembered. Others wait in rows without branches, which are batched by length (`budget`: with padding).
    """

    def __init__(self, network: Network, budget: int) -> None:
        self.network = network
        self.budget = budget
        self.store = Store(max(budget, KEPT))
        self.forwarded = 0
        self._trie: list[Waiting] = []
        self._rows: list[tuple[list[Waiting], plan.Row]] = []
        self._place: tuple[int, ...] = ()  # of the walk: the tokens of the last item forwarded

    def add(self, job: ScoreJob) -> None:
        if not job.items:
            job.answer(Prediction(likelihoods=(_joined([]),) if job.whole else (), cost=0.0))
            return
        waiting = [Waiting(job, number, item, tuple(item.inputs)) for number, item in enumerate(job.items)]
        if max(len(one.key) for one in waiting) <= self.network.reach:
            waiting.sort(key=_key)
            job.tokens = len(plan.fold(one.item for one in waiting))
            for one in waiting:
                insort(self._trie, one, key=_key)
            return
        for numbers, row in plan.lines(job.items):
            job.tokens += len(row)
            self._rows.append(([waiting[number] for number in numbers], row))

    def step(self) -> None:
        """Forward some items and give the results to their jobs. What does not fit in memory is tried again with half
        the budget; whatever else goes wrong fails its jobs alone."""
        self._trie = [one for one in self._trie if not one.job.done]
        self._rows = [pair for pair in self._rows if not pair[0][0].job.done]
        if self._trie:
            self._walk()
        if self._rows:
            self._batch()

    def _walk(self) -> None:
        """Forward the next row of the trie."""
        start = bisect_left(self._trie, self._place, key=_key)
        order = self._trie[start:] or self._trie
        first = order[0]
        path, shared = self.store.find(first.key, first.item.first)
        if shared < SHORTEST_KEPT and not first.begun:
            path, shared = None, 0
        row = plan.fold(self._along(order), first.key[:shared], self.budget)
        items = order[: len(row.reads)]
        keep = _worth_keeping(order, len(items), row)
        begun = time.perf_counter()
        try:
            states, layers = self.network.row_states(row, path, [row.paths[n][:length] for n, length in keep])
            logprobs, greedy = self._read(states, items, row, 0)
        except Exception as error:
            self.store.clear()
            self._failed(error, items, len(row))
            return
        seconds = time.perf_counter() - begun
        self._place = items[-1].key
        for (number, length), kept in zip(keep, layers, strict=True):
            self.store.add(Kept(items[number].key[:length], kept))
        self._give(items, row, logprobs, greedy, seconds / len(row))
        self._trie = [one for one in self._trie if one.item.targets]

    def _along(self, order: list[Waiting]) -> Iterator[plan.Scored]:
        """The items in order, up to one of which much more is kept than it shares with the one before."""
        before = order[0].key
        for one in order:
            if one is not order[0] and one.key != before:
                shared = plan.shared_length(before, one.key)
                if self.store.longest(one.key, one.item.first) - shared >= SHORTEST_KEPT:
                    return
            yield one.item
            before = one.key

    def _batch(self) -> None:
        """Forward a batch of rows without branches, padded on the right, which no token sees."""
        indices = plan.batch([len(row) for _, row in self._rows], self.budget)
        batch = [self._rows[index] for index in indices]
        length = max(len(row) for _, row in batch)
        begun = time.perf_counter()
        try:
            states = self.network.batch_states([row.tokens for _, row in batch], length)
            read = [self._read(states, items, row, number * length) for number, (items, row) in enumerate(batch)]
        except Exception as error:
            self._failed(error, [one for items, _ in batch for one in items], len(batch) * length, len(batch) > 1)
            return
        seconds = time.perf_counter() - begun
        for (items, row), (logprobs, greedy) in zip(batch, read, strict=True):
            self._give(items, row, logprobs, greedy, seconds / sum(len(row) for _, row in batch))
        self._rows = [pair for pair in self._rows if pair[0][0].item.targets]

    def _read(
        self, states: torch.Tensor, items: list[Waiting], row: plan.Row, offset: int
    ) -> tuple[list[float], list[bool]]:
        """The log-probabilities of all that the row reads for its items."""
        places = [offset + place for read in row.reads for place in read]
        targets = [t for one, read in zip(items, row.reads, strict=True) for t in one.item.targets[: len(read)]]
        return self.network.logprobs(states, places, targets)

    def _give(
        self, items: list[Waiting], row: plan.Row, logprobs: list[float], greedy: list[bool], seconds: float
    ) -> None:
        start = 0
        self.forwarded += len(row)
        for one, read, share in zip(items, row.reads, row.shares, strict=True):
            stop = start + len(read)
            one.job.forwarded += share
            one.job.seconds += seconds * share
            one.take(logprobs[start:stop], greedy[start:stop])
            start = stop

    def _failed(self, error: Exception, items: list[Waiting], tokens: int, more: bool | None = None) -> None:
        """Halve the budget where memory was short and fewer tokens can be tried (`more`), else fail the jobs."""
        if is_out_of_memory(error) and (tokens > SMALLEST if more is None else more):
            self.budget = max(1, min(self.budget, tokens) // 2)
            return
        for one in items:
            one.job.fail(failure(error, len(one.key)))


def _key(one: Waiting) -> tuple[int, ...]:
    return one.key


def _worth_keeping(order: Sequence[Waiting], count: int, row: plan.Row) -> list[tuple[int, int]]:
    """Which of the row's items to remember, and how many tokens of each. Of the last one, all where it is not at its
    end, else what the next one shares with it; and what requests in the row shared, since more like them may come: once
    for each group of items that begin alike. What is short or known already is not in it."""
    found: dict[int, tuple[int, int]] = {}
    group = 0
    for number in range(1, count):
        before, one = order[number - 1], order[number]
        shared = plan.shared_length(before.key, one.key)
        group += shared < SHORTEST_KEPT
        if before.job is not one.job:
            found[group] = (number, shared)
    last, reached = order[count - 1], len(row.paths[-1])
    if reached < len(last.key):
        return [(count - 1, reached)]
    keep = list(found.values())
    if count < len(order):
        keep.append((count - 1, plan.shared_length(last.key, order[count].key)))
    return [
        (number, length)
        for number, length in dict.fromkeys(keep)
        if length >= SHORTEST_KEPT and row.paths[number][length - 1] >= row.known
    ]


def _joined(parts: Sequence[Likelihood]) -> Likelihood:
    """The likelihood of a text from those of its windows."""
    logprobs = tuple(logprob for part in parts for logprob in part.token_logprobs)
    return Likelihood(math.fsum(logprobs), len(logprobs), all(part.greedy for part in parts), logprobs)
