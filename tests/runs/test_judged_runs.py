"""Runs that judges decide: what they cost, what is kept, what is shown, and what is tried again."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.main import app
from howgood.core.errors import DataError, HowgoodError, RequestError, Unsupported
from howgood.core.types import Usage
from howgood.models import registry
from howgood.models.reference import Constant
from howgood.report import cards, costs
from howgood.report.files import write_report
from howgood.report.terminal.instances import instance_view
from howgood.runs.check import check
from howgood.runs.expect import expect
from howgood.runs.forecast import Forecast
from howgood.runs.plan import Options, make_plan
from judging_models import Judge, texts


@pytest.fixture
def file(tmp_path: Path) -> str:
    rows = "".join(f'task {n},"baseline {n}"\n' for n in range(4))
    (tmp_path / "tasks.csv").write_text(f"task,baseline\n{rows}")
    return str(tmp_path / "tasks.csv")


def seated(monkeypatch: pytest.MonkeyPatch, **judges: Judge) -> None:
    known = registry.load_model
    monkeypatch.setattr(registry, "load_model", lambda name: judges.get(name) or known(name))


def compared(asked: str) -> str:
    return json.dumps({"reasons": "<b>longer</b>", "verdict": "A>B" if "baseline" in texts(asked)[-1] else "B>A"})


ASK: dict[str, Any] = {"ask": "{task}", "answer": "baseline"}


def test_what_judges_take_is_counted_apart(file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = Judge(compared)
    seated(monkeypatch, gpt=judge)
    run = hg.run(file, Constant(text="mine"), check="compare", judge="gpt", cache=False, **ASK)
    assert (run.status, run.outcomes, run.estimate.name) == ("finished", {"scored": 4}, "preference")
    assert run.estimate.value == 0.75
    assert (run.verdicts, run.judging.cost, run.judging.usage.input) == (8, pytest.approx(0.08), 800)
    assert (run.cost, run.spent) == (0.0, pytest.approx(0.08))
    assert dict(costs.lines(run))["judging"] == "$0.08 for 8 verdicts, 800 tokens in, 80 out"
    assert judge.closed
    verdicts = json.loads(run.trials["verdicts"][0])
    assert [(v["judge"], v["first"], v["values"]) for v in verdicts] == [
        ("judge", True, {"preference": 0.75}),
        ("judge", False, {"preference": 0.75}),
    ]
    assert "--judge gpt" in str(cards.command(run))
    assert "judge judges: it chooses between the answer and the baseline's, shown in both orders" in cards.outputs(run)
    screen = Console(width=100, record=True, file=io.StringIO())
    screen.print(instance_view(run.trials.row(0, named=True)))
    assert "Judged by judge, shown first: preference 0.75" in screen.export_text()
    write_report([run], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "judge, shown second: preference 0.75" in page
    assert "<b>longer" not in page


def test_what_could_not_be_judged(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that cannot be read is counted, and not asked for again; a judge that was gone is asked when the run is
    resumed."""
    gone = True

    def reply(asked: str) -> Any:
        if "task 1" in asked:
            return "Both are fine."
        if "task 2" in asked and gone:
            return RequestError("503")
        return '{"score": 9}'

    judge = Judge(reply)
    seated(monkeypatch, gpt=judge)
    run = hg.run(file, Constant(text="mine"), check="grade", judge="gpt", cache=False, ask="{task}")
    assert (run.status, run.outcomes) == ("incomplete", {"scored": 2, "unjudged": 1, "failed": 1})
    assert (run.estimate.value, run.estimate.missing, run.estimate.percent) == (9.0, 2, False)
    gone, before = False, len(judge.asked)
    run = hg.resume(run, model=Constant(text="mine"))
    assert (run.status, run.outcomes) == ("finished", {"scored": 3, "unjudged": 1})
    assert len(judge.asked) == before + 1


