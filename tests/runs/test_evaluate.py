"""Whole runs on small benchmarks: outcomes, epochs, samples, stopping, resuming, and nothing lost."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

import howgood as hg
from howgood.calls.base import Settings
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.core.errors import DataError, HowgoodError, RequestError, UnknownName, Unsupported
from howgood.core.types import Generate, Instance, Likelihood, Loglikelihood, Prediction, Score, Usage
from howgood.inputs.base import Inputs
from howgood.inputs.fewshot import Shots
from howgood.interpret.base import Estimates
from howgood.interpret.estimate import Mean
from howgood.interpret.table import Table
from howgood.models.base import TRIAL, Capabilities, Model
from howgood.outputs.base import Outputs
from howgood.outputs.choice import ChoiceAccuracy
from howgood.outputs.match import Match
from howgood.runs import columns, store
from howgood.runs.evaluate import carry_on, evaluate, resume, scores
from howgood.runs.plan import Options, make_plan
from howgood.runs.progress import STOPPED, Progress


class Scripted(Model):
    """Answers each instance as it is told; counts what it was asked."""

    name = "scripted"
    capabilities = Capabilities(generate=True, completion=True)
    concurrency = 4

    def __init__(self, answers: dict[str, str | Prediction | Exception]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        answer = self.answers[TRIAL.get()[0]]
        assert isinstance(answer, Prediction)
        return answer

    async def generate(self, request: Generate) -> Prediction:
        key = TRIAL.get()
        self.asked.append(key)
        await asyncio.sleep(0)
        answer = self.answers.get(key[0], "no")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Prediction):
            return answer
        return Prediction(text=answer, stop_reason="stop", usage=Usage(10, 2), cost=0.001)


def questions(n: int) -> list[Instance]:
    return [Instance(str(i), f"question {i}", targets=("yes",), stratum="ab"[i % 2]) for i in range(n)]


def asking(instances: Iterable[Instance]) -> hg.Benchmark:
    return hg.Benchmark(Inputs.of(instances), Generation(stop=("\n",)), Match("normalized"), Mean())


def test_every_outcome_is_told_apart_and_a_failure_is_never_a_wrong_answer() -> None:
    answers: dict[str, str | Prediction | Exception] = {
        "0": "Yes.",
        "1": "no",
        "2": Prediction(text="", stop_reason="stop"),
        "3": Prediction(text="ye", stop_reason="length"),
        "4": Prediction(text="I'm sorry, but I can't help with that.", stop_reason="stop"),
        "5": Prediction(text="yes", stop_reason="filter"),
        "6": RequestError("the server said 500 five times"),
    }
    run = hg.run(asking(questions(7)), Scripted(answers))
    rows = {row["id"]: row for row in run.trials.iter_rows(named=True)}
    outcomes = [rows[str(i)]["outcome"] for i in range(7)]
    assert outcomes == ["right", "wrong", "empty", "truncated", "refused", "filtered", "failed"]
    assert rows["6"]["normalized_match"] is None
    assert rows["6"]["error"] == "the server said 500 five times"
    assert run.status == "incomplete"
    assert (run.estimate.n, run.estimate.missing) == (6, 1)
    assert run.estimate.value == pytest.approx(1 / 6)


def test_what_a_model_holds_impossible_is_a_failed_trial() -> None:
    impossible = Prediction(likelihoods=(Likelihood(-math.inf, 1), Likelihood(-1.0, 1)))
    item = Instance("q", "2 + 2?", choices=("3", "4"), gold=(1,))
    model = Scripted({"q": impossible})
    model.capabilities = Capabilities(loglikelihood=True, completion=True)
    run = hg.run(hg.Benchmark(Inputs.of([item]), Choices(), ChoiceAccuracy(), Mean()), model)
    assert (run.outcomes, run.status) == ({"failed": 1}, "incomplete")
    assert "probability zero" in run.trials["error"][0]


def test_a_run_folder_explains_itself() -> None:
    run = hg.run(asking(questions(4)), Scripted({"0": "yes"}), limit=3, seed=5)
    record = json.loads((run.path / "run.json").read_bytes())
    assert record["status"] == "finished"
    assert record["rules"]["sample"] == {"n": 3, "epochs": 1, "how": "random", "seed": 5}
    assert record["usage"] == {"input": 30, "output": 6}
    assert record["cost"] == pytest.approx(0.003)
    assert sorted(p.name for p in run.path.iterdir()) == ["run.json", "trials.parquet"]
    assert sorted(record["sampled"]) == sorted(run.trials["id"].to_list())
    again = hg.load(run.id)
    assert again.rules == run.rules
    assert again.trials.equals(run.trials)


def test_epochs_ask_again_and_count_once() -> None:
    model = Scripted({"0": "yes"})
    run = hg.run(asking(questions(3)), model, epochs=4)
    assert len(model.asked) == 12
    assert run.trials["epoch"].to_list() == [0, 1, 2, 3] * 3
    assert run.estimate.n == 3
    assert run.estimate.value == pytest.approx(1 / 3)


def test_estimates_are_the_same_from_the_table() -> None:
    """They are made before there is one, from the journal."""
    items = [
        Instance(f"q{i * 7 % 40}", "q", targets=("yes",), stratum=["b", None, "a"][i % 3], cluster=f"c{i // 2}")
        for i in range(40)
    ]
    answers: dict[str, str | Prediction | Exception] = {f"q{i}": ["yes", "no"][i % 4 == 1] for i in range(40)}
    run = hg.run(asking(items), Scripted(answers | {"q7": RequestError("503")}), epochs=2)
    estimates, groups = Mean()(scores(run))
    assert (run.estimates[0], run.groups) == (estimates[0], groups)
    assert (run.estimate.n, run.estimate.clusters, run.estimate.missing) == (39, 20, 2)
    assert [group.group for group in groups] == ["a", "b"]


@dataclass(frozen=True)
class EitherWay(Outputs):
    """Gives two scores, in one order or the other."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        values = {"even": 1.0, "odd": 0.0}
        return Score(values if int(instance.id) % 2 == 0 else dict(reversed(values.items())), "right")

    def describe(self) -> dict[str, object]:
        return {"kind": "either-way"}


