from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from howgood.core.errors import DataError
from howgood.interpret.length_control import Anchors, LengthControlled, controlled, logistic
from howgood.interpret.table import Table


def drawn(n: int, seed: int, bias: float, gain: float) -> tuple[np.ndarray, ...]:
    """Answers that are longer than the baseline's, judged by a judge who likes length."""
    draw = np.random.default_rng(seed)
    ours, theirs = draw.normal(1500, 400, n), draw.normal(1000, 400, n)
    difference = theirs - ours
    standard = np.tanh(difference / difference.std(ddof=1))
    chance = expit(bias * standard + gain)
    return (draw.random(n) < chance).astype(float), ours, theirs


def test_a_preference_for_length_is_taken_out() -> None:
    preference, ours, theirs = drawn(20_000, 0, bias=-1.5, gain=0.0)
    found = controlled(preference, ours, theirs, np.zeros(len(ours)))
    assert preference.mean() > 0.65
    assert found.value == pytest.approx(0.5, abs=3 * found.se)
    assert found.coefficients[0] == pytest.approx(-1.5, abs=0.15)
    assert found.se < 0.02


def test_its_interval_holds_its_level() -> None:
    """Of 400 simulated boards of 200 instructions about 95 % hold the truth, 62 %."""
    hit = 0
    for seed in range(400):
        preference, ours, theirs = drawn(200, seed, bias=-1.5, gain=0.5)
        found = controlled(preference, ours, theirs, np.zeros(len(ours)))
        hit += abs(found.value - expit(0.5)) < norm.ppf(0.975) * found.se
    assert 0.92 <= hit / 400 <= 0.98


def test_without_a_slope_it_is_the_mean() -> None:
    """Preferences that do not depend on length: with the slope held at 0 by balance, the rate is the win rate."""
    preference = np.array([1.0, 0.0, 0.75, 0.25] * 25)
    ours = np.array([1.0, 1.0, 3.0, 3.0] * 25)
    found = controlled(preference, ours, np.full(100, 2.0), np.zeros(100))
    assert found.value == pytest.approx(0.5)
    assert found.coefficients == pytest.approx([0, 0, 0], abs=1e-9)


def test_anchors_hold_the_slope() -> None:
    preference, ours, theirs = np.array([1.0, 1, 1, 0]), np.array([9.0, 8, 7, 1]), np.full(4, 4.0)
    draw = np.random.default_rng(0)
    lengths = draw.normal(0, 1, 3000)
    anchors = Anchors(expit(-2 * np.tanh(lengths)), lengths, np.zeros(3000), 1.0)
    found = controlled(preference, ours, theirs, np.zeros(4), anchors)
    assert found.coefficients[0] == pytest.approx(-2, abs=0.05)


def test_a_logistic_regression_by_hand() -> None:
    """With an intercept alone it is the log odds of the weighted mean."""
    beta, bread = logistic(np.ones((4, 1)), np.array([1.0, 0, 0.5, 1]), np.array([1.0, 1, 2, 1]))
    p = 3 / 5
    assert beta[0] == pytest.approx(np.log(p / (1 - p)), rel=1e-3)
    assert bread[0, 0] == pytest.approx(1 / (5 * p * (1 - p)), rel=1e-3)


@pytest.mark.parametrize("ours", [np.array([5.0, 6]), np.full(10, 7.0)])
def test_too_little_to_control(ours: np.ndarray) -> None:
    n = len(ours)
    with pytest.raises(DataError, match="three instructions or more"):
        controlled(np.ones(n), ours, np.full(n, 7.0), np.zeros(n))


def test_all_preferences_are_one() -> None:
    ours = np.arange(1.0, 30)
    found = controlled(np.ones(29), ours, np.full(29, 7.0), np.zeros(29))
    assert found.value > 0.99


def test_an_interval_has_a_width_where_all_preferences_are_alike() -> None:
    """None of 29 preferred: about as far up as 0 of 29 by Wilson, 0.117."""
    lost = table(29)
    lost.scores["preference"] = np.zeros(29)
    (estimate,), _ = LengthControlled()(lost)
    assert estimate.value < 0.01
    assert 0.05 < estimate.high < 0.13


def table(n: int) -> Table:
    preference, ours, theirs = drawn(n, 1, -1.0, 0.0)
    ids = [str(i) for i in range(n)]
    scores = {"preference": preference, "length": ours, "baseline_length": theirs}
    nothing = [None] * n
    return Table(ids, np.zeros(n, np.int64), [*nothing], [*nothing], np.zeros(n, bool), scores)


def test_as_an_estimate() -> None:
    (estimate,), groups = LengthControlled()(table(300))
    assert (estimate.name, estimate.n, estimate.percent, groups) == ("length_controlled_win_rate", 300, True, [])
    assert 0 < estimate.low < estimate.value < estimate.high < 1
    assert LengthControlled()(table(2)) == ([], [])
