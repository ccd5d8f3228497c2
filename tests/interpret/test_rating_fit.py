from __future__ import annotations

import math

import numpy as np
import pytest
from battle_tables import drawn, expanded

from howgood.core.errors import DataError
from howgood.interpret.rating import graph, style
from howgood.interpret.rating.bootstrap import resampled, resampled_clusters
from howgood.interpret.rating.elo import elo
from howgood.interpret.rating.fit import SCALE, clustered, fit, model_covariance, shifted
from howgood.interpret.rating.ties import TIES, Ties, beats, terms
from howgood.interpret.rating.votes import each, even_weights, tally

THREE = {(0, 1): (7, 3, 0), (1, 2): (6, 4, 0), (0, 2): (8, 2, 0)}
WITH_TIES = {(0, 1): (7, 3, 5), (1, 2): (6, 4, 2), (0, 2): (8, 2, 1)}


def errors(covariance: np.ndarray, models: int = 3) -> np.ndarray:
    return np.sqrt(np.diag(covariance))[:models]


def test_three_models_worked_out_elsewhere() -> None:
    # The same to 3e-7 by choix.opt_pairwise; the errors by hand from H and B.
    found = fit(tally(*expanded(THREE), 3))
    assert found.ratings == pytest.approx([0.740570, -0.149102, -0.591468], abs=1e-6)
    assert found.ratings * SCALE == pytest.approx([128.650, -25.902, -102.748], abs=1e-3)
    assert errors(model_covariance(found)) == pytest.approx([0.346430, 0.316515, 0.333732], abs=1e-6)
    assert errors(found.spread) == pytest.approx([0.345495, 0.318540, 0.332049], abs=1e-6)


def test_two_models() -> None:
    found = fit(tally(*expanded({(0, 1): (7, 3, 0)}), 2))
    assert found.ratings[0] - found.ratings[1] == pytest.approx(math.log(7 / 3), abs=1e-9)
    ratings, spread = shifted(found, 1)
    assert SCALE * ratings[0] == pytest.approx(147.191, abs=1e-3)
    assert math.sqrt(spread[0, 0]) == pytest.approx(math.sqrt(1 / 7 + 1 / 3))  # the sandwich is exact here
    assert (ratings[1], spread[1, 1]) == (0, pytest.approx(0, abs=1e-15))
    assert beats("half", np.array([100 / SCALE]), 0.0)[0] == pytest.approx(0.640065, abs=1e-6)


def test_ties_by_davidson_and_by_rao_and_kupper_in_closed_form() -> None:
    won, lost, tied = 7, 3, 5
    votes = tally(*expanded({(0, 1): (won, lost, tied)}), 2)
    davidson = fit(votes, "davidson")
    assert davidson.ratings[0] * 2 == pytest.approx(math.log(won / lost), abs=1e-7)
    assert math.exp(davidson.eta) == pytest.approx(tied / math.sqrt(won * lost), abs=1e-7)
    rao = fit(votes, "rao-kupper")
    n = won + lost + tied
    up, down = (math.log(k / (n - k)) for k in (won, lost))  # d - η and -d - η
    assert rao.ratings[0] * 2 == pytest.approx((up - down) / 2, abs=1e-7)
    assert rao.eta == pytest.approx(-(up + down) / 2, abs=1e-7)
    # All three fit the same data: with as many parameters as shares, the likelihood is that of the shares.
    best = sum(k * math.log(k / n) for k in (won, lost, tied))
    assert davidson.likelihood == pytest.approx(best)
    assert rao.likelihood == pytest.approx(best)
    for found in (davidson, rao):
        share = beats(found.ties, np.array([2 * found.ratings[0]]), found.eta)[0]
        assert share == pytest.approx((won + tied / 2) / n)


@pytest.mark.parametrize("ties", TIES)
def test_slopes_and_curvatures_are_derivatives(ties: Ties) -> None:
    rng = np.random.default_rng(1)
    d, eta, votes, h = rng.normal(0, 2, 50), 0.7, rng.integers(1, 9, (50, 3)).astype(float), 1e-5

    def at(shift: float, turn: float) -> np.ndarray:
        return terms(ties, d + shift, eta + turn, votes).likelihood

    said = terms(ties, d, eta, votes)
    assert said.slope == pytest.approx((at(h, 0) - at(-h, 0)) / (2 * h), abs=1e-8)
    if ties != "half":
        assert np.exp(said.likelihood).sum(axis=1) == pytest.approx(np.ones(50))
        assert said.tie_slope == pytest.approx((at(0, h) - at(0, -h)) / (2 * h), abs=1e-8)
    step = 1e-4
    seconds = (
        at(step, 0) - 2 * at(0, 0) + at(-step, 0),
        (at(step, step) - at(step, -step) - at(-step, step) + at(-step, -step)) / 4,
        at(0, step) - 2 * at(0, 0) + at(0, -step),
    )
    for ours, second in zip(said.curvature, seconds, strict=True):
        assert ours == pytest.approx(-(votes * second).sum(axis=1) / step**2, abs=1e-5)


