"""What every system's answers are worth on the questions all of them were asked, and what that says of other questions.

The joint posterior is the Bayesian bootstrap (Rubin 1981, Ann. Stat. 9): a question's weight among all questions that
could be asked is unknown, and Dirichlet given a sample of them. One draw weighs every system's answers alike, so what
is hard for all moves all, and the draws of their difference are paired. Two pseudo-questions are added to each
benchmark: on one a system does as well as it could, on the other as badly, which is which being a coin for each system.
For right or wrong answers the posterior of each system's rate is then exactly that of a uniform prior,
Beta(1 + k, 1 + n - k) (arXiv:2503.01747), and ten right answers of ten are no certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from howgood.core.errors import DataError
from howgood.core.types import NOT_JUDGED, Estimate, Rules, System
from howgood.interpret import statistics
from howgood.interpret.design import Design
from howgood.interpret.robustness import originals
from howgood.interpret.table import Table
from howgood.interpret.usecase import ABSTENTIONS, Part, UseCase

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Floats, Ints

DRAWS = 5_000
WORTH = "worth"
"""The column of what a trial's answer is worth; no score can have the name of a quantity."""


class Saved(Protocol):
    """What is read of a run."""

    @property
    def id(self) -> str: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def system(self) -> System: ...
    @property
    def estimates(self) -> list[Estimate]: ...
    @property
    def took(self) -> list[Estimate]: ...
    @property
    def columns(self) -> list[str]: ...
    def read(self, names: list[str] | None = None) -> pl.DataFrame: ...


class Asked(NamedTuple):
    """One benchmark as the use case sees it: the n instances that all S systems have an answer to.

    `values` holds for each quantity an array (n, S): what the answers are worth, their score, or whether they had an
    outcome. `ends` is what the quantity is at best and at worst. `units` are the codes of independent clusters,
    `weights` what each instance counts. `left` is how many instances not all systems have, `failed` how many trials
    had no answer that could be judged.
    """

    benchmark: str
    weight: float
    values: dict[str, Floats]
    ends: dict[str, tuple[float, float]]
    units: Ints
    weights: Floats
    left: int
    failed: int

    @property
    def n(self) -> int:
        return len(self.weights)

    def sums(self, quantity: str) -> tuple[Floats, Floats]:
        """The quantity's weighted sums by unit, (units, S), and the units' weights."""
        import numpy as np

        whole = np.bincount(self.units, self.weights).astype(np.float64)
        columns = [np.bincount(self.units, self.weights * column) for column in self.values[quantity].T]
        return np.stack(columns, axis=1).astype(np.float64), whole

    def mean(self, quantity: str) -> Floats:
        """The observed mean of each system, (S,)."""
        sums, whole = self.sums(quantity)
        return sums.sum(axis=0) / whole.sum()  # type: ignore[no-any-return]

    def expected(self, quantity: str) -> Floats:
        """The posterior mean of each system, (S,)."""
        sums, whole = self.sums(quantity)
        pseudo = whole.mean()
        return (sums.sum(axis=0) + pseudo * sum(self.ends[quantity])) / (whole.sum() + 2 * pseudo)  # type: ignore[no-any-return]