def test_the_estimates_stand_in_the_order_of_the_columns() -> None:
    """Which is that of the trial that was finished first."""

    class Late(Scripted):
        async def generate(self, request: Generate) -> Prediction:
            await asyncio.sleep(0.02 if TRIAL.get()[0] == "0" else 0)
            return await super().generate(request)

    run = hg.run(hg.Benchmark(Inputs.of(questions(6)), Generation(), EitherWay(), Mean()), Late({}))
    assert columns.score_names(run.columns) == [estimate.name for estimate in run.estimates] == ["odd", "even"]
    assert [estimate.value for estimate in run.estimates] == [0, 1]


def test_a_sample_is_nested_and_the_same_whatever_the_workers() -> None:
    ids = [
        set(hg.run(asking(questions(50)), Scripted({}), limit=limit).trials["id"].to_list()) for limit in (10, 10, 20)
    ]
    assert ids[0] == ids[1] < ids[2]
    assert len(ids[2]) == 20


def test_a_fatal_error_stops_the_run_and_keeps_what_there_is() -> None:
    model = Scripted({"20": RequestError("401: the key is wrong", fatal=True)})
    run = hg.run(asking(questions(500)), model)
    assert run.status == "failed"
    assert run.message == "401: the key is wrong"
    assert 15 <= len(run.trials) < 500
    with pytest.raises(HowgoodError, match=r"has no estimate .failed: 401: the key is wrong"):
        _ = run.estimate


