"""Trials as columns and as instances."""

from __future__ import annotations

import math
import random
import time

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from score_tables import trial

from howgood.core.errors import DataError
from howgood.core.types import Trial
from howgood.interpret.estimate import Mean
from howgood.interpret.table import Table


def some_trials() -> list[Trial]:
    return [
        trial("b", 0, "s2", "p", acc=1, f1=0.5),
        trial("b", 1, "s2", "p", acc=0, f1=1.0),
        trial("a", 0, "s1", None, acc=1, f1=1.0),
        trial("a", 1, "s1"),
        trial("c", 0, "s1", "p"),
        trial("c", 1, "s1", "p"),
    ]


def frame_of(trials: list[Trial]) -> pl.DataFrame:
    rows = [
        {
            "id": t.instance.id,
            "epoch": t.epoch,
            "stratum": t.instance.stratum,
            "cluster": t.instance.cluster,
            "outcome": t.score.outcome,
            "acc": t.score.values.get("acc"),
            "f1": t.score.values.get("f1"),
        }
        for t in trials
    ]
    return pl.DataFrame(rows, schema_overrides={"epoch": pl.Int32, "stratum": pl.String, "cluster": pl.String})


def test_instances_average_their_epochs_and_leave_failures_out() -> None:
    instances = Table.of(some_trials()).instances
    assert instances.ids == ["a", "b"]
    assert instances.scores["acc"].tolist() == [1, 0.5]
    assert instances.scores["f1"].tolist() == [1, 0.75]
    assert instances.strata is not None
    assert [instances.names[code] for code in instances.strata] == ["s1", "s2"]
    assert instances.epochs == 2
    assert dict(instances.missing) == {"s1": 3}


def test_a_frame_gives_the_same_as_its_trials_in_order_of_id() -> None:
    trials = some_trials()
    in_order = [*trials[2:4], *trials[:2], *trials[4:]]
    one, two = Table.of(in_order), Table.from_frame(frame_of(trials), ["acc", "f1"])
    for mine, others in zip((one.ids, one.strata, one.clusters), (two.ids, two.strata, two.clusters), strict=True):
        assert list(mine) == list(others)
    assert one.failed.tolist() == two.failed.tolist() == [False, True, False, False, True, True]
    assert one.epochs.tolist() == two.epochs.tolist()
    for name in ("acc", "f1"):
        np.testing.assert_array_equal(one.scores[name], two.scores[name])


def test_rows_in_order_of_id_are_not_copied() -> None:
    frame = frame_of([trial(name, acc=x, f1=x / 2) for name, x in [("c", 1), ("a", 0), ("b", 1)]])
    table = Table.from_frame(frame, ["acc", "f1"])
    assert table.instances.ids == ["a", "b", "c"]
    assert table.score("acc").tolist() == [0, 1, 1]
    assert table.score("f1").tolist() == [0, 0.5, 0.5]
    assert np.shares_memory(table.score("acc"), table.scores["acc"])


def test_a_frame_keeps_the_parts_beside_their_trials() -> None:
    frame = frame_of([trial(name, acc=1, f1=1) for name in "cab"])
    parts = pl.Series("parts", ['[["third",1.0]]', '[["first",0.0]]', None])
    table = Table.from_frame(frame.with_columns(parts), ["acc"])
    assert list(zip(table.ids, table.parts, strict=True)) == [
        ("a", (("first", 0.0),)),
        ("b", ()),
        ("c", (("third", 1.0),)),
    ]


def test_trials_keep_their_parts() -> None:
    made = [trial(name, acc=1) for name in "cab"]
    judged = replace(made[1], score=replace(made[1].score, parts=(("first", 0.0),)))
    table = Table.of([made[0], judged, made[2]])
    assert list(zip(table.ids, table.parts, strict=True)) == [("a", (("first", 0.0),)), ("b", ()), ("c", ())]
    assert Table.of(made).parts == ()


