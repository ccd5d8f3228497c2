"""What answers cost: closed forms, coverage of the quantile's interval, and the front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from howgood.core.types import Estimate, Instance, Prediction, Score, Trial
from howgood.interpret import statistics
from howgood.interpret.cost import Taken, _binomial_quantile, front


def took(
    costs: Sequence[float | None],
    latencies: Sequence[float],
    clusters: Sequence[str | None] | None = None,
    epochs: int = 1,
    unit: statistics.Unit = "instance",
) -> list[Estimate]:
    """What trials with these costs and latencies took, the epochs of an instance one after another."""
    taken = Taken(unit)
    for i, (cost, latency) in enumerate(zip(costs, latencies, strict=True)):
        index, epoch = divmod(i, epochs)
        instance = Instance(str(index), "q", cluster=clusters[index] if clusters else None)
        taken.add(Trial(instance, index, epoch, "q", Prediction("a", cost=cost, latency=latency), Score({}, "right")))
    return taken.estimates()


def figure(name: str, value: float, half: float = 0.0, better: bool = True) -> Estimate:
    return Estimate(name, value, None, value - half, value + half, 10, "given", higher_is_better=better)


def test_mean_cost_has_the_t_interval() -> None:
    found = {e.name: e for e in took([0.01, 0.02, 0.03, 0.04], [1.0, 2.0, 3.0, 4.0])}
    assert found["cost"].value == pytest.approx(0.025)
    assert found["cost"].se == pytest.approx(np.std([0.01, 0.02, 0.03, 0.04], ddof=1) / 2)
    assert found["latency"].value == 2.5
    assert not found["cost"].higher_is_better
    assert "first_token" not in found


def test_epochs_of_one_instance_are_not_independent() -> None:
    cost = took([float(i) for i in range(20) for _ in range(5)], [1.0] * 100, epochs=5)[0]
    single = took([float(i) for i in range(20)], [1.0] * 20)[0]
    assert cost.value == single.value
    assert cost.se == pytest.approx(single.se, rel=1e-12)


def test_where_clusters_count_once_the_cost_is_that_of_a_whole_cluster() -> None:
    """Two puzzles: one of two questions at 1 and 2 cents, one of a single question at 5."""
    cost = took([0.01, 0.05, 0.02], [1.0] * 3, ["a", "b", "a"], unit="cluster")[0]
    assert (cost.value, cost.n) == (pytest.approx(0.04), 2)
    assert cost.se == pytest.approx(np.std([0.03, 0.05], ddof=1) / np.sqrt(2))
    assert cost.method == "mean of each cluster, t"
    again = took([0.01, 0.03, 0.05, 0.15, 0.02, 0.06], [1.0] * 6, ["a", "b", "a"], 2, "cluster")[0]
    assert (again.value, again.n) == (pytest.approx(0.08), 4)
    assert again.method == "mean of each cluster, clustered, t"
    assert again.se == pytest.approx(0.02)  # the clusters' means are 0.06 and 0.10


def test_a_question_alone_is_a_cluster_of_its_own() -> None:
    cost = took([0.01, 0.02, 0.05], [1.0] * 3, ["a", "a", None], unit="cluster")[0]
    assert (cost.value, cost.n) == (pytest.approx(0.04), 2)


def test_a_cost_that_is_unknown_for_one_is_unknown_for_all() -> None:
    assert [e.name for e in took([0.01, None], [1.0, 2.0])] == ["latency", "latency_p95"]


def test_trials_that_were_never_answered_took_nothing() -> None:
    found = {e.name: e for e in took([0.01, None], [1.0, 0.0])}
    assert found["cost"].value == 0.01
    assert found["cost"].n == 1
    assert took([], []) == []


def test_the_medians_interval_is_known_from_tables() -> None:
    """n = 20: the 6th and the 15th value hold the median with 95.9 % (Hahn and Meeker, table A.15a)."""
    median = took([0.0] * 20, [float(i) for i in range(1, 21)])[1]
    assert (median.name, median.low, median.high) == ("latency", 6.0, 15.0)


def test_the_order_statistics_are_the_binomials() -> None:
    """Against scipy's own quantile, which is too large to import for every run."""
    for n in [*range(1, 400), 5_000, 9_999, 20_000, 200_000, 1_000_000]:
        for share in (0.5, 0.95):
            found = [_binomial_quantile(p, n, share) for p in (0.025, 0.975)]
            assert found == binom.ppf([0.025, 0.975], n, share).tolist(), (n, share)


def test_few_values_bound_no_tail() -> None:
    tail = took([0.0] * 10, [float(i) for i in range(1, 11)])[2]
    assert tail.name == "latency_p95"
    assert tail.high == statistics.UNBOUNDED


def test_quantile_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    truth = {"latency": 1.0, "latency_p95": float(np.exp(1.6448536))}  # of exp(N(0, 1))
    held = dict.fromkeys(truth, 0)
    for _ in range(400):
        for estimate in took([0.0] * 120, list(rng.lognormal(0, 1, 120)))[1:]:
            held[estimate.name] += estimate.low <= truth[estimate.name] <= estimate.high
    assert all(n >= 0.93 * 400 for n in held.values()), held


def test_the_front() -> None:
    systems = [
        (figure("cost", 1.0), figure("accuracy", 0.5)),  # cheapest
        (figure("cost", 2.0), figure("accuracy", 0.8)),  # best
        (figure("cost", 3.0, 0.1), figure("accuracy", 0.7, 0.05)),  # dearer and worse, without doubt
        (figure("cost", 2.1, 0.5), figure("accuracy", 0.79, 0.05)),  # dearer and worse, within error
    ]
    assert [(p.verdict, p.by) for p in front(systems)] == [
        ("front", None),
        ("front", None),
        ("beaten", 1),
        ("perhaps", 1),
    ]


def test_equals_both_stand_on_the_front() -> None:
    same = (figure("cost", 1.0), figure("accuracy", 0.5))
    assert [p.verdict for p in front([same, same])] == ["front", "front"]


def test_where_lower_is_better() -> None:
    systems = [(figure("cost", 1.0), figure("perplexity", 20.0, 1, better=False)),
               (figure("cost", 1.0), figure("perplexity", 30.0, 1, better=False))]  # fmt: skip
    assert [p.verdict for p in front(systems)] == ["front", "beaten"]


figures = st.tuples(st.floats(0, 10), st.floats(0, 1))


@given(st.lists(figures, min_size=1, max_size=8))
def test_whoever_is_beaten_is_beaten_by_one_no_worse(points: list[tuple[float, float]]) -> None:
    places = front([(figure("cost", c), figure("score", s)) for c, s in points])
    assert any(p.verdict == "front" for p in places)
    for (cost, score), place in zip(points, places, strict=True):
        if place.by is not None:
            its_cost, its_score = points[place.by]
            assert its_cost <= cost
            assert its_score >= score
            assert (its_cost, its_score) != (cost, score)
