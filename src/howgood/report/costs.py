"""Cost and speed beside quality, in words: what a trial took, and which systems no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from howgood.core.text import money
from howgood.core.types import Estimate, Run
from howgood.interpret.cost import Place, front
from howgood.report import numbers
from howgood.runs.versus import names

if TYPE_CHECKING:
    from howgood.runs.store import SavedRun


class Standing(Struct, frozen=True):
    """A run among others of its benchmark: the `name` that tells it from them, what it `cost` (money, or seconds where
    no money was paid), its score, and its place: on the front, or beaten by the one called `by`."""

    run: Run
    name: str
    cost: Estimate
    score: Estimate
    place: Place
    by: str | None


class Front(Struct, frozen=True):
    """The runs of one benchmark, cheapest first, with what stands for their cost in words. `same_rules` is whether they
    all played the same game."""

    benchmark: str
    axis: str
    standings: list[Standing]
    same_rules: bool


def took(run: Run, name: str) -> Estimate | None:
    """One figure of what a trial of the run took; None where it is not known."""
    return next((e for e in run.took if e.name == name), None)


def mean_cost(run: Run) -> float | None:
    """The mean cost of a trial in US dollars; None where it is not known. What cost nothing in all cost nothing each,
    though no trial took a time by which it would be counted."""
    cost = took(run, "cost")
    return cost.value if cost else 0.0 if run.cost == 0 else None


def each(run: Run) -> str:
    """The mean cost of a trial in words."""
    cost = mean_cost(run)
    return "unknown" if cost is None else dollars(cost)


def latency(run: Run) -> str:
    """The median latency of a trial in words."""
    found = took(run, "latency")
    return seconds(found.value) if found else "unknown"


def dollars(value: float) -> str:
    """A small sum of money in words, with three significant digits: $0.0367."""
    return money(value) if value == 0 or value >= 100 else f"${value:.3g}"


def seconds(value: float) -> str:
    """A short time in words: 840 ms, 2.13 s, 75 s."""
    if value < 0.9995:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"


def figure(estimate: Estimate) -> str:
    """A figure of what a trial took, with its interval, in its unit."""
    say = dollars if estimate.name == "cost" else seconds
    if not numbers.bounded(estimate):
        return f"{say(estimate.value)} (too few to say how sure)"
    return f"{say(estimate.value)} [{say(estimate.low)}, {say(estimate.high)}]"


def lines(run: Run) -> list[tuple[str, str]]:
    """What a run and each of its trials took, as (name, words)."""
    cost, median, tail, first = (took(run, name) for name in ("cost", "latency", "latency_p95", "first_token"))
    total = money(run.cost)
    if run.spent is not None and run.cost is not None and not run.verdicts and run.spent < run.cost:
        total += f", of which {money(run.spent)} was paid now and the rest read from the cache"
    found = [("cost", total)]
    if cost and cost.value > 0:
        found.append((f"cost of each{_whole(run)}", figure(cost)))
    if median:
        words = f"median {figure(median)}"
        found.append(("latency", f"{words}; 95% within {seconds(tail.value)}" if tail else words))
    if first:
        found.append(("first token", f"median {figure(first)}"))
    if run.verdicts:
        usage = run.judging.usage
        tokens = f"{numbers.count(usage.input)} tokens in, {numbers.count(usage.output)} out"
        found.append(("judging", f"{money(run.judging.cost)} for {numbers.many(run.verdicts, 'verdict')}, {tokens}"))
    return found


def beside(a: Run, b: Run) -> list[tuple[str, str]]:
    """What a trial of b took beside one of a, as (name, words)."""
    found = []
    for name, words in (("cost", "cost of each"), ("latency", "latency")):
        one, other = took(a, name), took(b, name)
        if one and other and (one.value or other.value):
            times = f" ({_times(one.value, other.value)})" if one.value and other.value else ""
            found.append((words + (_whole(a) if name == "cost" else ""), f"A {figure(one)}, B {figure(other)}{times}"))
    return found


def fronts(runs: Sequence[SavedRun]) -> list[Front]:
    """For each benchmark that several systems ran, quality against cost. Money where every system's is known and
    some was paid, else the median latency; benchmarks whose runs tell neither are left out."""
    by_benchmark: dict[str, list[SavedRun]] = {}
    for run in runs:
        if run.estimates and run.took:
            by_benchmark.setdefault(run.rules.benchmark, []).append(run)
    found = [_front(name, some) for name, some in by_benchmark.items() if len({r.id for r in some}) > 1]
    return [one for one in found if one is not None]


def verdict(standing: Standing) -> str:
    """Where a system stands, in words."""
    if standing.by is None:
        return "no other beats it"
    perhaps = "perhaps " if standing.place.verdict == "perhaps" else ""
    return f"{perhaps}beaten by {standing.by}"


def _front(benchmark: str, runs: list[SavedRun]) -> Front | None:
    headline = runs[0].estimates[0].name
    costs = [took(run, "cost") for run in runs]
    paid = all(costs) and any(c.value > 0 for c in costs if c)
    name = "cost" if paid else "latency"
    known = [
        (run, cost, score)
        for run in runs
        if (cost := took(run, name)) and (score := next((e for e in run.estimates if e.name == headline), None))
    ]
    if len(known) < 2:
        return None
    known.sort(key=lambda one: one[1].value)
    called = names([run for run, _, _ in known])
    places = front([(cost, score) for _, cost, score in known])
    standings = [
        Standing(run, name, cost, score, place, None if place.by is None else called[place.by])
        for (run, cost, score), name, place in zip(known, called, places, strict=True)
    ]
    axis = f"cost of each{_whole(runs[0]) or ' answer'}" if paid else "median time of an answer"
    return Front(benchmark, axis, standings, len({run.rules.hash for run, _, _ in known}) == 1)


def _whole(run: Run) -> str:
    """What a cost is of, where that is more than one answer: a cluster, such as a puzzle with several questions."""
    return " cluster" if run.rules.interpret.get("unit") == "cluster" else ""


def _times(a: float, b: float) -> str:
    ratio = b / a
    if 0.99 < ratio < 1.01:
        return "the same"
    return f"B {ratio:.3g} times that of A" if ratio > 1 else f"A {1 / ratio:.3g} times that of B"