def draw(asked: Sequence[Asked], quantities: Sequence[str], draws: int = DRAWS, seed: int = 0) -> dict[str, Floats]:
    """Draws (draws, S) from the joint posterior of each quantity's mean over all benchmarks by their weights. The
    benchmarks are independent of each other."""
    import numpy as np

    found: dict[str, Floats] = {}
    for place, one in enumerate(asked):
        rng = np.random.default_rng([seed, place])
        systems = one.values[quantities[0]].shape[1]
        block = max(1, 2_000_000 // (int(one.units.max()) + 3))
        for start in range(0, draws, block):
            rows = min(block, draws - start)
            units = rng.standard_exponential((rows, int(one.units.max()) + 1))
            pseudo = rng.standard_exponential((rows, 2))
            heads = rng.random((rows, systems)) < 0.5
            for quantity in quantities:
                sums, whole = one.sums(quantity)
                size, (best, worst) = whole.mean(), one.ends[quantity]
                good = size * np.where(heads, pseudo[:, :1], pseudo[:, 1:])
                bad = size * np.where(heads, pseudo[:, 1:], pseudo[:, :1])
                total = (units @ whole + size * pseudo.sum(axis=1))[:, None]
                value = (units @ sums + good * best + bad * worst) / total
                found.setdefault(quantity, np.zeros((draws, systems)))[start : start + rows] += one.weight * value
    return found


def gather(case: UseCase, systems: Sequence[Sequence[Saved]], quantities: Sequence[str]) -> list[Asked]:
    """The benchmarks of a use case as the systems answered them; `systems` holds the runs of each system by benchmark,
    in the order of `case.parts`. `quantities` are `worth`, `score` and names of outcomes."""
    return [
        _asked(name, case, part, [runs[place] for runs in systems], quantities)
        for place, (name, part) in enumerate(case.parts.items())
    ]


def _asked(name: str, case: UseCase, part: Part, runs: Sequence[Saved], quantities: Sequence[str]) -> Asked:
    import numpy as np

    tables = [_table(run, case, part, quantities) for run in runs]
    # A stratified sample knows what its instances stand for; the others' are a part of the same benchmark.
    base = next((table for table in tables if table.sizes is not None), tables[0])
    rows, left = _shared(tables)
    n = len(rows[0])
    if not n:
        raise DataError(f"the systems share no instance of {name}, so they cannot be weighed against each other")
    design = _design(base, runs[0].rules).at(rows[tables.index(base)])
    worths = case.worths(part).values()
    return Asked(
        benchmark=name,
        weight=part.weight,
        values={
            quantity: np.stack([t.score(quantity)[r] for t, r in zip(tables, rows, strict=True)], axis=1)
            for quantity in quantities
        },
        ends={
            quantity: {WORTH: (max(worths), min(worths)), "score": (1.0, 0.0)}.get(quantity, (0.0, 1.0))
            for quantity in quantities
        },
        units=np.arange(n) if design.clusters is None else np.unique(design.clusters, return_inverse=True)[1],
        weights=statistics.mean_weights(n, design.strata, design.clusters, design.macro, design.unit, design.weights),
        left=left,
        failed=sum(table.instances.missing.total() for table in tables),
    )


def _shared(tables: Sequence[Table]) -> tuple[list[Ints], int]:
    """Each table's rows of the instances that all of them have, in order of id, and how many only some have."""
    import numpy as np

    first = tables[0].instances.packed
    if all(len(one.instances) == len(first) and bool((one.instances.packed == first).all()) for one in tables[1:]):
        return [np.arange(len(first))] * len(tables), 0
    ids = [set(table.instances.ids) for table in tables]
    shared = sorted(set.intersection(*ids))
    places = [{one: row for row, one in enumerate(table.instances.ids)} for table in tables]
    rows = [np.array([place[one] for one in shared], np.int64) for place in places]
    return rows, len(set.union(*ids)) - len(shared)


def _design(table: Table, rules: Rules) -> Design:
    """How the run's own interpretation weighs its instances."""
    part = rules.interpret.get("parts", [rules.interpret])[0]
    return Design.of(table, "stratum", part.get("weighting") == "stratum", part.get("unit", "instance"))


def headline(run: Saved, part: Part) -> str:
    """The score that a run is judged by."""
    own = rules_score(run.rules)
    return part.score or own or run.estimates[0].name


def rules_score(rules: Rules) -> str | None:
    found: str | None = rules.interpret.get("parts", [rules.interpret])[0].get("score")
    return found


def _table(run: Saved, case: UseCase, part: Part, quantities: Sequence[str]) -> Table:
    import polars as pl

    name = headline(run, part)
    if name not in run.columns:
        raise DataError(f"run {run.id} has no score '{name}' for each answer; name one that it has: score: NAME")
    frame = originals(run, ["id", "epoch", "stratum", "cluster", "outcome", "cost", name])
    judged = ~frame["outcome"].is_in(NOT_JUDGED)
    score = frame[name].fill_null(0.0).fill_nan(0.0)
    if not score.filter(judged).is_between(0, 1).all():
        raise DataError(
            f"{name} of run {run.id} is not between 0 and 1, so it does not say how right an answer is; "
            "name another score of it: score: NAME"
        )
    columns: dict[str, Any] = {}
    for quantity in quantities:
        if quantity == WORTH:
            outcomes, prices = frame["outcome"].to_list(), costs(run, frame, case)
            columns[WORTH] = worth(outcomes, score.to_list(), case.worths(part), prices)
        elif quantity == "score":
            columns["score"] = score
        else:
            columns[quantity] = (frame["outcome"] == quantity).cast(float)
    plain = frame.select("id", "epoch", "stratum", "cluster", "outcome").with_columns(
        pl.Series(quantity, values, pl.Float64) for quantity, values in columns.items()
    )
    sample = run.rules.sample
    return Table.from_frame(plain, list(columns), sample.get("how") == "random", sample.get("strata"))


def costs(run: Saved, frame: pl.DataFrame, case: UseCase) -> list[float]:
    """What each trial's price takes from its worth. Raises `DataError` where a price counts and is not known."""
    if not case.dollar:
        return [0.0] * len(frame)
    if frame.filter(~frame["outcome"].is_in(NOT_JUDGED))["cost"].has_nulls():
        raise DataError(
            f"what the answers of run {run.id} cost is not known, and `dollar` makes it count; "
            "put the model's price into the price table, or leave `dollar` out"
        )
    return [case.dollar * cost for cost in frame["cost"].fill_null(0.0)]


def worth(outcomes: list[str], scores: list[float], worths: dict[str, float], costs: list[float]) -> list[float]:
    """What each answer is worth, less its price (see `UseCase`)."""
    right, wrong = worths["right"], worths["wrong"]
    found = []
    for outcome, score, cost in zip(outcomes, scores, costs, strict=True):
        if outcome in ("partial", "scored"):
            value = wrong + score * (right - wrong)
        elif outcome in ABSTENTIONS:  # one that was cut off keeps what its score gives it
            value = worths[outcome] + score * (right - worths[outcome])
        else:
            value = worths.get(outcome, 0.0)
        found.append(value - cost)
    return found
