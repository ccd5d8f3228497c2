"""How a score holds up when the same questions are asked in other ways: the mean over the ways, the worst of them for
each question, and what each perturbation changes, paired with the question as it was.

The worst case is that of HELM (Liang et al., arXiv:2211.09110, section 4.4): the mean over questions of the lowest
score among all ways in which each was asked, the original one included. A model that guesses anew each time has a low
worst case by chance alone, so it stands beside the flips and the changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, structs

from howgood.core.errors import DataError, Unsupported
from howgood.core.types import NOT_JUDGED, Estimate
from howgood.interpret.compare import Comparison, paired
from howgood.interpret.design import Design
from howgood.interpret.estimate import mean_estimate
from howgood.interpret.multiple import holm
from howgood.interpret.table import Table
from howgood.interpret.variance import Split, split_prompts

if TYPE_CHECKING:
    import polars as pl

NEEDED = ("id", "variant", "epoch", "stratum", "cluster", "outcome")
"""The columns of trials that are read here, beside the scores."""
FLIPS = "flips"
"""The share of an instance's variants with another score than it has itself."""


class Saved(Protocol):
    """A run as it is kept: its trials by column."""

    @property
    def columns(self) -> list[str]: ...
    def read(self, names: list[str] | None = None) -> pl.DataFrame: ...


class Perturbed(Struct, frozen=True):
    """What one perturbation does to the `change.difference.n` instances that it changes: the mean score over its
    variants (of which there are up to `variants` an instance) beside that of the same instances as they were (`change`,
    b being the perturbed ones); `adjusted` is Holm's p-value over all perturbations of the run."""

    name: str
    variants: int
    change: Comparison
    adjusted: float | None
    worst: Estimate
    flips: Estimate


class Robustness(Struct, frozen=True):
    """A score asked in several ways, on all instances: as they were (`original`), the `mean` over the ways, the `worst`
    way for each instance, the share of variants with another score (`flips`), each perturbation, and where the variance
    comes from (None with fewer than two instances)."""

    score: str
    original: Estimate
    mean: Estimate
    worst: Estimate
    flips: Estimate
    perturbations: tuple[Perturbed, ...]
    split: Split | None


def perturbable(interpret: dict[str, Any]) -> None:
    """Raises `Unsupported` where a benchmark's number is no mean over instances, which alone have a worst case."""
    first = _part(interpret)
    if first["kind"] not in ("mean", "passk"):
        raise Unsupported(
            f"this benchmark's number ({first['kind']}) is no mean over instances, so it has no worst case of each; "
            "leave out --perturb"
        )


def has_variants(run: Saved) -> bool:
    """Whether a run has trials of variants."""
    return "variant" in run.columns and not run.read(["variant"])["variant"].is_null().all()


def originals(run: Saved, names: Sequence[str]) -> pl.DataFrame:
    """Some columns of a run's trials, of the instances as the benchmark has them."""
    import polars as pl

    if not has_variants(run):
        return run.read([*names])
    frame = run.read([*dict.fromkeys([*names, "id", "cluster", "variant"])])
    return _under_original(frame.filter(pl.col("variant").is_null())).select(names)


def made_of(score: str) -> list[str]:
    """The names of the scores that `folded` adds."""
    return [f"{score}_mean", f"{score}_worst", FLIPS]


def folded(frame: pl.DataFrame, score: str, higher_is_better: bool = True) -> pl.DataFrame:
    """Trials (columns `NEEDED` and the scores) as one row for each instance as it was and epoch, with what its variants
    did in three more scores: SCORE_mean and SCORE_worst over all ways in which it was asked, and `flips`. Where one of
    these trials failed the row counts as failed, since its worst case is not known."""
    import polars as pl

    rows = _under_original(frame)
    value, failed = pl.col(score), pl.col("outcome").is_in(NOT_JUDGED)
    worst = value.min() if higher_is_better else value.max()
    was = value.filter(pl.col("variant").is_null()).first()
    other = value.filter(pl.col("variant").is_not_null())
    made = rows.group_by("id", "epoch").agg(
        value.mean().alias(f"{score}_mean"),
        worst.alias(f"{score}_worst"),
        (other != was).mean().fill_null(0.0).alias(FLIPS),
        pl.when(failed.any()).then(pl.lit("failed")).alias("lost"),
    )
    whole = rows.filter(pl.col("variant").is_null()).join(made, on=["id", "epoch"], how="left", maintain_order="left")
    return whole.with_columns(outcome=pl.coalesce("lost", "outcome")).drop("lost", "variant")


def estimates(table: Table, score: str, interpret: dict[str, Any], higher_is_better: bool = True) -> list[Estimate]:
    """The mean over all ways of asking, the worst case and the flips, out of the scores of `folded` trials, weighted
    as the benchmark's number is (`interpret`, its part of the rules)."""
    made = [_estimate(table, name, interpret) for name in made_of(score)]
    return [structs.replace(one, higher_is_better=higher_is_better and one.name != FLIPS) for one in made]


