"""The engine: when it gives up, what it does not send, and what a machine's time costs each trial."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import howgood as hg
from howgood.calls.generation import Generation
from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Generate, Image, Instance, Message, Prediction, Text, Usage
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models import prices
from howgood.models.base import TRIAL, Capabilities, Model
from howgood.outputs.match import Match
from howgood.runs import store
from howgood.runs.budget import Budget
from howgood.runs.evaluate import COLLECTED_AFTER, carry_on, evaluate, rarely_collecting
from howgood.runs.execute import PROBES, execute
from howgood.runs.journal import Journal
from howgood.runs.plan import Options, Plan, make_plan
from howgood.runs.progress import Ending, Progress

IMAGE = (Message("user", (Text("What is this?"), Image(b"\x89PNG"))),)


class Failing(Model):
    """Fails on the instances whose numbers are in `bad`."""

    name = "failing"
    capabilities = Capabilities(generate=True, completion=True, chat=True)

    def __init__(self, bad: range, concurrency: int = 4, error: Exception | None = None) -> None:
        self.bad, self.concurrency = bad, concurrency
        self.error = error or RequestError("503: the server is down")
        self.asked: list[int] = []

    async def generate(self, request: Generate) -> Prediction:
        place = int(TRIAL.get()[0])
        self.asked.append(place)
        await asyncio.sleep(0)
        if place in self.bad:
            raise self.error
        return Prediction(text="yes", stop_reason="stop", usage=Usage(10, 2), cost=0.001)


def questions(n: int) -> hg.Benchmark:
    items = [Instance(str(i), f"question {i}", targets=("yes",)) for i in range(n)]
    return hg.Benchmark(Inputs.of(items), Generation(), Match("normalized"), Mean())


@pytest.mark.parametrize("concurrency", [1, 4, 16])
def test_a_run_in_which_everything_fails_is_stopped(concurrency: int) -> None:
    model = Failing(range(1000), concurrency)
    run = hg.run(questions(1000), model)
    enough = max(20, 2 * concurrency) + PROBES
    assert run.status == "failed"
    assert run.message is not None
    told = re.fullmatch(r"the last (\d+) trials all failed, at last with: 503: the server is down", run.message)
    assert told is not None
    # Those in flight fail too before the probes do.
    assert enough <= int(told[1]) <= len(model.asked) < enough + 2 * concurrency
    assert run.outcomes == {"failed": len(model.asked)}


def test_garbage_is_collected_rarely_while_a_run_goes_on_and_as_before_after_it() -> None:
    before, during = gc.get_threshold(), list[tuple[int, int, int]]()

    class Looking(Failing):
        async def generate(self, request: Generate) -> Prediction:
            during.append(gc.get_threshold())
            return await super().generate(request)

    hg.run(questions(3), Looking(range(0)))
    assert {threshold[0] for threshold in during} == {COLLECTED_AFTER}
    assert before[0] < COLLECTED_AFTER
    assert gc.get_threshold() == before


def test_runs_side_by_side_leave_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    first, second = rarely_collecting(), rarely_collecting()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


async def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    model = Failing(range(100, 1000))
    plan = make_plan(questions(300), model, {}, Options())
    run = await evaluate(plan, model, tmp_path)
    assert run.status == "failed"
    assert run.outcomes["right"] == 100
    assert run.outcomes["failed"] < 20 + PROBES + 2 * 4
    healed = Failing(range(0))
    run = await carry_on(plan, healed, store.load(run.path), None)
    assert (run.status, run.outcomes) == ("finished", {"right": 300})
    assert sorted(healed.asked) == list(range(100, 300))


def test_a_hard_stretch_is_no_dead_server() -> None:
    run = hg.run(questions(300), Failing(range(50, 130)))
    assert (run.status, run.outcomes) == ("incomplete", {"right": 220, "failed": 80})


def test_a_hard_stretch_is_passed_however_many_are_in_flight() -> None:
    """The trials in flight are from the same stretch: they say nothing of the rest, and the probes do."""
    run = hg.run(questions(1000), Failing(range(50, 250), concurrency=64))
    assert (run.status, run.outcomes) == ("incomplete", {"right": 800, "failed": 200})


async def test_a_run_whose_model_answers_at_once_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in such a run waits for anything, but the event loop must have its turns to hear of Ctrl-C."""
    clock, stop = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now), asyncio.Event()
    monkeypatch.setattr("howgood.runs.execute.time", clock)

    class Instant(Failing):
        async def generate(self, request: Generate) -> Prediction:
            self.asked.append(int(TRIAL.get()[0]))
            clock.now += 0.01
            if len(self.asked) == 30:
                asyncio.get_running_loop().call_soon(stop.set)
            return Prediction(text="yes", stop_reason="stop")

    model, journal = Instant(range(0)), Journal(tmp_path)
    plan = make_plan(questions(1000), model, {}, Options())
    ending = await execute(plan, model, journal, set(), Progress(plan.total), lambda _: None, stop)
    journal.close()
    assert ending is not None
    assert ending.status == "interrupted"
    assert 30 <= len(model.asked) < 60  # it lets others have a turn every tenth of a second