async def test_resume_runs_only_what_is_missing_and_what_failed(tmp_path: Path) -> None:
    benchmark = asking(questions(30))
    broken: dict[str, str | Prediction | Exception] = {str(i): RequestError("503") for i in range(20, 30)}
    model = Scripted(broken | {"3": "yes"})
    plan = make_plan(benchmark, model, {}, Options())
    run = await evaluate(plan, model, tmp_path)
    assert (run.status, run.outcomes) == ("incomplete", {"right": 1, "wrong": 19, "failed": 10})
    healed = Scripted({"3": "yes"})
    run = await carry_on(plan, healed, store.load(run.path), None)
    assert sorted(int(i) for i, _ in healed.asked) == list(range(20, 30))
    assert (run.status, run.outcomes) == ("finished", {"right": 1, "wrong": 29})
    assert run.usage == Usage(300, 60)
    assert run.trials["id"].to_list() == [str(i) for i in range(30)]
    with pytest.raises(Unsupported, match="made in Python"):
        await resume(run, healed)


async def test_resume_refuses_another_model_and_takes_the_same(tmp_path: Path) -> None:
    class Versioned(Scripted):
        version = 1

        def describe(self) -> dict[str, object]:
            return {"revision": self.version, "torch": str(self.version)}

    model = Versioned({"3": RequestError("503")})
    benchmark = asking(questions(10))
    run = await evaluate(make_plan(benchmark, model, {}, Options()), model, tmp_path)
    other = Versioned({})
    other.version = 2
    with pytest.raises(HowgoodError, match="the model's revision was 1 and is now 2"):
        await resume(store.load(run.path), other, benchmark=benchmark)
    assert other.asked == []
    assert (await resume(store.load(run.path), Versioned({}), benchmark=benchmark)).status == "finished"


async def test_one_process_at_a_time_works_on_a_run(tmp_path: Path) -> None:
    model = Scripted({"3": RequestError("503")})
    benchmark = asking(questions(10))
    run = await evaluate(make_plan(benchmark, model, {}, Options()), model, tmp_path)
    with store.locked(run), pytest.raises(HowgoodError, match="worked on by another process"):
        await resume(store.load(run.path), Scripted({}), benchmark=benchmark)
    assert (await resume(store.load(run.path), Scripted({}), benchmark=benchmark)).status == "finished"


@dataclass(frozen=True)
class Faulty(Outputs):
    """Judges all but instance 3 well."""

    fault: str

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        if instance.id == "3":
            if self.fault == "raises":
                raise KeyError("column")
            if self.fault == "no number":
                return Score({"good": math.nan}, "right")
            return Score({"other": 1.0}, "right")
        return Score({"text" if self.fault == "taken" else "good": 1.0}, "right")

    def describe(self) -> dict[str, object]:
        return {"kind": "faulty"}


@pytest.mark.parametrize("fault", ["raises", "no number"])
def test_a_fault_of_the_judge_is_one_failed_trial(fault: str) -> None:
    benchmark = hg.Benchmark(Inputs.of(questions(10)), Generation(), Faulty(fault), Mean())
    run = hg.run(benchmark, Scripted({}))
    assert run.outcomes == {"right": 9, "failed": 1}
    assert (run.estimate.n, run.estimate.missing) == (9, 1)
    assert run.trials.filter(run.trials["id"] == "3")["explanation"][0]


@pytest.mark.parametrize(("fault", "message"), [("renames", "has the scores"), ("taken", "cannot be named 'text'")])
def test_scores_that_cannot_be_columns_stop_the_run_at_once(fault: str, message: str) -> None:
    model = Scripted({})
    with pytest.raises(HowgoodError, match=message):
        hg.run(hg.Benchmark(Inputs.of(questions(500)), Generation(), Faulty(fault), Mean()), model)
    assert len(model.asked) < 20


def test_whatever_a_model_raises_is_that_trials_failure() -> None:
    run = hg.run(asking(questions(5)), Scripted({"2": ZeroDivisionError("oh")}))
    assert run.outcomes == {"wrong": 4, "failed": 1}
    assert run.trials.filter(run.trials["id"] == "2")["error"][0] == "ZeroDivisionError: oh"


