"""What a run will take: counted from its plan before anything is sent, or forecast from a few of its trials.

A forecast stands on a simple random sample of the trials (the pilot). Every prompt's length is known without asking, so
only what is not explained by it is estimated (the difference estimator: Särndal, Swensson and Wretman 1992, Model
Assisted Survey Sampling, section 6.3). The rest is mostly the length of the answers, which is known to be heavy-tailed
and to be bounded by `max_tokens`: the mean of bounded values has the interval of Learned-Miller and Thomas 2019
(https://arxiv.org/abs/1905.06208), which assumes nothing else of them and so takes into account what a small sample has
not seen. Where no bound is known (time, calls that send several requests) twice the largest value seen stands for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from howgood.core.types import Generate, Instance, Loglikelihood, Prompt, Request, Rolling, Text, Trial, Usage
from howgood.models.base import Model
from howgood.models.prices import cost_of
from howgood.runs.budget import Budget, Kind, written
from howgood.runs.plan import Plan

T = TypeVar("T")
LEVEL = 0.9
"""Confidence of a forecast's intervals."""
PILOT = 30
"""The most trials of a pilot; of a small run it is a fifth."""
CHARACTERS = 4.0
"""Characters of a token, where no tokenizer is here to count: about right for English."""
DRAWS = 4000


class Work(Struct, frozen=True):
    """A trial to be run: its instance's place in the benchmark, the instance, and the epoch; and its request, where
    that was looked at before."""

    index: int
    instance: Instance
    epoch: int
    request: Request | None = None


class Range(Struct, frozen=True):
    """An amount with its interval."""

    value: float
    low: float
    high: float


class Forecast(Struct, frozen=True):
    """What a whole run will take, as far as `pilot` of its `planned` trials say, with 90% intervals: US `dollars`
    (None: a price is not known), `tokens`, and `seconds` of work. What earlier sessions took is in them."""

    pilot: int
    planned: int
    dollars: Range | None
    tokens: Range
    seconds: Range

    def __str__(self) -> str:
        amounts: tuple[tuple[Kind, Range | None], ...]
        amounts = (("dollars", self.dollars), ("tokens", self.tokens), ("seconds", self.seconds))
        told = (
            f"{written(kind, x.value)} [{written(kind, x.low)}, {written(kind, x.high)}]" for kind, x in amounts if x
        )
        return f"{', '.join(told)} in all ({LEVEL:.0%} intervals, from {self.pilot} of {self.planned} trials)"

    def exceeds(self, budget: Budget) -> bool:
        """Whether the run will probably take more than the budget."""
        return any((found := getattr(self, kind)) is not None and found.value > n for kind, n in budget.limits())

    def may_exceed(self, budget: Budget) -> bool:
        """Whether it cannot be ruled out, by the interval's high end, that the run takes more than the budget."""
        return any((found := getattr(self, kind)) is None or found.high > n for kind, n in budget.limits())


class Spent(Struct, frozen=True):
    """What `trials` took before the pilot: US dollars (None: not known), tokens and seconds."""

    trials: int
    dollars: float | None
    tokens: float
    seconds: float


class Sample(Struct, frozen=True):
    """One trial of the pilot: its prompt's `size` in characters, what it took, the part of that which was for reading
    the prompt, and the most that it could have taken (None: not known)."""

    size: float
    taken: float
    reading: float = 0.0
    most: float | None = None