def test_each_trial_is_asked_once_though_some_are_taken_out_of_turn() -> None:
    model = Failing(range(10, 120))
    hg.run(questions(300), model, epochs=2)
    assert sorted(model.asked) == sorted(2 * list(range(300)))


def test_failures_among_answers_do_not_stop_a_run() -> None:
    run = hg.run(questions(400), Failing(range(0, 400, 2)))
    assert run.outcomes == {"right": 200, "failed": 200}


def seeing(n: int) -> hg.Benchmark:
    items = [Instance(str(i), IMAGE if i % 2 else f"question {i}", targets=("yes",)) for i in range(n)]
    return hg.Benchmark(Inputs.of(items), Generation(), Match("normalized"), Mean())


def test_images_are_not_sent_to_a_model_that_sees_none() -> None:
    model = Failing(range(0))
    run = hg.run(seeing(10), model)
    assert (run.status, run.outcomes) == ("finished", {"right": 5, "unsupported": 5})
    assert sorted(model.asked) == [0, 2, 4, 6, 8]
    assert run.cost == pytest.approx(0.005)
    row = run.trials.row(1, named=True)
    assert (row["outcome"], row["cost"], row["normalized_match"]) == ("unsupported", 0.0, None)
    assert row["explanation"] == "failing sees no images"
    assert (run.estimate.value, run.estimate.n) == (1.0, 5)


def test_images_are_sent_to_a_model_that_sees() -> None:
    model = Failing(range(0))
    model.capabilities = Capabilities(generate=True, completion=True, chat=True, images=True)
    assert hg.run(seeing(10), model).outcomes == {"right": 10}


def test_what_a_model_cannot_do_with_one_request_is_no_failure_of_the_run() -> None:
    model = Failing(range(3), error=Unsupported("no text of this kind"))
    run = hg.run(questions(10), model)
    assert (run.status, run.outcomes) == ("finished", {"right": 7, "unsupported": 3})
    assert run.trials["explanation"][0] == "no text of this kind"


def test_other_faults_of_the_benchmark_still_stop_the_run() -> None:
    with pytest.raises(HowgoodError, match="mend it"):
        hg.run(questions(10), Failing(range(3), error=HowgoodError("mend it")))


async def test_what_is_unsupported_is_not_run_again_and_what_failed_is(tmp_path: Path) -> None:
    model = Failing(range(4, 5))
    plan = make_plan(seeing(10), model, {}, Options())
    run = await evaluate(plan, model, tmp_path)
    assert (run.status, run.outcomes) == ("incomplete", {"right": 4, "unsupported": 5, "failed": 1})
    healed = Failing(range(0))
    run = await carry_on(plan, healed, store.load(run.path), None)
    assert healed.asked == [4]
    assert (run.status, run.outcomes) == ("finished", {"right": 5, "unsupported": 5})


class Stubborn(Failing):
    """Brings its answers in even when it is told to stop."""

    async def generate(self, request: Generate) -> Prediction:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return await super().generate(request)


async def test_a_run_that_is_cancelled_keeps_what_its_trials_still_bring(tmp_path: Path) -> None:
    model = Stubborn(range(0))
    task = asyncio.create_task(evaluate(make_plan(questions(10), model, {}, Options()), model, tmp_path))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = store.load(next(tmp_path.iterdir()))
    assert (run.status, run.outcomes, run.spent) == ("interrupted", {"right": 4}, pytest.approx(0.004))
    assert len(run.read(["id"])) == 4


class HalfDone(Failing):
    """What fails was half done and is paid for."""

    async def generate(self, request: Generate) -> Prediction:
        try:
            return await super().generate(request)
        except RequestError as error:
            return Prediction(error=str(error), usage=Usage(10, 0), cost=0.01)


