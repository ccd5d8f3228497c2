"""Self-consistency: its expected score is the closed form, its samples differ, and what failed is not lost."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from method_models import CHATS, Drawn, Scripted, spent

from howgood.calls.base import Settings
from howgood.calls.generation import Generation
from howgood.calls.methods.registry import apply
from howgood.core.errors import HowgoodError, RequestError
from howgood.core.types import Instance, Usage
from howgood.outputs.base import judge
from howgood.outputs.match import Numeric

PLAIN = Settings()
SUM = Instance("sum", "2 + 3?", targets=("5",))
ANSWERS, PROBABILITIES = ("#### 5", "#### 6", "#### 7"), (0.45, 0.3, 0.25)


def vote(n: int, given: Settings = PLAIN):
    around, outputs = apply((f"vote,n={n}",), Generation(), Numeric())
    return around.bind(CHATS, given), outputs


def expected(n: int) -> float:
    """The probability that the right answer (the first) has most votes, a tie among m counting 1/m: the multinomial
    distribution added up over all counts."""
    total = 0.0
    for counts in product(range(n + 1), repeat=3):
        if sum(counts) == n and counts[0] == max(counts):
            ways = math.factorial(n) / math.prod(map(math.factorial, counts))
            probability = ways * math.prod(p**c for p, c in zip(PROBABILITIES, counts, strict=True))
            total += probability / counts.count(max(counts))
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
async def test_the_mean_score_is_the_probability_that_the_majority_is_right(n: int) -> None:
    call, outputs = vote(n)
    model, trials = Drawn(ANSWERS, PROBABILITIES), 1500
    scores = []
    for seed in range(trials):
        prediction = await call(call.request(SUM, (), seed), model)
        scores.append(judge(outputs, SUM, prediction).values["exact_match"])
    assert sum(scores) / trials == pytest.approx(expected(n), abs=3.3 * 0.5 / math.sqrt(trials))
    assert len(set(model.seeds)) == n * trials


def test_the_closed_form_is_what_a_small_case_says() -> None:
    assert expected(1) == pytest.approx(0.45)
    # two samples: both right, or one right and one wrong, which is a tie
    assert expected(2) == pytest.approx(0.45**2 + 2 * 0.45 * 0.55 / 2)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
async def test_one_vote_is_plain_sampling(seed: int) -> None:
    call, outputs = vote(1)
    plain = Generation().bind(CHATS, Settings(temperature=0.7))
    model = Drawn(ANSWERS, PROBABILITIES)
    request = call.request(SUM, (), seed)
    assert request == plain.request(SUM, (), seed)
    voted, alone = await call(request, model), await plain(request, model)
    one, other = judge(outputs, SUM, voted), judge(Numeric(), SUM, alone)
    assert (voted.text, one.values, one.outcome, one.answer) == (alone.text, other.values, other.outcome, other.answer)


async def test_what_all_samples_took_is_added_up_but_the_time() -> None:
    call, outputs = vote(3)
    model = Scripted(spent("5", retries=1, replayed=True), spent("6", retries=2), spent("5.0"))
    found = await call(call.request(SUM, (), 7), model)
    assert (found.usage, found.latency, found.cost) == (Usage(input=30, output=3), 0.5, 0.75)
    assert (found.retries, found.replayed, found.first_token) == (3, False, 0.1)
    assert (found.text, found.attempts) == ("5", ("5", "6", "5.0"))
    score = judge(outputs, SUM, found)
    assert (score.outcome, score.answer, score.explanation) == ("right", "5", "votes: 5 x2, 6 x1")


async def test_samples_are_drawn_at_a_temperature_and_with_seeds_of_their_own() -> None:
    call, _ = vote(3)
    model = Scripted("5", "5", "5")
    await call(call.request(SUM, (), 7), model)
    assert {request.temperature for request in model.requests} == {0.7}
    seeds = [request.seed for request in model.requests]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert call.describe() == {
        "kind": "generation",
        "format": "chat",
        "shots": {"n": 0},
        "max_tokens": 1024,
        "temperature": 0.7,
        "methods": [{"name": "vote", "n": 3}],
    }
    assert vote(3, Settings(temperature=1.2))[0].describe()["temperature"] == 1.2


async def test_samples_of_samples_differ_too() -> None:
    around, _ = apply(("vote,n=4", "best,n=4,by=logprobs"), Generation(), Numeric())
    call = around.bind(CHATS, Settings())
    model = Scripted(*[spent("5", [-0.1])] * 16)
    await call(call.request(SUM, (), 7), model)
    assert len({request.seed for request in model.requests}) == 16


async def test_a_sample_that_fails_fails_the_trial_and_keeps_what_the_others_took() -> None:
    call, outputs = vote(3)
    model = Scripted("5", "5", RequestError("the third broke"))
    found = await call(call.request(SUM, (), 7), model)
    assert (found.error, found.cost, found.usage) == ("the third broke", 0.5, Usage(input=20, output=2))
    assert judge(outputs, SUM, found).outcome == "failed"


async def test_where_no_sample_was_answered_the_error_stands_alone() -> None:
    call, _ = vote(2)
    with pytest.raises(RequestError, match="first"):
        await call(call.request(SUM, (), 7), Scripted(RequestError("first"), RequestError("second")))


async def test_what_would_fail_every_trial_ends_the_run() -> None:
    call, _ = vote(2)
    with pytest.raises(RequestError, match="wrong key") as raised:
        await call(call.request(SUM, (), 7), Scripted("5", RequestError("wrong key", fatal=True)))
    assert raised.value.fatal


@pytest.mark.parametrize(
    ("n", "given", "message"),
    [(0, Settings(), "at least one sample"), (3, Settings(temperature=0), "all the same at temperature 0")],
)
def test_votes_that_make_no_sense_are_refused(n: int, given: Settings, message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        vote(n, given)
