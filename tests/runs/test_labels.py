"""What people say of a run's answers: blind, in random order, kept at once, and put together with verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.main import app
from howgood.core.errors import HowgoodError
from howgood.models import registry
from howgood.models.reference import Constant, Echo
from howgood.runs import labels
from howgood.runs.labels import Label
from judging_models import Judge, texts


@pytest.fixture
def file(tmp_path: Path) -> str:
    rows = "".join(f'task {n},"baseline {n}"\n' for n in range(40))
    (tmp_path / "tasks.csv").write_text(f"task,baseline\n{rows}")
    return str(tmp_path / "tasks.csv")


def run_of(file: str, monkeypatch: pytest.MonkeyPatch, check: str, reply: Any, **more: Any) -> Any:
    known, judge = registry.load_model, Judge(reply, "gpt")
    monkeypatch.setattr(registry, "load_model", lambda name: judge if name == "gpt" else known(name))
    options = {"ask": "{task}", "answer": "baseline", "check": check, "judge": "gpt", "cache": False} | more
    return hg.run(file, Echo(), **options)


def graded(asked: str) -> str:
    """The number in the task, from 1 to 10."""
    return f'{{"score": {1 + int(texts(asked)[0].split()[1]) % 10}}}'


def test_blind_and_in_an_order_of_one_s_own(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(file, monkeypatch, "compare", lambda _: '{"verdict": "A>B"}')
    run.id = "labelled"  # which the lots are drawn by: of one in two thousand all twelve fall the same way
    ann, bob = (list(labels.items(run, name, 12)) for name in ("ann", "bob"))
    assert {item.id for item in ann} == {item.id for item in bob}
    assert [item.id for item in ann] != [item.id for item in bob]
    assert {item.id for item in ann} <= {item.id for item in labels.items(run, "ann", 30)}
    assert {item.first for item in ann} == {True, False}
    for item in ann:
        number = int(item.id) - 1
        assert item.answers == ((f"task {number}", f"baseline {number}")[:: 1 if item.first else -1])
        assert item.question == f"task {number}"


def test_people_see_no_variants(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"ask": "Explain wonderfully something about {task}", "perturb": ["typos"]}
    run = run_of(file, monkeypatch, "grade", lambda _: '{"score": 7}', **words)
    assert len(run.trials) == 80
    assert sorted(int(name) for name, _ in labels.sample(run, 80)) == list(range(1, 41))


def test_labels_are_kept_and_the_last_one_counts(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(file, monkeypatch, "grade", graded)
    labels.write(run, Label("3", 0, "ann", 4.0))
    with (run.path / labels.FILE).open("ab") as torn:
        torn.write(b'{"id": "4", "epo')
    labels.write(run, Label("3", 0, "ann", 5.0, seconds=2.5))
    labels.write(run, Label("3", 0, "bob", None))
    found = labels.read(run)
    assert [(one.annotator, one.value) for one in found] == [("ann", 5.0), ("bob", None)]
    assert all(one.made.endswith("+00:00") for one in found)
    assert "3" not in {item.id for item in labels.items(run, "ann", 40)}


def test_labels_and_verdicts_together(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is one grade too kind everywhere: the mean that people would give is its mean less one, and sharp."""
    run = run_of(file, monkeypatch, "grade", graded)
    assert run.estimate.value == pytest.approx(5.5)
    for name, epoch in labels.sample(run, 10):
        grade = 1 + (int(name) - 1) % 10
        labels.write(run, Label(name, epoch, "ann", grade - 1.0))
        labels.write(run, Label(name, epoch, "bob", grade - 1.0))
    found = hg.calibrate(run)
    assert (found.labelled, found.annotators, found.task.kind) == (10, ("ann", "bob"), "grade")
    assert 0 < found.powered.weight <= 1
    assert found.powered.bias.value == pytest.approx(1.0)
    assert found.powered.correlation == pytest.approx(1.0)
    assert found.powered.estimate.value == pytest.approx(4.5, abs=0.75)
    assert found.agree is not None
    assert found.agree.value == pytest.approx(1.0)


