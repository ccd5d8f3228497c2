"""pass@k, pass^k, G-Pass@k and the majority of k, against published values and all subsets drawn one by one."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from score_tables import trial

from howgood.core.errors import DataError
from howgood.interpret import passk
from howgood.interpret.compare import compare
from howgood.interpret.passk import PassK, majority, solved
from howgood.interpret.table import Table


def test_published_values() -> None:
    assert passk.pass_at_k(10, 3, 5) == pytest.approx(0.9166667, abs=5e-8)
    assert passk.pass_hat_k(8, 6, 4) == pytest.approx(0.2142857, abs=5e-8)
    for share, value in ((0.25, 0.961538), (0.5, 0.715385), (0.75, 0.284615), (1.0, 0.038462)):
        assert passk.g_pass_at_k(16, 8, 4, share) == pytest.approx(value, abs=5e-7)
    assert passk.mean_g_pass_at_k(16, 8, 4) == pytest.approx(0.161538, abs=5e-7)


@given(st.integers(1, 9), st.data())
def test_they_are_averages_over_all_subsets(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    drawn = [sum(some) for some in combinations([1] * c + [0] * (n - c), k)]
    assert passk.pass_at_k(n, c, k) == pytest.approx(fmean(x >= 1 for x in drawn))
    assert passk.pass_hat_k(n, c, k) == pytest.approx(fmean(x == k for x in drawn))
    assert passk.g_pass_at_k(n, c, k, 0.5) == pytest.approx(fmean(2 * x >= k and x > 0 for x in drawn))
    assert passk.g_pass_at_k(n, c, k, 1) == passk.pass_hat_k(n, c, k)
    assert passk.g_pass_at_k(n, c, k, 0) == pytest.approx(passk.pass_at_k(n, c, k))


def voted(some: tuple[int, ...], right: list[float]) -> float:
    """The mean score of the answers that most of `some` give; -1 says nothing."""
    votes = {answer: some.count(answer) for answer in set(some) - {-1}}
    if not votes:
        return 0.0
    return fmean(right[answer] for answer, count in votes.items() if count == max(votes.values()))


@settings(max_examples=60)
@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=9), st.lists(st.sampled_from([0, 0.5, 1]), min_size=4), st.data()
)
def test_the_majority_is_exact(answers: list[int], right: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(answers)))
    counts = [answers.count(answer) for answer in range(4)]
    expected = fmean(voted(some, right) for some in combinations(answers, k))
    assert passk.majority_at_k(counts, right, k, answers.count(-1)) == pytest.approx(expected)


def test_the_majority_of_two_answers_is_the_binomial_in_the_limit() -> None:
    # Five answers, each right with probability 0.6: P(Bin(5, 0.6) >= 3) = 0.68256.
    assert binom.sf(2, 5, 0.6) == pytest.approx(0.68256)
    assert passk.majority_at_k([600, 400], [1, 0], 5) == pytest.approx(0.68256, abs=1e-3)
    errors = [abs(passk.majority_at_k([3 * n, 2 * n], [1, 0], 5) - 0.68256) for n in (10, 40, 160)]
    assert errors[0] > 3.5 * errors[1] > 12 * errors[2]  # in inverse ratio to their number
    # An even number can tie, and a tie is half right: C(4,2)·0.6²·0.4²/2 more.
    assert passk.majority_at_k([600, 400], [1, 0], 4) == pytest.approx(binom.sf(2, 4, 0.6) + 0.3456 / 2, abs=1e-3)


def test_impossible_draws_are_refused() -> None:
    for draw in (passk.pass_at_k, passk.pass_hat_k):
        for n, c, k in ((3, 1, 4), (3, 4, 2), (3, 1, 0)):
            with pytest.raises(DataError, match="cannot be drawn"):
                draw(n, c, k)
    with pytest.raises(DataError, match="at most 1,000 answers"):
        passk.majority_at_k([600, 401], [1, 0], 5)


def epochs(**right: list[int]) -> Table:
    return Table.of([trial(name, e, acc=x) for name, xs in right.items() for e, x in enumerate(xs)])


def test_a_run_with_epochs() -> None:
    (first, *others), groups = PassK((2, 4))(epochs(a=[1, 1, 0, 0], b=[0, 0, 0, 0], c=[1, 1, 1, 0]))
    each = [passk.pass_at_k(4, c, 2) for c in (2, 0, 3)]
    assert (first.name, first.n, first.value) == ("pass@2", 3, pytest.approx(np.mean(each)))
    assert first.se == pytest.approx(np.std(each, ddof=1) / 3**0.5)  # over instances, not over 12 answers
    assert [e.name for e in others] == ["pass^2", "pass@4", "pass^4"]
    assert others[0].value == pytest.approx((1 / 6 + 0 + 1 / 2) / 3)
    assert (others[1].value, others[2].value) == (pytest.approx(2 / 3), 0)
    assert groups == []


def test_instances_with_too_few_answers_are_missing() -> None:
    rows = [trial("a", e, acc=1) for e in range(3)] + [trial("b", 0, acc=1), trial("b", 1), trial("b", 2, acc=0)]
    (first, *_), _ = PassK((3,))(Table.of(rows))
    assert (first.n, first.missing, first.value) == (1, 1, 1)
    with pytest.raises(DataError, match="none has more than 3; run it with --epochs 5"):
        solved(Table.of(rows), [5])


def test_partial_scores_have_no_pass() -> None:
    with pytest.raises(DataError, match="right or wrong, and 'f1' has values between"):
        solved(Table.of([trial("a", 0, f1=0.5)]), [1])


def test_strata_and_clusters_are_kept() -> None:
    rows = [trial(f"{s}{i}", e, s, acc=(i + e) % 2) for s in "xy" for i in range(4) for e in range(2)]
    found, groups = PassK((1, 2))(Table.of(rows))
    assert [g.group for g in groups] == ["x", "y"]
    assert (groups[0].value, found[1].value, found[2].value) == (0.5, 1, 0)


def test_runs_are_compared_by_their_pass_at_k() -> None:
    a, b = epochs(x=[1, 0, 0], y=[0, 0, 0]), epochs(x=[1, 1, 0], y=[0, 0, 0])
    found = compare(a, b, PassK((2,)).describe())
    assert (found.difference.name, found.difference.value) == ("pass@2", pytest.approx((1 - 2 / 3) / 2))
    assert compare(a, b, PassK((2,)).describe(), "acc").difference.value == pytest.approx(1 / 6)


def test_the_majority_of_a_runs_epochs() -> None:
    rows = [
        ("q", "18", "right", 1.0), ("q", "18.0", "right", 1.0), ("q", "7", "wrong", 0.0), ("q", None, "empty", 0.0),
        ("r", "no", "wrong", 0.0), ("r", "yes", "right", 1.0), ("r", "No", "wrong", 0.0), ("r", "no", "wrong", 0.0),
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["id", "answer", "outcome", "acc"], orient="row")
    table = epochs(q=[1, 1, 0, 0], r=[0, 1, 0, 0])
    found = majority(frame, table, [1, 3, 4])
    # Of q's four triples one holds both 18s and the 7, one both and nothing, and two one 18, the 7 and nothing: a tie.
    assert found.score("majority@3").tolist() == pytest.approx([(1 + 1 + 0.5 + 0.5) / 4, 0])
    assert found.score("majority@4").tolist() == [1, 0]
    assert found.score("majority@1").tolist() == pytest.approx([0.5, 0.25])
