"""howgood power, from assumptions and from earlier runs."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

import howgood as hg
from howgood.cli.power import power
from howgood.core.errors import DataError, HowgoodError
from howgood.core.types import Generate, Prediction
from howgood.interpret.power import assumed, detectable_difference, like, like_both, sample_size
from howgood.models.base import Capabilities, Model
from howgood.runs.evaluate import scores
from howgood.runs.store import SavedRun


class Guesser(Model):
    """Right on question n with a probability of its own, afresh at every time of asking."""

    capabilities = Capabilities(generate=True, chat=True)
    concurrency = 4

    def __init__(self, name: str, rising: bool) -> None:
        self.name, self.rising = name, rising

    async def generate(self, request: Generate) -> Prediction:
        assert not isinstance(request.prompt, str)
        word = str(request.prompt[-1].content).split()[-1]
        p = int(word[1:]) / 80
        right = random.Random(f"{self.name}{word}{request.seed}").random() < (p if self.rising else 1 - p)
        return Prediction(text=word if right else "no", stop_reason="stop", latency=0.1)


class Sayer(Guesser):
    """Says the word that it is asked to say."""

    async def generate(self, request: Generate) -> Prediction:
        assert not isinstance(request.prompt, str)
        return Prediction(text=str(request.prompt[-1].content).split()[-1], stop_reason="stop", latency=0.1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[SavedRun]:
    folder = tmp_path_factory.mktemp("power")
    rows = [{"id": str(i), "question": f"Say w{i}", "answer": f"w{i}"} for i in range(80)]
    (folder / "words.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    asked = {"ask": "{question}", "answer": "answer", "epochs": 3, "temperature": 1.0, "folder": folder / "runs"}
    return [
        hg.run(str(folder / "words.jsonl"), Guesser(*one), **asked) for one in (("rising", True), ("falling", False))
    ]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_assumptions() -> None:
    plain = assumed(0.8, correlation=0.25)
    assert (plain.between, plain.sampling) == (pytest.approx(2 * 0.16 * 0.75), 0)
    assert assumed(0.8, correlation=0.25, paired=False).between == pytest.approx(0.32)
    noisy = assumed(0.5, correlation=0.5, sampling=1 / 6)  # the paper's: rates uniform in [0, 1]
    assert (noisy.between, noisy.sampling) == (pytest.approx(1 / 12), pytest.approx(1 / 3))
    assert noisy.variance(10) == pytest.approx(1 / 12 + 1 / 30)
    for wrong in ({"accuracy": 1.0}, {"correlation": 1.5}, {"sampling": 0.3}):
        with pytest.raises(DataError):
            assumed(**wrong)


def test_unpaired_it_takes_twice_as_many_at_half_correlation(capsys: pytest.CaptureFixture[str]) -> None:
    power(difference=0.03)
    paired = said(capsys)
    power(difference=0.03, unpaired=True)
    unpaired = said(capsys)
    # 2.801585² · 2 · 1/4 · (1 - 1/2) / 0.03²
    assert "To see a difference of 3 points in 80% of such comparisons, at 95% confidence epochs" in paired
    assert "1 2,181 2,181" in paired
    assert "1 4,361 4,361" in unpaired
    assert "1,000 4.43 points" in paired  # 2.801585 · √(0.25/1000)


def test_epochs_count_where_single_answers_vary(capsys: pytest.CaptureFixture[str]) -> None:
    power(difference=0.03, sampling=1 / 6)
    out = said(capsys)
    variance = {k: 1 / 12 + 1 / 3 / k for k in (1, 4, 10)}
    for k, v in variance.items():
        n = sample_size(0.03, v)
        assert f"{k} {n:,} {n * k:,}" in out
    assert f"200 {100 * detectable_difference(200, variance[1]):.3g} points" in out


def test_two_earlier_runs(runs: list[SavedRun], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = map(scores, runs)
    found = hg.compare(*runs).difference
    variances = like_both(a, b, found.name, found.n * (found.se or 0) ** 2)
    # σ²: the mean of p(1 - p) over p = 0, 1/80, ..., about 1/6, for each of the two.
    # Between questions: 1 - 2p, whose variance is 4/12.
    assert variances.sampling == pytest.approx(1 / 3, rel=0.15)
    assert variances.between == pytest.approx(1 / 3, rel=0.3)
    assert variances.variance(3) == pytest.approx(found.n * (found.se or 0) ** 2, rel=1e-9)
    power([str(run.path) for run in runs], difference=0.05, epochs=[3])
    n = sample_size(0.05, variances.variance(3))
    assert f"3 {n:,} {3 * n:,}" in said(capsys)
    power([str(run.path) for run in runs], unpaired=True)
    assert "the difference of two runs" in said(capsys)


def test_one_earlier_run(runs: list[SavedRun], capsys: pytest.CaptureFixture[str]) -> None:
    found = like(scores(runs[0]), runs[0].estimate.name, correlation=0.9)
    assert found.between == pytest.approx(0.2 / 12, rel=0.4)
    assert found.sampling == pytest.approx(1 / 3, rel=0.15)
    power([str(runs[0].path)], correlation=0.9)
    assert "one run's variance between questions" in said(capsys)


def test_questions_on_one_document_are_fewer_than_they_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Forty documents of four questions each, answered alike: forty answers, not 160.
    rows = [
        {"id": str(i), "question": f"Say w{20 * (i % 8 < 4) + 40}", "answer": "w60", "document": str(i // 4)}
        for i in range(160)
    ]
    (tmp_path / "words.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    asked = {"ask": "{question}", "answer": "answer", "check": "exact", "cluster": "document"}
    run = hg.run(str(tmp_path / "words.jsonl"), Sayer("sayer", True), **asked, folder=tmp_path / "runs")
    # n·SE² = 4 times the variance of one question, p(1 - p) = 1/4, with 40/39 for forty clusters.
    found = hg.power(run, correlation=0.5)
    assert found.between == pytest.approx(4 * 0.25 * 40 / 39)
    assert "clusters heeded" in found.source
    assert like(scores(run), run.estimate.name).between == pytest.approx(0.25 * 160 / 159)
    # Clusters never promise more than as many questions would that are independent.
    assert like(scores(run), run.estimate.name, variance=0.01).between == pytest.approx(0.25 * 160 / 159)
    told = f"differs by {100 * found.detectable(160):.1f} points or more"
    assert told in hg.card(run).markdown()


def test_answers_that_are_all_alike_promise_nothing(tmp_path: Path) -> None:
    rows = [{"id": str(i), "question": f"Say w{i}", "answer": "none"} for i in range(30)]
    (tmp_path / "words.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    asked = {"ask": "{question}", "answer": "answer", "check": "exact", "folder": tmp_path / "runs"}
    one, other = (hg.run(str(tmp_path / "words.jsonl"), Sayer(name, True), **asked) for name in ("one", "other"))
    assert one.estimate.value == 0
    for given in ((one,), (one, other)):
        with pytest.raises(DataError, match="no spread to plan with; plan from assumptions"):
            hg.power(*given)
    assert "or more would show" not in hg.card(one).markdown()


def test_what_cannot_be_planned_is_said(runs: list[SavedRun]) -> None:
    with pytest.raises(HowgoodError, match="above zero"):
        power(difference=-0.1)
    with pytest.raises(HowgoodError, match="no more than two"):
        power([str(runs[0].path)] * 3)
    with pytest.raises(HowgoodError, match="no mean over instances"):
        power([str(runs[0].path)], score="bits_per_byte")
    with pytest.raises(DataError, match="power and confidence"):
        power(power=1.0)
    with pytest.raises(DataError, match="at least once"):
        power(epochs=[0])