@pytest.mark.parametrize("ties", TIES)
def test_nothing_but_the_sign_depends_on_which_side_is_first(ties: Ties) -> None:
    a, b, outcome = expanded(WITH_TIES)
    found = fit(tally(a, b, outcome, 3), ties)
    turned = fit(tally(b, a, np.array([1, 0, 2])[outcome], 3), ties)
    assert turned.parameters == pytest.approx(found.parameters)
    assert turned.covariance == pytest.approx(found.covariance)
    # One row a vote is the same as one row a pair, and so is a weight of two and voting twice.
    alone = fit(each(a, b, outcome, 3, np.zeros((len(a), 0))), ties)
    assert alone.parameters == pytest.approx(found.parameters)
    assert alone.covariance == pytest.approx(found.covariance)
    twice = fit(tally(a, b, outcome, 3, np.full(len(a), 2.0)), ties)
    assert twice.parameters == pytest.approx(found.parameters)
    assert twice.covariance == pytest.approx(found.covariance)  # weights are no votes
    again = fit(tally(*(np.tile(x, 2) for x in (a, b, outcome)), 3), ties)
    assert again.covariance == pytest.approx(found.covariance / 2)


@pytest.mark.parametrize("ties", TIES)
def test_errors_of_votes_that_belong_together(ties: Ties) -> None:
    a, b, outcome = expanded(WITH_TIES)
    n = len(a)
    found = fit(tally(a, b, outcome, 3), ties)
    alone = clustered(found, a, b, outcome, np.arange(n))
    assert alone.covariance == pytest.approx(found.covariance * n / (n - 1))
    copies = [np.tile(x, 4) for x in (a, b, outcome)]
    four = fit(tally(*copies, 3), ties)
    together = clustered(four, *copies, np.tile(np.arange(n), 4))
    assert together.covariance == pytest.approx(found.covariance * n / (n - 1))  # copies tell nothing new
    with pytest.raises(DataError, match="one cluster"):
        clustered(found, a, b, outcome, np.zeros(n, int))


def test_many_models_are_tallied_alike() -> None:
    rng = np.random.default_rng(0)
    a, b, outcome = drawn(rng.normal(0, 1, 30), 2_000, rng, ties=0.3)
    weight = rng.uniform(0.5, 2, len(a))
    few, many = tally(a, b, outcome, 30, weight), tally(a, b, outcome, 1_200, weight)
    for x, y in zip(few[:5], many[:5], strict=True):
        assert x == pytest.approx(y)
    won = few.won()
    assert won.sum() == 2 * len(a)
    assert won[3].tolist() == [
        np.sum((a == 3) & (outcome == 0)) + np.sum((b == 3) & (outcome == 1)),
        np.sum((a == 3) & (outcome == 1)) + np.sum((b == 3) & (outcome == 0)),
        np.sum(((a == 3) | (b == 3)) & (outcome == 2)),
    ]


def test_bad_codes_are_refused() -> None:
    for a, b, outcome, why in (
        ([0], [0], [0], "with itself"),
        ([0], [3], [0], "from 0 to 2"),
        ([0], [1], [3], "from 0 to 2"),
        ([0], [1.5], [0], "whole numbers"),
        ([0, 1], [1], [0], "no votes"),
        ([], [], [], "no votes"),
    ):
        with pytest.raises(DataError, match=why):
            tally(a, b, outcome, 3)


def test_pairs_can_count_alike() -> None:
    a, b, _ = expanded({(0, 1): (120, 80, 0), (1, 2): (60, 40, 0), (0, 2): (3, 2, 0)})
    weight = even_weights(a, b, 3)
    sums = [weight[(a == i) & (b == j)].sum() for i, j in ((0, 1), (1, 2), (0, 2))]
    assert sums[0] == pytest.approx(sums[1])
    assert sums[2] == pytest.approx(sums[1] / 10)  # 5 votes weigh as if they were of 50
    assert weight.mean() == pytest.approx(1)


def test_who_only_won_has_no_finite_rating_without_a_prior() -> None:
    votes = tally(*expanded({(0, 1): (5, 0, 0), (1, 2): (3, 2, 0)}), 3)
    assert graph.groups(votes).tolist() == [0, 0, 0]
    assert sorted(graph.tiers(votes).tolist()) == [0, 0, 1]
    with pytest.raises(DataError, match="no finite values"):
        fit(votes)
    found = fit(votes, prior=1.0)
    assert np.isfinite(found.ratings).all()
    assert np.isfinite(errors(found.spread)).all()
    # Two models, n wins to none, one virtual win and loss each: n σ(-2x) = 2σ(x) - 1 at ratings (x, -x).
    two = fit(tally(*expanded({(0, 1): (8, 0, 0)}), 2), prior=1.0).ratings[0]
    sigma = 1 / (1 + math.exp(-two))
    assert 8 / (1 + math.exp(2 * two)) == pytest.approx(2 * sigma - 1)


def test_groups_that_were_never_compared() -> None:
    votes = tally(*expanded({(0, 1): (5, 3, 0), (2, 3): (9, 9, 9)}), 5)
    assert graph.groups(votes)[2:4].tolist() == [0, 0]
    assert graph.groups(votes)[0] == graph.groups(votes)[1] != 0
    with pytest.raises(DataError, match="never compared"):
        fit(votes)


