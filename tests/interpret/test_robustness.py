"""Scores of variants: the mean over them, the worst of them, flips and paired changes, against figures made by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from howgood.core.errors import DataError, Unsupported
from howgood.interpret.compare import Comparison
from howgood.interpret.estimate import Mean
from howgood.interpret.robustness import (
    estimates,
    folded,
    made_of,
    originals,
    perturbable,
    robustness,
    split_difference,
)
from howgood.interpret.table import Table

MEAN = Mean().describe()
# Four questions; the last is one that no typo was made in. Rows: id, as asked, case.1, typos.1, typos.2.
ASKED: dict[str, tuple[float | None, ...]] = {
    "a": (1, 1, 1, 0),
    "b": (1, 0, 0, 0),
    "c": (0, 1, 0, 1),
    "d": (1, 1, None, None),
}
WAYS = (None, "case.1", "typos.1", "typos.2")


def trials(asked: dict[str, tuple[float | None, ...]], lost: str = "", cluster: str | None = None) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for id, scores in asked.items():
        for way, score in zip(WAYS, scores, strict=True):
            if score is not None:
                name = id if way is None else f"{id}~{way}"
                rows.append(
                    {
                        "id": name,
                        "variant": way,
                        "epoch": 0,
                        "stratum": None,
                        "cluster": cluster or f"~{id}",
                        "outcome": "failed" if name == lost else "right" if score else "wrong",
                        "acc": None if name == lost else float(score),
                    }
                )
    schema = {"id": pl.String, "variant": pl.String, "epoch": pl.Int32, "stratum": pl.String, "cluster": pl.String}
    return pl.DataFrame(rows, schema=schema | {"outcome": pl.String, "acc": pl.Float64})


def test_one_row_an_instance_with_its_mean_its_worst_and_its_flips() -> None:
    made = folded(trials(ASKED), "acc")
    assert made["id"].to_list() == ["a", "b", "c", "d"]
    assert made["acc"].to_list() == [1, 1, 0, 1]
    assert made["acc_mean"].to_list() == [3 / 4, 1 / 4, 1 / 2, 1]
    assert made["acc_worst"].to_list() == [0, 0, 0, 1]
    assert made["flips"].to_list() == pytest.approx([1 / 3, 1, 2 / 3, 0])
    assert (
        made["cluster"].to_list() == [None] * 4
    )  # the clusters that only hold an instance and its variants are undone
    assert folded(trials(ASKED, cluster="passage"), "acc")["cluster"].to_list() == ["passage"] * 4


def test_the_worst_of_what_should_be_low_is_the_highest() -> None:
    assert folded(trials(ASKED), "acc", higher_is_better=False)["acc_worst"].to_list() == [1, 1, 1, 1]


def test_an_instance_with_a_failed_variant_is_missing() -> None:
    made = folded(trials(ASKED, lost="b~typos.2"), "acc")
    assert dict(zip(made["id"], made["outcome"], strict=True)) == {
        "a": "right",
        "b": "failed",
        "c": "wrong",
        "d": "right",
    }
    table = Table.from_frame(made, ["acc", *made_of("acc")])
    mean, worst, _ = estimates(table, "acc", MEAN)
    assert (mean.n, mean.missing, mean.value) == (3, 1, pytest.approx(0.75))
    assert worst.value == pytest.approx(1 / 3)


def test_all_of_it_by_hand() -> None:
    found = robustness(trials(ASKED), "acc", MEAN, ["seed", "case", "typos"])
    assert found.original.value == 0.75
    assert found.mean.value == pytest.approx(2.5 / 4)
    assert found.worst.value == 0.25
    assert found.flips.value == pytest.approx((1 / 3 + 1 + 2 / 3) / 4)
    assert not found.flips.higher_is_better
    case, typos = found.perturbations
    assert (case.name, case.variants, typos.name, typos.variants) == ("case", 1, "typos", 2)
    # Case: b is lost, c is won; of four nothing is changed on average, and McNemar's test sees one each way.
    assert case.change.difference.value == pytest.approx(0)
    assert (case.change.gained, case.change.lost, case.change.p) == (1, 1, 1.0)
    assert case.worst.value == pytest.approx(2 / 4)
    # Typos: on a, b and c alone, (-1/2 - 1 + 1/2)/3.
    assert (typos.change.difference.n, typos.change.difference.value) == (3, pytest.approx(-1 / 3))
    assert typos.flips.value == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert typos.worst.value == pytest.approx(0)
    assert case.adjusted == 1.0


def test_the_variance_is_split_over_questions_and_ways() -> None:
    found = robustness(trials(ASKED), "acc", MEAN, ["case", "typos"])
    assert found.split is not None
    # An untouched instance has its own score in every way, so the four ways are crossed with the four questions.
    assert (found.split.n, found.split.prompts) == (4, 4)
    grid = [[1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]
    rows, columns = [sum(r) / 4 for r in grid], [sum(c) / 4 for c in zip(*grid, strict=True)]
    whole = sum(rows) / 4
    rest = sum((grid[i][j] - rows[i] - columns[j] + whole) ** 2 for i in range(4) for j in range(4)) / 9
    assert found.split.question == pytest.approx(sum((r - whole) ** 2 for r in rows) / 3 - rest / 4)
    assert found.split.prompt == pytest.approx(max(0.0, sum((c - whole) ** 2 for c in columns) / 3 - rest / 4))


def test_a_difference_of_two_systems_is_split_over_the_same_ways() -> None:
    same = split_difference(trials(ASKED), trials(ASKED), "acc")
    assert same is not None
    assert same.parts == {"question": 0, "prompt": 0, "prompt and question": 0}
    # One way costs every question its point: all of the variance is the prompt's.
    full = dict.fromkeys("abcd", (1.0,) * 4)
    hurt = dict.fromkeys("abcd", (1.0, 0.0, 1.0, 1.0))
    split = split_difference(trials(full), trials(hurt), "acc")
    assert split is not None
    assert split.question == 0
    assert split.prompt == pytest.approx(0.25)  # the variance of 0, -1, 0, 0
    plain = trials(dict.fromkeys("abcd", (1.0, None, None, None)))
    assert split_difference(plain, plain, "acc") is None


def test_only_a_mean_over_instances_has_a_worst_case() -> None:
    perturbable(MEAN)
    with pytest.raises(Unsupported, match="leave out --perturb"):
        perturbable({"kind": "perplexity", "score": "nll", "weighting": "total"})
    with pytest.raises(DataError, match="no variants"):
        robustness(trials({"a": (1, None, None, None)}), "acc", MEAN, ["case"])


class Kept:
    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def read(self, names: list[str] | None = None) -> pl.DataFrame:
        return self.frame.select(names or self.frame.columns)


def test_what_reads_a_run_elsewhere_sees_its_instances_as_they_were() -> None:
    frame = trials(ASKED)
    assert originals(Kept(frame), ["acc"])["acc"].to_list() == [1, 1, 0, 1]
    assert originals(Kept(frame), ["id", "cluster"]).rows() == [(id, None) for id in "abcd"]
    older = frame.filter(pl.col("variant").is_null()).drop("variant")
    assert originals(Kept(older), ["acc"])["acc"].to_list() == [1, 1, 0, 1]


def test_the_change_is_a_comparison_like_any_other() -> None:
    (case, _) = robustness(trials(ASKED), "acc", MEAN, ["case", "typos"]).perturbations
    assert isinstance(case.change, Comparison)
    assert case.change.test == "exact McNemar"
