"""Exact and Bayesian intervals of a rate, against published values, scipy and their own coverage."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from howgood.core.errors import DataError
from howgood.interpret import binomial, statistics


def coverage(interval: object, n: int, p: float) -> float:
    """How often an interval of n answers holds the true rate p: summed over all that can be seen."""
    ends = [interval(k, n) for k in range(n + 1)]  # type: ignore[operator]
    return float(sum(binom.pmf(k, n, p) for k, (low, high) in enumerate(ends) if low <= p <= high))


def test_seven_of_ten() -> None:
    assert binomial.clopper_pearson(7, 10) == pytest.approx((0.34755, 0.93326), abs=5e-6)
    assert binomial.credible(7, 10) == pytest.approx((0.39026, 0.89074), abs=5e-6)
    assert binomial.credible(7, 10, binomial.JEFFREYS) == pytest.approx((0.39418, 0.90731), abs=5e-6)
    assert statistics.wilson(7, 10) == pytest.approx((0.39678, 0.89221), abs=5e-6)


def test_none_of_thirty_is_the_rule_of_three() -> None:
    assert binomial.at_most(0, 30) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert binomial.at_most(0, 30) == pytest.approx(0.09503, abs=5e-6)
    assert binomial.at_least(30, 30) == pytest.approx(0.05 ** (1 / 30))
    assert binomial.at_least(0, 30) == 0
    assert binomial.at_most(30, 30) == 1


@pytest.mark.parametrize(
    ("n", "p", "wilson", "exact", "jeffreys"),
    [(30, 0.9, 0.9742, 0.9922, 0.9318), (100, 0.95, 0.9659, 0.9826, 0.9347), (300, 0.95, 0.9548, 0.9672, 0.9368)],
)
def test_exact_coverage(n: int, p: float, wilson: float, exact: float, jeffreys: float) -> None:
    assert coverage(statistics.wilson, n, p) == pytest.approx(wilson, abs=5e-5)
    assert coverage(binomial.clopper_pearson, n, p) == pytest.approx(exact, abs=5e-5)
    prior = binomial.JEFFREYS
    assert coverage(lambda k, n: binomial.credible(k, n, prior), n, p) == pytest.approx(jeffreys, abs=5e-5)


@given(st.integers(1, 60), st.data())
def test_the_exact_interval_is_scipys_and_holds_the_others(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    low, high = binomial.clopper_pearson(k, n)
    ours = binomtest(k, n).proportion_ci(method="exact")
    assert (low, high) == pytest.approx((ours.low, ours.high), abs=1e-9)
    assert low <= k / n <= high
    for prior in (binomial.UNIFORM, binomial.JEFFREYS):
        inner = binomial.credible(k, n, prior)
        assert low - 1e-12 <= inner[0] < inner[1] <= high + 1e-12 or prior == binomial.UNIFORM
    # Seen from the failures the interval is the same.
    assert binomial.clopper_pearson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_probability_above_a_level() -> None:
    # After one of one, the posterior of the rate is 2x: P(above 0.8) = 1 - 0.8².
    assert binomial.probability_above(0.8, 1, 1) == pytest.approx(1 - 0.64)
    # 10 of 10: P(above x) = 1 - x^11.
    assert binomial.probability_above(0.9, 10, 10) == pytest.approx(1 - 0.9**11)
    assert binomial.probability_above(1.0, 10, 10) == 0


def test_what_is_no_proportion_is_refused() -> None:
    for k, n in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(DataError, match="no proportion"):
            binomial.clopper_pearson(k, n)
        with pytest.raises(DataError):
            binomial.credible(k, n)
    assert math.isclose(binomial.credible(0, 5, binomial.JEFFREYS)[0], 0)