def pilot_size(trials: int) -> int:
    """How many trials of a run are its pilot."""
    return min(PILOT, max(5, trials // 5), trials)


def reservoir(items: Iterable[T], n: int, draw: random.Random) -> list[T]:
    """A simple random sample of `n` items, held alone in memory (Vitter 1985, algorithm R)."""
    held: list[T] = []
    for place, item in enumerate(items):
        if place < n:
            held.append(item)
        elif (at := draw.randrange(place + 1)) < n:
            held[at] = item
    return held


def size(request: Request) -> int:
    """Characters that a request gives the model to read; images have none."""
    if isinstance(request, Rolling):
        return len(request.text)
    read = prompt_size(request.prompt)
    return read + sum(map(len, request.continuations)) if isinstance(request, Loglikelihood) else read


def prompt_size(prompt: Prompt) -> int:
    """Characters of a prompt."""
    if isinstance(prompt, str):
        return len(prompt)
    characters = 0
    for message in prompt:
        parts = (Text(message.content),) if isinstance(message.content, str) else message.content
        characters += sum(len(part.text) for part in parts if isinstance(part, Text))
    return characters


def most(request: Request, model: Model) -> dict[Kind, float]:
    """What a request is expected to take at most, before anything is known of its kind: an answer of full length."""
    written = request.max_tokens if isinstance(request, Generate) else 0
    usage = Usage(input=round(size(request) / CHARACTERS), output=written)
    return {"dollars": cost_of(model, usage) or 0.0, "tokens": usage.input + usage.output}


def samples(trial: Trial, request: Request, model: Model) -> tuple[Sample, Sample | None]:
    """What a trial took in tokens and in dollars (None: not known); one from howgood's cache took nothing. What one of
    several requests can take at most is not known."""
    prediction, length = trial.prediction, float(size(request))
    judging = [verdict.reply.paid for verdict in trial.score.verdicts]
    usage, several = prediction.usage, bool(prediction.attempts or prediction.transcript or judging)
    longest = max(request.max_tokens if isinstance(request, Generate) else 0, usage.output)
    full = Usage(usage.input, longest, usage.cached, 0, usage.cache_writes)
    paid, cost = prediction.paid.usage, prediction.paid.cost
    judged = sum(one.usage.input + one.usage.output for one in judging)
    taken = paid.input + paid.output + judged
    tokens = Sample(length, taken, paid.input, None if several else usage.input + longest)
    if (cost is None and trial.score.outcome != "failed") or any(one.cost is None for one in judging):
        return tokens, None
    reading = cost_of(model, Usage(paid.input, 0, paid.cached, 0, paid.cache_writes)) if paid.input else 0.0
    dollars = (cost or 0.0) + sum(one.cost or 0.0 for one in judging)
    return tokens, Sample(length, dollars, min(dollars, reading or 0.0), None if several else cost_of(model, full))


class Pilot:
    """A few trials of a run, picked by `draw` at random from the `left` ones, and what they took."""

    def __init__(self, plan: Plan, trials: Iterable[Work], left: int, draw: random.Random) -> None:
        self._plan, self._left = plan, left
        self._length = 0
        self.chosen = reservoir(self._measured(trials), pilot_size(left), draw)
        self._seen: list[tuple[Trial, float]] = []

    def add(self, trial: Trial, seconds: float) -> None:
        self._seen.append((trial, seconds))

    def forecast(self, model: Model, before: Spent, seconds: float, per_hour: float | None) -> Forecast:
        """What the whole run will take. `before` is what was spent before the pilot, which took `seconds`; a machine
        at a price `per_hour` costs what its time does."""
        requests = [self._plan.request(trial.instance, trial.epoch) for trial, _ in self._seen]
        found = [samples(trial, asked, model) for (trial, _), asked in zip(self._seen, requests, strict=True)]
        tokens = [of_tokens for of_tokens, _ in found]
        dollars = [of_dollars for _, of_dollars in found if of_dollars]
        left, length = self._left - len(found), self._length - sum(sample.size for sample in tokens)
        # A model is loaded once: what came before the first answer, but was no answering, is not borne by each trial.
        answering = sum(trial.prediction.latency for trial, _ in self._seen if not trial.prediction.replayed)
        loading = max(0.0, min(self._seen[0][1], seconds - answering))
        # Trials run side by side, so each bears its part of the rest.
        share = (seconds - loading) / (sum(took for _, took in self._seen) or 1.0)
        time = total([Sample(0.0, took * share) for _, took in self._seen], left, 0.0, before.seconds + loading)
        cost = None
        if per_hour is not None:
            cost = Range(*(bound * per_hour / 3600 for bound in (time.value, time.low, time.high)))
        elif len(dollars) == len(found) and before.dollars is not None:
            cost = total(dollars, left, length, before.dollars)
        planned = self._left + before.trials
        return Forecast(len(found), planned, cost, total(tokens, left, length, before.tokens), time)

    def _measured(self, trials: Iterable[Work]) -> Iterator[Work]:
        """The trials, while the lengths of their prompts are summed; those of all epochs are alike."""
        last, characters = -1, 0
        for work in trials:
            if work.index != last:
                last, characters = work.index, size(self._plan.request(work.instance))
            self._length += characters
            yield work


def total(pilot: Sequence[Sample], left: int, length: float, spent: float) -> Range:
    """The whole of a run of which the pilot, `left` more trials of `length` characters in all, and what was `spent`
    before the pilot are known."""
    import numpy as np

    x, y, reading = (np.array([getattr(s, name) for s in pilot]) for name in ("size", "taken", "reading"))
    done, n = float(y.sum()), len(pilot)
    slope = float(reading.sum() / x.sum()) if x.sum() else 0.0
    beyond = y - slope * x  # what the prompt's length does not explain
    largest = max(s.most if s.most is not None and s.most >= s.taken else 2 * s.taken for s in pilot)
    noise = reading - slope * x
    known = [s.most - slope * s.size for s in pilot if s.most is not None]
    high = max(known) if len(known) == n else largest
    high = max(high, float(beyond.max())) + float(noise.max() - noise.min())
    low = min(-slope * float(x.max()), float(beyond.min()))  # nothing takes less than nothing
    lowest, highest = mean_bounds(beyond.tolist(), low, high)
    explained = slope * length
    value = done + explained + left * float(beyond.mean())
    whole = slope * (float(x.sum()) + length)
    return Range(
        spent + value,
        spent + min(value, max(done, whole + (n + left) * lowest)),
        spent + max(value, min(done + explained + left * high, whole + (n + left) * highest)),
    )


def mean_bounds(values: Sequence[float], low: float, high: float, level: float = LEVEL) -> tuple[float, float]:
    """An interval for the mean of values that lie in [low, high], from a random sample of them: the quantiles of their
    sum under the weights that gaps between uniform order statistics have, with the nearer bound as one value more
    (Learned-Miller and Thomas 2019)."""
    import numpy as np

    weights = np.random.default_rng(0).dirichlet(np.ones(len(values) + 1), size=DRAWS)
    tail = (1 - level) / 2
    lowest = np.quantile(weights @ np.append(values, low), tail)
    highest = np.quantile(weights @ np.append(values, high), 1 - tail)
    return float(lowest), float(highest)
