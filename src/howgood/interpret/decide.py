"""From evaluations to a decision: which system for this use case, how sure that is, and what more evidence is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.types import Estimate
from howgood.interpret.abstain import Threshold, threshold
from howgood.interpret.usecase import UseCase
from howgood.interpret.utility import DRAWS, WORTH, Asked, Saved, draw, gather

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats

OTHERWISE = "otherwise"
"""The name of doing without any of the systems."""
TIMES = (1, 3, 9)
"""How many times the instances there are, asked in addition, the value of more is told for."""


class Level(Struct, frozen=True):
    """Whether a system's share of a quantity is `bound` a level: its estimate, the probability that it is, the verdict
    at the use case's confidence, and about how many instances in all it would take to tell if the share stays as it is
    (None: told already, or never)."""

    quantity: str
    bound: Literal["at least", "at most"]
    level: float
    estimate: Estimate
    probability: float
    verdict: Literal["met", "not met", "cannot be told"]
    needed: int | None


class Option(Struct, frozen=True):
    """A system: the expected worth of one of its answers, what its answers were worth on the instances asked
    (`observed`), the probability that it is the best of the options left, what an answer takes (None: not known), why
    it is left out, which limits it could not be held to since what it takes is not known, the levels required, and
    where it had better abstain."""

    system: str
    runs: tuple[str, ...]
    worth: Estimate
    observed: float
    best: float
    cost: float | None
    latency: float | None
    excluded: tuple[str, ...]
    unchecked: tuple[str, ...]
    levels: tuple[Level, ...]
    threshold: Threshold | None


class More(Struct, frozen=True):
    """What `instances` more, asked of every system, are expected to add to the worth of each answer by a better choice,
    and to all answers that the decision is for less what the instances cost (None: one of these is not said)."""

    instances: int
    each: float
    net: float | None


class Weighed(Struct, frozen=True):
    """A benchmark in the decision: its share, the shared instances, how many only some systems have, the failed trials,
    and whether all runs had the same rules."""

    benchmark: str
    weight: float
    instances: int
    left: int
    failed: int
    same_rules: bool


class Decision(Struct, frozen=True):
    """The answer to a use case.

    `choice` is the option of greatest expected worth (`otherwise`: none of the systems), best with `probability`; None
    where no system is left. `perfect` is what knowing every system's true worth would add to an answer, `more` what
    further instances would, `needed` about how many in all it would take to be as sure as asked that the choice is the
    best, if the differences stay as they are (None: sure already, or never). `ready` is whether the choice meets every
    required level (None: cannot be told yet; true where nothing is required).
    """

    question: str
    choice: str | None
    probability: float
    sure: bool
    ready: bool | None
    options: tuple[Option, ...]
    otherwise: float | None
    otherwise_best: float
    perfect: float
    more: tuple[More, ...]
    needed: int | None
    benchmarks: tuple[Weighed, ...]
    confidence: float
    draws: int
    seed: int


def decide(case: UseCase, runs: Sequence[Saved], draws: int = DRAWS, seed: int = 0) -> Decision:
    """Decide a use case by runs of one or several systems on each of its benchmarks. Raises `HowgoodError` for a system
    without one of the benchmarks, and `DataError` where the systems share no instance."""
    import numpy as np

    systems = _by_system(case, runs)
    names, held = list(systems), list(systems.values())
    quantities = [WORTH, *case.require]
    asked = gather(case, held, quantities)
    drawn = draw(asked, quantities, draws, seed)
    means = {q: sum((one.weight * one.expected(q) for one in asked), np.zeros(len(names))) for q in quantities}
    took = [(_cost(case, own), _latency(own)) for own in held]
    levels = [_levels(case, place, asked, drawn, means) for place in range(len(names))]
    excluded = [(*_over(case, *took[place]), *_failing(levels[place])) for place in range(len(names))]
    left = [place for place in range(len(names)) if not excluded[place]]
    worths = _with_otherwise(case, drawn[WORTH][:, left])
    best, labels = _best(worths), [*(names[p] for p in left), *([OTHERWISE] if case.otherwise is not None else [])]
    # The exact means: those of the draws would settle a tie by chance.
    expected = _with_otherwise(case, means[WORTH][None, left])[0]
    chosen = int(expected.argmax()) if labels else None
    probability = best[chosen] if chosen is not None else 0.0
    options = tuple(
        Option(
            system=name,
            runs=tuple(run.id for run in held[place]),
            worth=_estimate(WORTH, asked, drawn[WORTH][:, place], float(means[WORTH][place])),
            observed=float(sum(one.weight * one.mean(WORTH)[place] for one in asked)),
            best=best[left.index(place)] if place in left else 0.0,
            cost=took[place][0],
            latency=took[place][1],
            excluded=excluded[place],
            unchecked=tuple(_unchecked(case, *took[place])),
            levels=levels[place],
            threshold=threshold(case, held[place]),
        )
        for place, name in enumerate(names)
    )
    total = sum(one.n for one in asked)
    return Decision(
        question=case.question,
        choice=None if chosen is None else labels[chosen],
        probability=probability,
        sure=probability >= case.confidence,
        ready=_ready(levels[left[chosen]] if chosen is not None and chosen < len(left) else ()),
        options=tuple(sorted(options, key=lambda option: (bool(option.excluded), -option.worth.value))),
        otherwise=case.otherwise,
        otherwise_best=best[-1] if case.otherwise is not None else 0.0,
        perfect=_gain(worths),
        more=tuple(_more(case, worths, total, times) for times in TIMES),
        needed=None if probability >= case.confidence else _needed(worths, expected, total, case),
        benchmarks=tuple(_weighed(one, [run for own in held for run in own]) for one in asked),
        confidence=case.confidence,
        draws=draws,
        seed=seed,
    )


def _by_system(case: UseCase, runs: Sequence[Saved]) -> dict[str, list[Saved]]:
    """Each system's runs in the order of the use case's benchmarks."""
    parts, found = case.parts, dict[str, dict[str, Saved]]()
    for run in runs:
        if run.rules.benchmark not in parts:
            raise HowgoodError(
                f"run {run.id} is of {run.rules.benchmark}, which the use case gives no weight; it weighs "
                f"{', '.join(parts)}"
            )
        own = found.setdefault(run.system.label, {})
        if run.rules.benchmark in own and own[run.rules.benchmark].id != run.id:
            raise HowgoodError(
                f"{run.system.label} has two runs of {run.rules.benchmark}, {own[run.rules.benchmark].id} and "
                f"{run.id}; give one of them"
            )
        own[run.rules.benchmark] = run
    if not found:
        raise HowgoodError("howgood decide needs runs; `howgood runs` shows what there is")
    for system, own in found.items():
        if missing := [name for name in parts if name not in own]:
            raise HowgoodError(
                f"{system} has no run of {', '.join(missing)}, which the use case weighs; run it, or give it no weight"
            )
    return {system: [own[name] for name in parts] for system, own in found.items()}


def _cost(case: UseCase, runs: list[Saved]) -> float | None:
    """The mean cost of an answer over the benchmarks, by their weights."""
    found = [_figure(run, "cost") for run in runs]
    if any(cost is None for cost in found):
        return None
    return sum(part.weight * (cost or 0.0) for part, cost in zip(case.parts.values(), found, strict=True))


def _latency(runs: list[Saved]) -> float | None:
    """The time that 95 of 100 answers take, on the slowest benchmark."""
    found = [_figure(run, "latency_p95") for run in runs]
    return None if any(one is None for one in found) else max(one for one in found if one is not None)


def _figure(run: Saved, name: str) -> float | None:
    return next((estimate.value for estimate in run.took if estimate.name == name), None)


def _over(case: UseCase, cost: float | None, latency: float | None) -> list[str]:
    """The limits that a system goes over, in words. What is not known is no reason, and is said (`_unchecked`)."""
    found = []
    if case.limits.cost is not None and cost is not None and cost > case.limits.cost:
        found.append(f"an answer costs ${cost:.3g}, over the limit of ${case.limits.cost:.3g}")
    if case.limits.latency is not None and latency is not None and latency > case.limits.latency:
        found.append(f"95% of its answers take up to {latency:.3g} s, over the limit of {case.limits.latency:.3g} s")
    return found


def _unchecked(case: UseCase, cost: float | None, latency: float | None) -> list[str]:
    known = (("cost", case.limits.cost, cost), ("latency", case.limits.latency, latency))
    return [name for name, limit, took in known if limit is not None and took is None]


def _failing(levels: Sequence[Level]) -> list[str]:
    return [f"{x.quantity} is not {x.bound} {x.level:.4g}" for x in levels if x.verdict == "not met"]


def _ready(levels: Sequence[Level]) -> bool | None:
    return None if any(x.verdict == "cannot be told" for x in levels) else all(x.verdict == "met" for x in levels)


def _levels(
    case: UseCase, place: int, asked: list[Asked], drawn: dict[str, Floats], means: dict[str, Floats]
) -> tuple[Level, ...]:
    found = []
    for quantity, bound in case.require.items():
        values, mean = drawn[quantity][:, place], float(means[quantity][place])
        estimate = _estimate(quantity, asked, values, mean, percent=True)
        for side, level in (("at least", bound.at_least), ("at most", bound.at_most)):
            if level is not None:
                probability = float((values >= level if side == "at least" else values <= level).mean())
                told = max(probability, 1 - probability) >= case.confidence
                verdict = "cannot be told" if not told else "met" if probability > 0.5 else "not met"
                needed = None if told else _until(estimate.n, float(values.std()), mean - level, case.confidence)
                found.append(Level(quantity, side, level, estimate, probability, verdict, needed))  # type: ignore[arg-type]
    return tuple(found)


def _estimate(name: str, asked: list[Asked], values: Floats, mean: float, percent: bool = False) -> Estimate:
    """The posterior of a system's mean as an estimate."""
    import numpy as np

    n = sum(one.n for one in asked)
    low, high = np.quantile(values, [0.025, 0.975])
    method = "posterior mean, Bayesian bootstrap with two pseudo-instances a benchmark"
    return Estimate(name, mean, float(values.std()), float(low), float(high), n, method, percent=percent)