def test_the_worst_are_shown_first(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong where judges decide, so `--wrong` shows what was judged worst."""

    def reply(asked: str) -> str:
        number = int(texts(asked)[0].split()[1])
        return "Hm." if number == 2 else json.dumps({"verdict": "A=B" if number == 1 else "A>>B"})

    seated(monkeypatch, gpt=Judge(reply))
    run = hg.run(file, Constant(text="mine"), check="compare", judge="gpt", cache=False, **ASK)
    assert [estimate.name for estimate in run.estimates] == ["preference", "consistent"]
    shown = CliRunner().invoke(app, ["show", run.id, "--wrong"]).output
    assert f"one in full: howgood show {run.id} --instance 1" in shown
    assert f"1 more have no answer or no verdict: howgood show {run.id} --errors" in shown
    assert "unjudged" in CliRunner().invoke(app, ["show", run.id, "--errors"]).output


def test_a_run_without_a_verdict_says_where_to_look(file: str) -> None:
    options = ["--ask", "{task}", "--check", "grade", "--model", "reference/echo", "--judge", "reference/constant"]
    said = CliRunner().invoke(app, ["run", file, *options])
    assert (said.exit_code, "4 unjudged" in said.output) == (0, True)
    assert re.search(r"what was said: howgood show \w+ --errors", said.output)


def test_what_only_judges_take(file: str) -> None:
    with pytest.raises(HowgoodError, match="verdict are for a judge"):
        hg.run(file, Constant(text="mine"), check="exact", verdict="logprobs", **ASK)


def test_a_budget_counts_what_judges_take(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seated(monkeypatch, gpt=Judge(compared))
    options = {"check": "compare", "judge": "gpt", "cache": False, "budget": "150tok"} | ASK
    run = hg.run(file, Constant(text="mine"), **options)
    assert run.status == "interrupted"
    assert "the budget of 150 tokens is used up" in str(run.message)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"check": "grade"}, Unsupported, "name one with --judge MODEL"),
        ({"check": "exact", "judge": "reference/echo"} | ASK, Unsupported, "no judge is asked here"),
        (
            {"check": "compare", "judge": "reference/echo"},
            HowgoodError,
            "needs --answer.*--check compare --judge MODEL",
        ),
        ({"check": "compare", "judge": "x", "criteria": "kind"} | ASK, HowgoodError, "a comparison has one verdict"),
        ({"check": "grade", "judge": "x", "criteria": "Kind One"}, HowgoodError, "takes names such as"),
        ({"check": "exact", "rubric": "good"} | ASK, HowgoodError, "are for a judge"),
        ({"check": "grade", "judge": "x", "rubric": "gone.md"}, HowgoodError, "the rubric gone.md cannot be read"),
        ({"check": "grade", "judge": "nobody"}, HowgoodError, "nobody"),
        ({"check": "compare", "judge": "x", "answer": "none"}, DataError, "no column"),
    ],
)
def test_what_cannot_be_judged_is_told_first(
    file: str, options: dict[str, Any], error: type[HowgoodError], words: str
) -> None:
    with pytest.raises(error, match=words):
        hg.run(file, Constant(text="mine"), **({"ask": "{task}"} | options))


@pytest.mark.parametrize("way", ["grade", "compare"])
def test_check_reads_the_best_and_the_worst_verdict(file: str, way: str) -> None:
    for found in check(file, {"ask": "{task}", "answer": "baseline", "check": way}, Options()):
        assert (found.instances, found.faults) == (4, [])


def test_what_judges_would_cost(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of four answers is compared in both orders: eight verdicts of at most 2,048 tokens."""

    class Priced(Judge):
        paid = True

        def price(self, usage: Usage) -> float:
            return usage.output / 1000

    seated(monkeypatch, gpt=Priced(compared))
    model = Constant(text="mine")
    plan = make_plan(file, model, ASK | {"check": "compare"}, Options(judges=("gpt",), cache=False))
    found = expect(plan, model, [])
    assert (found.verdicts, found.judging) == (8, pytest.approx(8 * 2.048))


def test_a_forecast_counts_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f'task {n},"baseline {n}"\n' for n in range(40))
    (file := tmp_path / "many.csv").write_text(f"task,baseline\n{rows}")
    seated(monkeypatch, gpt=Judge(compared))
    told: list[Forecast] = []
    options = {"check": "compare", "judge": "gpt", "cache": False, "budget": "100ktok,$9"} | ASK
    hg.run(str(file), Constant(text="mine"), confirm=lambda forecast: told.append(forecast) or True, **options)  # type: ignore[func-returns-value]
    assert told[0].tokens.value == pytest.approx(40 * 224, rel=0.1)
    assert told[0].dollars is not None
    assert told[0].dollars.value == pytest.approx(40 * 0.02)
