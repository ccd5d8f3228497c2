"""The checks of `howgood trust`: each fault is found by its own check and no other, honest models are left in peace."""

from __future__ import annotations

import math
from pathlib import Path

import distrusted
import pytest

from howgood.core.errors import ModelError, UnknownName
from howgood.core.types import Likelihood
from howgood.models.base import Model
from howgood.models.reference import Constant, FittedNgram, NgramSource, Random, Uniform
from howgood.validity.trust import CHECKS, Report, probabilities, trust_async
from howgood.validity.trust.probabilities import LEVEL, SAMPLES, Sampled, p_value, sampling_agrees
from howgood.validity.trust.probe import Probe, cut, difference, judged

NAMES = [check.name for check in CHECKS]


def wrong(report: Report) -> list[str]:
    return [finding.name for finding in report if finding.verdict == "wrong"]


def doubtful(report: Report) -> list[str]:
    return [finding.name for finding in report if finding.verdict == "doubtful"]


@pytest.mark.parametrize(
    ("model", "untold"),
    [
        (Uniform(), {"greedy flag"}),
        (NgramSource(), set()),
        (NgramSource(order=3, alphabet="abcdefgh", seed=4), set()),
        (Constant(), {*NAMES} - {"tokens round trip", "begins right", "repeatable"}),
    ],
    ids=lambda value: value.name if isinstance(value, Model) else "",
)
async def test_an_honest_model_is_trusted(model: Model, untold: set[str]) -> None:
    report = await trust_async(model)
    assert [finding.name for finding in report] == NAMES
    assert {finding.name for finding in report if finding.verdict == "cannot be told"} <= untold
    assert report.verdict == "ok", [(f.name, f.figure) for f in report if f.verdict not in ("ok", "cannot be told")]
    for finding, check in zip(report, CHECKS, strict=True):
        assert finding.requests <= check.requests
        assert finding.figure


async def test_a_model_of_english_is_trusted(tmp_path: Path) -> None:
    report = await trust_async(FittedNgram(file=str(distrusted.english(tmp_path)), order=6))
    assert [finding.verdict for finding in report] == ["ok"] * len(NAMES)
    assert report["tokens round trip"].figure == "19 of 19 awkward texts come back exactly"
    assert report["sums to one"].value is not None
    assert report["sums to one"].value < 1e-9


FAULTS = {
    "sums to one": [distrusted.TooMuch],
    "sampling agrees": [distrusted.Tempered, distrusted.Biased],
    "adds up": [distrusted.Joining, distrusted.Forgetful],
    "batch and order": [distrusted.Crowded, distrusted.Remembering, distrusted.OutOfOrder],
    "begins right": [distrusted.Unbegun],
    "repeatable": [distrusted.Restless],
    "greedy flag": [distrusted.Modest, distrusted.Greedy],
}


@pytest.mark.parametrize(("check", "kind"), [(check, kind) for check, kinds in FAULTS.items() for kind in kinds])
async def test_a_fault_is_found_by_its_own_check_alone(check: str, kind: type[NgramSource]) -> None:
    report = await trust_async(kind("broken"))
    assert wrong(report) == [check], [(finding.name, finding.figure) for finding in report]
    assert doubtful(report) == []
    assert report.verdict == "wrong"


@pytest.mark.parametrize(
    ("check", "kind"), [("tokens round trip", distrusted.Spaceless), ("begins right", distrusted.TwiceBegun)]
)
async def test_a_fault_of_tokens_is_found_by_its_own_check_alone(
    check: str, kind: type[FittedNgram], tmp_path: Path
) -> None:
    report = await trust_async(kind("broken", file=str(distrusted.english(tmp_path))))
    assert wrong(report) == [check], [(finding.name, finding.figure) for finding in report]
    assert doubtful(report) == []


async def test_what_rests_on_a_fault_is_not_told() -> None:
    report = await trust_async(distrusted.TooMuch("broken"))
    assert report["sums to one"].value == pytest.approx(0.3)
    assert report["sampling agrees"].figure == "it rests on 'sums to one', which is wrong"
    report = await trust_async(distrusted.Restless("broken"))
    assert report["greedy flag"].figure == "it rests on 'repeatable', which is wrong"


async def test_an_answer_that_only_a_crowd_changes_is_a_doubt() -> None:
    report = await trust_async(distrusted.Distracted("broken"))
    assert (wrong(report), doubtful(report)) == ([], ["repeatable"])
    assert "10 of 10 times alone" in report["repeatable"].figure