def test_the_sizes_of_a_stratified_sample_weigh_the_same_from_a_frame() -> None:
    trials, sizes = some_trials(), {"s1": 30, "s2": 10}
    one, two = Table.of(trials, sizes=sizes), Table.from_frame(frame_of(trials), ["acc", "f1"], sizes=sizes)
    assert Mean()(one) == Mean()(two)
    assert Mean()(two)[0][0].value == 0.75 * 1 + 0.25 * 0.5


def test_failures_before_the_first_score() -> None:
    trials = some_trials()
    assert Table.of(reversed(trials)).instances.scores["f1"].tolist() == [1, 0.75]


def test_strata_without_a_name_are_one_stratum_without_a_group() -> None:
    mixed = Table.of([trial("a", 0, "s", acc=1), trial("b", acc=0), trial("c", acc=0), trial("d", 0, "s", acc=1)])
    assert mixed.instances.names == ["s", None]
    assert [(name, rows.tolist()) for name, rows in mixed.instances.by_stratum()] == [("s", [0, 3])]


def test_an_instance_without_a_cluster_is_its_own() -> None:
    trials = [trial(n, cluster=c, acc=1) for n, c in [("a", "p"), ("b", None), ("c", "p"), ("d", None)]]
    clusters = Table.of(trials).instances.clusters
    assert clusters is not None
    assert clusters[0] == clusters[2]
    assert len(set(clusters.tolist())) == 3


def test_bad_scores_are_named() -> None:
    with pytest.raises(DataError, match="score acc of instance b is nan"):
        Table.of([trial("a", acc=1.0), trial("b", acc=math.nan)])
    with pytest.raises(DataError, match="score acc of instance a is nan"):
        Table.from_frame(frame_of([trial("a", f1=1.0)]), ["acc"])
    with pytest.raises(DataError, match="instance b has the scores f1, others acc"):
        Table.of([trial("a", acc=1.0), trial("b", f1=1.0)])
    with pytest.raises(DataError, match="no score 'acc'; these trials have f1"):
        Table.of([trial("a", f1=1.0)]).score("acc")


def test_a_trial_given_twice_is_refused() -> None:
    with pytest.raises(DataError, match="instance a, epoch 1, is there twice"):
        _ = Table.of([trial("a", 1, acc=1), trial("b", 1, acc=1), trial("a", 1, acc=1)]).instances
    with pytest.raises(DataError, match="instance a, epoch 1, is there twice"):  # once failed, after another epoch
        _ = Table.of([trial("b", acc=1), trial("a", 1, acc=1), trial("a", acc=1), trial("a", 1)]).instances


def test_nothing_scored_is_an_error() -> None:
    with pytest.raises(DataError, match="none of 2 trials has a score"):
        _ = Table.of([trial("a"), trial("b")]).instances
    with pytest.raises(DataError, match="none of 2 trials has a score"):
        Table.of([trial("a"), trial("b")], names=["acc"]).score("acc")


def test_scores_stand_in_the_order_that_is_given() -> None:
    trials = [trial("b", f1=0.25, acc=0), trial("c"), trial("a", acc=1, f1=0.5)]
    table = Table.of(trials, names=["acc", "f1"])
    assert {name: table.score(name).tolist() for name in table.scores} == {"acc": [1, 0], "f1": [0.5, 0.25]}
    assert list(table.scores) == ["acc", "f1"]
    assert list(Table.of(trials).scores) == ["f1", "acc"]


@pytest.mark.slow
def test_a_million_trials_take_seconds() -> None:
    n = 1_000_000
    ids = [f"question-{i}" for i in range(n)]
    random.Random(0).shuffle(ids)
    frame = pl.DataFrame({"id": ids, "epoch": np.zeros(n, np.int32), "stratum": [f"s{i % 57}" for i in range(n)]})
    acc = np.random.default_rng(0).integers(0, 2, n).astype(float)
    frame = frame.with_columns(cluster=pl.lit(None, pl.String), outcome=pl.lit("right"), acc=pl.Series(acc))
    begun = time.process_time()
    (estimate, *_), groups = Mean()(Table.from_frame(frame, ["acc"]))
    assert time.process_time() - begun < 15
    assert estimate.value == pytest.approx(acc.mean())
    assert len(groups) == 57
