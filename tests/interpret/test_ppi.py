from __future__ import annotations

import numpy as np
import pytest

from howgood.core.errors import DataError
from howgood.interpret.ppi import halving, ppi_difference, ppi_mean, worth

LABELS, JUDGED = [1, 0, 1, 1, 0, 1, 0, 1], [1, 0, 1, 1, 1, 1, 0, 0]
REST = [1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("weight", "value", "low", "high"), [(1.0, 0.75, 0.354957, 1.145043), (None, 0.671143, 0.364530, 0.977755)]
)
def test_as_ppi_py_has_it(weight: float | None, value: float, low: float, high: float) -> None:
    # The intervals of ppi_py.ppi_mean_ci are normal; ours are t and end at 1.
    found = ppi_mean(LABELS, JUDGED, REST, weight).estimate
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.value - 1.959964 * (found.se or 0) == pytest.approx(low, abs=1e-6)
    assert found.value + 1.959964 * (found.se or 0) == pytest.approx(high, abs=1e-6)
    assert found.low < low
    assert found.high == 1.0


def test_the_weight_of_the_judge() -> None:
    found = ppi_mean(LABELS, JUDGED, REST)
    assert found.weight == pytest.approx(0.36914, abs=1e-5)
    none = ppi_mean(LABELS, JUDGED, REST, 0.0)
    assert none.estimate.value == pytest.approx(0.625)
    assert none.estimate.se == pytest.approx(none.labels_only.se)
    assert found.judge_only.value == pytest.approx((5 + 15) / 28)
    assert found.bias.value == pytest.approx(0.0)
    constant = ppi_mean(LABELS, [1] * 8, [1] * 20)  # a judge that says one thing
    assert (constant.weight, constant.estimate.value) == (0.0, pytest.approx(0.625))
    opposite = ppi_mean([0, 1] * 20, [1, 0] * 20, [1, 0] * 100)
    assert opposite.weight == 0.0  # a judge that is against people is not believed


def test_what_labels_are_worth() -> None:
    assert worth(100, 900, 0.8) == pytest.approx(235.85, abs=0.005)
    assert worth(100, 900, 0.0) == pytest.approx(100)
    assert worth(100, 900, 1.0) == pytest.approx(1000)
    # No judge: four times as many. With one, the variance at the number told is a quarter.
    assert halving(100, 1000, 0.0) == 400
    needed = halving(50, 2_000, 0.6)
    assert needed is not None

    def variance(n: int) -> float:
        return 1 / worth(n, 2_000 - n, 0.6)

    assert variance(needed) <= variance(50) / 4 < variance(needed - 1)
    assert halving(100, 300, 0.0) is None
    assert halving(100, 1000, 1.0) is None  # the judge is people, so labels change nothing


def test_it_is_right_on_average_and_holds_where_the_judge_is_biased() -> None:
    rng = np.random.default_rng(0)
    values, held, sharper = [], 0, 0
    for _ in range(400):
        quality = rng.random(500)
        people = (rng.random(500) < quality).astype(float)
        judge = np.clip(quality + 0.2 + rng.normal(0, 0.1, 500), 0, 1)
        found = ppi_mean(people[:60], judge[:60], judge[60:])
        values.append(found.estimate.value)
        held += found.estimate.low <= 0.5 <= found.estimate.high
        sharper += (found.estimate.se or 1) < (found.labels_only.se or 0)
    assert np.mean(values) == pytest.approx(0.5, abs=0.012)
    assert 0.92 <= held / 400 <= 0.98
    assert sharper > 390


def test_a_difference_of_two_systems() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(40), rng.random(40)
    judged = (a + 0.1, b - 0.05)
    rest = (rng.random(200), rng.random(200) + 0.3)
    found = ppi_difference((a, b), judged, rest)
    plain = ppi_mean(b - a, judged[1] - judged[0], rest[1] - rest[0], None, None)
    assert found.estimate == plain.estimate
    assert ppi_difference((b, a), judged[::-1], rest[::-1]).estimate.value == pytest.approx(-found.estimate.value)
    with pytest.raises(DataError, match="same items"):
        ppi_difference((a, b[:-1]), judged, rest)


def test_too_little() -> None:
    for labels, judged, rest in (([1], [1], [1, 0]), ([1, 0], [1], [1]), ([1, 0], [1, 0], [])):
        with pytest.raises(DataError):
            ppi_mean(labels, judged, rest)
