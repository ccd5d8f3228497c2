"""Bits per byte of gold answers: the mean of each answer's own, and all bits over all bytes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from howgood.core.types import Instance, Prediction, Score, Trial
from howgood.interpret.bits import BitsPerByte
from howgood.interpret.compare import compare
from howgood.interpret.estimate import Mean, Perplexity, Several
from howgood.interpret.table import Table


def table(
    bits: list[float], size: list[int], strata: list[str] | None = None, clusters: list[str] | None = None
) -> Table:
    trials = []
    for number, (own, count) in enumerate(zip(bits, size, strict=True)):
        stratum = strata[number] if strata else None
        cluster = clusters[number] if clusters else None
        instance = Instance(str(number), "?", targets=("!",), stratum=stratum, cluster=cluster)
        values = {"bpb": own / count, "nll": own * math.log(2), "bytes": float(count), "tokens": 1.0}
        trials.append(Trial(instance, number, 0, "?", Prediction(), Score(values, "scored")))
    return Table.of(trials)


def test_a_hand_computed_case() -> None:
    """Answers of 1, 2 and 5 bytes at 2, 3 and 5 bits: (2 + 1.5 + 1)/3, and 10/8."""
    (mean, ratio), groups = BitsPerByte()(table([2.0, 3.0, 5.0], [1, 2, 5]))
    assert (mean.name, ratio.name, groups) == ("bpb", "bits_per_byte", [])
    assert mean.value == pytest.approx(1.5, rel=1e-12)
    assert ratio.value == pytest.approx(1.25, rel=1e-12)
    assert mean.se == pytest.approx(0.5 / math.sqrt(3), rel=1e-12)
    half = stats.t(2).ppf(0.975) * 0.5 / math.sqrt(3)
    assert (mean.low, mean.high) == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))
    assert mean.method == "mean of nll/(ln 2 bytes), jackknife over 3 instances, t with 2 degrees of freedom"
    # Contributions (y_i - 1.25 x_i)/8: 0.75, 0.5, -1.25 over 8.
    assert ratio.se == pytest.approx(math.sqrt(3 / 2 * (0.75**2 + 0.5**2 + 1.25**2)) / 8, rel=1e-12)
    for estimate in (mean, ratio):
        assert (estimate.higher_is_better, estimate.percent, estimate.n) == (False, False, 3)


def test_a_loss_below_one_is_no_percentage() -> None:
    (mean, _), _ = BitsPerByte()(table([0.5, 0.6, 0.2], [1, 1, 1]))
    assert not mean.percent
    assert mean.low >= 0


def test_skewed_bits_take_the_jackknife() -> None:
    draw = np.random.default_rng(3)
    bits, size = draw.lognormal(1, 1, 200).tolist(), draw.integers(1, 40, 200).tolist()
    (mean, ratio), _ = BitsPerByte()(table(bits, size))
    assert mean.method.endswith("jackknife over 200 instances, t with 199 degrees of freedom")
    equal = sum(size) ** 2 / sum(x * x for x in size)
    assert ratio.method.endswith(f"jackknife over 200 instances, t with {equal - 1:.3g} degrees of freedom")
    assert mean.se is not None
    assert mean.se == pytest.approx(np.std(np.array(bits) / size, ddof=1) / math.sqrt(200), rel=1e-9)


def test_the_ratio_is_that_of_the_perplexity_of_the_same_scores() -> None:
    scores = table([2.0, 3.0, 5.0, 1.0], [1, 2, 5, 9])
    theirs = next(e for e in Perplexity(("byte",))(scores)[0] if e.name == "bits_per_byte")
    ours = BitsPerByte()(scores)[0][1]
    assert (ours.value, ours.se, ours.low, ours.high) == (
        pytest.approx(theirs.value),
        pytest.approx(theirs.se),
        pytest.approx(max(theirs.low, 0)),
        pytest.approx(theirs.high),
    )


def test_strata_and_weights_are_those_of_the_mean_it_stands_for() -> None:
    scores = table([1.0, 1.0, 1.0, 5.0], [1, 1, 1, 1], strata=["a", "a", "a", "b"])
    plain, macro = BitsPerByte.instead_of(Mean()), BitsPerByte.instead_of(Mean(macro=True))
    assert plain(scores)[0][0].value == 2
    assert macro(scores)[0][0].value == 3
    assert [(g.group, g.value) for g in plain(scores)[1]] == [("a", 1.0), ("b", 5.0)]
    assert BitsPerByte.instead_of(Several(Perplexity(), Mean(unit="cluster", by=None))) == BitsPerByte(
        None, False, "cluster"
    )
    assert BitsPerByte.instead_of(Perplexity()) == BitsPerByte()
    twins = table([1.0, 1.0, 4.0], [1, 1, 1], clusters=["x", "x", "y"])
    assert BitsPerByte(unit="cluster")(twins)[0][0].value == 2.5


def test_two_systems_are_compared_in_the_headline() -> None:
    a, b = table([2.0, 3.0, 5.0], [1, 2, 5]), table([1.0, 3.0, 4.0], [1, 2, 5])
    found = compare(a, b, BitsPerByte().describe())
    assert found.difference.name == "bpb"
    assert found.difference.value == pytest.approx((-1 + 0 - 0.2) / 3)
