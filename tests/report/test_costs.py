"""Cost and speed in words, and quality against cost on the page and in the terminal."""

from __future__ import annotations

import io
import random
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

import howgood as hg
from howgood.core.types import Estimate, Generate, Prediction
from howgood.models.base import Capabilities, Model
from howgood.report import costs
from howgood.report.html import render
from howgood.report.terminal.comparisons import comparison_view, front_view
from howgood.report.terminal.runs import estimates_table, run_view
from howgood.runs.store import SavedRun


class Priced(Model):
    """Right with probability `p`, for about `dollars` an answer."""

    capabilities = Capabilities(generate=True, chat=True)
    concurrency = 4

    def __init__(self, name: str, p: float, dollars: float) -> None:
        self.name, self.p, self.dollars = name, p, dollars

    async def generate(self, request: Generate) -> Prediction:
        assert not isinstance(request.prompt, str)
        question = str(request.prompt[-1].content)
        rng = random.Random(self.name + question)
        text = question.split()[-1] if rng.random() < self.p else "no"
        spent = self.dollars * rng.uniform(0.9, 1.1)
        return Prediction(text=text, stop_reason="stop", latency=rng.uniform(0.5, 1.5), first_token=0.25, cost=spent)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[SavedRun]:
    folder = tmp_path_factory.mktemp("costs")
    questions = folder / "words.jsonl"
    rows = [{"id": str(i), "question": f"Say w{i}", "answer": f"w{i}"} for i in range(120)]
    questions.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    systems = (Priced("small", 0.4, 0.001), Priced("wasteful", 0.5, 0.009), Priced("good", 0.8, 0.003))
    return [
        hg.run(str(questions), system, ask="{question}", answer="answer", folder=folder / "runs") for system in systems
    ]


def said(view: object, width: int = 120) -> str:
    screen = Console(width=width, record=True, file=io.StringIO())
    screen.print(view)
    return screen.export_text()


def test_a_run_says_what_each_answer_took(runs: list[SavedRun]) -> None:
    first = runs[0]
    assert first.took[0].value == pytest.approx(first.cost / 120)  # type: ignore[operator]
    assert [e.name for e in hg.load(first.path).took] == ["cost", "latency", "latency_p95", "first_token"]
    view = said(run_view(first))
    assert f"cost of each  {costs.figure(first.took[0])}" in view
    assert "first token   median 250 ms [250 ms, 250 ms]" in view
    assert costs.each(first) in said(estimates_table([first]))
    assert costs.each(first) not in said(estimates_table([first]), 70)


def test_the_front_of_three(runs: list[SavedRun]) -> None:
    (front,) = costs.fronts(runs)
    assert [s.run.system.name for s in front.standings] == ["small", "good", "wasteful"]
    assert [costs.verdict(s) for s in front.standings] == ["no other beats it", "no other beats it", "beaten by good"]
    assert front.axis == "cost of each answer"
    assert "beaten by good" in said(front_view(front))


def test_where_nothing_is_paid_time_is_the_cost(runs: list[SavedRun]) -> None:
    free = [msgspec.structs.replace(run, took=run.took[1:]) for run in runs]
    (front,) = costs.fronts(free)
    assert front.axis == "median time of an answer"


def test_one_run_has_no_front(runs: list[SavedRun]) -> None:
    assert costs.fronts(runs[:1]) == []


def test_the_page_draws_it(runs: list[SavedRun]) -> None:
    page = render(runs)
    assert "Which systems does no other beat?" in page
    assert page.count("<g class=") == 3
    assert costs.each(runs[2]) in page
    assert "Which systems does no other beat?" not in render(runs[:1])


def test_a_comparison_says_how_much_dearer(runs: list[SavedRun]) -> None:
    view = said(comparison_view(runs[0], runs[2], hg.compare(runs[0], runs[2])))
    ratio = runs[2].took[0].value / runs[0].took[0].value
    assert f"B {ratio:.3g} times that of A" in " ".join(view.split())


@pytest.mark.parametrize(("value", "words"), [(0.0123, "12.3 ms"), (0.9999, "1 s"), (2.126, "2.13 s"), (75, "75 s")])
def test_seconds(value: float, words: str) -> None:
    assert costs.seconds(value) == words


def test_what_cost_nothing_in_all_cost_nothing_each(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("q,a\nIs ice cold?,yes\n")
    run = hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", check="exact")
    assert run.took == []  # a reference takes no time
    assert costs.each(run) == "$0.00"
    run.cost = None
    assert costs.each(run) == "unknown"


def test_an_unknown_end_is_said() -> None:
    few = Estimate("latency_p95", 2.0, None, 0.0, 1.7976931348623157e308, 3, "95% quantile")
    assert costs.figure(few) == "2 s (too few to say how sure)"
