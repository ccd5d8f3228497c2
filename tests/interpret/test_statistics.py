"""The formulas, against closed forms, published values and other implementations."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, bootstrap, norm, t
from statsmodels.stats.proportion import proportion_confint

from howgood.core.errors import DataError
from howgood.interpret import statistics

LSAT = [576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594]
GPA = [3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96]
shares = st.lists(st.integers(0, 4).map(lambda k: k / 4), min_size=1, max_size=40)


def arranged(values: list[float], draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with drawn strata and clusters (crossing ones among them)."""
    labels = st.lists(st.integers(0, 5), min_size=len(values), max_size=len(values))
    return np.array(values), np.array(draw(labels)), np.array(draw(labels))


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.9999, 1 - 1e-7])
def test_quantiles_are_those_of_scipy(level: float) -> None:
    assert statistics.normal_quantile(level) == pytest.approx(norm.ppf((1 + level) / 2), rel=1e-15)
    for df in (1, 2.5, 30, statistics.MANY - 0.5, statistics.MANY, statistics.MANY + 0.5, 123_456.7, 1e6, 1e12):
        assert statistics.t_quantile(level, df) == pytest.approx(t.ppf((1 + level) / 2, df), rel=2e-15), df


def test_a_large_run_needs_no_scipy() -> None:
    """Its import takes 18 MB and 0.15 s."""
    code = """if True:
        import sys
        from howgood.core.types import Instance, Prediction, Score, Trial
        from howgood.interpret.cost import Taken
        from howgood.interpret.estimate import Mean
        from howgood.interpret.table import Table

        def trial(i):
            prediction = Prediction("a", latency=i % 7 + 1, first_token=0.5, cost=i % 7 / 7)
            return Trial(Instance(str(i), "q"), i, 0, "q", prediction, Score({"acc": i % 2, "f1": i / 20_000}, "right"))

        taken = Taken()
        found = Mean()(Table.of(taken.passing(map(trial, range(20_000)))))[0] + taken.estimates()
        print(len(found), "scipy" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6", "False"]


def test_mean_of_five() -> None:
    spread = statistics.mean_se([1, 1, 1, 0, 1])
    assert (spread.value, spread.se) == pytest.approx((0.8, 0.2))
    assert (spread.n, spread.df, spread.units, spread.strata) == (5, 4, 5, 1)
    assert (spread.equal_n, spread.equal_units) == pytest.approx((5, 5))


def test_clustered_error_is_cr1() -> None:
    spread = statistics.mean_se([1, 1, 0, 0, 1, 0], clusters=[0, 0, 1, 1, 2, 2])
    assert spread.se == pytest.approx(0.288675, abs=5e-7)
    assert spread.df == 2
    low, high = statistics.t_interval(spread)
    assert high - 0.5 == pytest.approx(4.302653 * 0.288675, rel=1e-6)
    assert low == pytest.approx(1 - high)


def test_clustered_error_equals_statsmodels() -> None:
    rng = np.random.default_rng(3)
    clusters = rng.integers(0, 17, 200)
    y = rng.random(200) + clusters / 10
    fit = sm.OLS(y, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert statistics.mean_se(y, clusters=clusters).se == pytest.approx(fit.bse[0], rel=1e-10)


def test_stratified_and_macro_errors_are_the_textbook_sums() -> None:
    parts = [np.array([0.0, 1, 1, 1]), np.array([0.5, 0.0, 1.0]), np.array([1.0, 0, 0, 0, 0, 1, 0])]
    x, strata = np.concatenate(parts), np.repeat([0, 1, 2], [4, 3, 7])
    variances = [p.var(ddof=1) / len(p) for p in parts]
    spread = statistics.mean_se(x, strata)
    expected = math.sqrt(sum((len(p) / 14) ** 2 * v for p, v in zip(parts, variances, strict=True)))
    assert (spread.value, spread.se, spread.df) == pytest.approx((x.mean(), expected, 11))
    macro = statistics.mean_se(x, strata, macro=True)
    assert macro.value == pytest.approx(np.mean([p.mean() for p in parts]))
    assert macro.se == pytest.approx(math.sqrt(sum(variances)) / 3)


def test_macro_error_of_very_unequal_strata() -> None:
    # 50 and 10,000 items at 0.5: a pooled error would say 0.0050; that of the macro mean is seven times larger.
    x = np.tile([0.0, 1.0], 5025)
    spread = statistics.mean_se(x, np.repeat([0, 1], [50, 10_000]), macro=True)
    assert spread.se == pytest.approx(0.0358, abs=5e-5)


def test_stratified_clusters_are_cr1_within_each_stratum() -> None:
    rng = np.random.default_rng(0)
    x, strata, clusters = rng.random(60), np.repeat([0, 1], [24, 36]), np.repeat(np.arange(15), 4)
    own = [statistics.mean_se(x[strata == h], clusters=clusters[strata == h]).se for h in (0, 1)]
    together = statistics.mean_se(x, strata, clusters)
    assert together.se == pytest.approx(math.hypot(0.4 * own[0], 0.6 * own[1]))
    assert together.df == 13


def test_each_cluster_counting_once_is_the_mean_of_cluster_means() -> None:
    x, clusters = np.array([1.0, 0, 1, 1, 0, 0, 1]), np.array([0, 0, 1, 2, 2, 2, 3])
    spread = statistics.mean_se(x, clusters=clusters, unit="cluster")
    means = np.array([0.5, 1, 1 / 3, 1])
    assert (spread.value, spread.se, spread.df) == pytest.approx((means.mean(), means.std(ddof=1) / 2, 3))


def test_lonely_strata_are_collapsed() -> None:
    x = np.array([0.0, 1, 1, 0, 1])
    # All alone: what is left is the simple error. One alone: it joins the smallest other stratum.
    assert statistics.mean_se(x, [0, 1, 2, 3, 4]).se == pytest.approx(statistics.mean_se(x).se)
    assert statistics.mean_se(x, [0, 0, 0, 1, 2])[:2] == pytest.approx(statistics.mean_se(x, [0, 0, 0, 1, 1])[:2])
    assert statistics.mean_se(x, [0, 0, 1, 1, 2]).se == pytest.approx(statistics.mean_se(x, [1, 1, 0, 0, 1]).se)


def test_strata_that_share_a_cluster_count_as_one() -> None:
    x, clusters = np.array([0.0, 1, 1, 0, 1, 0.5]), [0, 0, 1, 1, 2, 3]
    joined = statistics.mean_se(x, [0, 1, 0, 1, 2, 2], clusters)
    assert joined.se == pytest.approx(statistics.mean_se(x, [0, 0, 0, 0, 2, 2], clusters).se)
    assert joined.strata == 2


def test_one_unit_shows_no_spread() -> None:
    for spread in (statistics.mean_se([3.0]), statistics.mean_se([3.0, 4.0], clusters=["a", "a"])):
        assert spread.se is None
        assert statistics.t_interval(spread) == (-statistics.UNBOUNDED, statistics.UNBOUNDED)
        assert statistics.t_test(spread) is None


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_impossible_values_are_refused(values: list[float]) -> None:
    with pytest.raises(DataError):
        statistics.mean_se(values)


def test_macro_needs_strata() -> None:
    with pytest.raises(DataError, match="strata"):
        statistics.mean_se([1, 0], macro=True)


@settings(deadline=None)
@given(shares, st.data())
def test_one_stratum_is_no_stratum(values: list[float], data: st.DataObject) -> None:
    x, _, clusters = arranged(values, data.draw)
    assert statistics.mean_se(x, np.zeros(len(x)), clusters) == statistics.mean_se(x, None, clusters)
    assert statistics.mean_se(x, np.zeros(len(x)), macro=True)[:2] == pytest.approx(statistics.mean_se(x)[:2])


@settings(deadline=None)
@given(shares, st.data())
def test_an_instance_a_cluster_is_no_cluster(values: list[float], data: st.DataObject) -> None:
    x, strata, _ = arranged(values, data.draw)
    assert statistics.mean_se(x, strata, np.arange(len(x))) == statistics.mean_se(x, strata)


def test_wilson_of_seven_in_ten() -> None:
    assert statistics.wilson(7, 10) == pytest.approx((0.39678, 0.89221), abs=5e-6)
    assert statistics.wilson(10, 10)[0] == pytest.approx(0.72247, abs=5e-6)
    assert statistics.wilson(10, 10)[1] == 1
    assert statistics.wilson(0, 10)[0] == 0


@settings(deadline=None)
@given(st.integers(1, 10_000), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_contains_the_proportion(n: int, data: st.DataObject, level: float) -> None:
    k = data.draw(st.integers(0, n))
    low, high = statistics.wilson(k, n, level)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high
    assert (low, high) == pytest.approx(proportion_confint(k, n, 1 - level, "wilson"), abs=1e-12)


@pytest.mark.parametrize(("n", "p", "coverage"), [(30, 0.9, 0.9742), (100, 0.95, 0.9659), (300, 0.95, 0.9548)])
def test_wilson_covers_as_published(n: int, p: float, coverage: float) -> None:
    held = [low <= p <= high for low, high in (statistics.wilson(k, n) for k in range(n + 1))]
    assert binom.pmf(np.arange(n + 1), n, p)[held].sum() == pytest.approx(coverage, abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (3, 2), (-1, 5), (math.nan, 5)])
def test_impossible_proportions_are_refused(k: float, n: float) -> None:
    with pytest.raises(DataError):
        statistics.wilson(k, n)


@settings(deadline=None)
@given(shares, st.data(), st.booleans(), st.booleans(), st.booleans())
def test_a_share_is_inside_its_interval(
    values: list[float], data: st.DataObject, stratified: bool, clustered: bool, macro: bool
) -> None:
    x, strata, clusters = arranged(values, data.draw)
    spread = statistics.mean_se(
        x, strata if stratified else None, clusters if clustered else None, macro=macro and stratified
    )
    low, high = statistics.share_interval(spread, statistics.is_binary(x), clustered)
    assert 0 <= low <= spread.value + 1e-12
    assert spread.value - 1e-12 <= high <= 1
    assert high - low > 0.01  # never zero, with at most 40 instances


def test_share_interval_of_a_plain_proportion_is_wilsons() -> None:
    x = np.repeat([1.0, 0.0], [7, 3])
    assert statistics.share_interval(statistics.mean_se(x), True, False) == pytest.approx(statistics.wilson(7, 10))


def test_at_one_hundred_per_cent_a_cluster_counts_once() -> None:
    spread = statistics.mean_se(np.ones(50), clusters=np.repeat(np.arange(10), 5))
    assert spread.se == 0
    assert statistics.share_interval(spread, True, True) == pytest.approx(statistics.wilson(10, 10))


def test_repeating_every_instance_in_its_cluster_changes_nothing() -> None:
    x, twice = np.repeat([1.0, 0, 1], [9, 5, 6]), np.repeat(np.arange(20), 2)
    once = statistics.mean_se(x, clusters=np.arange(20))
    spread = statistics.mean_se(np.repeat(x, 2), clusters=twice)
    assert (spread.value, spread.se) == pytest.approx((once.value, once.se))
    assert spread.equal_units == pytest.approx(20)
    intervals = [statistics.share_interval(s, True, True) for s in (once, spread)]
    assert intervals[1] == pytest.approx(intervals[0], abs=0.01)


def coverage(draw: Any, truth: float, *, clustered: bool, times: int = 600) -> float:
    hits = 0
    for _ in range(times):
        x, strata, clusters = draw()
        low, high = statistics.share_interval(
            statistics.mean_se(x, strata, clusters), statistics.is_binary(x), clustered
        )
        hits += low <= truth <= high
    return hits / times


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    strata, p = np.repeat(np.arange(5), 10), np.array([0.1, 0.5, 0.9, 0.95, 0.99])
    clusters = np.repeat(np.arange(10), 5)

    def stratified() -> Any:
        return (rng.random(50) < p[strata]).astype(float), strata, None

    def clustered() -> Any:
        return (rng.random(50) < rng.beta(2, 1, 10)[clusters]).astype(float), None, clusters

    def naive() -> Any:
        return clustered()[0], None, None

    assert 0.94 <= coverage(stratified, p.mean(), clustered=False) <= 0.995
    assert 0.94 <= coverage(clustered, 2 / 3, clustered=True) <= 0.985
    assert coverage(naive, 2 / 3, clustered=False) < 0.92  # what the clusters are for


@pytest.mark.parametrize(("epochs", "expected"), [(1, 1 / 4), (2, 1 / 6), (4, 1 / 8)])
def test_epochs_reduce_the_variance_within_instances_only(epochs: int, expected: float) -> None:
    # x ~ U[0, 1] and Bernoulli(x) answers: Var = 1/12 + (1/6)/K (arXiv:2411.00640, section 3).
    rng = np.random.default_rng(0)
    n = 100_000
    means = rng.binomial(epochs, rng.random(n)) / epochs
    assert n * (statistics.mean_se(means).se or 0) ** 2 == pytest.approx(expected, rel=0.01)


def test_ratio_error_is_the_delta_methods() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(10, 100, 40).astype(float)
    y = 3 * x + rng.normal(0, 10, 40)
    spread = statistics.ratio_se(y, x)
    value, cov = y.sum() / x.sum(), np.cov(y, x)
    gradient = np.array([1 / x.mean(), -value / x.mean()])
    assert spread.value == pytest.approx(value)
    assert spread.se == pytest.approx(math.sqrt(gradient @ cov @ gradient / 40))
    assert statistics.ratio_se(y, np.ones(40))[:2] == pytest.approx(statistics.mean_se(y)[:2])
    clusters = np.repeat(np.arange(8), 5)
    summed = [np.bincount(clusters, v) for v in (y, x)]
    assert statistics.ratio_se(y, x, clusters=clusters)[:2] == pytest.approx(statistics.ratio_se(*summed)[:2])


def test_difference_of_ratios_pairs_the_instances() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(10, 100, 40).astype(float)
    y = 3 * x + rng.normal(0, 10, 40)
    same = statistics.ratio_difference_se((y, x), (y, x))
    assert (same.value, same.se) == (0, 0)
    shifted = statistics.ratio_difference_se((y, x), (y + 0.5 * x, x))
    assert shifted.value == pytest.approx(0.5)
    assert shifted.se == pytest.approx(0, abs=1e-12)


def test_ratio_needs_a_denominator() -> None:
    with pytest.raises(DataError, match="above zero"):
        statistics.ratio_se([1.0, 2.0], [0.0, 0.0])


def correlation(sums: Any) -> Any:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))


def law_school() -> np.ndarray:
    x, y = np.array(LSAT, float), np.array(GPA)
    return np.stack([np.ones(15), x, y, x * x, y * y, x * y], axis=1)


def test_jackknife_of_a_mean_is_its_error() -> None:
    x = np.random.default_rng(0).random(12)
    totals = np.stack([x, np.ones(12)], axis=1)
    mean = lambda t: t[..., 0] / t[..., 1]  # noqa: E731
    assert statistics.jackknife(totals, mean) == pytest.approx(statistics.mean_se(x).se)
    strata = np.repeat([0, 1, 2], 4)
    assert statistics.jackknife(totals, mean, strata) == pytest.approx(statistics.mean_se(x, strata).se)


def test_jackknife_of_the_law_school_data() -> None:
    # Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 11.5: .1425 with the factor (n-1)/n.
    assert statistics.jackknife(law_school(), correlation) == pytest.approx(0.1425, abs=5e-5)


def test_one_text_with_all_the_words_shows_no_error() -> None:
    totals = np.array([[3.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    assert statistics.jackknife(totals, lambda t: t[..., 0] / t[..., 1]) is None


def test_bca_of_the_law_school_data() -> None:
    # Efron's data of 15 law schools (An Introduction to the Bootstrap, 1993).
    totals = law_school()
    whole = totals.sum(axis=0)
    assert correlation(whole) == pytest.approx(0.776374, abs=5e-7)
    left_out = correlation(whole - totals)
    assert statistics.skewness(left_out.mean() - left_out) / 6 == pytest.approx(-0.0756716, abs=5e-8)
    low, high, se = statistics.bca(totals, correlation, resamples=20_000)
    assert (low, high) == pytest.approx((0.3249, 0.9432), abs=0.006)
    assert se == pytest.approx(0.1351, abs=0.002)


def test_bca_is_seeded() -> None:
    first, again, other = (statistics.bca(law_school(), correlation, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_bca_of_a_ratio_agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    x = rng.exponential(100, 60) + 5
    y = x * rng.gamma(9, 1 / 3, 60)
    low, high, se = statistics.bca(np.stack([y, x], axis=1), lambda t: t[..., 0] / t[..., 1], resamples=20_000)
    other = bootstrap(
        (y, x),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    )
    assert (low, high) == pytest.approx(tuple(other.confidence_interval), abs=0.006)
    assert se == pytest.approx(other.standard_error, rel=0.03)
    assert se == pytest.approx(statistics.ratio_se(y, x).se, rel=0.05)


def test_bca_draws_within_strata() -> None:
    # Each stratum is constant: every stratified resample has the same mean.
    totals = np.stack([np.repeat([0.0, 1.0], 10), np.ones(20)], axis=1)
    found = statistics.bca(totals, lambda t: t[..., 0] / t[..., 1], strata=np.repeat([0, 1], 10))
    assert found == (0.5, 0.5, 0.0)


def test_bca_needs_two_units() -> None:
    with pytest.raises(DataError):
        statistics.bca([[1.0, 2.0]], lambda t: t[..., 0])


def test_exact_mcnemar() -> None:
    assert statistics.mcnemar(10, 2) == statistics.mcnemar(2, 10) == pytest.approx(0.038574, abs=5e-7)
    assert statistics.mcnemar(0, 0) == 1
    assert statistics.mcnemar(3, 3) == 1
    assert statistics.mcnemar(1, 0) == 1
    with pytest.raises(DataError):
        statistics.mcnemar(-1, 2)


def test_difference_interval_is_bonett_and_prices() -> None:
    gained, lost, n = 9, 4, 40
    d = np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])
    spread = statistics.mean_se(d)
    uncorrected = spread._replace(se=(spread.se or 0) * math.sqrt((n - 1) / n))
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = statistics.t_quantile(0.95, n - 1) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    assert statistics.difference_interval(uncorrected) == pytest.approx((up - down - half, up - down + half))


def test_ten_pairs_without_a_flip_are_not_certain() -> None:
    low, high = statistics.difference_interval(statistics.mean_se(np.zeros(10)))
    assert low == pytest.approx(-high)
    assert 0.2 < high < 0.35


def test_differences_are_covered() -> None:
    rng = np.random.default_rng(0)
    draws = rng.choice([-1.0, 1.0, 0.0], p=[0.05, 0.15, 0.8], size=(600, 40))
    intervals = (statistics.difference_interval(statistics.mean_se(d)) for d in draws)
    assert 0.94 <= np.mean([low <= 0.1 <= high for low, high in intervals]) <= 0.99