async def test_what_failed_was_paid_for_though_it_was_run_again(tmp_path: Path) -> None:
    plan = make_plan(questions(10), HalfDone(range(0)), {}, Options())
    run = await evaluate(plan, HalfDone(range(4)), tmp_path)
    assert (run.outcomes, run.spent) == ({"right": 6, "failed": 4}, pytest.approx(6 * 0.001 + 4 * 0.01))
    record = (run.path / "run.json").read_text()
    await carry_on(plan, HalfDone(range(1)), run, None)
    # The second session was killed before it could say what it took.
    (run.path / "run.json").write_text(record.replace('"incomplete"', '"running"'))
    seen: list[Progress] = []
    run = await carry_on(plan, Failing(range(0)), store.load(run.path), lambda p: seen.append(copy.copy(p)))
    assert (seen[0].done, seen[0].tokens) == (9, 9 * 12 + 5 * 10)
    assert (run.status, run.spent) == ("finished", pytest.approx(10 * 0.001 + 5 * 0.01))
    assert run.cost == pytest.approx(10 * 0.001)


async def test_the_time_of_each_session_that_was_killed_counts(tmp_path: Path) -> None:
    plan = make_plan(questions(10), Failing(range(0)), {}, Options())
    run = await evaluate(plan, Failing(range(1)), tmp_path)
    run.status, run.seconds = "running", 5.0
    store.save(run)
    begun = (run.path / "run.json").stat().st_mtime
    os.utime(run.path / "journal-001.jsonl", (begun + 10, begun + 10))
    told: list[float] = []
    await carry_on(plan, Failing(range(0)), run, lambda p: told.append(store.load(run.path).seconds))
    assert told[0] == pytest.approx(15.0)  # in the record from the start, in case that this session is killed too


async def executed(
    plan: Plan, model: Model, folder: Path, budget: Budget | None = None
) -> tuple[Progress, Ending | None, float]:
    """The progress, why it ended, and the seconds from the start to the end of the last trial."""
    progress, journal, seconds = Progress(plan.total), Journal(folder), [0.0]
    ending = await execute(
        plan, model, journal, set(), progress, lambda p: seconds.append(p.seconds), asyncio.Event(), budget
    )
    journal.close()
    return progress, ending, max(seconds)


def costs(folder: Path) -> list[float]:
    journal = (folder / "journal-001.jsonl").read_bytes().splitlines()
    return [json.loads(line)["prediction"]["cost"] for line in journal]


async def test_a_machine_by_the_hour_costs_its_trials_what_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.json").write_text('{"fail*": {"per_hour": 3600}}')
    monkeypatch.setenv(prices.VARIABLE, str(tmp_path / "prices.json"))
    model = Failing(range(5, 8))
    progress, _, seconds = await executed(make_plan(questions(50), model, {}, Options()), model, tmp_path)
    assert progress.cost == progress.spent == pytest.approx(sum(costs(tmp_path)))
    assert all(cost > 0 for cost in costs(tmp_path))
    assert sum(costs(tmp_path)) == pytest.approx(seconds)  # a dollar a second


async def test_a_machine_by_the_hour_can_have_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("howgood.runs.execute.time", clock)  # so that a busy machine changes nothing

    class Slow(Failing):
        async def generate(self, request: Generate) -> Prediction:
            clock.now += 0.002
            return await super().generate(request)

    (tmp_path / "prices.json").write_text('{"failing": {"per_hour": 3600}}')
    monkeypatch.setenv(prices.VARIABLE, str(tmp_path / "prices.json"))
    model = Slow(range(0))
    plan = make_plan(questions(5000), model, {}, Options())
    progress, ending, seconds = await executed(plan, model, tmp_path, Budget(dollars=0.2))
    assert ending is not None
    assert "the budget of $0.20 is used up" in ending.message
    assert progress.spent is not None
    assert 0.2 - 1e-9 <= progress.spent == pytest.approx(seconds)
    assert progress.spent <= 0.2 + model.concurrency * 0.002 + 1e-9  # what was in flight then came to its end
    assert seconds == pytest.approx(len(model.asked) * 0.002)
    assert progress.forecast is not None
    assert progress.forecast.dollars is not None
    assert progress.forecast.dollars.value == pytest.approx(progress.forecast.seconds.value)


async def test_an_own_price_of_tokens_holds_for_a_local_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.json").write_text('{"failing": {"input": 1e6, "output": 2e6}}')
    monkeypatch.setenv(prices.VARIABLE, str(tmp_path / "prices.json"))
    model = Failing(range(3, 4))
    progress, *_ = await executed(make_plan(questions(5), model, {}, Options()), model, tmp_path)
    assert progress.cost == 4 * 14.0


async def test_a_wrong_file_of_prices_stops_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.json").write_text('{"failing": {"per_hour": -1}}')
    monkeypatch.setenv(prices.VARIABLE, str(tmp_path / "prices.json"))
    model = Failing(range(0))
    with pytest.raises(HowgoodError, match=r"prices.json: the price of 'failing' has per_hour -1"):
        await executed(make_plan(questions(5), model, {}, Options()), model, tmp_path)
    assert model.asked == []
