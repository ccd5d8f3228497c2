"""Many systems on many benchmarks: a score by weights of one's own, and how sure its ranking is.

Each benchmark is drawn once from the joint posterior of all its systems' means (see `interpret/utility.py`: one draw
weighs every system's answers alike, so differences are paired); benchmarks are independent of each other. A weighted
score is then the weighted sum of the draws, whatever the weights, so that they can be changed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import joint
from howgood.interpret.rating import ranks
from howgood.interpret.usecase import UseCase
from howgood.interpret.utility import DRAWS, Asked, Saved, draw, gather

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats

SCORE = "score"
LARGE = 4_000
"""From this many independent instances on the posterior is taken as normal: it nearly is, and drawing takes seconds."""

NO_SHARE = "the number is no share of which more is better, so it cannot be weighed beside others"


class Drawn(NamedTuple):
    """One benchmark's systems: posterior draws of their means, (draws, S), the means themselves (S,), and how many
    instances all of them share. `paired` is whether the draws are joint over those; else each system's are its own
    estimate's normal distribution."""

    systems: tuple[str, ...]
    draws: Floats
    mean: Floats
    n: int
    paired: bool


class Standing(Struct, frozen=True):
    """A system's weighted `score` (its interval is that of the posterior), its rank and the ranks that cannot be
    excluded, all systems' at once with 95 %, and the probability that it is the best."""

    system: str
    score: Estimate
    rank: int
    rank_low: int
    rank_high: int
    best: float


def is_mean(run: Saved) -> bool:
    """Whether a run's headline is the mean of a score over its instances."""
    part = run.rules.interpret.get("parts", [run.rules.interpret])[0]
    return bool(part.get("kind") == "mean")


def can_be_weighed(run: Saved) -> bool:
    """Whether a run's headline is a share, of which more is better: only those mean the same on every benchmark."""
    return bool(run.estimates) and run.estimates[0].percent and run.estimates[0].higher_is_better


def drawn(runs: Sequence[Saved], seed: int = 0, draws: int = DRAWS) -> Drawn:
    """The systems of one benchmark, one run each, all by the same rules. Raises `DataError` where a headline is no
    share, and where nothing is known of its error."""
    if not all(map(can_be_weighed, runs)):
        raise DataError(NO_SHARE)
    names = tuple(run.system.label for run in runs)
    if all(map(is_mean, runs)):
        case = UseCase("", {runs[0].rules.benchmark: 1.0}, {"right": 1.0, "wrong": 0.0})
        (asked,) = gather(case, [[run] for run in runs], [SCORE])
        units = int(asked.units.max()) + 1
        if units < LARGE:
            return Drawn(names, draw([asked], [SCORE], draws, seed)[SCORE], asked.expected(SCORE), asked.n, True)
        return Drawn(names, _normal(asked, draws, seed), asked.mean(SCORE), asked.n, True)
    return _apart(names, [run.estimates[0] for run in runs], draws, seed)


def _normal(asked: Asked, draws: int, seed: int) -> Floats:
    """Draws from the normal distribution that the Bayesian bootstrap tends to: its covariance is Σ (w(x - mean))(...)ᵀ
    over independent units."""
    sums, whole = asked.sums(SCORE)
    total = whole.sum()
    mean = sums.sum(axis=0) / total
    part = (sums - mean * whole[:, None]) / total
    drawn: Floats = mean + joint.deviations(part.T @ part, draws, seed)
    return drawn


def _apart(names: tuple[str, ...], estimates: Sequence[Estimate], draws: int, seed: int) -> Drawn:
    """Draws of numbers that are no means of a score, each by its own standard error: pairing is not made use of."""
    import numpy as np

    if any(one.se is None for one in estimates):
        raise DataError("nothing is known of the number's error, so it cannot be weighed")
    mean, se = (np.array([getattr(one, name) for one in estimates], float) for name in ("value", "se"))
    noise = np.random.default_rng(seed).standard_normal((draws, len(names)))
    return Drawn(names, np.clip(mean + se * noise, 0, 1), mean, min(one.n for one in estimates), False)


def standings(benchmarks: Sequence[Drawn], weights: Sequence[float], level: float = 0.95) -> list[Standing]:
    """The systems that have every benchmark with a weight, best first. Nothing without such a system."""
    import numpy as np

    used = [(one, weight) for one, weight in zip(benchmarks, weights, strict=True) if weight > 0]
    if not used:
        return []
    systems = [name for name in used[0][0].systems if all(name in one.systems for one, _ in used)]
    if not systems:
        return []
    whole = sum(weight for _, weight in used)
    values = np.zeros((len(used[0][0].draws), len(systems)))
    mean = np.zeros(len(systems))
    for one, weight in used:
        columns = [one.systems.index(name) for name in systems]
        values += weight / whole * one.draws[:, columns]
        mean += weight / whole * one.mean[columns]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    covariance = np.atleast_2d(np.cov(values.T))
    best, worst = ranks.rank_intervals(mean, covariance, level, values - values.mean(axis=0))
    order, leads = ranks.ranks(mean), ranks.best(values)
    n, error = sum(one.n for one, _ in used), values.std(axis=0, ddof=1)
    found = [
        Standing(
            system=name,
            score=Estimate(
                "weighted score", float(mean[i]), float(error[i]), min(float(low[i]), float(mean[i])),
                max(float(high[i]), float(mean[i])), n, f"mean over {len(used)} benchmarks by weights, posterior",
                level=level, percent=True,
            ),
            rank=int(order[i]),
            rank_low=int(best[i]),
            rank_high=int(worst[i]),
            best=float(leads[i]),
        )
        for i, name in enumerate(systems)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.rank, -one.best, one.system))
