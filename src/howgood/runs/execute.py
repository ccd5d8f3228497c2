"""Running a plan: many trials in flight, each journalled before it counts, stopping cleanly when asked to, when its
budget is used up, or when everything fails."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator
from itertools import chain

import msgspec

from howgood.calls.base import opened
from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import NOT_JUDGED, Paid, Prediction, Score, Trial
from howgood.models import prices
from howgood.models.base import LANE, THINKING, TRIAL, Model, split_thinking
from howgood.models.dialects import has_images
from howgood.models.prices import OwnPrice
from howgood.outputs.base import judged, present
from howgood.runs import forecast
from howgood.runs.budget import Budget, Gate, Kind
from howgood.runs.columns import Key, key_of, refuse_taken
from howgood.runs.forecast import Forecast, Pilot, Spent, Work
from howgood.runs.journal import Journal
from howgood.runs.lanes import Lanes
from howgood.runs.plan import Plan, prompt_of
from howgood.runs.progress import STOPPED, Ending, Progress

GRACE = 5.0
"""Seconds that trials in flight get to finish after the user asked to stop."""
PATIENCE = 20
"""Failures in a row (or twice the trials in flight, where that is more) after which a run is doubted."""
PROBES = 5
"""Trials from anywhere in the rest of a doubted run: if these fail too, everything does."""
BREATH = 0.1
"""Seconds after which a run whose model answers at once lets the event loop have a turn, so that it can be stopped."""

Confirm = Callable[[Forecast], bool]
"""Asked with the forecast, after a few trials, whether the run is to go on."""


async def execute(
    plan: Plan,
    model: Model,
    journal: Journal,
    done: set[Key],
    progress: Progress,
    notice: Callable[[Progress], None],
    stop: asyncio.Event,
    budget: Budget | None = None,
    confirm: Confirm | None = None,
) -> Ending | None:
    """Run every trial of the plan that is not `done`. Returns why it ended early, or None when it did not.

    A request that fails for good becomes a failed trial; one that says every other would fail too ends the run, and so
    do many failures in a row. With a `budget` or someone to `confirm`, a pilot at random goes first and gives a
    forecast; a run then goes on if `confirm` says so (without it: always), and ends where the budget does.
    Raises `HowgoodError` for a budget in dollars where the price is not known, and for what is wrong with the
    benchmark itself.
    """
    engine = _Engine(plan, model, journal, done, progress, notice, stop, budget, confirm)
    async with opened(plan.benchmark.call), present(plan.benchmark.outputs.judges):
        try:
            return await engine.run()
        finally:
            engine.look_at_the_clock()


class _Engine:
    def __init__(
        self,
        plan: Plan,
        model: Model,
        journal: Journal,
        done: set[Key],
        progress: Progress,
        notice: Callable[[Progress], None],
        stop: asyncio.Event,
        budget: Budget | None,
        confirm: Confirm | None,
    ) -> None:
        self.plan, self.model, self.journal, self.done = plan, model, journal, done
        self.progress, self.notice, self.stop, self.confirm = progress, notice, stop, confirm
        progress.budget = budget
        if budget:
            budget.check(model)
        self.gate = Gate(budget, progress) if budget else None
        self.price = prices.own_price(prices.plain_name(model))
        self.draw = random.Random(plan.options.seed)
        self.names: list[str] = []
        self.ending: Ending | None = None
        self.error: Exception | None = None
        self.landed = asyncio.Event()  # set and replaced whenever a trial has come down
        self.early: set[Key] = set()  # trials that were taken out of their turn
        self.trials = self._followed(_trials(plan, done, self.early))
        self.pilot: Pilot | None = None
        self.typical: dict[Kind, float] = {}
        self.ahead: list[Work] = []  # of these, what is to be run next
        self.last: Key = -1  # of those that were taken in their turn, or looked at ahead
        self.failures = 0
        self.probes: set[Key] = set()  # of a doubted run: trials from elsewhere that have not come down yet
        self.workers = max(1, min(model.concurrency, plan.total - progress.done))
        self.lanes = self._laid_out()
        self.patience = max(PATIENCE, 2 * self.workers)
        self.begun = self.finished = self.breathed = time.monotonic()
        self.earlier = progress.seconds

    async def run(self) -> Ending | None:
        if (self.gate or self.confirm) and self.progress.done < self.plan.total:
            await self._pilot()
        await self._work(self._next)
        if self.error:
            raise self.error
        if self.progress.done >= self.plan.total:
            return None
        return self.ending or Ending("interrupted", STOPPED)

    @property
    def over(self) -> bool:
        """Whether no further trial is to start."""
        return self.stop.is_set() or self.ending is not None or self.error is not None

    async def _work(self, take: Callable[[int], Work | None]) -> None:
        """Run what `take` gives each worker until it gives nothing more, or the run has ended."""
        workers = [asyncio.create_task(self._worker(take, number)) for number in range(self.workers)]
        stopper = asyncio.create_task(_stop_workers(self.stop, workers))
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.ending = self.ending or Ending("interrupted", STOPPED)  # a model may hold on; no new trial starts
            raise
        finally:
            stopper.cancel()
            for task in workers:
                task.cancel()
            await asyncio.wait(workers)  # they may write as long as they have not ended
        for task in workers:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _worker(self, take: Callable[[int], Work | None], number: int) -> None:
        gate = self.gate
        LANE.set(number)
        while not self.over:
            if time.monotonic() - self.breathed > BREATH:
                await self._breathe()
                continue
            if gate and not await self._admitted(gate):
                return
            if (work := take(number)) is None:
                return
            if gate:
                gate.in_flight += 1
            TRIAL.set((work.instance.id, work.epoch))
            begun = time.monotonic() if self.pilot else 0.0
            try:
                trial = await run_trial(self.plan, self.model, work)
                if self.price:
                    trial = self._charged(trial, self.price)
                _same_names(self.names, trial)
                self.journal.write(trial)
                self._count(trial)
                if self.pilot:
                    self.pilot.add(trial, time.monotonic() - begun)
            except RequestError as error:  # only the fatal ones come here
                self.ending = self.ending or Ending("failed", str(error))
            except Exception as error:
                self.error = self.error or error
            finally:
                if gate:
                    gate.in_flight -= 1
                    self.landed.set()
                    self.landed = asyncio.Event()

    async def _breathe(self) -> None:
        """Give the event loop a turn, to which all workers give way."""
        if self.breathed > -math.inf:
            self.breathed = -math.inf
            asyncio.get_running_loop().call_soon(lambda: setattr(self, "breathed", time.monotonic()))
        await asyncio.sleep(0)

    def _laid_out(self) -> Lanes | None:
        """The trials in the model's lanes, with a worker for each; None where it has none."""
        first = next(self.plan.instances(), None)
        lanes = self.model.lanes(self.plan.request(first[1])) if first else 0
        if not lanes:
            return None
        self.workers = min(self.workers, lanes)
        return Lanes(self.plan, self.trials, self.workers)

    def _next(self, worker: int) -> Work | None:
        if self.ahead:
            return self.ahead.pop()
        if self.lanes is None:
            return next(self.trials, None)
        while (work := self.lanes.take(worker)) and self.early and _key(work) in self.early:
            pass  # it was drawn from the lanes
        return work

    def _followed(self, trials: Iterator[Work]) -> Iterator[Work]:
        for work in trials:
            self.last = _key(work)
            yield work

    def look_at_the_clock(self) -> float:
        """The time now, after the seconds of work are counted."""
        now = time.monotonic()
        self.progress.seconds = self.earlier + now - self.begun
        return now

    def _charged(self, trial: Trial, price: OwnPrice) -> Trial:
        """The trial with its cost by the user's own price; for a machine by the hour that is the time since the trial
        before it finished, so that all trials together cost what the machine does."""
        now = self.look_at_the_clock()
        passed, self.finished = now - self.finished, now
        prediction, fresh = trial.prediction, trial.prediction.fresh
        if price.per_hour is not None:
            cost: float | None = price.per_hour * passed / 3600
            fresh = fresh and Paid(fresh.usage, cost)
        elif trial.score.outcome in NOT_JUDGED and not prediction.usage.input:
            return trial
        else:
            cost = prices.cost_of(self.model, prediction.usage)
            fresh = fresh and Paid(fresh.usage, prices.cost_of(self.model, fresh.usage))
        return msgspec.structs.replace(trial, prediction=msgspec.structs.replace(prediction, cost=cost, fresh=fresh))

    def _count(self, trial: Trial) -> None:
        self.progress.add(trial)
        if self.gate and not trial.prediction.replayed:
            self.gate.paid += 1
        key = key_of(trial.index, trial.epoch)
        probe = key in self.probes
        self.probes.discard(key)
        if trial.score.outcome == "failed":
            self.failures += 1
            if not self.probes and (probe or self.failures >= self.patience):
                self._doubt(trial, probe)
        elif trial.score.outcome != "unsupported":
            if self.probes or probe:  # it was but a hard stretch; be slower to doubt the next one
                self.patience *= 2
                self.probes.clear()
            self.failures = 0
        self.notice(self.progress)

    def _doubt(self, trial: Trial, probed: bool) -> None:
        """After many failures in a row: try some trials from elsewhere, then (`probed`) give up. A stretch of hard
        questions is no dead server, and a run that resumes at such a stretch must be able to pass it."""
        if not probed:
            rest = (work for work in _trials(self.plan, self.done, self.early) if _key(work) > self.last)
            held = (work for work in self.lanes.waiting() if _key(work) not in self.early) if self.lanes else ()
            chosen = forecast.reservoir(chain(held, rest), PROBES, self.draw)
            self.probes = {_key(work) for work in chosen}
            self.early |= self.probes
            self.ahead += chosen
        if not self.probes:
            why = f"the last {self.failures} trials all failed, at last with: {trial.score.explanation}"
            self.ending = self.ending or Ending("failed", why)

    async def _admitted(self, gate: Gate) -> bool:
        """Wait until the budget lets one more trial start; False where none will."""
        while not self.over:
            self.look_at_the_clock()
            if why := gate.used_up():
                run, more = self.journal.path.parent.name, gate.budget.doubled()
                self.ending = Ending("interrupted", f"{why}; to go on: howgood resume {run} --budget '{more}'")
                return False
            if gate.admits(self.typical):
                return True
            await self.landed.wait()
        return False

    async def _pilot(self) -> None:
        """Run a few trials chosen at random over the whole plan, say what all will take, and ask whether to go on."""
        progress, left = self.progress, self.plan.total - self.progress.done
        pilot = Pilot(self.plan, _trials(self.plan, self.done, self.early), left, self.draw)
        self.early |= {_key(work) for work in pilot.chosen}
        self.typical = forecast.most(self.plan.request(pilot.chosen[0].instance), self.model)
        self.pilot = pilot
        self.ahead += pilot.chosen
        before, spent, tokens = progress.done, progress.spent, progress.tokens
        await self._work(lambda _: self.ahead.pop() if self.ahead else None)
        if self.over or progress.done >= self.plan.total:
            return
        wall = time.monotonic() - self.begun
        per_hour = self.price.per_hour if self.price else None
        told = pilot.forecast(self.model, Spent(before, spent, tokens, self.earlier), wall, per_hour)
        progress.forecast, self.pilot = told, None
        self.notice(progress)
        if self.confirm:
            asked = time.monotonic()
            if not self.confirm(told):
                self.ending = Ending("interrupted", f"not gone on with after the forecast of {told}")
            waited = time.monotonic() - asked  # nobody worked meanwhile
            self.begun, self.finished = self.begun + waited, self.finished + waited


