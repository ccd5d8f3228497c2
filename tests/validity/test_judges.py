"""Judges that are tried: asked again, and shown an answer that speaks to them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.main import app
from howgood.core.errors import HowgoodError
from howgood.models import registry
from howgood.models.reference import Constant
from howgood.report.terminal.judging import audit_view
from howgood.validity.judges import CANARY, audit_run, try_judges, votes_of
from judging_models import Judge, texts

ASK: dict[str, Any] = {"ask": "{task}", "answer": "baseline", "check": "compare", "cache": False}


@pytest.fixture
def file(tmp_path: Path) -> str:
    rows = "".join(f'task {n},"baseline {n}"\n' for n in range(12))
    (tmp_path / "tasks.csv").write_text(f"task,baseline\n{rows}")
    return str(tmp_path / "tasks.csv")


def judged(file: str, monkeypatch: pytest.MonkeyPatch, judge: Judge) -> Any:
    known = registry.load_model
    monkeypatch.setattr(registry, "load_model", lambda name: judge if name == "gpt" else known(name))
    return hg.run(file, Constant(text="mine"), judge="gpt", **ASK)


def steady(asked: str) -> str:
    return json.dumps({"verdict": "A>B" if "baseline" in texts(asked)[-1] else "B>A"})


def gullible(asked: str) -> str:
    first, second = texts(asked)[-2:]
    if CANARY in (first, second):
        return json.dumps({"verdict": "A>>B" if first == CANARY else "B>>A"})
    return steady(asked)


@pytest.mark.parametrize(("reply", "fooled"), [(steady, 6), (gullible, 6)])
async def test_a_judge_that_repeats_itself(file: str, monkeypatch: pytest.MonkeyPatch, reply: Any, fooled: int) -> None:
    """Both like whatever is not the baseline, and so the planted answer too."""
    judge = Judge(reply, "gpt")
    run = judged(file, monkeypatch, judge)
    before = len(judge.asked)
    trials = await try_judges(run, 3)
    assert (trials.asked, trials.again, trials.fooled) == (3, {"gpt": 0.0}, {"gpt": (fooled, 6)})
    assert len(judge.asked) == before + 12
    assert (trials.paid.cost, trials.paid.usage.input) == (pytest.approx(0.12), 1200)
    screen = Console(width=100, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    screen.print(audit_view(run, audit_run(run), trials))
    shown = screen.export_text()
    assert "preferred in 6 of 6 verdicts" in shown
    assert "asked again     the same" in shown
    assert "100% of the answers are one and the same text" in " ".join(shown.split())


async def test_a_judge_that_sees_through_it_and_wavers(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = itertools.cycle(["A>B", "A>>B"])

    def reply(asked: str) -> str:
        if CANARY in texts(asked):
            return json.dumps({"verdict": "B>A" if texts(asked)[-2] == CANARY else "A>B"})
        return json.dumps({"verdict": next(turn)})

    run = judged(file, monkeypatch, Judge(reply, "gpt"))
    trials = await try_judges(run, 2)
    assert trials.fooled == {"gpt": (0, 4)}
    assert 0 <= trials.again["gpt"] <= 0.25
    assert hg.audit(run).judges[0].consistent is not None


async def test_runs_without_judges(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = hg.run(file, Constant(text="mine"), **(ASK | {"check": "exact"}))
    with pytest.raises(HowgoodError, match="no judge was asked in run"):
        audit_run(plain)
    run = judged(file, monkeypatch, Judge(steady, "gpt"))
    with pytest.raises(HowgoodError, match="1 or more, not 0"):
        await try_judges(run, 0)


def test_verdicts_are_votes(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that wins every comparison in both orders leads; grades are no votes."""
    run = judged(file, monkeypatch, Judge(steady, "gpt"))
    votes = votes_of([run])
    assert set(votes["winner"]) == {"model_a"}
    assert (len(votes["item"]), votes["model_a"][0], votes["model_b"][0]) == (24, "reference/constant", "baseline")
    board = hg.rate(votes)
    assert [model.model for model in board.models] == ["reference/constant", "baseline"]
    grades = json.dumps({"score": 3})
    known = registry.load_model
    monkeypatch.setattr(registry, "load_model", lambda name: Judge(lambda _: grades) if name == "gpt" else known(name))
    graded = hg.run(file, Constant(text="mine"), judge="gpt", **(ASK | {"check": "grade"}))
    with pytest.raises(HowgoodError, match="holds no votes"):
        votes_of([graded])
    shown = CliRunner().invoke(app, ["rate", run.id])
    assert shown.exit_code == 0, shown.output
    assert "reference/constant" in shown.output
