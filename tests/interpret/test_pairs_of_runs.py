"""The instances behind a comparison, against what is counted by hand and what the comparison itself says."""

from __future__ import annotations

import numpy as np
import pytest
from score_tables import documents, table

from howgood.core.errors import DataError
from howgood.interpret.agreement import cohen, cohen_of_counts
from howgood.interpret.compare import compare, paired, paired_rate
from howgood.interpret.pairs import alike, by_group, counts, pair

MEAN = {"kind": "mean", "score": "acc", "weighting": "instance", "unit": "instance"}
A = [1, 1, 1, 1, 0, 0, 0, 0, 1, 0]
B = [1, 1, 0, 0, 1, 0, 0, 0, 1, 0]
"""Both right on 3, only a on 2, only b on 1, neither on 4."""
STRATA = list("xxxxxyyyyy")


def test_flips_are_counted_by_hand() -> None:
    pairs = pair(table(acc=A), table(acc=B), MEAN)
    found = counts(pairs)
    assert (found.gained, found.lost, found.both, found.neither, found.same) == (1, 2, 3, 4, 7)
    made = compare(table(acc=A), table(acc=B), MEAN)
    assert (made.gained, made.lost) == (found.gained, found.lost)
    assert [name for name, change in zip(pairs.ids, pairs.change, strict=True) if change > 0] == ["i004"]


def test_scores_that_are_no_flips() -> None:
    pairs = pair(table(acc=[0.5, 0.2, 0.9]), table(acc=[0.7, 0.2, 0.1]), MEAN)
    found = counts(pairs)
    assert (found.gained, found.lost, found.same, found.both, found.neither) == (1, 1, 1, None, None)
    like = alike(pairs)
    assert like.same is None
    assert like.correlation == pytest.approx(np.corrcoef([0.5, 0.2, 0.9], [0.7, 0.2, 0.1])[0, 1])


def test_agreement_is_cohens() -> None:
    like = alike(pair(table(acc=A), table(acc=B), MEAN))
    # By hand: they agree on 7 of 10; by chance on 0.5·0.4 + 0.5·0.6 = 0.5.
    assert like.same == 0.7
    assert like.kappa is not None
    assert like.kappa.value == pytest.approx((0.7 - 0.5) / 0.5)
    assert like.kappa == cohen(A, B) == cohen_of_counts([[4, 1], [2, 3]])


def test_agreement_with_one_that_is_always_right_cannot_be_told() -> None:
    like = alike(pair(table(acc=[1] * 10), table(acc=[1] * 10), MEAN))
    assert like.same == 1.0
    assert like.kappa is None


def test_a_group_is_compared_as_if_it_were_alone() -> None:
    first, second = table(strata=STRATA, acc=A), table(strata=STRATA, acc=B)
    x, y = by_group(pair(first, second, MEAN))
    assert [x.difference.group, y.difference.group] == ["x", "y"]
    alone = paired(table(acc=A[:5]), table(acc=B[:5]), "acc")
    for name in ("value", "se", "low", "high", "n", "percent"):
        assert getattr(x.difference, name) == getattr(alone.difference, name)
    assert x.p == alone.p
    assert x.difference.value == pytest.approx(-0.2)
    assert (x.gained, x.lost, y.gained, y.lost) == (1, 2, 0, 0)
    assert x.adjusted == 1.0  # exact McNemar of 1 against 2 is 1


def test_p_values_of_groups_answer_for_all_of_them() -> None:
    n = 12
    strata = ["x"] * n + ["y"] * n + ["z"] * n
    a, b = [0] * (3 * n), [1] * n + [1, 0] * (n // 2) + [0] * n
    found = by_group(pair(table(strata=strata, acc=a), table(strata=strata, acc=b), MEAN))
    p = [group.p for group in found]
    assert p == [pytest.approx(2 * 0.5**12), pytest.approx(2 * 0.5**6), 1.0]
    assert [group.adjusted for group in found] == [pytest.approx(3 * 2 * 0.5**12), pytest.approx(4 * 0.5**6), 1.0]


def test_rates_by_group() -> None:
    one, other = documents(1, 40), documents(1, 40)
    other["nll"] = [value * 0.9 for value in one["nll"]]
    strata = ["news"] * 20 + ["prose"] * 20
    rules = {"kind": "perplexity", "score": "nll", "units": ["word", "byte"]}
    pairs = pair(table(strata=strata, **one), table(strata=strata, **other), rules)
    assert not pairs.higher_is_better
    assert counts(pairs).gained == 40
    news = by_group(pairs)[0]
    alone = paired_rate(
        table(**{k: v[:20] for k, v in one.items()}), table(**{k: v[:20] for k, v in other.items()}), "nll", "byte"
    )
    assert news.difference.value == pytest.approx(alone.difference.value)
    assert news.difference.low == pytest.approx(alone.difference.low)
    assert news.p == alone.p
    assert (news.gained, news.lost) == (20, 0)


def test_runs_that_share_some_instances_are_paired_by_id() -> None:
    pairs = pair(table(acc=A), table(acc=B[:4]), MEAN)
    assert pairs.ids == ["i000", "i001", "i002", "i003"]
    assert counts(pairs).lost == 2
    other = table(acc=[1.0])
    object.__setattr__(other, "ids", ["else"])
    with pytest.raises(DataError, match="share no instance"):
        pair(table(acc=A), other, MEAN)