def _with_otherwise(case: UseCase, worths: Floats) -> Floats:
    """The draws of the options that are left, doing without the last of them where that has a worth."""
    import numpy as np

    if case.otherwise is None:
        return worths
    return np.column_stack([worths, np.full(len(worths), case.otherwise)])


def _best(worths: Floats) -> list[float]:
    """How often each option has the greatest worth; a draw in which several do is divided among them."""
    if not worths.size:
        return []
    top = worths.max(axis=1, keepdims=True)
    ahead = worths >= top - 1e-12 * (1 + abs(top))
    return [float(share) for share in (ahead / ahead.sum(axis=1, keepdims=True)).mean(axis=0)]


def _gain(worths: Floats) -> float:
    """The expected value of perfect information (Raiffa & Schlaifer 1961): E max - max E."""
    return max(0.0, float(worths.max(axis=1).mean() - worths.mean(axis=0).max())) if worths.size else 0.0


def _more(case: UseCase, worths: Floats, n: int, times: int) -> More:
    """The expected value of sample information of m = times·n further instances. What the posterior mean will then be
    is taken to be spread like the posterior now, times √(m/(n + m)) (Jalal & Alarid-Escudero 2018, Med. Decis. Making
    38)."""
    m = times * n
    centre = worths.mean(axis=0) if worths.size else worths
    each = _gain(centre + (worths - centre) * math.sqrt(m / (n + m)))
    if case.answers is None or case.instance is None or not case.dollar:
        return More(m, each, None)
    return More(m, each, case.answers * each - m * case.instance * case.dollar)


def _needed(worths: Floats, expected: Floats, n: int, case: UseCase) -> int | None:
    """Instances until the option of greatest expected worth is ahead of each other with the confidence asked for, all
    else as it is; None where one is level with it."""
    found = []
    for other in range(len(expected)):
        if other != expected.argmax():
            spread = float((worths[:, expected.argmax()] - worths[:, other]).std())
            found.append(_until(n, spread, float(expected.max() - expected[other]), case.confidence))
    known = [one for one in found if one is not None]
    return max(known) if known and len(known) == len(found) else None


def _until(n: int, sd: float, distance: float, confidence: float) -> int | None:
    """The n at which a normal posterior's `distance` from zero is as many of its deviations as `confidence` takes."""
    from scipy.special import ndtri

    if abs(distance) < 1e-9 * (1 + sd):
        return None
    return math.ceil(n * (float(ndtri(confidence)) * sd / distance) ** 2)


def _weighed(asked: Asked, runs: list[Saved]) -> Weighed:
    rules = {run.rules.hash for run in runs if run.rules.benchmark == asked.benchmark}
    return Weighed(asked.benchmark, asked.weight, asked.n, asked.left, asked.failed, len(rules) == 1)
