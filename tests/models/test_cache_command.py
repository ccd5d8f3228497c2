"""howgood cache: what a user sees of what is kept, and why something was paid for again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from counting_server import serve_counting
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.cache import app
from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.types import Generate, Prediction
from howgood.models import pending
from howgood.models.cache import cached, key_of
from howgood.models.registry import load_model
from howgood.models.responses import Key, Responses, responses


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Responses:
    monkeypatch.setenv("HOWGOOD_CACHE", str(tmp_path / "c.sqlite"))
    monkeypatch.setenv("COLUMNS", "300")
    return responses()


def howgood_cache(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def evaluate(data: Path, url: str, **options: object) -> hg.SavedRun:
    model = cached(load_model(f"{url}/v1#m,concurrency=3"), True)
    asked = {"ask": "{q}", "answer": "a", "check": "exact", "id": "id"}
    return hg.run(str(data), model, **asked, **options)  # type: ignore[arg-type]


def write(file: Path, question: str) -> Path:
    file.write_text("id,q,a\n" + "".join(f"n{i},{question.format(i)},{i % 3}\n" for i in range(4)))
    return file


def test_why_a_trial_is_kept_or_not(answers: Responses, tmp_path: Path) -> None:
    data = write(tmp_path / "numbers.csv", "What comes next? number {}")
    with serve_counting() as server:
        first = evaluate(data, server.url, temperature=0.5, epochs=2)
        assert first.outcomes == {"right": 8}
        again = evaluate(data, server.url, temperature=0.5, epochs=2)
        assert server.asked.total() == 8
        assert again.trials["replayed"].to_list() == [True] * 8
        assert (again.estimates, again.spent) == (first.estimates, 0.0)
        for trial in ("n1", "n1#1"):
            assert "request 1 is kept: answered " in howgood_cache("why", again.id, trial)
        answers.prune()
        missed = howgood_cache("why", again.id, "n1")
        assert "request 1 is not kept, and nothing like it" in missed

        evaluate(data, server.url, temperature=0.25)
        warmer = howgood_cache("why", again.id, "n2").splitlines()
        assert warmer[1:] == ["  request.temperature: asked 0.5, kept 0.25"]
        assert "differs in:" in warmer[0]
        other = howgood_cache("why", again.id, "n2#1").splitlines()
        assert other[1] == "  epoch: asked 1, kept 0"

        write(data, "So what comes next? number {}")
        edited = evaluate(data, server.url, temperature=0.25, limit=2)
        answers.prune()
        write(data, "What comes next? number {}")
        evaluate(data, server.url, temperature=0.25)
        write(data, "So what comes next? number {}")
        lines = howgood_cache("why", edited.id, edited.trials["id"][0]).splitlines()
        number = edited.trials["id"][0][1:]
        assert lines[1] == "  the prompt:"
        assert f"    -What comes next? number {number}" in lines
        assert f"    +So what comes next? number {number}" in lines


def test_why_names_what_there_is(answers: Responses, tmp_path: Path) -> None:
    data = write(tmp_path / "numbers.csv", "number {}")
    with serve_counting() as server:
        evaluate(data, server.url)
        for trial in ("m1", "n1#7"):
            with pytest.raises(UnknownName, match=f"no trial '{trial}'"):
                howgood_cache("why", "last", trial)


def test_a_run_s_prompt_cannot_dress_up_the_terminal(answers: Responses, tmp_path: Path) -> None:
    data = write(tmp_path / "numbers.csv", "\x1b[31m[red]number[/red] {}")
    with serve_counting() as server:
        evaluate(data, server.url, temperature=0.5)
        write(data, "\x1b[31m[red]a number[/red] {}")
        edited = evaluate(data, server.url, temperature=0.75)
        answers.prune()
        write(data, "\x1b[31m[red]number[/red] {}")
        evaluate(data, server.url, temperature=0.5)
        write(data, "\x1b[31m[red]a number[/red] {}")
        shown = howgood_cache("why", edited.id, "n1")
    assert "+␛[31m[red]a number[/red] 1" in shown


async def put(answers: Responses, model: str, text: str, cost: float | None) -> Key:
    key = key_of(model, {}, Generate(text), "i", 0)
    await answers.put(key, Prediction(text="t", cost=cost))
    return key


async def fill(answers: Responses) -> None:
    await put(answers, "openai/a", "1", 0.5)
    await put(answers, "openai/a", "2", 0.25)
    old = await put(answers, "openai/b", "1", None)
    answers.submit(lambda db: db.execute("UPDATE answers SET made = 0 WHERE key = ?", (old.digest,))).result()
    batch = pending.Pending("own", "openai/a", 1, time.time() - 7200, "dead", remote="batch_7")
    await pending.write_down(answers, batch, [pending.Item(old, 0)])
    await pending.write_remote(answers, "own", "batch_7")


async def test_stats(answers: Responses) -> None:
    await fill(answers)
    lines = howgood_cache("stats").splitlines()
    assert lines[0].split() == ["model", "answers", "paid", "for", "them", "MB", "first", "last"]
    assert lines[1].split()[:4] == ["openai/a", "2", "$0.75", "0.0"]
    assert lines[2].split() == ["openai/b", "1", "unknown", "0.0", "1970-01-01", "00:00", "1970-01-01", "00:00"]
    assert lines[3].startswith("batch batch_7: 1 requests of openai/a, 2 h 00 min ago")
    assert lines[4].startswith(f"{answers.path} (0.")


def test_stats_of_nothing(answers: Responses) -> None:
    assert howgood_cache("stats").splitlines()[0] == "no answers are kept"


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (("--older", "30d"), {"openai/a": 2}),
        (("--model", "openai/a,concurrency=9"), {"openai/b": 1}),
        (("--model", "openai/a", "--older", "1h"), {"openai/a": 2, "openai/b": 1}),
        (("--all",), {}),
    ],
)
async def test_prune(answers: Responses, arguments: tuple[str, ...], left: dict[str, int]) -> None:
    await fill(answers)
    assert f"{3 - sum(left.values())} answers forgotten" in howgood_cache("prune", *arguments)
    assert {held.model: held.answers for held in answers.held()} == left
    assert len(pending.pending(answers)) == 1  # it was paid for


async def test_prune_a_batch(answers: Responses) -> None:
    await fill(answers)
    with pytest.raises(UnknownName, match="no batch under way 'batch_8'"):
        howgood_cache("prune", "--batch", "batch_8")
    assert "batch batch_7 forgotten" in howgood_cache("prune", "--batch", "batch_7")
    assert pending.pending(answers) == []
    assert len(answers.held()) == 2


async def test_pruning_gives_the_room_back(answers: Responses) -> None:
    for number in range(20):
        await put(answers, "m", "".join(chr(33 + (number * i * i) % 9000) for i in range(30_000)), None)
    full = answers.size()
    howgood_cache("prune", "--all")
    assert answers.size() < full / 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prune",), "takes --older AGE"),
        (("prune", "--all", "--older", "1d"), "takes --older AGE"),
        (("prune", "--older", "soon"), "such as 30d, not 'soon'"),
        (("prune", "--model", "openai/z"), "no model in the cache 'openai/z'"),
    ],
)
async def test_mistakes(answers: Responses, arguments: tuple[str, ...], words: str) -> None:
    await fill(answers)
    with pytest.raises(HowgoodError, match=words):
        howgood_cache(*arguments)
    assert len(answers.held()) == 2


def test_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_CACHE", str(tmp_path / "none.sqlite"))
    with pytest.raises(HowgoodError, match=r"no cache yet at .*none\.sqlite"):
        howgood_cache("stats")
    assert not (tmp_path / "none.sqlite").exists()