def robustness(
    frame: pl.DataFrame,
    score: str,
    interpret: dict[str, Any],
    kinds: Sequence[str],
    higher_is_better: bool = True,
    **sample: Any,
) -> Robustness:
    """What the variants of a run show, by perturbation in the order of `kinds`; means are weighted as the benchmark's
    number is (`interpret`, its part of the rules). `sample` is what `Table.from_frame` is told of how instances were
    drawn. Raises `DataError` where there are no variants."""
    import polars as pl

    rows = _under_original(frame)
    names = rows["variant"].drop_nulls().unique().to_list()
    if not names:
        raise DataError("this run has no variants of its instances; make them: howgood run ... --perturb typos")
    present = {name.rpartition(".")[0] for name in names}
    whole = Table.from_frame(folded(frame, score, higher_is_better), [score, *made_of(score)], **sample)
    found = []
    for kind in filter(present.__contains__, kinds):
        mine = [name for name in names if name.rpartition(".")[0] == kind]
        part = rows.filter(pl.col("variant").is_null() | pl.col("variant").is_in(mine))
        touched = part.filter(pl.col("variant").is_not_null()).select("id").unique()
        part = part.join(touched, on="id", how="semi", maintain_order="left")
        table = Table.from_frame(folded(part, score, higher_is_better), [score, *made_of(score)], **sample)
        over = _mean_of(part.filter(pl.col("variant").is_not_null()), score)
        change = paired(table, Table.from_frame(over, [score], **sample), score, **_weighting(interpret))
        _, worst, flips = estimates(table, score, interpret, higher_is_better)
        found.append((kind, len(mine), change, worst, flips))
    adjusted = holm([change.p for _, _, change, *_ in found])
    own = structs.replace(_estimate(whole, score, interpret), higher_is_better=higher_is_better)
    mean, worst, flips = estimates(whole, score, interpret, higher_is_better)
    return Robustness(
        score,
        own,
        mean,
        worst,
        flips,
        tuple(
            Perturbed(kind, count, change, p, worst, flips)
            for (kind, count, change, worst, flips), p in zip(found, adjusted, strict=True)
        ),
        split_prompts(list(_ways(rows, score).values()), score) if len(whole.instances.ids) > 1 else None,
    )


def split_difference(a: pl.DataFrame, b: pl.DataFrame, score: str) -> Split | None:
    """Where the variance of a paired difference b - a comes from when both systems were asked in the same ways: the
    parts of `split_prompts` of the differences of single answers. None where they share no two ways or instances."""
    import polars as pl

    keys = ["id", "variant", "epoch"]
    judged = [_under_original(frame).filter(~pl.col("outcome").is_in(NOT_JUDGED)) for frame in (a, b)]
    both = judged[0].join(judged[1].select(*keys, pl.col(score).alias("other")), on=keys, nulls_equal=True)
    rows = both.with_columns((pl.col("other") - pl.col(score)).alias(score)).drop("other")
    ways = _ways(rows, score)
    return split_prompts(list(ways.values()), score) if len(ways) > 1 and rows["id"].n_unique() > 1 else None


def _part(interpret: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = interpret.get("parts", [interpret])[0]
    return first


def _weighting(interpret: dict[str, Any]) -> dict[str, Any]:
    part = _part(interpret)
    return {"macro": part["weighting"] == "stratum", "unit": part["unit"]}


def _estimate(table: Table, name: str, interpret: dict[str, Any]) -> Estimate:
    instances, design = table.instances, Design.of(table, "stratum", **_weighting(interpret))
    return mean_estimate(name, table.score(name), design, instances.epochs, instances.missing.total())


def _under_original(frame: pl.DataFrame) -> pl.DataFrame:
    """Trials under the id of the instance as it was, and in the cluster that it had then."""
    import polars as pl

    id = (
        pl.when(pl.col("variant").is_null())
        .then("id")
        .otherwise(pl.col("id").str.strip_suffix(pl.concat_str(pl.lit("~"), "variant")))
    )
    rows = frame.with_columns(id=id)
    return rows.with_columns(cluster=pl.when(pl.col("cluster") != pl.concat_str(pl.lit("~"), "id")).then("cluster"))


def _mean_of(rows: pl.DataFrame, score: str) -> pl.DataFrame:
    """One row for each instance and epoch: the mean over its variants, failed where one of them is."""
    import polars as pl

    failed = pl.col("outcome").is_in(NOT_JUDGED).any()
    return rows.group_by("id", "epoch", maintain_order=True).agg(
        pl.first("stratum"),
        pl.first("cluster"),
        pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("scored")).alias("outcome"),
        pl.col(score).mean(),
    )


def _ways(rows: pl.DataFrame, score: str) -> Mapping[str, Table]:
    """The scores of all instances by the way in which they were asked; an instance that a perturbation leaves alone has
    its own score in that way."""
    import polars as pl

    names = rows["variant"].drop_nulls().unique(maintain_order=True).to_list()
    plain = rows.filter(pl.col("variant").is_null())
    ways = {"": plain}
    for name in names:
        changed = rows.filter(pl.col("variant") == name)
        ways[name] = pl.concat([changed, plain.join(changed, on=["id", "epoch"], how="anti", maintain_order="left")])
    return {name: Table.from_frame(frame, [score]) for name, frame in ways.items()}