def test_only_answers_that_people_can_be_shown_count(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the answers are empty: no sample of labels holds one, so what is estimated is the mean of the others."""

    class Half(Echo):
        async def generate(self, request: Any) -> Any:
            said = await super().generate(request)
            return msgspec.structs.replace(said, text=said.text if int(str(said.text).split()[1]) % 2 else "")

    monkeypatch.setitem(globals(), "Echo", Half)
    run = run_of(file, monkeypatch, "grade", lambda _: '{"score": 7}')
    assert run.estimate.value == 4.0  # the lowest grade for silence
    for name, epoch in labels.sample(run, 5):
        labels.write(run, Label(name, epoch, "ann", 7.0))
    found = hg.calibrate(run).powered
    assert (found.estimate.value, found.judge_only.value, found.judge_only.n) == (7.0, 7.0, 20)


@pytest.mark.parametrize(
    ("choice", "first", "value"), [("1", True, 1), ("1", False, 0), ("2", False, 1), ("tie", True, 0.5)]
)
def test_preferences(choice: Any, first: bool, value: float) -> None:
    assert labels.preferred(choice, first) == value


class TestCommand:
    def test_grades_typed_in(self, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        run = run_of(file, monkeypatch, "grade", graded)
        typed = CliRunner().invoke(app, ["label", run.id, "--by", "ann", "-n", "4"], input="11\nx\n7\ns\n3\nq\n")
        assert typed.exit_code == 0, typed.output
        assert "ann: 0 of 4 are labelled. Type a number from 1 to 10; s to skip, q to stop." in typed.output
        assert typed.output.count("Type a number") == 3
        assert "2 labels by ann, 2 in all" in typed.output
        assert "gpt" not in typed.output
        assert "echo" not in typed.output.partition("labels by ann")[0]
        assert [one.value for one in labels.read(run)] == [7.0, None, 3.0]
        again = CliRunner().invoke(app, ["label", run.id, "--by", "ann", "-n", "4"], input="")
        assert "ann: 3 of 4 are labelled" in again.output
        shown = CliRunner().invoke(app, ["calibrate", run.id])
        assert "people, by labels and verdicts" in shown.output
        assert "would halve the interval" in " ".join(shown.output.split())
        assert CliRunner().invoke(app, ["calibrate", run.id, "--json"]).output.startswith("{")

    def test_nothing_written(self) -> None:
        run = hg.run("quickstart-endings", "reference/uniform", limit=2)
        for command in (["label", run.id, "--by", "ann"], ["calibrate", run.id]):
            with pytest.raises(HowgoodError, match="has no written answers, so there is nothing to label"):
                CliRunner().invoke(app, command, catch_exceptions=False)

    def test_right_or_wrong(self, file: str) -> None:
        run = hg.run(file, Constant(text="\x1b[31mbaseline 3"), ask="{task}", answer="baseline", check="contains")
        typed = CliRunner().invoke(app, ["label", run.id, "--by", "ann", "-n", "2"], input="y\nn\n")
        assert [one.value for one in labels.read(run)] == [1.0, 0.0], typed.output
        assert "Right answer" in typed.output
        assert "\x1b[31mbaseline" not in typed.output

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["label", "last", "--by", "a/b"], "an annotator's name is"),
            (["label", "last", "-n", "0"], "-n is 1 or more"),
            (["calibrate", "last"], "0 of the trials of"),
        ],
    )
    def test_mistakes(self, file: str, arguments: list[str], words: str) -> None:
        hg.run(file, Constant(text="x"), ask="{task}", answer="baseline", check="exact")
        found = CliRunner().invoke(app, arguments)
        assert isinstance(found.exception, HowgoodError)
        assert words in str(found.exception)
