"""Is one system better than another? The same instances, one difference each."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import binomial, power, randomisation, statistics
from howgood.interpret.design import Design
from howgood.interpret.estimate import Per, mean_estimate, unit_count
from howgood.interpret.passk import solved
from howgood.interpret.variance import Split, split_pair

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats, Ints, Spread
    from howgood.interpret.table import Table


MANY = 2_000
"""From this many independent pairs on, t and the randomisation test agree and the latter only costs time."""


PASS = re.compile(r"pass[@^]([1-9]\d{0,3})")
"""A score of several answers to each instance, made of their epochs."""


class Comparison(Struct, frozen=True, omit_defaults=True):
    """System b against system a on the `difference.n` instances both have a score for.

    `difference` is b - a, paired; `p` the two-sided p-value by `test` (None where nothing can be tested). `a` and `b`
    are their own estimates on the shared instances; `only_a` and `only_b` count the instances left out. On `gained`
    instances b does better, on `lost` worse: for right or wrong answers these are the flips, and `ahead` is how
    probable it is that b is the better one if every share of flips was as likely before (None for others).
    `correlation` is that of the two systems over instances. `unpaired` and `unpaired_p` are what an analysis of two
    separate samples would have said. `detectable` is the smallest difference this many instances show with 80 % power,
    and `needed` how many instances a difference of the observed size takes (None where there is no difference or no
    spread). `split` says how much of the error comes from the questions, how much from the sampling of answers and how
    much from the wording of prompts, where both runs have epochs or the same perturbations.

    `rules` are the lines in which the two runs' rules differ, as (name, a's, b's); `same_rules` is whether they played
    the same game all the same (a copy of the data from elsewhere differs in a line, but is the same game).
    """

    difference: Estimate
    p: float | None
    test: str
    a: Estimate
    b: Estimate
    only_a: int
    only_b: int
    gained: int
    lost: int
    correlation: float | None
    unpaired: Estimate
    unpaired_p: float | None
    detectable: float | None
    needed: int | None
    ahead: float | None = None
    rules: tuple[tuple[str, Any, Any], ...] = ()
    same_rules: bool = True
    split: Split | None = None


class Subject(NamedTuple):
    """What two tables are compared in: their means of a score, weighted as the run's own, or where `per` is set their
    rates of it."""

    a: Table
    b: Table
    score: str
    macro: bool = False
    unit: statistics.Unit = "instance"
    per: Per | None = None


def subject(a: Table, b: Table, interpret: dict[str, Any], score: str | None = None) -> Subject:
    """What fits what the number is. `interpret` is what the interpretation said of itself, kept in a run's rules;
    `score` replaces its headline. Where only one of the two has the headline (`acc_norm` is of cloze questions alone),
    they are compared in the first score both have; of a number that is no mean of a score, in that of the first score.
    Perplexities are compared in bits per byte where bytes were counted."""
    parts = interpret.get("parts", [interpret])
    part = next((part for part in parts if part.get("score") == score), parts[0])
    if score and (k := PASS.fullmatch(score)) and score not in a.scores:
        base = part.get("score") or next(iter(a.scores))
        a, b = (solved(table, [int(k[1])], base) for table in (a, b))
    name = score or part.get("score") or next(iter(a.scores))
    if score is None and name not in b.scores:
        name = next((other for other in b.scores if other in a.scores), name)
    if part["kind"] == "passk" and name == (part["score"] or next(iter(a.scores))):
        a, b, name = solved(a, part["ks"], name), solved(b, part["ks"], name), f"pass@{part['ks'][0]}"
    if part["kind"] in ("mean", "passk"):
        return Subject(a, b, name, part["weighting"] == "stratum", part["unit"])
    if part["kind"] == "perplexity" and name == part["score"]:
        return Subject(a, b, name, per="byte" if "byte" in part["units"] else part["units"][0])
    return Subject(a, b, name)


def compare(a: Table, b: Table, interpret: dict[str, Any], score: str | None = None) -> Comparison:
    """The comparison in the `subject` of these tables."""
    of = subject(a, b, interpret, score)
    if of.per:
        return paired_rate(of.a, of.b, of.score, of.per)
    return paired(of.a, of.b, of.score, macro=of.macro, unit=of.unit)


def paired(
    a: Table,
    b: Table,
    score: str,
    by: Literal["stratum"] | None = "stratum",
    macro: bool = False,
    unit: statistics.Unit = "instance",
) -> Comparison:
    """The paired difference b - a of a score's means: SE = s_d/√n on d_i = b_i - a_i (arXiv:2411.00640, section 4),
    stratified, clustered and weighted as in `Mean` (to the whole benchmark where one is a stratified sample, see
    `Design.of`).

    Right-or-wrong scores take the exact McNemar test where instances are without clusters and count alike. Other values
    in [0, 1] are many ties and few sizes, not a normal distribution: they take the randomisation test over instances or
    clusters, where those are neither too few to reject anything by it nor so many that t says the same. The rest
    take t on d. Values in [0, 1] take the interval of `statistics.difference_interval`. Raises `DataError` without
    shared instances.
    """
    shared = match(a, b, by, macro, unit)
    x, y = a.score(score)[shared.rows_a], b.score(score)[shared.rows_b]
    found, ends = tested(x, y, shared.design), (shared.design.mean(x), shared.design.mean(y))
    spread, p, test, share = found.spread, found.p, found.test, found.share
    gained, lost = int((y > x).sum()), int((y < x).sum())
    form, interval = _Form(score, shared, percent=share), found.interval
    words = [*shared.design.words(spread), "t with two pseudo-pairs" if share else "t"]
    difference = form.estimate(spread, interval, ", ".join(["paired difference of means", *words]))
    unpaired, unpaired_p = form.unpaired(*ends)
    detectable, needed = _power(difference, spread)
    return Comparison(
        difference=difference,
        p=p,
        test=test,
        a=mean_estimate(score, x, shared.design, a.instances.epochs, shared.missing_a),
        b=mean_estimate(score, y, shared.design, b.instances.epochs, shared.missing_b),
        only_a=shared.only_a,
        only_b=shared.only_b,
        gained=gained,
        lost=lost,
        correlation=_correlation(x, y),
        unpaired=unpaired,
        unpaired_p=unpaired_p,
        detectable=detectable,
        needed=needed,
        ahead=binomial.probability_above(0.5, gained, gained + lost) if found.flips else None,
        split=split_pair(a, b, score),
    )


def paired_rate(
    a: Table, b: Table, nll: str = "nll", unit: Per = "byte", by: Literal["stratum"] | None = "stratum"
) -> Comparison:
    """The paired difference b - a of nll per unit: bits for each byte, else nats for each word, token or item, which is
    the difference of log perplexity. Lower is better. Only bytes and words mean the same to every tokenizer.

    Each system's rate is a ratio of totals, documents (or clusters) being paired; the error of the difference is the
    jackknife's over them (see `Design.jackknife`). Raises `DataError` without shared instances.
    """
    shared = match(a, b, by)
    nats = math.log(2) if unit == "byte" else 1.0
    x, count_x = a.score(nll)[shared.rows_a] / nats, unit_count(a, unit)[shared.rows_a]
    y, count_y = b.score(nll)[shared.rows_b] / nats, unit_count(b, unit)[shared.rows_b]
    design = shared.design

    def rate(totals: Any) -> Any:
        return totals[..., 0] / totals[..., 1]

    ends = [design.jackknife(design.ratio(*column), [*column], rate) for column in ((x, count_x), (y, count_y))]
    spread = changed((x, count_x), (y, count_y), design)
    how = design.jackknifed(spread)
    form = _Form(rate_name(unit), shared, higher_is_better=False)
    words = ["paired difference of rates", *design.words(spread), how]
    difference = form.estimate(spread, statistics.t_interval(spread), ", ".join(words))
    p, test = _t_test(spread)
    unpaired, unpaired_p = form.unpaired(*ends)
    detectable, needed = _power(difference, spread)
    own = f"{nll}/{unit}s, {how}"
    return Comparison(
        difference=difference,
        p=p,
        test=test,
        a=form.estimate(ends[0], statistics.t_interval(ends[0]), own, shared.missing_a),
        b=form.estimate(ends[1], statistics.t_interval(ends[1]), own, shared.missing_b),
        only_a=shared.only_a,
        only_b=shared.only_b,
        gained=int((y * count_x < x * count_y).sum()),
        lost=int((y * count_x > x * count_y).sum()),
        correlation=_correlation(x - ends[0].value * count_x, y - ends[1].value * count_y),
        unpaired=unpaired,
        unpaired_p=unpaired_p,
        detectable=detectable,
        needed=needed,
    )


def rate_name(unit: Per) -> str:
    """What a rate of nll is called."""
    return {"byte": "bits_per_byte", "item": "log_perplexity"}.get(unit, f"log_{unit}_perplexity")


def changed(first: tuple[Floats, Floats], second: tuple[Floats, Floats], design: Design) -> Spread:
    """The difference second - first of two rates, each a (numerator, denominator), with the jackknife's error."""

    def change(totals: Any) -> Any:
        return totals[..., 2] / totals[..., 3] - totals[..., 0] / totals[..., 1]

    return design.jackknife(design.ratio_difference(first, second), [*first, *second], change)


