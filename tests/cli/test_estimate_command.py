"""howgood estimate spends nothing and says what it does not know; and what is asked after a forecast."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

import howgood as hg
from howgood.cli.estimate import estimate, show
from howgood.cli.progress import Watch, watch
from howgood.core.types import Run
from howgood.models.base import Model
from howgood.models.registry import load_model
from howgood.runs.budget import Budget
from howgood.runs.expect import Expected, expect
from howgood.runs.forecast import Forecast, Range
from howgood.runs.plan import Options, Plan, make_plan
from howgood.runs.progress import Progress
from howgood.runs.store import runs

QUESTION = "What is the number after {n}?"


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    file = tmp_path / "numbers.jsonl"
    rows = [json.dumps({"n": f"{i:04}", "answer": str(i + 1)}) for i in range(100)]
    file.write_text("\n".join(rows) + "\n")
    return str(file)


def planned(file: str, name: str, **options: int) -> tuple[Plan, Model]:
    model = load_model(name)
    return make_plan(file, model, {"ask": QUESTION, "answer": "answer"}, Options(**options)), model


def said(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def plain() -> Console:
    return Console(file=io.StringIO(), width=120, highlight=False)


def test_a_paid_model(numbers: str) -> None:
    plan, model = planned(numbers, "openai/gpt-4")
    found = expect(plan, model, [])
    length = len(QUESTION.format(n="0000"))
    most = plan.rules.call["max_tokens"] * 100
    assert (found.trials, found.input, found.tokenized, found.most) == (100, round(100 * length / 4), False, most)
    assert (found.output, found.runs, found.cost) == (None, 0, None)
    # gpt-4: $30 a million tokens in, $60 out; tokens of the mean trial are whole
    assert found.least_cost == pytest.approx(100 * round(length / 4) * 30e-6)
    assert found.most_cost == pytest.approx(found.least_cost + most * 60e-6)


def test_a_sample_and_epochs(numbers: str) -> None:
    one, model = planned(numbers, "openai/gpt-4")
    part, _ = planned(numbers, "openai/gpt-4", limit=10, epochs=3)
    whole, found = expect(one, model, []), expect(part, model, [])
    assert found.trials == 30
    assert found.input == pytest.approx(whole.input * 0.3, abs=1)
    assert found.most == whole.most * 0.3


def test_earlier_runs_tell_how_much_is_written(numbers: str) -> None:
    asked = {"ask": QUESTION, "answer": "answer"}
    for text in ("four", "sixsix"):
        hg.run(numbers, f"reference/constant,text={text}", **asked)
    hg.run(numbers, "reference/constant,text=another", max_tokens=7, **asked)  # asked in another way
    earlier = list[Run](runs())
    plan, model = planned(numbers, "openai/gpt-4")
    found = expect(plan, model, earlier)
    assert (found.runs, found.output) == (2, Range(500.0, 400.0, 600.0))
    assert found.cost is not None
    assert found.least_cost is not None
    assert found.cost.value == pytest.approx(found.least_cost + 500 * 60e-6)
    plan, model = planned(numbers, "reference/constant,text=four")
    found = expect(plan, model, earlier)  # runs of the model itself are better
    assert (found.runs, found.output, found.cost) == (1, Range(400.0, 400.0, 400.0), Range(0.0, 0.0, 0.0))


def test_a_tokenizer_that_is_here_counts(numbers: str) -> None:
    plan, model = planned(numbers, "reference/constant")
    found = expect(plan, model, [])
    read = sum(len(model.render(plan.request(item).prompt)) for _, item in plan.instances())  # type: ignore[union-attr]
    assert (found.input, found.tokenized) == (read, True)  # its tokens are bytes


def test_the_table_says_what_is_not_known(
    numbers: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    estimate([numbers], ["openai/gpt-4", "http://127.0.0.1:1/v1#m"], ask=QUESTION, answer="answer")
    out = capsys.readouterr().out
    gpt, mine = (
        next(line for line in out.splitlines() if "~" in line and cost in line) for cost in ("$", "unknown  unknown")
    )
    assert "over $0.02" in gpt
    assert "100    ~750" in mine
    assert "and 1 of 2 whose price is not known" in out
    assert "characters / 4" in out
    assert "unknown price: put it into " in out


def test_a_machine_by_the_hour_is_no_free_one(numbers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.json").write_text('{"reference/*": {"per_hour": 0.4}}')
    monkeypatch.setenv("HOWGOOD_PRICES", str(tmp_path / "prices.json"))
    plan, model = planned(numbers, "reference/constant")
    found = expect(plan, model, [])
    assert (found.cost, found.least_cost, found.most_cost, found.by_hour) == (None, None, None, True)
    screen = plain()
    show([("numbers", "reference/constant", found)], screen)
    assert "`howgood run --budget` times a few trials" in said(screen)


def test_several_requests_a_trial_are_said() -> None:
    screen = plain()
    show([("b", "m", Expected(10, 100, True, 50, None, 0, None, 0.1, 0.2, False, False))], screen)
    assert "the numbers are for each time" in said(screen)
    assert "over $0.10" in said(screen)


LOW, HIGH = Range(1.0, 0.5, 1.5), Range(3.0, 2.5, 3.5)
REST = (Range(1.0, 1.0, 1.0), Range(1.0, 1.0, 1.0))


def watching(screen: Console, budget: Budget | None, yes: bool = False) -> Watch:
    with watch(screen, "b", "m", yes=yes) as watched:
        watched(Progress(100, done=20, budget=budget))
        return watched


@pytest.mark.parametrize(
    ("dollars", "limit", "yes", "goes_on"),
    [
        (LOW, 2.0, False, True),
        (Range(1.0, 0.5, 2.5), 2.0, False, True),  # it will probably do
        (HIGH, 2.0, False, False),
        (HIGH, 2.0, True, True),
    ],
)
def test_where_nobody_can_be_asked(dollars: Range, limit: float, yes: bool, goes_on: bool) -> None:
    screen = plain()
    watched = watching(screen, Budget(dollars=limit), yes)
    assert watched.confirm(Forecast(20, 100, dollars, *REST)) is goes_on
    assert f"${dollars.value:.2f} [${dollars.low:.2f}, ${dollars.high:.2f}]" in said(screen)
    assert ("--yes" in said(screen)) is not goes_on


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_on_a_terminal_one_is_asked(answer: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    screen = Console(file=io.StringIO(), width=120, highlight=False, force_terminal=True)
    with watch(screen, "b", "m") as watched:
        watched(Progress(100, done=20, budget=Budget(dollars=2)))
        assert watched.confirm(Forecast(20, 100, HIGH, *REST)) is goes_on
        assert "The budget is $2.00, and the run stops there. Go on? [y/N]" in said(screen)
        assert watched.confirm(Forecast(20, 100, LOW, *REST))
        assert said(screen).count("Go on?") == 1


def test_the_progress_says_what_is_spent_of_the_budget() -> None:
    screen = plain()
    progress = Progress(20, done=20, spent=0.5, tokens=1200, budget=Budget(2.0, 10_000))
    progress.forecast = Forecast(5, 20, LOW, Range(2400.0, 1.0, 5000.0), LOW)
    with watch(screen, "b", "m") as watched:
        watched(progress)
    assert "$0.50 of $2.00 (needs about $1.00), 1,200 tokens of 10,000 tokens (needs about 2,400 tokens)" in said(
        screen
    )