async def run_trial(plan: Plan, model: Model, work: Work) -> Trial:
    """One trial: call, judge. Raises `RequestError` only when every other trial would fail the same way, and
    `HowgoodError` for what is wrong with the benchmark itself; whatever else goes wrong is this trial's failure. What
    the model cannot be asked (images, of one that does not see) is `unsupported`, and not sent."""
    call, index, instance, epoch = plan.benchmark.call, work.index, work.instance, work.epoch
    request = work.request or plan.request(instance, epoch)
    prompt = prompt_of(request)
    try:
        if not model.capabilities.images and has_images(prompt):
            raise Unsupported(f"{model.name} sees no images")
        prediction = await call(request, model)
    except RequestError as error:
        if error.fatal:
            raise
        prediction = Prediction(error=str(error))
    except Unsupported as error:
        score = Score({}, "unsupported", explanation=str(error))
        return Trial(instance, index, epoch, prompt, Prediction(cost=0.0), score)
    except HowgoodError:
        raise
    except Exception as error:
        prediction = Prediction(error=f"{type(error).__name__}: {error}")
    prediction = _without_thinking(prediction)
    if not all(math.isfinite(likelihood.logprob) for likelihood in prediction.likelihoods):
        # No surprise can be counted for what the model holds impossible, and JSON has no infinity to keep it.
        prediction = Prediction(error="the model gives this text probability zero, or one that is not a number")
    score = await judged(plan.benchmark.outputs, instance, prediction)
    return Trial(instance, index, epoch, prompt, prediction, score)


