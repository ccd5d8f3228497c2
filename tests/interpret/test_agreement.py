from __future__ import annotations

import numpy as np
import pytest

from howgood.core.errors import DataError
from howgood.interpret.agreement import cohen, krippendorff

NAN = float("nan")
# Krippendorff (2011), the example of four observers, twelve units and missing values.
FOUR = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def long(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rater, unit = np.nonzero(~np.isnan(matrix))
    return unit, matrix[rater, unit]


def test_kappa_of_a_table() -> None:
    first, second = "a" * 25 + "b" * 25, "a" * 20 + "b" * 5 + "a" * 10 + "b" * 15
    found = cohen(list(first), list(second))
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high
    assert found.n == 50
    # The large-sample error of Fleiss, Cohen & Everitt (1969) for this table.
    assert found.se == pytest.approx(0.1285, abs=0.01)


def test_weighted_kappa_by_hand() -> None:
    first, second = [1, 1, 2, 3, 3], [1, 2, 2, 3, 1]
    # Disagreements: one by 1 step, one by 2. By chance: margins (2, 1, 2)/5 and (2, 2, 1)/5.
    # Linear: Σ p_i q_j |i - j| = (4·1 + 2·2 + 2·1 + 1·1 + 4·2 + 4·1)/25 = 23/25.
    assert cohen(first, second, "linear").value == pytest.approx(1 - (3 / 5) / (23 / 25))
    # Quadratic: (4·1 + 2·4 + 2·1 + 1·1 + 4·4 + 4·1)/25 = 35/25.
    assert cohen(first, second, "quadratic").value == pytest.approx(1 - (5 / 5) / (35 / 25))
    assert cohen(first, second, "linear", scale=[1, 2, 3, 4]).value == pytest.approx(1 - (3 / 5) / (23 / 25))


def test_kappa_cannot_be_told_of_one_value_or_two_lengths() -> None:
    for first, second, why in (([1, 1], [1, 1], "same value"), ([1], [1, 2], "two ratings"), ([], [], "two ratings")):
        with pytest.raises(DataError, match=why):
            cohen(first, second)
    with pytest.raises(DataError, match="'x' is no value"):
        cohen(["x"], ["y"], scale=["y", "z"])


def test_alpha_of_two_raters() -> None:
    a, b = [1, 1, 0, 1, 0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 1, 1, 1, 0]
    unit = list(range(10)) * 2
    found = krippendorff(unit, a + b)
    assert found.value == pytest.approx(1 - 0.2 / (2 * 10 * 10 / (20 * 19)))
    assert round(found.value, 2) == 0.62
    # With two values the three scales are one.
    assert krippendorff(unit, a + b, "ordinal").value == pytest.approx(found.value)
    assert krippendorff(unit, a + b, "interval").value == pytest.approx(found.value)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example_with_missing_values(scale: str, alpha: float) -> None:
    found = krippendorff(*long(FOUR), scale)  # type: ignore[arg-type]
    assert round(found.value, 3) == alpha
    assert found.n == 11  # the last unit was rated once
    assert found.low < found.value <= found.high <= 1


def test_alpha_does_not_depend_on_names_or_order() -> None:
    unit, value = long(FOUR)
    order = np.random.default_rng(0).permutation(len(unit))
    other = np.array([f"u{x}" for x in unit])[order]
    assert krippendorff(other, value[order] * 3 + 7, "interval").value == pytest.approx(
        krippendorff(unit, value, "interval").value
    )


def test_chance_agrees_at_zero_and_the_interval_says_so() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for run in range(20):
        values = rng.integers(0, 3, 300)
        found = krippendorff(np.repeat(np.arange(100), 3), values, seed=run)
        held += found.low <= 0 <= found.high
    assert held >= 16


def test_alpha_cannot_be_told() -> None:
    for unit, value, why in (
        ([1, 2, 3], [1, 2, 3], "rated twice"),
        ([1, 1], [2, 2], "one value"),
        ([1, 1], [1, NAN], "finite"),
        ([1], [1, 2], "no ratings"),
    ):
        with pytest.raises(DataError, match=why):
            krippendorff(unit, value)
