"""Sample sizes and detectable differences (values of arXiv:2411.00640, section 5)."""

from __future__ import annotations

import pytest

from howgood.core.errors import DataError
from howgood.interpret.power import detectable_difference, sample_size, variance_of

OMEGA, WITHIN = 1 / 9, 1 / 6


@pytest.mark.parametrize(("variance", "n"), [(OMEGA, 969), (OMEGA + 2 * WITHIN, 3876), (OMEGA + 2 * WITHIN / 10, 1260)])
def test_sample_size(variance: float, n: int) -> None:
    assert sample_size(0.03, variance) == n
    assert detectable_difference(n, variance) <= 0.03 < detectable_difference(n - 1, variance)


def test_detectable_difference() -> None:
    assert detectable_difference(198, OMEGA + 2 * WITHIN) == pytest.approx(0.13273, abs=5e-6)
    assert detectable_difference(198, OMEGA + 2 * WITHIN / 10) == pytest.approx(0.07567, abs=5e-6)


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(DataError):
        sample_size(0, 1)
    with pytest.raises(DataError):
        detectable_difference(0, 1)


def test_the_variance_behind_a_detectable_difference() -> None:
    assert variance_of(detectable_difference(250, 0.3), 250) == pytest.approx(0.3)