def test_thinking_aloud_is_kept_apart_and_never_judged() -> None:
    answers: dict[str, str | Prediction | Exception] = {
        "0": "<think>is it no?</think>\nyes",
        "1": "<think>yes</think>no",
        "2": Prediction(text="<think>yes, yes", stop_reason="length"),
        "3": "<think>\n\n</think>\n\nyes",
        "4": "yes? no\n</think>\n\nno",
    }
    run = hg.run(asking(questions(5)), Scripted(answers))
    assert run.trials["outcome"].to_list() == ["right", "wrong", "truncated", "right", "wrong"]
    assert run.trials["reasoning"].to_list() == ["is it no?", "yes", "yes, yes", None, "yes? no"]


async def test_a_record_read_before_another_process_finished_starts_nothing_again(tmp_path: Path) -> None:
    model, benchmark = Scripted({"3": RequestError("503")}), asking(questions(10))
    stale = await evaluate(make_plan(benchmark, model, {}, Options()), model, tmp_path)
    healed = Scripted({})
    await resume(store.load(stale.path), healed, benchmark=benchmark)
    assert len(healed.asked) == 1
    assert (await resume(stale, healed, benchmark=benchmark)).status == "finished"
    assert len(healed.asked) == 1


def test_a_fault_of_the_interpretation_is_told_in_the_record(tmp_path: Path) -> None:
    class Broken(Mean):
        def __call__(self, table: Table) -> Estimates:
            raise ValueError("no meaning")

    with pytest.raises(ValueError, match="no meaning"):
        hg.run(hg.Benchmark(Inputs.of(questions(3)), Generation(), Match(), Broken()), Scripted({}), folder=tmp_path)
    run = store.load(next(tmp_path.iterdir()))
    assert (run.status, run.message, run.outcomes) == ("failed", "ValueError: no meaning", {"wrong": 3})


def test_a_suite_from_python() -> None:
    runs = hg.run_suite("quickstart", "reference/uniform", limit=2)
    assert len(runs) == 7
    assert all(run.planned == 2 for run in runs)


class Remote(Scripted):
    """Takes a while, or is gone."""

    capabilities = Capabilities(generate=True, completion=True, chat=True)
    gone = False

    async def generate(self, request: Generate) -> Prediction:
        await asyncio.sleep(0.01)
        if self.gone:
            raise RequestError("no server answers", fatal=True)
        return await super().generate(request)


async def test_a_run_that_fails_or_is_stopped_is_the_last_of_its_suite() -> None:
    model = Remote({})
    model.gone = True
    runs = await hg.run_suite_async("quickstart", model, limit=2)
    assert [run.status for run in runs] == ["failed"]

    def stop(progress: Progress) -> None:
        if progress.done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    runs = await hg.run_suite_async("quickstart", Remote({}), limit=20, notice=stop)
    assert [(run.status, run.message) for run in runs] == [("interrupted", STOPPED)]


async def test_a_crash_while_the_columns_are_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Scripted({"1": "yes"})
    plan = make_plan(asking(questions(10)), model, {}, Options())

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("polars.LazyFrame.sink_parquet", no_space)
        with pytest.raises(HowgoodError, match=r"cannot write .*trials.parquet"):
            await evaluate(plan, model, tmp_path)
    asked = len(model.asked)
    run = store.load(next(tmp_path.iterdir()))
    assert run.status == "failed"
    run = await carry_on(plan, model, run, None)
    assert len(model.asked) == asked
    assert run.estimate.value == pytest.approx(0.1)


async def test_a_torn_last_line_is_run_again_and_nothing_else(tmp_path: Path) -> None:
    benchmark, model = asking(questions(10)), Scripted({"1": "yes"})
    plan = make_plan(benchmark, model, {}, Options())
    model.answers["9"] = RequestError("503")  # keeps the journal
    run = await evaluate(plan, model, tmp_path)
    journal = run.path / "journal-001.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    torn = json.loads(whole.splitlines()[-1])["instance"]["id"]
    healed = Scripted({"1": "yes"})
    run = await carry_on(plan, healed, store.load(run.path), None)
    assert {i for i, _ in healed.asked} == {torn, "9"}
    assert run.trials["id"].to_list() == [str(i) for i in range(10)]


