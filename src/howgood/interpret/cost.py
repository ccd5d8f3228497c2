"""What an answer costs beside what it is worth: money and time of each trial, and the systems that no other beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from howgood.core.types import Estimate
from howgood.interpret import statistics

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Floats

COLUMNS, IDS = ("epoch", "cost", "latency", "first_token"), ("id", "cluster")
"""The columns of a run's trials that are read here; the second where there are epochs, or each cluster counts once."""


def taken(trials: pl.DataFrame, unit: statistics.Unit = "instance") -> list[Estimate]:
    """What a trial took, from a frame with `COLUMNS`: the mean `cost` (US dollars; only where every trial's is known),
    and the median `latency`, its 95th percentile `latency_p95`, and the median time to the `first_token` (seconds).

    Where each cluster counts once (a task of several questions), the cost is that of all that was asked of a cluster,
    once. Trials without an answer (no latency) are left out. The mean's error is clustered by instance where there are
    epochs. Medians and percentiles take the distribution-free interval between two order statistics (Hahn and Meeker,
    Statistical Intervals, section 5.2), which has no standard error.
    """
    import polars as pl

    trials = trials.filter(pl.col("latency") > 0)  # those that were answered
    found = []
    if len(trials) and not trials["cost"].has_nulls():
        if unit == "cluster":
            whole = trials.with_columns(pl.coalesce("cluster", "id").alias("id"))
            asked = whole.group_by("id", "epoch", maintain_order=True).agg(pl.col("cost").sum())
        else:
            asked = trials
        repeated = asked["epoch"].max() != asked["epoch"].min()
        found.append(_mean_cost(asked["cost"].to_numpy(), asked["id"] if repeated else None, unit))
    for name, column, share in (
        ("latency", "latency", 0.5),
        ("latency_p95", "latency", 0.95),
        ("first_token", "first_token", 0.5),
    ):
        values = trials[column].drop_nulls().to_numpy()
        if len(values):
            found.append(_quantile(name, values, share))
    return found


def _mean_cost(costs: Floats, ids: pl.Series | None, unit: statistics.Unit) -> Estimate:
    """The mean of costs, clustered by the `ids` of what was asked where it was asked again (None: it was not)."""
    groups = None if ids is None else ids.rank("dense").to_numpy().astype(int) - 1
    spread = statistics.mean_se(costs, clusters=groups)
    low, high = statistics.t_interval(spread)
    mean = "mean of each cluster" if unit == "cluster" else "mean"
    words = f"{mean}, t" if ids is None else f"{mean}, clustered, t"
    return Estimate("cost", spread.value, spread.se, max(low, 0.0), high, spread.n, words, higher_is_better=False)


def _quantile(name: str, values: Floats, share: float, level: float = 0.95) -> Estimate:
    """A quantile of the distribution that the values are a sample of. An end that no order statistic can bound at this
    level is 0 or the largest float: too few values know nothing of it."""
    import numpy as np

    ordered, n = np.sort(values), len(values)
    tail = (1 - level) / 2
    below, above = _binomial_quantile(tail, n, share), _binomial_quantile(1 - tail, n, share) + 1
    low = float(ordered[below - 1]) if below >= 1 else 0.0
    high = float(ordered[above - 1]) if above <= n else statistics.UNBOUNDED
    words = "median" if share == 0.5 else f"{share:.0%} quantile"
    value = float(np.quantile(ordered, share))
    return Estimate(name, value, None, low, high, n, f"{words}, order statistics", higher_is_better=False)


def _binomial_quantile(probability: float, n: int, rate: float) -> int:
    """The smallest k with P(X <= k) >= probability, for X binomial; scipy.stats has it too, but takes half a second and
    50 MB to import."""
    from scipy.special import bdtr, bdtrik

    k = math.ceil(float(bdtrik(probability, n, rate)))
    return k - 1 if k and bdtr(k - 1, n, rate) >= probability else k


class Place(Struct, frozen=True):
    """Where a system stands among others: on the `front`, or beaten by the system at index `by`, which is no dearer
    and no worse. `beaten` is when their intervals do not even touch in either figure, `perhaps` when they do."""

    verdict: Literal["front", "beaten", "perhaps"]
    by: int | None = None


def front(systems: Sequence[tuple[Estimate, Estimate]]) -> list[Place]:
    """The Pareto front of systems given as (cost, score): those that no other system beats, being at least as cheap and
    at least as good and better in one of the two."""
    return [_place(index, systems) for index in range(len(systems))]


def _place(index: int, systems: Sequence[tuple[Estimate, Estimate]]) -> Place:
    cost, score = systems[index]
    beaten_by = None
    for other, (its_cost, its_score) in enumerate(systems):
        gain = its_score.value - score.value if score.higher_is_better else score.value - its_score.value
        saving = cost.value - its_cost.value
        if gain < 0 or saving < 0 or not (gain or saving):
            continue
        apart = (its_score.low > score.high) if score.higher_is_better else (its_score.high < score.low)
        if apart and (its_cost.high < cost.low or saving == 0):
            return Place("beaten", other)
        beaten_by = other if beaten_by is None else beaten_by
    return Place("front") if beaten_by is None else Place("perhaps", beaten_by)