def test_only_ties_are_no_certainty() -> None:
    every = fit(tally(*expanded({(0, 1): (0, 0, 20), (1, 2): (0, 0, 10)}), 3))
    assert every.ratings == pytest.approx(np.zeros(3), abs=1e-9)
    assert every.only_ties == (0, 1, 2)
    # As wide as if half the votes were won: H has ¼n on the edges 0-1 and 1-2.
    assert every.spread[0, 0] + every.spread[1, 1] - 2 * every.spread[0, 1] == pytest.approx(4 / 20)
    assert fit(tally(*expanded({(0, 1): (0, 0, 20)}), 2), "davidson").ties == "half"


def test_the_bayesian_bootstrap_agrees_with_the_sandwich() -> None:
    rng = np.random.default_rng(2)
    columns = drawn(rng.normal(0, 0.7, 5), 1_500, rng, ties=0.2)
    votes = tally(*columns, 5)
    for ties in TIES:
        found = fit(votes, ties)
        spread = resampled(found, votes, 200, seed=1).std(axis=0)
        assert spread[:5] / errors(found.spread, 5) == pytest.approx(np.ones(5), abs=0.2)
    a, b, outcome = (np.repeat(x, 3) for x in columns)  # each vote three times, by one voter
    voter = np.repeat(np.arange(1_500), 3)
    found = clustered(fit(tally(a, b, outcome, 5)), a, b, outcome, voter)
    drawn_clusters = resampled_clusters(found, lambda w: tally(a, b, outcome, 5, w), voter, 150, seed=1)
    assert drawn_clusters.std(axis=0)[:5] / errors(found.spread, 5) == pytest.approx(np.ones(5), abs=0.2)


def test_style_as_a_plain_logistic_regression_has_it() -> None:
    rng = np.random.default_rng(3)
    n, truth = 1_500, rng.normal(0, 0.6, 5)
    z = rng.normal(0, 1, (n, 2))
    a, b, outcome = drawn(truth, n, rng, extra=z @ [0.4, -0.2])
    found = fit(each(a, b, outcome, 5, z))
    design = np.zeros((n, 6))
    design[np.arange(n), a] += 1
    design[np.arange(n), b] -= 1
    design[:, 4:] = z
    design = np.column_stack([design[:, :4], z])  # the fifth model is at zero
    theta = np.zeros(6)
    for _ in range(20):
        p = 1 / (1 + np.exp(-design @ theta))
        inverse = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
        theta += inverse @ design.T @ ((outcome == 0) - p)
    scores = design * ((outcome == 0) - p)[:, None]
    error = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))
    ratings, spread = shifted(found, 4)
    assert ratings[:4] == pytest.approx(theta[:4], abs=1e-6)
    assert found.style == pytest.approx(theta[4:], abs=1e-6)
    assert np.sqrt(np.diag(spread))[:4] == pytest.approx(error[:4], rel=1e-5)
    alone = clustered(found, a, b, outcome, np.arange(n), None, z)
    assert alone.covariance == pytest.approx(found.covariance * n / (n - 1))
    assert np.sqrt(np.diag(found.covariance))[5:7] == pytest.approx(error[4:], rel=1e-5)


def test_style_is_not_shrunk() -> None:
    rng = np.random.default_rng(4)
    n = 40_000
    z = rng.normal(0, 1, (n, 1))
    a, b, outcome = drawn(rng.normal(0, 1, 20), n, rng, ties=0.0, extra=0.25 * z[:, 0])
    found = fit(each(a, b, outcome, 20, z))
    se = math.sqrt(found.covariance[20, 20])
    assert abs(found.style[0] - 0.25) < 3 * se < 0.05


def test_features_of_style() -> None:
    text = "# Title\n\nSome **bold** words.\n\n- one\n- two\n1. three\n\n```\n# no header\n- no list\n**no**\n```\n"
    assert style.counts(text) == (len(text), 1, 3, 1)
    assert style.difference([300, 0, 5], [100, 0, 5], "length").tolist() == [0.5, 0, 0]
    assert style.difference([3, 0], [0, 0], "lists").tolist() == [0.75, 0]
    values, size = style.scaled(np.array([[3.0, 0.0], [-4.0, 0.0]]))
    assert size.tolist() == [math.sqrt(12.5), 0]
    assert values[:, 0] == pytest.approx(np.array([3, -4]) / math.sqrt(12.5))
    assert values[:, 1].tolist() == [0, 0]
    with pytest.raises(DataError, match="below zero"):
        style.difference([-1], [1], "length")
    assert style.counts("#" * 100_000 + "*" * 100_000)[0] == 200_000  # quick on hostile text


def test_elo_step_by_step() -> None:
    first = elo([0], [1], [0], 2)
    assert first.tolist() == [1002, 998]
    expected = 1 / (1 + 10 ** (-4 / 400))
    assert elo([0, 0], [1, 1], [0, 2], 2)[0] == pytest.approx(1002 + 4 * (0.5 - expected))