async def test_a_damaged_line_is_run_again_and_nothing_else(tmp_path: Path) -> None:
    model = Scripted({"1": "yes", "9": RequestError("503")})  # which keeps the journal
    plan = make_plan(asking(questions(10)), model, {}, Options())
    run = await evaluate(plan, model, tmp_path)
    journal = run.path / "journal-001.jsonl"
    lines = {json.loads(line)["instance"]["id"]: line for line in journal.read_bytes().splitlines(keepends=True)}
    for name, before, after in (
        ("2", b"question 2", b"question \xff"),
        ("4", b'"text":"no"', b'"text":[]'),
        ("6", b'"input":10', b'"input":"10"'),
    ):
        assert before in lines[name]
        lines[name] = lines[name].replace(before, after)
    journal.write_bytes(b"".join(lines.values()))
    assert [trial.instance.id for trial in columns.trials(columns.contents(run.path))] == list("0135789")
    healed = Scripted({"1": "yes"})
    run = await carry_on(plan, healed, store.load(run.path), None)
    assert {i for i, _ in healed.asked} == {"2", "4", "6", "9"}
    assert run.status == "finished"
    assert run.trials["text"].to_list() == ["no", "yes", *["no"] * 8]


async def test_ctrl_c_keeps_everything_that_was_finished(tmp_path: Path) -> None:
    class Slow(Scripted):
        async def generate(self, request: Generate) -> Prediction:
            if TRIAL.get()[0] == "40":
                os.kill(os.getpid(), signal.SIGINT)
            return await super().generate(request)

    model = Slow({})
    run = await evaluate(make_plan(asking(questions(5000)), model, {}, Options()), model, tmp_path)
    assert run.status == "interrupted"
    assert 40 <= len(run.trials) < 5000
    assert len(columns.contents(run.path).places) == len(run.trials) == len(model.asked)


async def test_a_line_half_written_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, lines = os.write, []

    def write(file: int, data: bytes) -> int:
        if bytes(data).startswith(b'{"instance"'):
            lines.append(data)
            if len(lines) == 6:
                real(file, bytes(data)[:40])
                raise OSError(28, "No space left on device")
        return real(file, data)

    model = Scripted({})
    plan = make_plan(asking(questions(30)), model, {}, Options())
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(HowgoodError, match="No space left"):
        await evaluate(plan, model, tmp_path)
    monkeypatch.undo()
    run = store.load(next(tmp_path.iterdir()))
    assert len(run.trials) == 5
    (run.path / "journal-001.jsonl").open("ab").write(b"rubbish\n")
    (run.path / "journal-old.jsonl").touch()
    run = await carry_on(plan, model, run, None)
    assert run.estimate.n == 30


async def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = os.write, []

    def write(file: int, data: bytes) -> int:
        if len(written) >= 5 and bytes(data).startswith(b'{"instance"'):
            raise OSError(28, "No space left on device")
        written.append(len(data))
        return real(file, data)

    model = Scripted({})
    plan = make_plan(asking(questions(30)), model, {}, Options())
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(HowgoodError, match=r"cannot write .*journal-001.jsonl: No space left on device. What was fin"):
        await evaluate(plan, model, tmp_path)
    monkeypatch.undo()
    run = store.load(next(tmp_path.iterdir()))
    assert run.status == "failed"
    assert len(run.trials) == 5


