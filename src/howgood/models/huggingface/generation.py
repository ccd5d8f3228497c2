"""Generation: many answers at once, one token each a step, each answer by its own rules.

An own loop over the model's cache, since what an evaluation needs is per request: stop strings, length, temperature and
a seed that gives the same sample whatever else is in the batch. Answers leave the batch when they end, and waiting
prompts take their places, so that the batch stays full. Prompts are taken in the order of their tokens, and what
several begin with is forwarded once (see `plan`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from howgood.core.errors import RequestError
from howgood.core.types import Generate, Prediction, StopReason, Token, Usage
from howgood.models.huggingface import plan
from howgood.models.huggingface.echo import Place, read_places, tokens_of
from howgood.models.huggingface.encode import Encoder
from howgood.models.huggingface.network import Network, failure, is_out_of_memory
from howgood.models.huggingface.tree import KEPT, Kept, Store
from howgood.models.huggingface.worker import Job


@dataclass(eq=False)
class GenerateJob(Job):
    """A request to answer, its prompt in tokens, and the answer so far."""

    request: Generate
    prompt: list[int]
    tokens: list[int] = field(init=False)
    places: list[Place] = field(init=False)
    seconds: float = field(init=False)
    random: torch.Generator = field(init=False)

    def begin(self) -> None:
        """Forget any answer begun. The sample is drawn on the CPU, so that a seed means the same on every device."""
        self.tokens, self.places, self.seconds, self.random = [], [], 0.0, torch.Generator()
        if self.request.seed is None:
            self.random.seed()
        else:
            self.random.manual_seed(self.request.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """A token drawn from logits (float32, of one vocabulary) by the request's temperature and top_p.

        The draw is a race of exponential variables (the largest p / e wins): unlike a draw from the cumulative
        distribution it stays the same when the probabilities change in their last digits, as they do with the batch.
        """
        p = torch.softmax(logits.cpu() / self.request.temperature, -1)
        if self.request.top_p is not None and self.request.top_p < 1:
            ordered, order = p.sort(descending=True)
            ordered[ordered.cumsum(-1) - ordered >= self.request.top_p] = 0
            p = torch.zeros_like(p).scatter_(0, order, ordered)
        race = torch.empty_like(p).exponential_(generator=self.random)
        return int((p / race).argmax())


@dataclass(eq=False)
class Batch:
    """Answers under way: for each job a row of the cache and of `mask` (1: a token, 0: padding on the left), and its
    last token, which the cache does not hold yet."""

    jobs: list[GenerateJob]
    cache: Any
    mask: torch.Tensor

    @property
    def plain(self) -> bool:
        """Whether the cache holds keys and values of all tokens and nothing else: then rows can be cut and joined."""
        from transformers.cache_utils import DynamicLayer

        return all(type(layer) is DynamicLayer for layer in self.cache.layers)

    def keep(self, rows: list[int]) -> None:
        """Drop all other rows, and the columns that are padding in every row left."""
        if len(rows) == len(self.jobs):
            return
        index = torch.tensor(rows, device=self.mask.device)
        self.jobs = [self.jobs[row] for row in rows]
        self.mask = self.mask[index]
        self.cache.reorder_cache(index)
        if rows and self.plain:
            used = int(self.mask.any(0).int().argmax())
            self.mask = self.mask[:, used:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[:, :, used:], layer.values[:, :, used:]

    def join(self, other: Batch) -> None:
        """Take in the rows of another batch; the shorter of the two is padded on the left."""
        length = max(self.mask.shape[1], other.mask.shape[1])
        self.jobs += other.jobs
        self.mask = torch.cat([_padded(batch.mask[..., None], length)[..., 0] for batch in (self, other)])
        for mine, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            mine.keys = torch.cat([_padded(mine.keys, length), _padded(theirs.keys, length)])
            mine.values = torch.cat([_padded(mine.values, length), _padded(theirs.values, length)])


def _padded(x: torch.Tensor, length: int) -> torch.Tensor:
    """`x` (... x time x width) with zeros before its time up to `length`."""
    return torch.nn.functional.pad(x, (0, 0, length - x.shape[-2], 0))


class Decoder:
    """The prompts that wait, the answers under way (at most `places`), and one step: take in prompts where there is
    room (at most `budget` tokens at once), then add one token to each answer."""

    def __init__(self, network: Network, encoder: Encoder, places: int, budget: int) -> None:
        self.network = network
        self.encoder = encoder
        self.places = places if network.pads else 1
        self.budget = budget
        self.waiting: list[GenerateJob] = []
        self.begun: list[GenerateJob] = []
        self.batch: Batch | None = None
        self.store = Store(max(budget, KEPT))
        self.place: list[int] = []  # the prompt taken last
        declared = network.model.generation_config.eos_token_id
        self.ends = encoder.ends([declared] if isinstance(declared, int) else declared or [])

    def add(self, job: GenerateJob) -> None:
        if self.network.steps:
            self.waiting.append(job)
        else:
            why = "transformers gives this architecture no cache of keys and values to generate from"
            job.fail(RequestError(f"{self.encoder.name} cannot generate: {why}", fatal=True))

    def step(self) -> None:
        """One token more for each answer. What does not fit in memory is begun again in smaller batches; whatever
        else goes wrong fails the answers under way."""
        try:
            self._start()
            self._continue()
        except Exception as error:
            begun, self.begun, self.batch = self.begun, [], None
            self.store.clear()
            if is_out_of_memory(error) and len(begun) > 1:
                self.places = len(begun) // 2
                self.waiting = begun + self.waiting
                return
            for job in begun:
                job.fail(failure(error, len(job.prompt)))

    def _start(self) -> None:
        """Take in waiting prompts once a quarter of the places is free: joining costs a copy of the whole cache."""
        self.waiting = [job for job in self.waiting if not job.done]
        free = self.places - len(self.begun)
        if not self.waiting or (self.batch is not None and (free < self.places / 4 or not self.batch.plain)):
            return
        start = time.perf_counter()
        if max(len(job.prompt) for job in self.waiting) <= self.network.reach:
            batch, states = self._read_sharing(free)
        else:
            batch, states = self._read_whole(free)
        self._choose(batch, states, start)
        if not batch.jobs:
            return
        if self.batch is None:
            self.batch = batch
        else:
            self.batch.join(batch)

    def _read_sharing(self, most: int) -> tuple[Batch, torch.Tensor]:
        """Begin some answers: their batch, and the states after their prompts. What the prompts share is read once."""
        order = sorted(self.waiting, key=lambda job: job.prompt)
        order = [
            *(job for job in order if job.prompt >= self.place),
            *(job for job in order if job.prompt < self.place),
        ]
        path, shared = self.store.find(order[0].prompt, len(order[0].prompt) - 1)
        row = plan.fold((plan.Scored(job.prompt, (0,)) for job in order[:most]), order[0].prompt[:shared], self.budget)
        if not row.reads[0]:  # longer than the budget: then alone
            row = plan.fold([plan.Scored(order[0].prompt, (0,))], order[0].prompt[:shared])
        jobs = order[: len(row.reads)]
        self._begin(jobs)
        self.place = jobs[-1].prompt
        near = order[len(jobs)] if len(jobs) < len(order) else jobs[0]
        keep = plan.shared_length(self.place, near.prompt)
        states, kept = self.network.row_states(row, path, [*row.paths, row.paths[-1][:keep]])
        if keep > shared:
            self.store.add(Kept(tuple(self.place[:keep]), kept[-1]))
        length = max(len(job.prompt) for job in jobs)
        cache = self.network.cache()
        for layer in range(len(kept[0])):
            keys, values = (torch.cat([_padded(each[layer][i], length) for each in kept[:-1]]) for i in (0, 1))
            cache.update(keys, values, layer)
        pads = torch.tensor([length - len(job.prompt) for job in jobs], device=self.network.device)
        mask = (torch.arange(length, device=self.network.device) >= pads[:, None]).long()
        return Batch(jobs, cache, mask), states[[read[0] for read in row.reads]]

    def _read_whole(self, most: int) -> tuple[Batch, torch.Tensor]:
        """As `_read_sharing`, each prompt read by itself, padded on the left."""
        chosen = plan.batch([len(job.prompt) for job in self.waiting], self.budget)[:most]
        jobs = [self.waiting[index] for index in chosen]
        self._begin(jobs)
        device = self.network.device
        length = max(len(job.prompt) for job in jobs)
        tokens = torch.tensor([[0] * (length - len(job.prompt)) + job.prompt for job in jobs], device=device)
        pads = torch.tensor([length - len(job.prompt) for job in jobs], device=device)
        place = torch.arange(length, device=device)
        batch = Batch(jobs, self.network.cache(), (place >= pads[:, None]).long())
        positions = (place - pads[:, None]).clamp(min=0)
        return batch, self.network.states(tokens, positions, batch.mask, batch.cache)[:, -1]

    def _begin(self, jobs: list[GenerateJob]) -> None:
        taken = {id(job) for job in jobs}
        self.waiting = [job for job in self.waiting if id(job) not in taken]
        self.begun += jobs
        for job in jobs:
            job.begin()

    def _continue(self) -> None:
        if (batch := self.batch) is None:
            return
        start = time.perf_counter()
        tokens = torch.tensor([[job.tokens[-1]] for job in batch.jobs], device=self.network.device)
        batch.mask = torch.nn.functional.pad(batch.mask, (0, 1), value=1)
        positions = batch.mask.sum(-1, keepdim=True) - 1
        states = self.network.states(tokens, positions, batch.mask, batch.cache)
        self._choose(batch, states[:, -1], start)
        if not batch.jobs:
            self.batch = None

    def _choose(self, batch: Batch, states: torch.Tensor, start: float) -> None:
        """Add a token to each answer, answer those that end, and keep the others in the batch."""
        logits = self.network.logits(states)
        if logits.isnan().any():
            raise ValueError("its logits are not numbers; use dtype=float32")
        greedy = logits.argmax(-1).tolist()
        for row, job in enumerate(batch.jobs):
            job.tokens.append(job.choose(logits[row]) if job.request.temperature > 0 else greedy[row])
            if job.request.logprobs is not None:
                chosen = torch.tensor(job.tokens[-1:], device=logits.device)
                job.places += read_places(logits[row : row + 1], chosen, job.request.logprobs)
        share = (time.perf_counter() - start) / len(batch.jobs)
        for job in batch.jobs:
            job.seconds += share
        kept = [row for row, job in enumerate(batch.jobs) if not (job.done or self._finish(job))]
        left = {id(batch.jobs[row]) for row in kept}
        gone = {id(job) for job in batch.jobs} - left
        self.begun = [job for job in self.begun if id(job) not in gone]
        batch.keep(kept)

    def _finish(self, job: GenerateJob) -> bool:
        """Answer the request if its answer is at an end."""
        tokens, request = job.tokens, job.request
        ended = tokens[-1] in self.ends or any(tokens[-1] == self.encoder.special(stop) for stop in request.stop)
        full = len(tokens) >= min(request.max_tokens, self.encoder.max_length - len(job.prompt))
        if not (ended or full or self._stopped(tokens, request.stop)):
            return False
        text = self.encoder.decode(tokens[:-1] if ended else tokens)
        cuts = [cut for stop in request.stop if (cut := text.find(stop)) >= 0]
        reason: StopReason = "stop" if ended or cuts else "length"
        text = text[: min(cuts, default=len(text))]
        usage = Usage(len(job.prompt), len(tokens))
        scored = self._scored(job, len(text)) if request.logprobs is not None else ()
        job.answer(Prediction(text, stop_reason=reason, tokens=scored, usage=usage, latency=job.seconds, cost=0.0))
        return True

    def _scored(self, job: GenerateJob, length: int) -> tuple[Token, ...]:
        """The tokens of the answer's text, of so many characters."""
        scored: list[Token] = []
        for token in tokens_of(self.encoder, job.tokens, job.places, special=False):
            if length <= 0:
                break
            scored.append(token)
            length -= len(token.text)
        return tuple(scored)

    def _stopped(self, tokens: Sequence[int], stops: Sequence[str]) -> bool:
        """Whether the answer holds a stop string; since it was looked at after every token, only its end can have
        made one. A token is at least one byte; the few more are for those whose text depends on what comes before."""
        if not stops:
            return False
        tail = self.encoder.decode(tokens[-(max(len(stop.encode()) for stop in stops) + 4) :])
        return any(stop in tail for stop in stops) and any(stop in self.encoder.decode(tokens) for stop in stops)