def _without_thinking(prediction: Prediction) -> Prediction:
    """A prediction whose text is the answer alone: thinking that the model wrote inline stands apart, never judged."""
    if prediction.text is None or prediction.reasoning is not None:
        return prediction
    opening, closing = THINKING
    if not prediction.attempts and opening not in prediction.text and closing not in prediction.text:
        return prediction
    reasoning, text = split_thinking(prediction.text)
    attempts = tuple(split_thinking(attempt)[1] for attempt in prediction.attempts)
    if (text, attempts) == (prediction.text, prediction.attempts):
        return prediction
    return msgspec.structs.replace(prediction, text=text, reasoning=reasoning or None, attempts=attempts)


def _same_names(names: list[str], trial: Trial) -> None:
    """Every trial that has scores must have the same, under names that are free: a trial's columns are a run's."""
    given = list(trial.score.values)
    if not given or set(given) == set(names):
        return
    if names:
        raise HowgoodError(f"instance {trial.instance.id} has the scores {given}, others {names}; mend the scorer")
    refuse_taken(given)
    names += given


def _trials(plan: Plan, done: set[Key], early: set[Key]) -> Iterator[Work]:
    """The trials of a plan in its order, but those that are done or were taken early by the time it is their turn."""
    for index, instance in plan.instances():
        for epoch in range(plan.options.epochs):
            key = key_of(index, epoch)
            if key not in done and key not in early:
                yield Work(index, instance, epoch)


def _key(work: Work) -> Key:
    return key_of(work.index, work.epoch)


async def _stop_workers(stop: asyncio.Event, workers: list[asyncio.Task[None]]) -> None:
    """Once asked to stop, let what is in flight finish for a while, then cancel it."""
    await stop.wait()
    await asyncio.wait(workers, timeout=GRACE)
    for task in workers:
        task.cancel()
