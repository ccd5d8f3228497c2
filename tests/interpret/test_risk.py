"""Risk against coverage, thresholds, and where a confidence comes from."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import DataError
from howgood.interpret import risk
from howgood.interpret.abstain import confidences


def test_four_answers() -> None:
    found = risk.curve([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1])
    assert found.risk == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk.aurc([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1]) == pytest.approx(0.145833, abs=5e-7)


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_equal_confidences_stand_in_the_mean_of_all_orders(answers: list[tuple[float, bool]]) -> None:
    sure, right = zip(*answers, strict=True)
    values = []
    for order in permutations(range(len(answers))):
        if all(sure[a] >= sure[b] for a, b in pairwise(order)):
            wrong = np.cumsum([not right[i] for i in order])
            values.append(np.mean(wrong / np.arange(1, len(order) + 1)))
    assert risk.aurc(sure, right) == pytest.approx(np.mean(values))


def test_chows_rule() -> None:
    # Right +1, wrong -λ, abstain 0: answer above λ/(1 + λ).
    assert [risk.answer_above(1, -x, 0) for x in (1, 3, 9)] == [0.5, 0.75, 0.9]
    assert risk.answer_above(1, 0, -1) == 0
    assert risk.answer_above(1, 0, 2) == 1
    with pytest.raises(DataError):
        risk.answer_above(0, 0, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.4, 0.6, 0.9]), st.sampled_from([-3.0, -1.0, 1.0])), min_size=1, max_size=9
    )
)
def test_no_threshold_is_better(answers: list[tuple[float, float]]) -> None:
    sure, worth = (np.array(column) for column in zip(*answers, strict=True))
    none, ones = np.zeros(len(sure)), np.ones(len(sure))
    found = risk.best_threshold(sure, worth, none, ones)
    totals = {t: float(worth[sure >= t].sum()) for t in (-math.inf, 0.1, 0.4, 0.6, 0.9, math.inf)}
    assert totals[found] == max(totals.values())
    assert (sure >= found).sum() == max(
        (sure >= t).sum() for t, total in totals.items() if total == max(totals.values())
    )


def test_confidences_that_tell_nothing_gain_nothing() -> None:
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(200):
        sure, worth = rng.random(60), rng.choice([-1.0, 1.0], 60, p=[0.4, 0.6])
        gains.append(risk.gain_of_abstaining(sure, worth, np.zeros(60), np.ones(60)))
    assert np.mean(gains) < 0  # the best threshold looks good only on the answers it was chosen on


def test_coverage_at_a_guaranteed_risk() -> None:
    sure = np.linspace(1, 0, 400)
    right = sure > 0.5
    coverage, threshold = risk.coverage_at(sure, right, 0.1)
    # The exact bound at level 1 - 0.05/20 of e errors in n: 50 % covers 200 without any (2.95 %), 55 % has 20 of 220.
    assert (coverage, threshold) == (0.5, sure[199])
    assert risk.coverage_at(sure, np.zeros(400), 0.1) == (0, math.inf)
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(300):
        sure = rng.random(200)
        covered, cut = risk.coverage_at(sure, rng.random(200) < sure, 0.25)
        # Above a cut c the true risk is the mean of 1 - s over (c, 1), (1 - c)/2.
        broken += covered > 0 and (1 - cut) / 2 > 0.25
    assert broken <= 15


def test_where_confidence_comes_from() -> None:
    two = [{"logprob": math.log(0.06)}, {"logprob": math.log(0.02)}]
    found = confidences(pl.DataFrame({"likelihoods": [two, [{"logprob": -1.0}], None]}), "acc")
    assert found is not None
    assert (found[0], found[1][0]) == ("choices", pytest.approx(0.75))
    assert np.isnan(found[1][1:]).all()
    longer = pl.DataFrame({"likelihoods": [two], "choices": [["ab", "a"]]})
    by_length = confidences(longer, "acc_norm")
    assert by_length is not None
    assert by_length[1][0] == pytest.approx(0.06**0.5 / (0.06**0.5 + 0.02))
    tokens = pl.DataFrame({"answer_tokens": [[{"logprob": math.log(0.9)}, {"logprob": math.log(0.4)}], []]})
    read = confidences(tokens, "acc")
    assert read is not None
    assert (read[0], read[1][0]) == ("tokens", pytest.approx(0.6))
    stated = confidences(pl.DataFrame({"confidence": [0.3, 7.0], "likelihoods": [two, two]}), "acc")
    assert stated is not None
    assert stated[0] == "stated"
    assert np.isnan(stated[1][1])
    assert confidences(pl.DataFrame({"likelihoods": [[], None]}), "acc") is None
