"""How the instances of an evaluation hang together: what every error depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from howgood.core.errors import DataError
from howgood.interpret import statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from howgood.interpret.statistics import Floats, Ints, Spread
    from howgood.interpret.table import Table


class Design(NamedTuple):
    """The fixed strata and the clusters of the instances (codes, None where there are none), and how a mean weighs
    them: `macro` for strata alike, `unit` for what counts once within. `sizes` are how many instances each stratum has
    in the whole benchmark, by code, then those of strata without an instance here; None where instances count alike."""

    strata: Ints | None = None
    clusters: Ints | None = None
    macro: bool = False
    unit: statistics.Unit = "instance"
    sizes: Ints | None = None

    @classmethod
    def of(
        cls,
        table: Table,
        by: Literal["stratum"] | None,
        macro: bool = False,
        unit: statistics.Unit = "instance",
        other: Table | None = None,
    ) -> Design:
        """That of a table, or of what it shares with the `other` it is paired with (strata and clusters are its own).

        The strata of a random sample are left out unless the mean is macro or their sizes are known: their shares in it
        are random, and only fixed weights make the error one of the strata alone. What a random sample and a whole run
        share is a random sample. What a stratified sample and anything else share is weighted by the sample's sizes;
        two stratified samples of different sizes have no common whole, so their instances count alike.
        """
        instances, tables = table.instances, [table] if other is None else [table, other]
        sizes = None if macro else _common([t.sizes for t in tables if t.sizes is not None])
        fixed = macro or sizes is not None or (by is not None and not any(t.random_sample for t in tables))
        strata = instances.strata if fixed else None
        coded = None if sizes is None else _by_code(sizes, instances.names)
        return cls(strata, instances.clusters, macro, unit, coded)

    @property
    def weights(self) -> Floats | None:
        """How many instances of the whole benchmark each one stands for, N_h/n_h; None where each counts one.
        Raises `DataError` where a stratum has more instances here than in the whole."""
        import numpy as np

        if self.sizes is None or self.strata is None:
            return None
        held = np.bincount(self.strata, minlength=len(self.sizes))
        if (over := np.flatnonzero(held > self.sizes)).size:
            raise DataError(
                f"a stratum has {held[over[0]]} instances here but {self.sizes[over[0]]} in the whole benchmark by the "
                "sizes in the rules; the run's rules and its trials do not belong together"
            )
        return (self.sizes / np.maximum(held, 1))[self.strata]

    @property
    def equal(self) -> bool:
        """Whether every instance counts the same in a mean."""
        weights = self.weights
        return not self.macro and (weights is None or weights.min() == weights.max())

    def at(self, rows: Ints) -> Design:
        """The design of some of the instances."""
        strata, clusters = (None if codes is None else codes[rows] for codes in (self.strata, self.clusters))
        return self._replace(strata=strata, clusters=clusters)

    def within(self, rows: Ints) -> Design:
        """The design of instances that are one stratum."""
        return self._replace(strata=None, macro=False, sizes=None).at(rows)

    def mean(self, values: Floats) -> Spread:
        return statistics.mean_se(values, self.strata, self.clusters, self.macro, self.unit, self.weights)

    def contributions(self, values: Floats) -> Floats:
        """What each independent unit (a cluster, or an instance) adds to the weighted sum that `mean` divides."""
        import numpy as np

        weight = statistics.mean_weights(len(values), self.strata, self.clusters, self.macro, self.unit, self.weights)
        if self.clusters is None:
            return values * weight
        units = np.unique(self.clusters, return_inverse=True)[1]
        return np.bincount(units, values * weight).astype(np.float64)

    def ratio(self, numerator: Floats, denominator: Floats) -> Spread:
        y, x = self.weighted(numerator), self.weighted(denominator)
        return statistics.ratio_se(y, x, self.strata, self.clusters)

    def ratio_difference(self, first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Spread:
        y1, x1, y2, x2 = map(self.weighted, (*first, *second))
        return statistics.ratio_difference_se((y1, x1), (y2, x2), self.strata, self.clusters)

    def weighted(self, column: Floats) -> Floats:
        """A column whose total is that of the whole benchmark."""
        weights = self.weights
        return column if weights is None else column * weights

    def clustered(self, spread: Spread) -> int | None:
        """The number of clusters, None where no instance is in one."""
        return None if self.clusters is None else spread.units

    def words(self, spread: Spread) -> list[str]:
        """What was done, for the method of an estimate."""
        import numpy as np

        said = []
        held = None if self.strata is None else np.flatnonzero(np.bincount(self.strata))
        strata = 1 if held is None else len(held)
        if strata > 1:
            said.append(f"{'macro over' if self.macro else 'stratified by'} {strata} strata")
        if self.sizes is not None and self.strata is not None:
            whole, present = self.sizes.sum(), self.sizes[held].sum()
            said.append(f"weighted to {f'{present:,} of ' if present < whole else ''}{whole:,} instances")
        if self.clusters is not None:
            counted = ", each counting once" if self.unit == "cluster" else ""
            said.append(f"CR1 over {spread.units} clusters{counted}")
        return said

    def jackknife(self, spread: Spread, columns: list[Floats], statistic: Callable[[Any], Any]) -> Spread:
        """The spread of a statistic of the columns' totals, weighted as in `ratio`, by leaving out one independent unit
        at a time; `spread` is its linearised one. The last column holds what the instances weigh: the denominator.

        Where few long texts make up most of the total, the linearised error is too small and there is less to learn
        from than the number of texts; the jackknife's error with the degrees of freedom of as many equal texts (Kish
        1965) holds its level there, and so does no bootstrap (docs/coverage.md).
        """
        if spread.se is None:
            return spread
        totals, strata = self._totals(columns)
        se = statistics.jackknife(totals, statistic, strata)
        weight = totals[:, -1]
        equal = float(weight.sum() ** 2 / (weight**2).sum())
        return spread._replace(se=se, df=max(1.0, equal - spread.strata), equal_units=equal)

    def interval(
        self, spread: Spread, columns: list[Floats], statistic: Callable[[Any], Any]
    ) -> tuple[float, float, str]:
        """The interval of a statistic as in `jackknife`, and the name of the method."""
        found = self.jackknife(spread, columns, statistic)
        return *statistics.t_interval(found), self.jackknifed(found)

    def jackknifed(self, spread: Spread) -> str:
        """What `jackknife` did, for the method of an estimate."""
        if spread.se is None:
            one = "one document" if self.clusters is None else "one cluster of documents"
            return f"{one}: no interval; split the text to get one"
        units = f"{spread.units} {'instances' if self.clusters is None else 'clusters'}"
        return f"jackknife over {units}, t with {spread.df:.3g} degrees of freedom"

    def _totals(self, columns: list[Floats]) -> tuple[Floats, Ints]:
        """Columns summed within each independent unit, (units, columns), and each unit's stratum."""
        import numpy as np

        groups, units = statistics.nested(self.strata, self.clusters, len(columns[0]))
        weighted = [self.weighted(column) for column in columns]
        if units is None:
            return np.stack(weighted, axis=1), groups
        totals: Floats = np.stack([np.bincount(units, column) for column in weighted], axis=1)
        return totals, groups[np.unique(units, return_index=True)[1]]


def _common(known: list[dict[str, int]]) -> dict[str, int] | None:
    """The sizes that all who know them agree on."""
    return known[0] if known and all(sizes == known[0] for sizes in known) else None


def _by_code(sizes: dict[str, int], names: list[str | None]) -> Ints:
    """The sizes of the named strata (0 where unknown), then those of all others."""
    import numpy as np

    here = [name or "" for name in names]
    return np.array([sizes.get(name, 0) for name in here] + [n for name, n in sizes.items() if name not in here])
