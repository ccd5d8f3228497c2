from __future__ import annotations

import numpy as np
import pytest
from battle_tables import drawn, expanded

from howgood.core.errors import DataError
from howgood.interpret.joint import critical, critical_of_pairs, deviations, joint_means, pair_errors
from howgood.interpret.rating import drift, influence, nextpair, ranks, voters
from howgood.interpret.rating.fit import fit
from howgood.interpret.rating.votes import tally
from howgood.interpret.statistics import mean_se, t_quantile


def test_the_joint_quantile_of_independent_estimates() -> None:
    from scipy.stats import norm, studentized_range

    for m in (1, 5, 30):
        draws = deviations(np.eye(m) * 4.0, 40_000)
        assert critical(draws, np.full(m, 2.0)) == pytest.approx(norm.ppf((1 + 0.95 ** (1 / m)) / 2), abs=0.03)
    covariance = np.eye(6)
    tukey = studentized_range.ppf(0.95, 6, np.inf) / np.sqrt(2)
    assert critical_of_pairs(deviations(covariance, 2_000), covariance) == pytest.approx(tukey, abs=0.08)
    assert pair_errors([[1.0, 0.5], [0.5, 2.0]])[0, 1] == pytest.approx(np.sqrt(2.0))
    same = np.ones((3, 3))  # three times one estimate: no more than one interval
    assert critical(deviations(same, 60_000), np.ones(3)) == pytest.approx(1.96, abs=0.03)
    assert critical(deviations(np.zeros((2, 2))), np.zeros(2)) == 0.0


def test_systems_that_are_alike_but_for_rounding_are_one() -> None:
    """Two estimates, each eight times: no more than one difference, whose quantile is the normal one."""
    drawn_once = deviations(np.kron(np.diag([1e-4, 1.2e-4]), np.ones((8, 8))), 2_000)
    drawn_again = drawn_once - drawn_once.mean(axis=0)
    assert critical_of_pairs(drawn_again, np.cov(drawn_once.T)) == pytest.approx(1.96, abs=0.08)


def test_means_of_systems_held_at_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (25, 1))
    alone = joint_means(["a"], x)[0]
    spread = mean_se(x[:, 0])
    assert alone.se == pytest.approx(spread.se)
    assert (alone.high - alone.value) / (alone.se or 1) == pytest.approx(t_quantile(0.95, 24), abs=0.05)
    clusters = np.repeat(np.arange(5), 5)
    grouped = joint_means(["a"], x, clusters)[0]
    assert grouped.se == pytest.approx(mean_se(x[:, 0], clusters=clusters).se)
    with pytest.raises(DataError, match="two independent"):
        joint_means(["a"], x, np.zeros(25))
    with pytest.raises(DataError, match="column of scores"):
        joint_means(["a", "b"], x)


def test_how_often_joint_intervals_hold_all_means() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for run in range(120):
        scores = (rng.random((60, 1)) + rng.random((60, 8)) < 0.8).astype(float)
        held += all(e.low <= 0.32 <= e.high for e in joint_means(list("abcdefgh"), scores, seed=run))
    assert 0.90 <= held / 120 <= 0.99


def test_ranks_by_intervals_that_do_not_overlap() -> None:
    low, high = ranks.ranks_of_intervals([1000, 990, 950], [1020, 1010, 985])
    assert low.tolist() == [1, 1, 3]
    assert high.tolist() == [2, 2, 3]


def test_rank_intervals_hold_and_are_narrower_than_overlap() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.9, 0.5, 0.45, 0.0, -0.4, -1.0])
    true_rank, held, ours, theirs = ranks.ranks(truth), 0, 0, 0
    for run in range(100):
        found = fit(tally(*drawn(truth, 800, rng, ties=0.2), 6))
        draws = deviations(found.spread, 500, run)
        low, high = ranks.rank_intervals(found.ratings, found.spread, drawn=draws)
        held += bool(((low <= true_rank) & (true_rank <= high)).all())
        se = np.sqrt(np.diag(found.spread))
        reach = critical(draws, se) * se
        wide = ranks.ranks_of_intervals(found.ratings - reach, found.ratings + reach)
        ours, theirs = ours + (high - low).sum(), theirs + (wide[1] - wide[0]).sum()
    assert held >= 93
    assert ours < 0.95 * theirs


def test_rank_and_probability_of_the_best() -> None:
    assert ranks.ranks([3.0, 5.0, 5.0, 1.0]).tolist() == [3, 1, 1, 4]
    assert ranks.best(np.array([[1.0, 2.0, 2.0], [3.0, 1.0, 0.0]])) == pytest.approx([0.5, 0.25, 0.25])
    two = fit(tally(*expanded({(0, 1): (60, 40, 0)}), 2))
    from scipy.special import ndtr

    d, se = two.ratings[0] * 2, pair_errors(two.spread)[0, 1]
    p = ranks.best(two.ratings + deviations(two.spread, 40_000))
    assert p[0] == pytest.approx(ndtr(d / se), abs=0.01)


