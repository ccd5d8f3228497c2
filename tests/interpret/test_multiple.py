"""Randomisation tests and many comparisons at once, against enumeration, statsmodels and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import table
from statsmodels.stats.multitest import multipletests

from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.compare import paired
from howgood.interpret.multiple import Pair, holm, mean_difference, together
from howgood.interpret.randomisation import DRAWS, sign_flip


def test_every_sign_pattern_is_gone_through() -> None:
    parts = [0.5, -0.1, 0.3, 0.3, 0.2]
    sums = [sum(s * x for s, x in zip(signs, parts, strict=True)) for signs in product((-1, 1), repeat=5)]
    assert sign_flip(parts) == (pytest.approx(np.mean([abs(x) >= 1.2 - 1e-12 for x in sums])), 0)
    assert sign_flip([0.1] * 6) == (2 / 64, 0)
    assert sign_flip([0.0, 0.0]) == (1.0, 0)


@given(st.integers(0, 6), st.integers(0, 6))
def test_of_flips_it_is_mcnemars_test(gained: int, lost: int) -> None:
    p, _ = sign_flip([1.0] * gained + [-1.0] * lost + [0.0] * 5)
    assert p == pytest.approx(statistics.mcnemar(gained, lost))


def test_many_pairs_are_drawn_with_a_seed() -> None:
    parts = np.random.default_rng(3).normal(0.2, 1, 60)
    p, drawn = sign_flip(parts)
    assert drawn == DRAWS
    assert sign_flip(parts) == (p, drawn)
    t = float(parts.sum() / np.sqrt((parts**2).sum()))
    from scipy.stats import norm

    assert p == pytest.approx(2 * norm.sf(abs(t)), abs=0.01)
    assert sign_flip(np.ones(100))[0] == 1 / (DRAWS + 1)  # never zero


def test_its_level_holds_where_t_on_few_flips_errs() -> None:
    # 200 pairs of which few differ, both ways alike: at most 5 % of such data may be called a difference.
    rng = np.random.default_rng(5)
    d = (rng.random((400, 200)) < 0.04) * rng.choice([-1.0, -0.5, 0.5, 1.0], (400, 200))
    found = np.array([sign_flip(row, draws=400)[0] for row in d])
    assert np.mean(found <= 0.05) <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_partial_scores_of_clusters_are_randomised_cluster_by_cluster() -> None:
    rng = np.random.default_rng(1)
    clusters = [f"c{i // 3}" for i in range(24)]
    a, b = rng.random(24), np.clip(rng.random(24) + 0.2, 0, 1)
    found = paired(table(f1=a.tolist(), clusters=clusters), table(f1=b.tolist(), clusters=clusters), "f1")
    sums = (b - a).reshape(8, 3).sum(axis=1)
    signs = np.array(list(product((-1, 1), repeat=8)))
    assert found.p == pytest.approx(np.mean(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9))
    assert found.test == "randomisation of signs, all of them"


def test_what_is_no_share_takes_t() -> None:
    found = paired(table(words=[float(i) for i in range(30)]), table(words=[i + i % 3 for i in range(30)]), "words")
    assert found.test == "t with 29 degrees of freedom"


def test_holm() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, None, 0.01]) == [pytest.approx(0.04), None, pytest.approx(0.02)]
    assert holm([]) == []


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_pairs_looked_at_together_answer_for_their_number() -> None:
    rng = np.random.default_rng(2)
    worse, better = (rng.random(80) < 0.4).astype(float), np.ones(80)
    a, b, c = (table(acc=values.tolist()) for values in (worse, better, worse))
    made = [
        Pair("x", "a", "b", paired(a, b, "acc")),
        Pair("x", "a", "c", paired(a, c, "acc")),
        Pair("y", "a", "b", paired(a, b, "acc")),
    ]
    found = together(made)
    assert [pair.adjusted for pair in found.pairs] == pytest.approx(holm([pair.comparison.p for pair in made]))
    assert found.pairs[1].adjusted == 1
    assert [(one.a, one.b) for one in found.overall] == [("a", "b")]  # c is on one benchmark alone


def test_the_mean_over_benchmarks_is_made_of_their_intervals() -> None:
    rows = [("acc", 0.10, 0.02, 0.04, 0.15), ("acc", -0.02, 0.03, -0.09, 0.03)]
    one, other = (Estimate(name, v, se, low, high, 50, "t", percent=True) for name, v, se, low, high in rows)
    found = mean_difference([one, other])
    assert found.value == pytest.approx(0.04)
    assert found.se == pytest.approx((0.02**2 + 0.03**2) ** 0.5 / 2)
    assert found.low == pytest.approx(0.04 - (0.06**2 + 0.07**2) ** 0.5 / 2)
    assert found.high == pytest.approx(0.04 + (0.05**2 + 0.05**2) ** 0.5 / 2)
    assert (found.n, found.name) == (100, "mean over 2 benchmarks")
    unknown = mean_difference([one, Estimate("acc", 0.1, None, -1, 1, 1, "t", percent=True)])
    assert unknown.se is None
    assert unknown.low < -0.4


def test_the_mean_over_benchmarks_holds_its_level() -> None:
    # Three benchmarks of 60 questions on which b is 5 points ahead of a: the interval of the mean holds it.
    rng = np.random.default_rng(9)
    held = 0
    for _ in range(300):
        differences = []
        for _ in range(3):
            kind = rng.choice(4, 60, p=[0.5, 0.15, 0.10, 0.25])
            a, b = (kind == 0) | (kind == 2), (kind == 0) | (kind == 1)
            differences.append(
                paired(table(acc=a.astype(float).tolist()), table(acc=b.astype(float).tolist()), "acc").difference
            )
        found = mean_difference(differences)
        held += found.low <= 0.05 <= found.high
    assert 0.92 <= held / 300 <= 0.99
