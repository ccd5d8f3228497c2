"""What an answer costs beside what it is worth: money and time of each trial, and the systems that no other beats."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from howgood.core.types import Estimate, Trial
from howgood.interpret import statistics

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats


class Taken:
    """What trials took, gathered as they pass by: the mean `cost` (US dollars; only where every trial's is known), the
    median `latency`, its 95th percentile `latency_p95`, and the median time to the `first_token` (seconds).

    Where each cluster counts once (a task of several questions), the cost is that of all that was asked of a cluster,
    once. Trials without an answer (no latency) are left out. The mean's error is clustered by instance where there are
    epochs. Medians and percentiles take the distribution-free interval between two order statistics (Hahn and Meeker,
    Statistical Intervals, section 5.2), which has no standard error.
    """

    def __init__(self, unit: statistics.Unit = "instance") -> None:
        self._unit: statistics.Unit = unit
        self._latencies, self._first, self._costs = array("d"), array("d"), array("d")
        self._asked = array("q")  # by number, the instance or cluster that a cost is of
        self._clusters: dict[str, int] = {}
        self._of_epoch: dict[tuple[str, int], int] = {}  # where the cost of a cluster is
        self._epochs: set[int] = set()
        self._unknown = False

    def passing(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        """The same trials, each gathered."""
        for trial in trials:
            self.add(trial)
            yield trial

    def add(self, trial: Trial) -> None:
        prediction = trial.prediction
        if not prediction.latency > 0:
            return
        self._epochs.add(trial.epoch)
        self._latencies.append(prediction.latency)
        if prediction.first_token is not None:
            self._first.append(prediction.first_token)
        if prediction.cost is None:
            self._unknown = True
        elif self._unit == "cluster":
            self._pay_together(trial, prediction.cost)
        else:
            self._asked.append(trial.index)
            self._costs.append(prediction.cost)

    def _pay_together(self, trial: Trial, cost: float) -> None:
        name = trial.instance.id if trial.instance.cluster is None else trial.instance.cluster
        place = self._of_epoch.setdefault((name, trial.epoch), len(self._costs))
        if place == len(self._costs):
            self._costs.append(0.0)
            self._asked.append(self._clusters.setdefault(name, len(self._clusters)))
        self._costs[place] += cost

    def estimates(self) -> list[Estimate]:
        import numpy as np

        latencies, first = np.sort(self._latencies), np.sort(self._first)
        found = [self._mean_cost()] if len(latencies) and not self._unknown else []
        if len(latencies):
            found += [_quantile("latency", latencies, 0.5), _quantile("latency_p95", latencies, 0.95)]
        if len(first):
            found.append(_quantile("first_token", first, 0.5))
        return found

    def _mean_cost(self) -> Estimate:
        """The mean of costs, clustered by what was asked where it was asked again."""
        again = len(self._epochs) > 1
        spread = statistics.mean_se(self._costs, clusters=self._asked if again else None)
        low, high = statistics.t_interval(spread)
        mean = "mean of each cluster" if self._unit == "cluster" else "mean"
        words = f"{mean}, clustered, t" if again else f"{mean}, t"
        return Estimate("cost", spread.value, spread.se, max(low, 0.0), high, spread.n, words, higher_is_better=False)


def _quantile(name: str, ordered: Floats, share: float, level: float = 0.95) -> Estimate:
    """A quantile of the distribution that values in order are a sample of. An end that no order statistic can bound at
    this level is 0 or the largest float: too few values know nothing of it."""
    import numpy as np

    n, tail = len(ordered), (1 - level) / 2
    below, above = _binomial_quantile(tail, n, share), _binomial_quantile(1 - tail, n, share) + 1
    low = float(ordered[below - 1]) if below >= 1 else 0.0
    high = float(ordered[above - 1]) if above <= n else statistics.UNBOUNDED
    words = "median" if share == 0.5 else f"{share:.0%} quantile"
    value = float(np.quantile(ordered, share))
    return Estimate(name, value, None, low, high, n, f"{words}, order statistics", higher_is_better=False)


def _binomial_quantile(probability: float, n: int, rate: float) -> int:
    """The smallest k with P(X <= k) >= probability, for X binomial and probabilities of a tenth of a percent or more.
    scipy has it too, but takes 0.15 s and 18 MB to import (`scipy.stats` half a second and 50 MB)."""
    import numpy as np

    middle, reach = int(n * rate), math.ceil(10 * math.sqrt(n * rate * (1 - rate))) + 10
    k = np.arange(max(0, middle - reach), min(n, middle + reach) + 1)  # nothing that counts lies beyond ten deviations
    steps = np.log((n - k[:-1]) / k[1:] * rate / (1 - rate))  # from P(X = k - 1) to P(X = k)
    logs = np.cumsum(np.append(0.0, steps))
    below = np.cumsum(np.exp(logs - logs.max()))
    return int(k[np.searchsorted(below, probability * below[-1])])


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
