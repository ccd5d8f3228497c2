"""Two systems on the same instances."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy.stats import ttest_rel
from score_tables import documents, table, trial

from howgood.core.errors import DataError
from howgood.interpret.compare import Comparison, compare, paired, paired_rate
from howgood.interpret.estimate import Mean, Perplexity, Several
from howgood.interpret.table import Table

BETTER, WORSE = [1, 1, 1, 0, 1, 0, 1, 1], [1, 0, 1, 0, 0, 0, 1, 1]


def test_paired_difference() -> None:
    found = paired(table(acc=WORSE), table(acc=BETTER), "acc")
    assert found.difference.value == 0.25
    assert found.difference.se == pytest.approx(0.163663, abs=5e-7)
    assert found.unpaired.se == pytest.approx(0.25, abs=5e-7)
    assert found.correlation == pytest.approx(0.57735, abs=5e-6)
    assert (found.a.value, found.b.value, found.gained, found.lost) == (0.5, 0.75, 2, 0)
    assert (found.p, found.test) == (0.5, "exact McNemar")
    assert found.difference.low < 0 < found.difference.high
    assert found.difference.higher_is_better


def test_paired_and_unpaired_errors_differ_by_the_correlation() -> None:
    found = paired(table(acc=WORSE), table(acc=BETTER), "acc")
    a, b, rho = found.a.se or 0, found.b.se or 0, found.correlation or 0
    assert found.difference.se == pytest.approx(math.sqrt(a * a + b * b - 2 * a * b * rho))


def test_the_other_way_round_is_the_negative() -> None:
    one, two = table(acc=WORSE), table(acc=BETTER)
    ab, ba = paired(one, two, "acc"), paired(two, one, "acc")
    assert (ba.difference.value, ba.difference.se) == (-ab.difference.value, ab.difference.se)
    assert ba.difference.low == pytest.approx(-ab.difference.high)
    assert (ba.gained, ba.lost, ba.p) == (ab.lost, ab.gained, ab.p)


def test_flips_are_tested_exactly() -> None:
    a = [0] * 10 + [1] * 2 + [1] * 20
    b = [1] * 10 + [0] * 2 + [1] * 20
    found = paired(table(acc=a), table(acc=b), "acc")
    assert (found.gained, found.lost) == (10, 2)
    assert found.p == pytest.approx(0.038574, abs=5e-7)


def test_clusters_are_heeded() -> None:
    clusters = list("aabbccdd")
    found = paired(table(acc=WORSE, clusters=clusters), table(acc=BETTER, clusters=clusters), "acc")
    d = np.array(BETTER) - np.array(WORSE)
    sums = (d - 0.25).reshape(4, 2).sum(axis=1)
    assert found.difference.se == pytest.approx(math.sqrt(4 / 3 * (sums**2).sum()) / 8)
    assert found.test == "t with 3 degrees of freedom"
    assert found.difference.clusters == 4


def test_strata_and_macro_are_heeded() -> None:
    strata = list("aaabbbbb")
    a, b = table(acc=WORSE, strata=strata), table(acc=BETTER, strata=strata)
    d = np.array(BETTER) - np.array(WORSE)
    variances = [d[:3].var(ddof=1) / 3, d[3:].var(ddof=1) / 5]
    stratified = paired(a, b, "acc")
    assert stratified.difference.se == pytest.approx(math.hypot(3 * variances[0] ** 0.5, 5 * variances[1] ** 0.5) / 8)
    macro = paired(a, b, "acc", macro=True)
    assert macro.difference.value == pytest.approx((1 / 3 + 1 / 5) / 2)
    assert macro.difference.se == pytest.approx(math.sqrt(sum(variances)) / 2)
    assert (macro.p, macro.test) == (0.5, "randomisation of signs, all of them")  # two differ, both one way
    assert paired(a, b, "acc", by=None).difference.se == pytest.approx(0.163663, abs=5e-7)
    sampled = table(acc=BETTER, strata=strata, random_sample=True)
    assert paired(a, sampled, "acc").difference.se == pytest.approx(0.163663, abs=5e-7)


def test_stratified_samples_are_weighted_to_the_whole() -> None:
    strata, sizes = list("aaabbbbb"), {"a": 90, "b": 10}
    a, b = (table(acc=x, strata=strata, sizes=sizes) for x in (WORSE, BETTER))
    d = np.array(BETTER) - np.array(WORSE)
    found = paired(a, b, "acc")
    assert found.difference.value == pytest.approx(0.9 * d[:3].mean() + 0.1 * d[3:].mean())
    expected = math.sqrt(0.81 * d[:3].var(ddof=1) / 3 + 0.01 * d[3:].var(ddof=1) / 5)
    assert found.difference.se == pytest.approx(expected)
    assert found.b.value == pytest.approx(0.9 * np.mean(BETTER[:3]) + 0.1 * np.mean(BETTER[3:]))
    # flips that count differently are no binomial: of 30 and 2, both one way, two of four sign patterns go as far
    assert (found.p, found.test) == (0.5, "randomisation of signs, all of them")
    assert "stratified by 2 strata, weighted to 100 instances" in found.difference.method
    # A run of everything shares the sample's instances; two samples of different wholes have no common one.
    for other in (table(acc=BETTER, strata=strata), table(acc=BETTER, strata=strata, random_sample=True)):
        assert paired(a, other, "acc").difference == found.difference
        assert paired(other, a, "acc").difference.value == pytest.approx(-found.difference.value)
    other = table(acc=BETTER, strata=strata, sizes={"a": 80, "b": 20})
    unlike = paired(a, other, "acc")
    assert (
        unlike.difference == paired(table(acc=WORSE, strata=strata), table(acc=BETTER, strata=strata), "acc").difference
    )


def test_proportional_samples_compare_as_plain_ones() -> None:
    strata, sizes = list("aaabbbbb"), {"a": 30, "b": 50}
    plain = paired(table(acc=WORSE, strata=strata), table(acc=BETTER, strata=strata), "acc")
    found = paired(*(table(acc=x, strata=strata, sizes=sizes) for x in (WORSE, BETTER)), "acc")
    assert (found.p, found.test) == (plain.p, "exact McNemar")
    assert (found.difference.value, found.difference.se) == pytest.approx((0.25, plain.difference.se))


def test_sampled_perplexities_are_compared_by_weighted_totals() -> None:
    strata, sizes = list("aaabb"), {"a": 30, "b": 2}
    nll, better, words = [10.0, 14, 9, 40, 50], [9.0, 12, 9, 44, 52], [4.0, 6, 4, 10, 10]
    a, b = (table(nll=x, words=words, strata=strata, sizes=sizes) for x in (nll, better))
    found = paired_rate(a, b, unit="word")
    assert found.difference.value == pytest.approx((10 * (30 - 33) + (96 - 90)) / 160)
    assert found.a.value == pytest.approx(420 / 160)
    assert "weighted to 32 instances" in found.difference.method


def test_only_shared_instances_count() -> None:
    a = Table.of([trial("x", acc=1), trial("y", acc=0), trial("z", acc=1), trial("lost")])
    b = Table.of([trial("y", acc=1), trial("z", acc=1), trial("w", acc=0), trial("v", acc=0), trial("x")])
    found = paired(a, b, "acc")
    assert (found.difference.n, found.only_a, found.only_b) == (2, 1, 2)
    assert (found.difference.missing, found.a.missing, found.b.missing) == (2, 1, 1)
    assert (found.a.value, found.b.value) == (0.5, 1)


def test_nothing_shared_is_an_error() -> None:
    with pytest.raises(DataError, match="share no instance \\(for example x and y\\)"):
        paired(Table.of([trial("x", acc=1)]), Table.of([trial("y", acc=1)]), "acc")


def test_identical_systems_do_not_differ_but_are_not_certain_to() -> None:
    found = paired(table(acc=WORSE), table(acc=WORSE), "acc")
    assert (found.difference.value, found.p, found.needed, found.correlation) == (0, 1, None, pytest.approx(1))
    assert found.difference.high > 0.2
    assert (found.detectable or 0) > 0.2


def test_partial_scores_take_t() -> None:
    a, b = [0.2, 0.5, 0.9, 0.1, 0.6], [0.4, 0.6, 0.9, 0.4, 0.6]
    found = paired(table(f1=a), table(f1=b), "f1")
    d = np.array(b) - np.array(a)
    assert found.difference.se == pytest.approx(d.std(ddof=1) / math.sqrt(5))
    assert found.test == "t with 4 degrees of freedom"
    assert (found.gained, found.lost) == (3, 0)
    assert found.p == pytest.approx(ttest_rel(b, a).pvalue)


def test_a_difference_without_spread_is_not_tested() -> None:
    found = paired(table(length=[1, 2, 3]), table(length=[2, 3, 4]), "length")
    assert (found.difference.value, found.p, found.needed) == (1, None, None)
    assert found.test == "no test: the differences have no spread"


def test_one_instance_tells_nothing() -> None:
    found = paired(table(length=[3]), table(length=[4]), "length")
    assert (found.difference.se, found.p, found.detectable, found.needed) == (None, None, None, None)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


def test_what_two_instances_can_show_is_not_cut_off_with_the_interval() -> None:
    comparison = paired(table(acc=[1, 0]), table(acc=[0, 1]), "acc")
    assert comparison.difference.se == 1.0
    assert comparison.detectable == pytest.approx(2.801585, abs=1e-4)


def test_power_follows_from_the_paired_variance() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(5, 2, 400)
    b = a + rng.normal(0.1, 1, 400)
    found = paired(table(rating=a.tolist()), table(rating=b.tolist()), "rating")
    variance = (b - a).var(ddof=1)
    assert found.detectable == pytest.approx(2.801585 * math.sqrt(variance / 400), rel=1e-6)
    assert found.needed == math.ceil(2.801585**2 * variance / found.difference.value**2)


def test_perplexities_are_compared_in_bits_per_byte() -> None:
    columns = documents(seed=4, count=50)
    worse = columns | {"nll": [1.05 * x for x in columns["nll"]]}
    found = paired_rate(table(**worse), table(**columns))
    bits = sum(columns["nll"]) / math.log(2) / sum(columns["bytes"])
    assert found.difference.name == "bits_per_byte"
    assert found.difference.value == pytest.approx(-0.05 * bits)
    assert (found.a.value, found.b.value) == pytest.approx((1.05 * bits, bits))
    assert found.difference.high < 0
    assert (found.gained, found.lost) == (50, 0)
    assert not found.difference.higher_is_better
    assert "jackknife over 50 instances, t with" in found.difference.method
    # The documents differ far more than the systems: unpaired, nothing could be told.
    assert (found.p or 0) < 1e-10
    assert (found.unpaired_p or 0) > 0.05
    assert found.unpaired.low < 0 < found.unpaired.high


def test_word_perplexities_are_compared_on_the_log() -> None:
    columns = documents(seed=4, count=8)
    better = columns | {"nll": [x - 0.1 * n for x, n in zip(columns["nll"], columns["words"], strict=True)]}
    found = paired_rate(table(**columns), table(**better), unit="word")
    assert found.difference.name == "log_word_perplexity"
    assert found.difference.value == pytest.approx(-0.1)
    assert found.difference.se == pytest.approx(0, abs=1e-12)
    items = paired_rate(table(**columns), table(**better), unit="item")
    assert items.difference.name == "log_perplexity"
    assert items.difference.value == pytest.approx(-0.1 * sum(columns["words"]) / 8)


def test_without_a_common_headline_a_common_score_is_compared() -> None:
    cloze = table(acc_norm=[1, 1, 0, 1], acc=[1, 0, 0, 1])
    letter = table(acc=[1, 1, 1, 1])
    rules = {"kind": "mean", "score": None, "weighting": "instance", "unit": "instance"}
    assert compare(cloze, letter, rules).difference.name == "acc"
    assert compare(letter, cloze, rules).difference.value == pytest.approx(-0.5)


def test_the_comparison_follows_what_the_number_is() -> None:
    columns = documents(seed=4, count=30) | {"acc": [i % 2 for i in range(30)]}
    a = table(**columns, strata=[f"s{i % 3}" for i in range(30)], clusters=[f"c{i % 10}" for i in range(30)])
    assert compare(a, a, Perplexity().describe()).difference.name == "bits_per_byte"
    assert compare(a, a, Perplexity(("word",)).describe(), "nll").difference.name == "log_word_perplexity"
    lambada = Several(Mean("acc", others=False), Perplexity(("item",))).describe()
    assert compare(a, a, lambada).difference.name == "acc"
    assert compare(a, a, lambada, "nll").difference.name == "log_perplexity"
    assert compare(a, a, lambada, "words").difference.name == "words"
    assert "macro over 3 strata" in compare(a, a, Mean("acc", macro=True).describe()).difference.method
    assert "each counting once" in compare(a, a, Mean("acc", unit="cluster").describe()).difference.method
