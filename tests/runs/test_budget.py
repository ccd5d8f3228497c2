"""Budgets: what they are written as, that a run keeps to them, and what a few trials say of the whole."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np
import pytest

import howgood as hg
from howgood.calls.generation import Generation
from howgood.core.errors import HowgoodError
from howgood.core.types import Generate, Instance, Prediction, Score, Trial, Usage
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models.base import TRIAL, Capabilities, Model
from howgood.models.prices import Rates
from howgood.outputs.match import Match
from howgood.runs import forecast
from howgood.runs.budget import Budget, parse_budget
from howgood.runs.execute import Confirm, execute
from howgood.runs.forecast import Forecast, Range, Sample, mean_bounds, pilot_size, reservoir, total
from howgood.runs.journal import Journal
from howgood.runs.plan import Options, Plan, make_plan
from howgood.runs.progress import Ending, Progress


class Priced(Model):
    """Answers with as many tokens as it is told, at a price, out of turn; keeps what was spent at each start."""

    name = "priced"
    capabilities = Capabilities(generate=True, completion=True)
    paid = True

    def __init__(self, rates: Rates, sizes: list[tuple[int, int]], concurrency: int = 8, seed: int = 0) -> None:
        self.rates, self.sizes, self.concurrency = rates, sizes, concurrency
        self.order = random.Random(seed)
        self.finished = 0.0
        self.in_flight: dict[int, float] = {}
        self.starts: list[tuple[float, float]] = []  # spent, and what those in flight will cost, at each start

    def price(self, usage: Usage) -> float | None:
        return self.rates.cost(usage)

    async def generate(self, request: Generate) -> Prediction:
        place = int(TRIAL.get()[0])
        read, written = self.sizes[place]
        usage = Usage(read, min(written, request.max_tokens))
        cost = self.rates.cost(usage)
        self.in_flight[place] = cost or 0.0
        self.starts.append((self.finished, sum(self.in_flight.values())))
        for _ in range(self.order.randint(1, 6)):
            await asyncio.sleep(0)
        self.finished += self.in_flight.pop(place)
        return Prediction(text="x", usage=usage, cost=cost)


def plan_of(model: Model, lengths: list[int], max_tokens: int = 1024, seed: int = 0) -> Plan:
    items = [Instance(str(i), "x" * length, targets=("x",)) for i, length in enumerate(lengths)]
    benchmark = hg.Benchmark(Inputs.of(items), Generation(max_tokens=max_tokens), Match(), Mean())
    return make_plan(benchmark, model, {}, Options(seed=seed))


async def run(
    plan: Plan,
    model: Model,
    folder: Path,
    budget: Budget | None = None,
    confirm: Confirm | None = None,
    **so_far: float,
) -> tuple[Progress, Ending | None]:
    progress = Progress(plan.total, **so_far)  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    journal = Journal(folder)
    ending = await execute(
        plan, model, journal, set(), progress, lambda _: None, asyncio.Event(), budget=budget, confirm=confirm
    )
    journal.close()
    return progress, ending


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("$5", Budget(dollars=5)),
        ("$0.50", Budget(dollars=0.5)),
        ("5usd", Budget(dollars=5)),
        ("5 USD", Budget(dollars=5)),
        ("2Mtok", Budget(tokens=2_000_000)),
        ("500ktok", Budget(tokens=500_000)),
        ("800tok", Budget(tokens=800)),
        ("30min", Budget(seconds=1800)),
        ("2h", Budget(seconds=7200)),
        ("90s", Budget(seconds=90)),
        ("$5, 2Mtok,1.5h", Budget(5, 2_000_000, 5400)),
    ],
)
def test_what_a_budget_is_written_as(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget
    assert parse_budget(budget.doubled()) == Budget(
        *(x and 2 * x for x in (budget.dollars, budget.tokens, budget.seconds))
    )


@pytest.mark.parametrize("text", ["", "5", "$", "five dollars", "-$5", "$0", "0min", "5eur", "$5;2h", "$5,", "1e9tok"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(HowgoodError, match=r"--budget takes dollars .*500ktok.*30min"):
        parse_budget(text)


def test_two_limits_of_one_kind() -> None:
    with pytest.raises(HowgoodError, match="two limits in seconds"):
        parse_budget("30min,2h")


def test_a_budget_in_words() -> None:
    assert str(Budget(5, 2_000_000, 5400)) == "$5.00, 2,000,000 tokens, 1 h 30 min"


def lengths(kind: str, n: int, most: int, draw: random.Random) -> list[int]:
    """Lengths as they occur: all alike, with a long tail, with a heavier one, of two kinds."""
    if kind == "constant":
        return [draw.randint(1, most)] * n
    if kind == "lognormal":
        mean, spread = draw.uniform(1, 6), draw.uniform(0.3, 1.8)
        drawn = [draw.lognormvariate(mean, spread) for _ in range(n)]
    elif kind == "pareto":
        exponent, least = draw.uniform(0.9, 2.5), draw.uniform(5, 60)
        drawn = [least * draw.paretovariate(exponent) for _ in range(n)]
    else:
        short, share = draw.uniform(1, 50), draw.uniform(0.01, 0.5)
        long = short * draw.uniform(10, 100)
        drawn = [(long if draw.random() < share else short) * draw.uniform(0.8, 1.2) for _ in range(n)]
    return [max(1, min(most, int(length))) for length in drawn]


async def test_200_runs_keep_to_their_budgets_and_their_forecasts_hold(tmp_path: Path) -> None:
    kinds, held, held_tokens = ("lognormal", "bimodal", "constant", "pareto"), 0, 0
    for case in range(200):
        draw = random.Random(case)
        n, most = draw.randint(20, 200), draw.choice([64, 256, 1024, 4096])
        prompts = lengths(draw.choice(kinds), n, 3000, draw)
        answers = lengths(kinds[case % 4], n, most, draw)
        sizes = [(max(1, int(p / draw.gauss(4, 0.3))), a) for p, a in zip(prompts, answers, strict=True)]
        rates, concurrency = Rates(10 ** draw.uniform(-2, 1.2), 10 ** draw.uniform(-1, 2)), draw.choice([1, 4, 16, 32])
        model = Priced(rates, sizes, concurrency, case)
        plan = plan_of(model, prompts, most, seed=case)
        told: list[Forecast] = []

        progress, ending = await run(plan, model, tmp_path / "all", None, lambda f: told.append(f) is None)  # noqa: B023
        assert (ending, progress.done, len(told)) == (None, n, 1)
        assert progress.cost is not None
        assert told[0].dollars is not None
        held += told[0].dollars.low <= progress.cost <= told[0].dollars.high
        held_tokens += told[0].tokens.low <= progress.tokens <= told[0].tokens.high

        limit = progress.cost * draw.uniform(0.05, 0.95)
        model = Priced(rates, sizes, concurrency, case)
        progress, ending = await run(plan, model, tmp_path / "limited", Budget(dollars=limit))
        assert all(spent < limit for spent, _ in model.starts)
        assert progress.spent == pytest.approx(model.finished)
        assert progress.spent < limit + model.starts[-1][1]
        if progress.done < n:
            assert ending is not None
            assert ending.status == "interrupted"
            assert progress.spent >= limit
    # Seen: 198 and 199.
    assert held >= 180
    assert held_tokens >= 180


async def test_what_is_said_at_the_limit(tmp_path: Path) -> None:
    model = Priced(Rates(0, 1_000_000), [(10, 1)] * 100, concurrency=4)
    progress, ending = await run(plan_of(model, [40] * 100), model, tmp_path / "r7", Budget(dollars=30))
    assert ending == Ending(
        "interrupted", "the budget of $30.00 is used up ($30.00 spent); to go on: howgood resume r7 --budget '$60'"
    )
    assert (progress.done, progress.spent) == (30, 30.0)


async def test_trials_in_flight_are_reckoned_with(tmp_path: Path) -> None:
    """With the same price for all nothing is spent beyond the limit, however many could be in flight."""
    model = Priced(Rates(0, 1_000_000), [(10, 7)] * 100, concurrency=32)
    progress, _ = await run(plan_of(model, [40] * 100), model, tmp_path, Budget(dollars=70))
    assert progress.spent == 70
    # The first ones can take 1024 dollars each as far as is known, so that one goes alone.
    assert model.starts[1][0] == 7


async def test_a_budget_in_tokens_and_in_time(tmp_path: Path) -> None:
    model = Priced(Rates(), [(10, 2)] * 100, concurrency=4)
    progress, ending = await run(plan_of(model, [40] * 100), model, tmp_path, Budget(tokens=300))
    assert ending is not None
    assert "the budget of 300 tokens is used up" in ending.message
    assert 300 <= progress.tokens < 300 + 4 * 12
    progress, ending = await run(plan_of(model, [40] * 100), model, tmp_path, Budget(seconds=60), seconds=61.0)
    assert ending is not None
    assert "the budget of 1 min 00 s is used up" in ending.message
    assert progress.done == 0


async def test_tokens_that_no_server_counted_are_reckoned_from_characters(tmp_path: Path) -> None:
    model = Priced(Rates(), [(0, 0)] * 50, concurrency=1)
    progress, ending = await run(plan_of(model, [399] * 50), model, tmp_path, Budget(tokens=1000))
    assert ending is not None
    assert (progress.done, progress.tokens) == (10, 1000)


async def test_earlier_sessions_count(tmp_path: Path) -> None:
    model = Priced(Rates(0, 1_000_000), [(10, 1)] * 100, concurrency=4)
    progress, _ = await run(plan_of(model, [40] * 100), model, tmp_path, Budget(dollars=30), spent=20.0)
    assert (progress.done, progress.spent) == (10, 30.0)


async def test_a_price_that_is_not_known_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    model = Priced(Rates(), [(10, 1)] * 10)
    with pytest.raises(HowgoodError, match=r"price of priced is not known, .*prices.json .*2Mtok"):
        await run(plan_of(model, [40] * 10), model, tmp_path, Budget(dollars=30))
    assert model.starts == []


async def test_a_cost_that_is_not_told_stops_a_run_with_a_budget_in_dollars(tmp_path: Path) -> None:
    class Silent(Priced):
        async def generate(self, request: Generate) -> Prediction:
            await super().generate(request)
            return Prediction(text="x")

    model = Silent(Rates(1, 1), [(10, 1)] * 100, concurrency=2)
    progress, ending = await run(plan_of(model, [40] * 100), model, tmp_path, Budget(dollars=30))
    assert ending is not None
    assert "not known" in ending.message
    assert progress.done <= 2
    assert progress.spent is None


async def test_what_comes_from_the_cache_costs_but_is_not_spent(tmp_path: Path) -> None:
    class Remembering(Priced):
        async def generate(self, request: Generate) -> Prediction:
            answer = await super().generate(request)
            replayed = int(TRIAL.get()[0]) % 2 == 0
            return Prediction(text="x", usage=answer.usage, cost=answer.cost, replayed=replayed)

    model = Remembering(Rates(0, 1_000_000), [(10, 1)] * 60, concurrency=4)
    progress, ending = await run(plan_of(model, [40] * 60), model, tmp_path, Budget(dollars=31))
    assert ending is None
    assert (progress.cost, progress.spent, progress.tokens) == (60.0, 30.0, 30 * 11)


def test_of_a_vote_only_the_samples_that_are_not_in_the_cache_are_spent() -> None:
    asked: list[int | None] = []

    class ADollarEach(Priced):
        async def generate(self, request: Generate) -> Prediction:
            asked.append(request.seed)
            return Prediction(text="x", usage=Usage(10, 1), cost=1.0)

    items = [Instance(str(i), f"question {i}", targets=("x",)) for i in range(5)]
    benchmark = hg.Benchmark(Inputs.of(items), Generation(), Match(), Mean())
    model = ADollarEach(Rates(0, 1_000_000), [])
    first = hg.run(benchmark, model, method="vote,n=4", cache=True)
    assert (first.cost, first.spent) == (20.0, 20.0)
    more = hg.run(benchmark, model, method="vote,n=6", cache=True, budget="$11,111tok")
    assert (more.status, more.cost, more.spent) == ("finished", 30.0, 10.0)
    assert len(asked) == len(set(asked)) == 30
    assert hg.run(benchmark, model, method="vote,n=6", cache=True).spent == 0.0


async def test_the_pilot_is_at_random_and_counts(tmp_path: Path) -> None:
    model = Priced(Rates(1, 1), [(10, 1)] * 100, concurrency=1)
    plan, told = plan_of(model, [40] * 100), list[Forecast]()
    progress, ending = await run(plan, model, tmp_path, confirm=lambda f: bool(told.append(f)))
    assert (progress.done, ending and ending.status) == (pilot_size(100), "interrupted")
    assert ending is not None
    assert "not gone on with after the forecast of $0.0011 [" in ending.message
    ids = [
        int(line.split('"id":"')[1].split('"')[0]) for line in (tmp_path / "journal-001.jsonl").read_text().splitlines()
    ]
    assert len(set(ids)) == 20
    assert ids != sorted(ids)
    assert max(ids) > 50
    assert (told[0].pilot, told[0].planned) == (20, 100)
    assert told[0].seconds.low <= told[0].seconds.value <= told[0].seconds.high


async def test_nobody_is_asked_where_the_pilot_is_the_run(tmp_path: Path) -> None:
    model = Priced(Rates(1, 1), [(10, 1)] * 5)
    progress, ending = await run(plan_of(model, [40] * 5), model, tmp_path, confirm=lambda _: False)
    assert (progress.done, ending) == (5, None)


def test_a_forecast_of_what_is_explained_by_the_prompts_is_exact() -> None:
    pilot = [Sample(float(x), 0.5 * x, 0.5 * x, 0.5 * x) for x in (10, 30, 20, 40)]
    assert total(pilot, left=6, length=600.0, spent=7.0).value == pytest.approx(7 + 50 + 300)


def test_a_forecast_lies_between_what_is_done_and_the_most_that_can_come() -> None:
    pilot = [Sample(0.0, 1.0, 0.0, 100.0)] * 20
    found = total(pilot, left=2, length=0.0, spent=0.0)
    assert (found.value, found.low) == (pytest.approx(22), pytest.approx(20))
    assert 22 < found.high <= 220
    assert total(pilot, left=0, length=0.0, spent=0.0) == Range(20.0, 20.0, 20.0)


def test_the_bounds_of_a_mean_are_the_order_statistics_where_those_are_known() -> None:
    # Of n zeros in [0, 1] the mean's upper bound is the (1 - a) quantile of Beta(1, n): 1 - a^(1/n).
    low, high = mean_bounds([0.0] * 20, 0.0, 1.0, level=0.9)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.05 ** (1 / 20), rel=0.05)


def test_a_reservoir_is_a_simple_random_sample() -> None:
    counts = np.zeros(10)
    for seed in range(3000):
        counts[reservoir(range(10), 3, random.Random(seed))] += 1
    assert counts.sum() == 9000
    assert np.abs(counts - 900).max() < 4 * np.sqrt(3000 * 0.3 * 0.7)


def test_whether_a_forecast_is_above_a_budget() -> None:
    found = Forecast(20, 100, Range(4.0, 3.0, 6.0), Range(1e6, 9e5, 2e6), Range(60.0, 50.0, 90.0))
    assert not found.exceeds(Budget(dollars=5))
    assert found.may_exceed(Budget(dollars=5))
    assert found.exceeds(Budget(dollars=3.5))
    assert found.exceeds(Budget(dollars=7, seconds=59))
    assert not found.may_exceed(Budget(dollars=7, tokens=2e6, seconds=90))
    assert str(found) == (
        "$4.00 [$3.00, $6.00], 1,000,000 tokens [900,000 tokens, 2,000,000 tokens], "
        "1 min 00 s [50.0 s, 1 min 30 s] in all (90% intervals, from 20 of 100 trials)"
    )


def test_what_a_replayed_trial_took() -> None:
    asked = Generate("x" * 40, max_tokens=5)
    model = Priced(Rates(1_000_000, 1_000_000), [])
    for replayed, taken in ((False, 12.0), (True, 0.0)):
        prediction = Prediction(text="x", usage=Usage(10, 2), cost=12.0, replayed=replayed)
        trial = Trial(Instance("0", "x"), 0, 0, asked.prompt, prediction, Score({"x": 1.0}, "right"))
        tokens, dollars = forecast.samples(trial, asked, model)
        assert (tokens.taken, tokens.most) == (taken, 15)
        assert dollars is not None
        assert (dollars.taken, dollars.reading, dollars.most) == (taken, min(taken, 10.0), 15.0)


def test_what_a_trial_of_several_requests_takes_at_most_is_not_known() -> None:
    asked = Generate("x" * 40, max_tokens=50)
    prediction = Prediction(text="x", attempts=("x", "y"), usage=Usage(20, 4), cost=24.0)
    trial = Trial(Instance("0", "x"), 0, 0, asked.prompt, prediction, Score({"x": 1.0}, "right"))
    tokens, dollars = forecast.samples(trial, asked, Priced(Rates(1_000_000, 1_000_000), []))
    assert tokens == Sample(40.0, 24, 20, None)
    assert dollars == Sample(40.0, 24.0, 20.0, None)


def test_loading_a_model_is_not_borne_by_each_trial() -> None:
    model = Priced(Rates(1, 1), [])
    plan = plan_of(model, [40] * 100)
    pilot = forecast.Pilot(plan, [forecast.Work(i, item, 0) for i, item in plan.instances()], 100, random.Random(0))
    for place, work in enumerate(pilot.chosen):
        prediction = Prediction(text="x", usage=Usage(10, 1), latency=0.5, cost=1e-5)
        trial = Trial(
            work.instance, work.index, work.epoch, work.instance.input, prediction, Score({"x": 1.0}, "right")
        )
        pilot.add(trial, 60.5 if place == 0 else 0.5)  # one at a time, after a minute of loading
    found = pilot.forecast(model, forecast.Spent(0, 0.0, 0.0, 7.0), 70.0, None)
    assert found.seconds.value == pytest.approx(7 + 60 + 100 * 0.5)
    by_hour = pilot.forecast(model, forecast.Spent(0, 0.0, 0.0, 7.0), 70.0, 36.0)
    assert by_hour.dollars is not None
    assert by_hour.dollars.value == pytest.approx(1.17)