class Tested(NamedTuple):
    """The paired difference of two systems' scores (n,), its interval and test. `share` is whether both are in [0, 1],
    `flips` whether they are right or wrong on instances that count alike."""

    spread: Spread
    interval: tuple[float, float]
    p: float | None
    test: str
    share: bool
    flips: bool


def tested(x: Floats, y: Floats, design: Design) -> Tested:
    """The difference of means y - x by the test that fits (see `paired`)."""
    spread = design.mean(y - x)
    share = statistics.is_share(x) and statistics.is_share(y)
    binary = statistics.is_binary(x) and statistics.is_binary(y)
    flips = binary and design.clusters is None and design.equal
    interval = statistics.difference_interval(spread) if share else statistics.t_interval(spread)
    p: float | None
    if flips:
        p, test = statistics.mcnemar(int((y > x).sum()), int((y < x).sum())), "exact McNemar"
    elif share and randomisation.FEWEST <= spread.units <= MANY:
        p, test = _randomised(design.contributions(y - x))
    else:
        p, test = _t_test(spread)
    return Tested(spread, interval, p, test, share, flips)


class Shared(NamedTuple):
    """The instances two tables share: their rows in each, their design (strata and clusters are those of a), how many
    instances only one has, and how many trials each lost."""

    rows_a: Ints
    rows_b: Ints
    design: Design
    only_a: int
    only_b: int
    missing_a: int
    missing_b: int