@pytest.mark.parametrize("first", [RuntimeError("the first error"), None])
async def test_a_journal_that_cannot_be_flushed_hides_no_error(
    first: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(file: int) -> None:
        raise OSError(5, "Input/output error")

    async def broken(*_: object) -> None:
        raise first or AssertionError

    model = Scripted({})
    plan = make_plan(asking(questions(3)), model, {}, Options())
    monkeypatch.setattr(os, "fsync", fsync)
    if first:
        monkeypatch.setattr("howgood.runs.evaluate.execute", broken)
    told = "the first error" if first else "cannot write .*journal-001.jsonl: Input/output error"
    with pytest.raises(RuntimeError if first else HowgoodError, match=told):
        await evaluate(plan, model, tmp_path)
    run = store.load(next(tmp_path.iterdir()))
    assert run.status == "failed"
    assert run.outcomes == ({} if first else {"wrong": 3})


def test_shots_come_from_the_pool_or_else_from_the_other_instances() -> None:
    def plan(pool: list[Instance], limit: int | None) -> dict[str, list[str]]:
        benchmark = hg.Benchmark(Inputs.of(questions(20), pool), Generation(shots=Shots(3)), Match(), Mean())
        made = make_plan(benchmark, Scripted({}), {}, Options(limit=limit))
        return {i.id: [s.id for s in made.shots(i)] for _, i in made.instances()}

    pool = [Instance(f"p{i}", f"example {i}", targets=("yes",)) for i in range(9)]
    alone, limited = plan([], None), plan([], 5)
    assert all(len(set(shots)) == 3 and i not in shots for i, shots in alone.items())
    assert all(alone[i] == shots for i, shots in limited.items())
    assert all(set(shots) <= {p.id for p in pool} for shots in plan(pool, None).values())
    made = make_plan(
        hg.Benchmark(Inputs.of(questions(9)), Generation(shots=Shots(3)), Match(), Mean()), Scripted({}), {}, Options()
    )
    assert "the evaluated split" in made.rules.call["shots_from"]


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([], "has no instances|no source has the split"),
        ([Instance("x", "a"), Instance("y", "b"), Instance("x", "c")], "two instances have the id 'x'"),
        ([Instance("x", "a", choices=("p", "q"), gold=(2,))], "names choice .* as right, but has 2 choices"),
    ],
)
def test_bad_instances_stop_before_any_call(instances: list[Instance], message: str) -> None:
    model = Scripted({})
    with pytest.raises(DataError, match=message):
        hg.run(asking(instances), model)
    assert model.asked == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(limit=0), "--limit must be at least 1"),
        (Options(epochs=0), "--epochs must be at least 1"),
        (Options(settings=Settings(shots=-1)), "--shots must be 0 or more"),
        (Options(settings=Settings(temperature=3)), "--temperature must be between 0 and 2"),
        (Options(settings=Settings(chat=True)), "has no chat format"),
    ],
)
def test_bad_options_stop_before_any_call(options: Options, message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        make_plan(asking(questions(2)), Scripted({}), {}, options)


def test_the_formulation_is_picked_by_what_the_model_can_do_and_named() -> None:
    item = Instance("q", "2 + 2?", choices=("3", "4"), gold=(1,))
    benchmark = hg.Benchmark(Inputs.of([item]), Choices(), ChoiceAccuracy(), Mean())
    run = hg.run(benchmark, Scripted({"q": " B"}))
    assert run.rules.call["method"] == "letter-generation"
    assert (run.estimate.name, run.estimate.value) == ("acc", 1.0)
    only = hg.Benchmark(Inputs.of([item]), Choices(method="cloze-likelihood"), ChoiceAccuracy(), Mean())
    with pytest.raises(Unsupported, match="no log-likelihoods"):
        hg.run(only, Scripted({}))
    assert hg.run(benchmark, "reference/random").rules.call["method"] == "letter-likelihood"


def test_one_keyword_names_the_formulation_and_the_methods_around_the_model() -> None:
    run = hg.run("quickstart-endings", "reference/uniform", limit=2, method="letter-likelihood")
    assert run.rules.call["method"] == "letter-likelihood"
    both = hg.run("quickstart-endings", "reference/echo", limit=2, method=["letter-generation", "cot"])
    assert both.rules.call["method"] == "letter-generation"
    assert "cot" in both.system.label
    with pytest.raises(UnknownName, match="no method 'letter-likelyhood'"):
        hg.run("quickstart-endings", "reference/uniform", method="letter-likelyhood")
    with pytest.raises(HowgoodError, match="takes no parameters, and was given limt"):
        hg.run(asking(questions(2)), Scripted({}), limt=1)


async def test_it_works_where_a_loop_is_running_already() -> None:
    assert hg.run(asking(questions(3)), Scripted({"0": "yes"})).estimate.value == pytest.approx(1 / 3)