async def test_one_answer_by_another_engine_than_the_scores_is_a_doubt() -> None:
    model = distrusted.TwoEngines("broken")
    report = await trust_async(model)
    assert (wrong(report), doubtful(report)) == ([], ["greedy flag"])
    assert report["greedy flag"].figure == (
        "5 of 6 greedy answers called so, 0 others called so; one engine writes and another scores: "
        ",engine=transformers has one do both"
    )
    assert Probe(model).tolerance == 0.01  # of the arithmetic that scores


async def test_tokens_that_are_scored_but_never_written_are_found() -> None:
    report = await trust_async(Uniform(vocabulary=1000))
    assert wrong(report) == ["sampling agrees"]


async def test_guesses_are_no_probabilities() -> None:
    assert wrong(await trust_async(Random())) == ["sums to one", "adds up"]


async def test_the_fault_is_measured() -> None:
    assert (await trust_async(distrusted.Crowded("broken")))["batch and order"].value == pytest.approx(0.001)
    assert (await trust_async(distrusted.Unbegun("broken")))["begins right"].value == 1
    tempered = (await trust_async(distrusted.Tempered("broken")))["sampling agrees"]
    assert tempered.value is not None
    assert tempered.value < LEVEL


async def test_an_honest_model_is_seldom_accused_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "DRAWS", 1999)  # exact at the level too, and quicker
    values = []
    for seed in range(200):
        probe = Probe(NgramSource(), seed)
        await probe.learn()
        values.append((await sampling_agrees(probe)).value or 0.0)
    # Accusations are Binomial(200, 0.001): more than two in one of 900 sets of runs.
    assert sum(value <= LEVEL for value in values) <= 2
    # p-values are uniform: of 200, 100 are under 0.5 (standard error 7) and 20 under 0.1 (standard error 4).
    assert 72 < sum(value < 0.5 for value in values) < 128
    assert sum(value < 0.1 for value in values) < 36


def test_the_level_is_kept_in_small_samples_and_faults_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.setattr(probabilities, "DRAWS", 1999)
    draw = np.random.default_rng(7)
    p = [0.62, 0.2, 0.1, 0.05, 0.03]
    honest = [p_value([Sampled(list("abcd"), draw.multinomial(SAMPLES, p).tolist(), p)], seed) for seed in range(300)]
    # Binomial(300, 0.05): 15 expected, 99.9% of the time under 28.
    assert sum(value <= 0.05 for value in honest) < 28
    colder = np.asarray(p) ** (1 / 0.7) / (np.asarray(p) ** (1 / 0.7)).sum()
    assert p_value([Sampled(list("abcd"), (SAMPLES * colder).round().astype(int).tolist(), p)] * 2, 0) < LEVEL
    never = [Sampled(["a"], [SAMPLES - 1, 1], [1.0, 0.0])]
    assert p_value(never, 0) == 1 / 2000  # what cannot be was seen


async def test_the_same_seed_finds_the_same() -> None:
    first, again, other = [await trust_async(NgramSource(), seed=seed) for seed in (5, 5, 6)]
    figures = [[finding.figure for finding in report] for report in (first, again, other)]
    assert figures[0] == figures[1]
    assert figures[0] != figures[2]


async def test_a_model_is_asked_for_by_name() -> None:
    noticed: list[str] = []
    report = await trust_async("reference/uniform", notice=lambda check: noticed.append(check.name))
    assert noticed == NAMES
    assert report.model == "reference/uniform"
    assert report.described["dtype"] == "float64"
    assert report.cost == 0
    assert report.requests == sum(finding.requests for finding in report) + 1  # the first finds texts it can read
    with pytest.raises(UnknownName):
        await trust_async("reference/unifrom")


async def test_a_model_that_cannot_be_reached_is_no_finding() -> None:
    class Away(Uniform):
        async def check(self) -> None:
            raise ModelError("nobody answers")

    with pytest.raises(ModelError, match="nobody answers"):
        await trust_async(Away())


def test_differences_are_of_tokens_where_they_are_told() -> None:
    assert difference(Likelihood(-3, 2, False, (-1, -2)), Likelihood(-3, 2, False, (-2, -1))) == 1
    assert difference(Likelihood(-3, 2), Likelihood(-5, 2)) == 1
    assert [judged(value, 1e-4) for value in (1e-4, 9e-4, 2e-3, math.nan)] == ["ok", "doubtful", "wrong", "wrong"]
    assert [cut("ab cd ef", place) for place in (1, 4, 7)] == [1, 2, 5]