def match(
    a: Table,
    b: Table,
    by: Literal["stratum"] | None = "stratum",
    macro: bool = False,
    unit: statistics.Unit = "instance",
) -> Shared:
    """Pair two tables by instance id. Raises `DataError` where they share none."""
    import numpy as np

    one, two = a.instances, b.instances
    if len(one) == len(two) and bool((one.packed == two.packed).all()):
        rows_a = rows_b = np.arange(len(one))
    else:
        place = {name: row for row, name in enumerate(two.ids)}
        pairs = [(row, place[name]) for row, name in enumerate(one.ids) if name in place]
        if not pairs:
            raise DataError(
                f"the two share no instance (for example {one.packed[0]} and {two.packed[0]}), so nothing can be "
                "paired; compare runs of the same benchmark and sample"
            )
        rows_a, rows_b = np.array(pairs, np.int64).T
    design = Design.of(a, by, macro, unit, other=b).at(rows_a)
    only_a, only_b = len(one) - len(rows_a), len(two) - len(rows_b)
    return Shared(rows_a, rows_b, design, only_a, only_b, one.missing.total(), two.missing.total())


class _Form(NamedTuple):
    """What the estimates of one comparison have in common."""

    name: str
    shared: Shared
    percent: bool = False
    higher_is_better: bool = True

    def estimate(
        self, spread: Spread, interval: tuple[float, float], method: str, missing: int | None = None
    ) -> Estimate:
        return Estimate(
            self.name,
            spread.value,
            spread.se,
            *interval,
            spread.n,
            method,
            clusters=self.shared.design.clustered(spread),
            missing=self.shared.missing_a + self.shared.missing_b if missing is None else missing,
            percent=self.percent,
            higher_is_better=self.higher_is_better,
        )

    def unpaired(self, a: Spread, b: Spread) -> tuple[Estimate, float | None]:
        """What two separate samples would have said: SE² = SE_a² + SE_b², and its p-value."""
        se = None if a.se is None or b.se is None else math.hypot(a.se, b.se)
        spread = b._replace(value=b.value - a.value, se=se, df=a.df + b.df)
        return self.estimate(spread, statistics.t_interval(spread), "unpaired difference, t"), _t_test(spread)[0]


def _t_test(spread: Spread) -> tuple[float | None, str]:
    p = statistics.t_test(spread)
    return p, "no test: the differences have no spread" if p is None else f"t with {spread.df:.4g} degrees of freedom"


def _randomised(contributions: Floats) -> tuple[float, str]:
    p, drawn = randomisation.sign_flip(contributions)
    return p, f"randomisation of signs, {f'{drawn:,} drawn' if drawn else 'all of them'}"


def _correlation(x: Floats, y: Floats) -> float | None:
    """Pearson's correlation over instances; None where one of them does not vary."""
    import numpy as np

    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(np.clip(float(x @ y) / scale, -1, 1)) if scale > 0 else None


def _power(difference: Estimate, spread: Spread) -> tuple[float | None, int | None]:
    """The difference these instances can show and the instances the observed difference takes. The error is the
    observed one, or that of the interval where it is larger: no observed spread does not mean none."""
    if spread.se is None:
        return None, None
    width = (difference.high - difference.low) / 2
    error = max(spread.se, width / statistics.t_quantile(difference.level, max(spread.df, 1)))
    variance = error**2 * spread.n
    needed = power.sample_size(spread.value, variance) if spread.value and variance else None
    return power.detectable_difference(spread.n, variance), needed
