"""Figures carry as many digits as their uncertainty allows."""

from __future__ import annotations

import pytest

from howgood.core.types import Estimate
from howgood.interpret.statistics import UNBOUNDED
from howgood.report import numbers


def estimate(value: float, low: float, high: float, percent: bool = False) -> Estimate:
    return Estimate("acc", value, None, low, high, 200, "mean, Wilson", percent=percent)


@pytest.mark.parametrize(
    ("made", "value", "interval"),
    [
        (estimate(0.255, 0.199, 0.320, True), "25.5%", "[19.9, 32.0]"),
        (estimate(0.80581, 0.79910, 0.81240, True), "80.58%", "[79.91, 81.24]"),
        (estimate(1.0, 0.20654, 1.0, True), "100.0%", "[20.7, 100.0]"),
        (estimate(24.534, 23.11, 26.02), "24.5", "[23.1, 26.0]"),
        (estimate(0.98321, 0.9721, 0.9943), "0.983", "[0.972, 0.994]"),
        (estimate(15234.0, 12000.0, 19000.0), "15,234", "[12,000, 19,000]"),
        (estimate(-0.031, -0.08, 0.018, True), "−3.1%", "[−8.0, 1.8]"),
        (estimate(-2.4e71, -3e71, UNBOUNDED), "−2.4e+71", "[−3e+71, ∞]"),
        (estimate(12.3, 0.0, UNBOUNDED), "12.3", "[0.0, ∞]"),
        (estimate(0.5, 0.5, 0.5), "0.500", "[0.500, 0.500]"),
        (estimate(float("nan"), 0.0, 1.0), "unknown", "[0.00, 1.00]"),
    ],
)
def test_digits(made: Estimate, value: str, interval: str) -> None:
    assert numbers.value(made) == value
    assert numbers.interval(made) == interval


def test_a_difference_of_shares_is_in_points() -> None:
    assert numbers.difference(estimate(-0.031, -0.08, 0.018, True)) == "−3.1 points"
    assert numbers.difference(estimate(-0.0312, -0.0801, 0.0181)) == "−0.031"


def test_words() -> None:
    assert numbers.proportion(0.25) == "25%"
    assert numbers.proportion(0.898) == "89.8%"
    assert numbers.many(1, "instance") == "1 instance"
    assert numbers.many(14_042, "instance") == "14,042 instances"
