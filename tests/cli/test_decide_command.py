"""howgood decide on real runs, in words and as JSON."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest

import howgood as hg
from howgood.cli.decide import decide
from howgood.cli.options import console
from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.types import Generate, Prediction
from howgood.models.base import Capabilities, Model
from howgood.report.terminal.decide import decision_view
from howgood.runs.store import SavedRun

CASE = """
question: Which of the two should answer?
benchmarks: {words: 1}
outcomes: {right: 1, wrong: -2, abstain: 0}
otherwise: 0
limits: {cost: 0.01}
require: {wrong: {at_most: 0.3}}
answers: 1000
"""


class Choosy(Model):
    """Right with probability `p`, else wrong or, if it is shy, without an answer."""

    capabilities = Capabilities(generate=True, chat=True)
    concurrency = 4

    def __init__(self, name: str, p: float, shy: bool, dollars: float) -> None:
        self.name, self.p, self.shy, self.dollars = name, p, shy, dollars

    async def generate(self, request: Generate) -> Prediction:
        assert not isinstance(request.prompt, str)
        word = str(request.prompt[-1].content).split()[-1]
        other = "" if self.shy else "no"
        text = word if random.Random(self.name + word).random() < self.p else other
        return Prediction(text=text, stop_reason="stop", latency=0.5, cost=self.dollars)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[SavedRun]:
    folder = tmp_path_factory.mktemp("decide")
    rows = [{"id": str(i), "question": f"Say w{i}", "answer": f"w{i}"} for i in range(100)]
    (folder / "words.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    models = (Choosy("bold", 0.7, False, 0.001), Choosy("shy[bold]", 0.6, True, 0.002), Choosy("rich", 1.0, True, 0.5))
    asked = {"ask": "{question}", "answer": "answer", "folder": folder / "runs"}
    return [hg.run(str(folder / "words.jsonl"), model, **asked) for model in models]


def test_a_decision_in_words(
    runs: list[SavedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    (tmp_path / "case.yaml").write_text(CASE)
    decide(str(tmp_path / "case.yaml"), [str(run.path) for run in runs])
    out = " ".join(capsys.readouterr().out.split())
    # Two thirds of wrong answers' worth is lost: 0.7 - 0.6 against 0.6. The markup in a name is shown, not heeded.
    assert "shy[bold]: it is the best option with probability 100%." in out
    assert "an answer costs $0.5, over the limit of $0.01" in out
    assert "as it is done today" in out
    assert "wrong at most 30%" in out
    assert "met" in out
    assert "words weight 100%, 100 shared instances" in out
    assert "and no test is worth more" in out


def test_a_limit_that_nothing_can_be_held_to_is_said(
    runs: list[SavedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpriced = msgspec.structs.replace(runs[0], took=[one for one in runs[0].took if one.name != "cost"])
    (tmp_path / "case.yaml").write_text(CASE.replace("cost: 0.01", "cost: 0.01, latency: 10"))
    found = hg.decide(tmp_path / "case.yaml", unpriced, runs[1])
    assert {option.system: option.unchecked for option in found.options} == {"bold": ("cost",), "shy[bold]": ()}
    console().print(decision_view(found))
    assert "not held to its limit of cost: not known" in " ".join(capsys.readouterr().out.split())


def test_a_decision_as_json(runs: list[SavedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "case.yaml").write_text(CASE)
    decide(str(tmp_path / "case.yaml"), [str(run.path) for run in runs], as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["choice"], found["sure"], found["ready"]) == ("shy[bold]", True, True)
    rights = runs[1].outcomes["right"]
    assert found["options"][0]["observed"] == pytest.approx(rights / 100)
    assert found["options"][0]["worth"]["value"] == pytest.approx((rights + 1 - 2) / 102)


def test_templates_and_mistakes(runs: list[SavedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide(template="policy maker")
    assert "people can be harmed" in capsys.readouterr().out
    with pytest.raises(HowgoodError, match="--template buyer"):
        decide()
    with pytest.raises(UnknownName, match="buyer"):
        decide(template="buyr")
    (tmp_path / "case.yaml").write_text(CASE)
    with pytest.raises(HowgoodError, match="needs runs"):
        decide(str(tmp_path / "case.yaml"))
