"""A benchmark's inputs with runs of it, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.main import app
from howgood.core.errors import DataError, HowgoodError, Unsupported
from howgood.core.types import Generate, Prediction, Usage
from howgood.models.base import Capabilities


class Able(hg.Model):
    """Knows the answers of easy questions, and of hard ones when it is strong."""

    capabilities = Capabilities(generate=True, completion=True)

    def __init__(self, name: str, strong: bool) -> None:
        self.name, self.strong = name, strong

    async def generate(self, request: Generate) -> Prediction:
        right = "easy" in str(request.prompt) or self.strong
        return Prediction(text="yes" if right else "no", stop_reason="stop", usage=Usage(1, 1), cost=0.0)


@pytest.fixture
def questions(tmp_path: Path) -> str:
    rows = "".join(f"Is number {n} {part},yes,{part}\n" for part in ("easy", "hard") for n in range(30))
    (tmp_path / "questions.csv").write_text(f"question,answer,part\n{rows}")
    return str(tmp_path / "questions.csv")


OWN: dict[str, Any] = {"ask": "{question}", "answer": "answer", "stratum": "part"}


def test_the_tail_and_the_difficulty_of_runs(questions: str) -> None:
    weak, strong = (hg.run(questions, model=Able(name, name == "strong"), **OWN) for name in ("weak", "strong"))
    found = hg.coverage(questions, weak, strong, **OWN)
    assert found.difficulty is not None
    assert (found.difficulty.easy, found.difficulty.hard, found.difficulty.between) == (30, 0, 30)
    assert found.tail is not None
    assert found.tail.value == 0.75
    assert [(part.factor, part.name) for part in found.tail.parts if part.below] == [("stratum", "hard")]
    one = hg.coverage(questions, weak, **OWN)
    assert one.difficulty is None
    assert one.tail is not None
    assert one.tail.value == 0.5


def test_variants_of_a_run_do_not_count_as_instances(questions: str) -> None:
    run = hg.run(questions, model=Able("weak", False), perturb="whitespace", **OWN)
    found = hg.coverage(questions, run, **OWN)
    assert found.tail is not None
    assert (found.tail.n, found.instances) == (60, 60)


def test_what_does_not_fit_is_refused(questions: str, tmp_path: Path) -> None:
    run = hg.run(questions, model=Able("weak", False), **OWN)
    other = tmp_path / "other.csv"
    other.write_text("question,answer,part\nWhy,yes,easy\n")
    with pytest.raises(HowgoodError, match="give its runs"):
        hg.coverage(str(other), run, **OWN)
    Path(questions).write_text("question,answer,part\nWhy,yes,easy\n")
    with pytest.raises(DataError, match="other data"):
        hg.coverage(questions, run, **OWN)
    with pytest.raises(Unsupported, match="tokenizer"):
        hg.coverage(questions, model=Able("weak", False), **OWN)


def test_the_command_shows_the_same_and_gives_json(questions: str) -> None:
    run = hg.run(questions, model=Able("weak", False), **OWN)
    asked = ["inputs", questions, run.id, "--ask", "{question}", "--answer", "answer", "-P", "stratum=part"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    for words in ("60 instances", "Near duplicates", "hard", "lie below it", "Quizzing"):
        assert words in shown.output
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert told["instances"] == 60
    assert told["found"]["kinds"]["shares"]
    assert told["tail"]["parts"][0]["name"] == "hard"


def test_worked_examples_are_looked_at_on_real_questions(shared: Path) -> None:
    found = hg.coverage("mmlu", data=shared / "data", subjects="high_school_us_history", limit=40)
    assert found.sampled
    assert found.instances == 40
    assert found.found.duplicates.pool == 5