def test_the_fewest_votes_that_carry_the_first_place() -> None:
    votes = tally(*expanded({(0, 1): (12, 10, 0)}), 2)
    found = influence.flip(votes, fit(votes))
    assert found is not None
    assert (found.leader, found.other, found.votes) == (0, 1, 3)  # 9 to 10
    assert found.cells == [(0, 1, 0, 3)]
    assert found.share == pytest.approx(3 / 22)
    # Taking the votes away does what is said.
    rng = np.random.default_rng(0)
    columns = drawn(np.array([0.5, 0.4, 0.0, -0.5]), 4_000, rng, ties=0.2)
    votes = tally(*columns, 4)
    flip = influence.flip(votes, fit(votes))
    assert flip is not None
    a, b, outcome = columns
    kept = np.ones(len(a), bool)
    for i, j, o, n in flip.cells:
        same = (np.minimum(a, b) == i) & (np.maximum(a, b) == j)
        turned = np.where((a > b) & (outcome != 2), 1 - outcome, outcome)
        kept[np.flatnonzero(same & (turned == o) & kept)[:n]] = False
    assert (~kept).sum() == flip.votes
    after = fit(tally(a[kept], b[kept], outcome[kept], 4)).ratings
    assert after[flip.other] > after[flip.leader]
    # Two votes fewer do not suffice: the count is near the smallest.
    back = np.flatnonzero(~kept)[:2]
    kept[back] = True
    after = fit(tally(a[kept], b[kept], outcome[kept], 4)).ratings
    assert after[flip.other] < after[flip.leader]


def test_two_votes_of_three_carry_it() -> None:
    votes = tally(*expanded({(0, 1): (2, 1, 0)}), 2)
    found = influence.flip(votes, fit(votes))
    assert found is not None
    assert (found.other, found.votes) == (1, 2)
    even = tally(*expanded({(0, 1): (2, 1, 0), (2, 3): (2, 1, 0), (1, 2): (0, 0, 9)}), 4)
    assert influence.flip(even, fit(even)) is not None


def test_surprise_of_votes() -> None:
    m, p = voters.fisher([0.5, 0.2, 0.04, 0.1])
    assert (m, p) == (pytest.approx(15.6481, abs=1e-4), pytest.approx(0.04770, abs=1e-5))
    assert voters.fisher([np.exp(-20.0902 / 2)] + [1.0] * 3)[1] == pytest.approx(0.01, abs=1e-5)


def test_voters_against_the_rest_and_for_one_side() -> None:
    rng = np.random.default_rng(6)
    truth = np.array([1.5, 0.5, -0.5, -1.5])
    a, b, outcome = drawn(truth, 6_000, rng, ties=0.2)
    voter = rng.integers(0, 60, len(a))
    outcome[(voter == 0) & (outcome != 2)] = np.where(truth[a] > truth[b], 1, 0)[(voter == 0) & (outcome != 2)]
    outcome[voter == 1] = 0
    judged = voters.judge(a, b, outcome, voter, fit(tally(a, b, outcome, 4)))
    assert judged.against[0] < 1e-10
    assert judged.side[1] < 1e-10
    assert judged.first[1] == 1.0
    assert judged.votes.sum() == 6_000
    # Of the 58 honest ones few are below 0.05 in either.
    assert (judged.against[2:] < 0.05).mean() <= 0.1
    assert (judged.side[2:] < 0.05).mean() <= 0.1


def test_a_voters_p_is_of_the_others_only() -> None:
    # On the pair 0-1 the others voted 3 times for the favourite and once against; voter 9 once against: p = (1 + 1)/5.
    a, b = np.zeros(9, int), np.ones(9, int)
    outcome = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    voter = np.array([0, 0, 1, 2, 9, 9, 9, 9, 9])
    found = voters.judge(a, b, outcome, voter, fit(tally([0, 0], [1, 1], [0, 0], 2), prior=1.0))
    assert found.against[9] == pytest.approx(voters.fisher([2 / 5] * 5)[1])
    assert found.against[0] == 1.0  # too few votes to be judged


def test_the_next_pair() -> None:
    shares = nextpair.shares([0.25, 0.1], [100, 20])
    assert shares == pytest.approx([0.1271, 0.8729], abs=1e-4)
    covariance = np.diag([0.1, 0.1, 0.4])
    gain = nextpair.information_gain([0.0, 0.0, 0.0], covariance)
    assert gain[0, 1] == pytest.approx(0.5 * np.log(1 + 0.25 * 0.2))
    assert gain[0, 2] == gain.max()
    assert np.diag(gain).tolist() == [0, 0, 0]
    # It is what a vote does to the determinant of the covariance.
    after = np.linalg.inv(np.linalg.inv(covariance) + 0.25 * np.outer([1, 0, -1], [1, 0, -1]))
    assert gain[0, 2] == pytest.approx(-0.5 * np.log(np.linalg.det(after) / np.linalg.det(covariance)))
    assert nextpair.information_gain([3.0, 0.0, 0.0], covariance)[0, 1] < gain[0, 1]  # a foregone vote tells less
    with pytest.raises(DataError, match="a vote on each"):
        nextpair.shares([0.1, 0.1], [0, 3])


def test_a_model_that_changed() -> None:
    rng = np.random.default_rng(7)
    early, late = np.array([0.5, 0.2, 0.0, -0.3, -0.4]), np.array([0.5, 0.2, 0.0, -0.3, 0.6])
    halves = [drawn(x, 3_000, rng, ties=0.1) for x in (early, late)]
    a, b, outcome = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    span, begins = drift.spans(np.arange(6_000.0), 4)
    assert np.bincount(span).tolist() == [1500] * 4
    assert begins.tolist() == [0, 1500, 3000, 4500]
    found = drift.drift(a, b, outcome, 5, span, begins)
    assert found is not None
    assert found.models.tolist() == [0, 1, 2, 3, 4]
    assert (found.p[4] or 0) < 1e-6
    assert found.ratings[3, 4] - found.ratings[0, 4] == pytest.approx(0.8, abs=0.3)  # 1.0, less its part in the mean
    still = drift.drift(*drawn(early, 6_000, rng, ties=0.1), 5, span, begins)
    assert still is not None
    assert min(p for p in still.p if p is not None) > 0.01
    assert drift.drift(a, b, outcome, 5, np.zeros(6_000, int), np.zeros(1)) is None
