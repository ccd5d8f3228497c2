"""The order in which a server that remembers what it has read is asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

import howgood as hg
from howgood.calls.generation import Generation
from howgood.core.errors import RequestError
from howgood.core.types import Generate, Instance, Prediction, Request, Usage
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models.base import LANE, TRIAL, Capabilities, Model
from howgood.outputs.match import Match
from howgood.runs import lanes
from howgood.runs.forecast import Work
from howgood.runs.lanes import Lanes
from howgood.runs.plan import Options, Plan, make_plan

HEADER = "Worked examples on {}: " + 20 * "one, two, three. "


def shared(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


class Slots(Model):
    """Answers in `concurrency` slots, each of which remembers the prompt it read last, as llama.cpp's do: a request
    goes to the free slot whose prompt begins most like its own."""

    name = "slots"
    capabilities = Capabilities(generate=True, completion=True)

    def __init__(self, concurrency: int, remembers: bool, bad: Collection[int] = ()) -> None:
        self.concurrency, self.remembers, self.bad = concurrency, remembers, bad
        self.lanes_used: set[int] = set()
        self.free = [""] * concurrency
        self.asked: list[str] = []

    def lanes(self, request: Request) -> int:
        return self.concurrency if self.remembers else 0

    async def generate(self, request: Generate) -> Prediction:
        prompt = request.prompt
        assert isinstance(prompt, str)
        known = max(self.free, key=lambda held: shared(held, prompt))
        self.free.remove(known)
        self.asked.append(id := TRIAL.get()[0])
        self.lanes_used.add(LANE.get())
        await asyncio.sleep(0)
        self.free.append(prompt)
        if int(id) in self.bad:
            raise RequestError("503")
        cached = shared(known, prompt)
        return Prediction(text="yes", stop_reason="stop", usage=Usage(len(prompt), 1, cached=cached), cost=0.0)


def benchmark(subjects: int, each: int) -> hg.Benchmark:
    """Questions below the worked examples of their subject, in any order."""
    items = [
        Instance(str(i), f"{HEADER.format(i % subjects)}question {i}?", targets=("yes",))
        for i in range(subjects * each)
    ]
    random.Random(0).shuffle(items)
    return hg.Benchmark(Inputs.of(items), Generation(), Match("normalized"), Mean())


def plan_of(asked: hg.Benchmark) -> tuple[Plan, list[Work]]:
    plan = make_plan(asked, Slots(1, True), {}, Options())
    return plan, [Work(index, instance, 0) for index, instance in plan.instances()]


def subject(work: Work | None) -> int:
    assert work is not None
    return int(work.instance.id) % 4


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_what_begins_alike_is_read_once_a_subject(concurrency: int) -> None:
    hits = {}
    for remembers in (False, True):
        model = Slots(concurrency, remembers)
        run = hg.run(benchmark(16, 16), model)
        assert (run.estimate.value, sorted(map(int, model.asked))) == (1.0, list(range(256)))
        assert model.lanes_used == set(range(concurrency))
        hits[remembers] = run.usage.cached / run.usage.input
    # Of 16 questions of each subject all but the first, and but one for each end of a lane, are read below its header.
    assert hits[True] > 0.85 * (1 - (16 + concurrency) / 256)
    assert hits[True] > hits[False] + (0 if concurrency == 16 else 0.3)


def test_each_worker_goes_on_with_its_subject_and_then_takes_from_the_longest_lane() -> None:
    plan, works = plan_of(benchmark(4, 8))
    handed = Lanes(plan, iter(works), 4)
    first = [handed.take(0) for _ in range(8)]
    assert {subject(work) for work in first} == {0}
    other = handed.take(1)
    assert subject(other) == 1
    stolen = [handed.take(0) for _ in range(4)]  # half of the eight that wait in the lanes of 2 or 3
    assert len({subject(work) for work in stolen} & {2, 3}) == 1
    rest = [work for number in range(100) if (work := handed.take(number % 4))]
    assert sorted(work.index for work in [*first, other, *stolen, *rest] if work) == sorted(
        work.index for work in works
    )
    assert handed.take(3) is None


def test_no_more_is_looked_at_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, works = plan_of(benchmark(4, 8))
    pulled: list[int] = []

    def counted() -> Iterator[Work]:
        for work in works:
            pulled.append(work.index)
            yield work

    monkeypatch.setattr(lanes, "LOOK_AHEAD", 10)
    monkeypatch.setattr(lanes, "IN_LANE", 5)
    handed = Lanes(plan, counted(), 2)
    handed.take(0)
    assert len(pulled) == 11  # ten are cut into lanes, and one is there for the next cut
    for number in range(2, 10):
        handed.take(0)
        assert len(pulled) == 10 + number
    monkeypatch.setattr(lanes, "LOOK_AHEAD_TEXT", 1)
    for _ in range(5):  # what was looked at is long enough
        handed.take(1)
    assert len(pulled) == 20
    assert [handed.take(0) for _ in range(20)].count(None) == 2  # 14 of 32 were handed out
    assert len(pulled) == 32


def test_more_is_looked_at_for_more_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOOK_AHEAD", 10)
    plan, works = plan_of(benchmark(4, 32))
    handed = Lanes(plan, iter(works), 7)
    handed.take(0)
    assert len([*handed.waiting()]) == 7 * 8  # one was handed out, and one more was looked at instead


def test_a_request_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    build = Generation.request

    def counted(self: Generation, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        built.append(instance.id)
        return build(self, instance, shots, seed)

    monkeypatch.setattr(Generation, "request", counted)
    model = Slots(4, True)
    asked = benchmark(4, 8)
    plan_of(asked)
    before = len(built)
    hg.run(asked, model)
    # As the plan was made, once to see whether the model has lanes, and once for each trial.
    assert len(built) == 2 * before + 1 + 32
    assert sorted(map(int, model.asked)) == list(range(32))


FIRST = {*range(64)}
FIRST_IN_LANE = {i for i in range(200) if i % 50 < 16}


# Many failures in a row, where a part of the run is looked at together, and where all of it is.
@pytest.mark.parametrize(("look_ahead", "bad"), [(60, FIRST), (1024, FIRST_IN_LANE)])
def test_a_run_that_is_doubted_asks_nothing_twice(
    look_ahead: int, bad: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "LOOK_AHEAD", look_ahead)
    model = Slots(4, True, bad)
    items = [Instance(str(i), f"question {i:03}?", targets=("yes",)) for i in range(200)]
    run = hg.run(hg.Benchmark(Inputs.of(items), Generation(), Match("normalized"), Mean()), model, folder=tmp_path)
    assert (run.status, run.outcomes) == ("incomplete", {"failed": 64, "right": 136})
    assert sorted(map(int, model.asked)) == list(range(200))
