"""What a benchmark's number is, how sure it is, and what it says it is."""

from __future__ import annotations

import math
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_tables import documents, table, trial

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.inputs.sampling import sample
from howgood.interpret import statistics
from howgood.interpret.estimate import Mean, Perplexity, Several
from howgood.interpret.table import Table


def test_a_proportion_takes_wilsons_interval() -> None:
    (estimate,), groups = Mean()(table(acc=[1] * 7 + [0] * 3))
    assert (estimate.name, estimate.value, estimate.n, estimate.percent) == ("acc", 0.7, 10, True)
    assert (estimate.low, estimate.high) == pytest.approx((0.39678, 0.89221), abs=5e-6)
    assert estimate.se == pytest.approx(math.sqrt(0.7 * 0.3 / 9))
    assert estimate.method == "mean, Wilson"
    assert (estimate.clusters, estimate.group, estimate.missing, groups) == (None, None, 0, [])


@pytest.mark.parametrize("value", [0, 1])
def test_all_wrong_or_all_right_is_not_certain(value: int) -> None:
    for extra in ({}, {"strata": list("aabbbccccc")}, {"clusters": list("aabbbccccc")}):
        estimate = Mean()(table(acc=[value] * 10, **extra))[0][0]
        assert estimate.low <= estimate.value == value <= estimate.high
        assert estimate.high - estimate.low > 0.25


def test_the_headline_is_the_first_score_or_the_named_one() -> None:
    scores = table(acc=[1, 0], f1=[0.5, 0.2], length=[10, 30])
    assert [e.name for e in Mean()(scores)[0]] == ["acc", "f1", "length"]
    assert [e.name for e in Mean("f1")(scores)[0]] == ["f1", "acc", "length"]
    assert [e.name for e in Mean("f1", others=False)(scores)[0]] == ["f1"]
    with pytest.raises(DataError, match="no score 'em'; these trials have acc, f1, length"):
        Mean("em")(scores)


def test_a_score_beyond_0_and_1_takes_t() -> None:
    estimate = Mean("length")(table(length=[10, 30, 20, 40]))[0][0]
    assert (estimate.value, estimate.percent, estimate.method) == (25, False, "mean, t")
    half = 3.182446 * math.sqrt(500 / 3) / 2
    assert (estimate.low, estimate.high) == pytest.approx((25 - half, 25 + half))


def test_strata_give_groups_and_a_stratified_error() -> None:
    acc, strata = [1, 1, 0, 1, 0, 0, 0, 1, 0, 0], list("aaaabbbbbb")
    scores = table(acc=acc, strata=strata)
    (estimate,), groups = Mean(by="stratum")(scores)
    variances = [np.var(acc[:4], ddof=1) / 4, np.var(acc[4:], ddof=1) / 6]
    assert estimate.se == pytest.approx(math.sqrt(0.16 * variances[0] + 0.36 * variances[1]))
    assert estimate.method == "mean, stratified by 2 strata, Wilson"
    assert [(g.group, g.value, g.n) for g in groups] == [("a", 0.75, 4), ("b", pytest.approx(1 / 6), 6)]
    assert (groups[0].low, groups[0].high) == pytest.approx(statistics.wilson(3, 4))
    plain = Mean(by=None)(scores)
    assert plain[1] == []
    assert plain[0][0].se == pytest.approx(np.std(acc, ddof=1) / math.sqrt(10))


def test_a_random_samples_strata_are_random_too() -> None:
    acc, strata = [1, 1, 0, 1, 0, 0, 0, 1, 0, 0], list("aaaabbbbbb")
    sampled = table(acc=acc, strata=strata, random_sample=True)
    (estimate,), groups = Mean()(sampled)
    assert estimate.method == "mean, Wilson"
    assert estimate.se == pytest.approx(np.std(acc, ddof=1) / math.sqrt(10))
    assert [g.group for g in groups] == ["a", "b"]
    assert Mean(macro=True)(sampled)[0] == Mean(macro=True)(table(acc=acc, strata=strata))[0]


def test_a_stratified_sample_is_weighted_to_the_whole() -> None:
    # 1,000 right and ten strata of 5 wrong: a sample of 20 holds 10 of the large one and one of each small one.
    whole = [("big", f"b{i}") for i in range(1000)] + [(f"s{i % 10}", f"w{i}") for i in range(50)]
    chosen = set(sample([(id, stratum) for stratum, id in whole], 20, 0, "stratified"))
    trials = [trial(id, 0, stratum, acc=stratum == "big") for stratum, id in whole if id in chosen]
    sizes = {"big": 1000} | {f"s{i}": 5 for i in range(10)}
    (estimate,), groups = Mean()(Table.of(trials, sizes=sizes))
    assert Mean()(Table.of(trials))[0][0].value == 0.5
    assert round(100 * estimate.value, 2) == 95.24
    assert estimate.method == "mean, stratified by 11 strata, weighted to 1,050 instances, Wilson"
    assert (estimate.n, len(groups)) == (20, 11)
    assert estimate.low < 1000 / 1050 < estimate.high


def test_a_weighted_mean_and_its_error_in_numbers() -> None:
    # W = 0.6, 0.3, 0.1; means 0.5, 1/3, 1; s²/n = 1/12, 1/9, 0. Other orders of the sizes and by=None are the same.
    acc, strata = [1, 1, 0, 0, 1, 0, 0, 1, 1], list("aaaabbbcc")
    scores = table(acc=acc, strata=strata, sizes={"c": 10, "b": 30, "a": 60})
    (estimate,), groups = Mean()(scores)
    assert estimate.value == pytest.approx(0.6 * 0.5 + 0.3 / 3 + 0.1)
    assert estimate.se == pytest.approx(math.sqrt(0.36 / 12 + 0.09 / 9))
    assert Mean(by=None)(scores)[0][0] == estimate
    plain = Mean()(table(acc=acc, strata=strata))
    assert groups == plain[1]
    assert estimate.value != plain[0][0].value
    assert Mean(macro=True)(scores) == Mean(macro=True)(table(acc=acc, strata=strata))


def test_lone_instances_are_collapsed_by_size() -> None:
    # The two lone strata are one of 40: their mean is (10·1 + 30·0)/40, and they err by 2 Σ (N_h/N (x_h - 1/4))².
    estimate = Mean()(table(acc=[1, 0, 1, 0], strata=list("aabc"), sizes={"a": 60, "b": 10, "c": 30}))[0][0]
    assert estimate.value == pytest.approx(0.6 * 0.5 + 0.1)
    collapsed = 2 * ((0.1 * 0.75) ** 2 + (0.3 * 0.25) ** 2)
    assert estimate.se == pytest.approx(math.sqrt(0.36 * 0.25 + collapsed))


def test_a_proportional_sample_is_the_plain_stratified_one() -> None:
    scores = {"acc": [1, 1, 0, 1, 0, 0, 0, 1, 0, 0], "nll": list(range(1, 11)), "words": [3, 4] * 5}
    strata = list("aaaabbbbbb")
    one, two = table(**scores, strata=strata), table(**scores, strata=strata, sizes={"a": 400, "b": 600})
    for interpretation in (Mean("acc", others=False), Perplexity(("word",))):
        (plain,), groups = interpretation(one)
        (weighted,), same = interpretation(two)
        numbers = [(e.value, e.se, e.low, e.high) for e in (plain, weighted)]
        assert numbers[1] == pytest.approx(numbers[0])
        assert groups == same
        assert "stratified by 2 strata, weighted to 1,000 instances" in weighted.method


def test_failed_trials_leave_the_weights_of_their_stratum() -> None:
    trials = [trial("a", 0, "s", acc=1), trial("b", 0, "s"), trial("c", acc=0), trial("d", acc=0), trial("e", 0, "t")]
    estimate = Mean()(Table.of(trials, sizes={"s": 6, "": 2, "t": 2}))[0][0]
    assert (estimate.value, estimate.missing) == (0.75, 2)  # 6 of the 8 instances of strata that have a score
    assert "weighted to 8 of 10 instances" in estimate.method


def test_sizes_that_are_not_of_the_run_are_refused() -> None:
    for sizes in ({"a": 1, "b": 9}, {"b": 9}, {"a": 0, "b": 9}):
        with pytest.raises(DataError, match=f"has 2 instances here but {sizes.get('a', 0)} in the whole benchmark"):
            Mean()(table(acc=[1, 0, 1], strata=list("aab"), sizes=sizes))


def test_weighted_estimates_are_unbiased_and_their_errors_honest() -> None:
    rng = np.random.default_rng(7)
    sizes = {"a": 600, "b": 60, "c": 30, "d": 10}
    strata = [name for name, size in sizes.items() for _ in range(size)]
    rate = {"a": 0.9, "b": 0.5, "c": 0.3, "d": 0.1}
    ids = [(f"i{i:03}", name) for i, name in enumerate(strata)]
    found, plain, nats, variances, population = [], [], [], [], []
    for seed in range(400):
        # A new benchmark each time: its questions are a sample of possible questions.
        right = {id: float(rng.random() < rate[name]) for id, name in ids}
        asked = set(sample(ids, 20, seed, "stratified"))
        chosen = [(id, name) for id, name in ids if id in asked]
        trials = [trial(id, 0, name, acc=right[id], nll=2 - right[id], words=1 + right[id]) for id, name in chosen]
        estimate = Mean("acc", others=False)(Table.of(trials, sizes=sizes))[0][0]
        found.append(estimate.value)
        variances.append((estimate.se or 0) ** 2)
        plain.append(Mean("acc", others=False)(Table.of(trials))[0][0].value)
        nats.append(math.log(Perplexity(("word",))(Table.of(trials, sizes=sizes))[0][0].value))
        population.append(np.mean(list(right.values())))
    true = sum(rate[name] for name in strata) / 700
    noise = np.std(found) / math.sqrt(400)
    assert np.mean(found) == pytest.approx(true, abs=3 * noise)
    assert np.mean(population) == pytest.approx(true, abs=0.005)
    assert abs(np.mean(plain) - true) > 5 * noise
    assert np.mean(nats) == pytest.approx((2 - true) / (1 + true), abs=0.02)
    assert np.mean(variances) == pytest.approx(np.var(found), rel=0.25)


def test_macro_is_the_mean_of_the_strata() -> None:
    acc, strata = [1, 1, 0, 1, 0, 0, 0, 1, 0, 0], list("aaaabbbbbb")
    (estimate,), groups = Mean(macro=True)(table(acc=acc, strata=strata))
    assert estimate.value == pytest.approx((0.75 + 1 / 6) / 2)
    assert estimate.se == pytest.approx(math.hypot(groups[0].se or 0, groups[1].se or 0) / 2)
    assert estimate.method == "mean, macro over 2 strata, Wilson"
    with pytest.raises(DataError, match="strata"):
        Mean(macro=True)(table(acc=acc))


def test_clusters_give_cr1() -> None:
    estimate = Mean()(table(acc=[1, 1, 0, 0, 1, 0], clusters=list("aabbcc")))[0][0]
    assert estimate.se == pytest.approx(0.288675, abs=5e-7)
    assert (estimate.clusters, estimate.n) == (3, 6)
    assert estimate.method == "mean, CR1 over 3 clusters, Wilson"
    effective = 0.25 / (estimate.se or 1) ** 2
    expected = statistics.wilson(effective / 2, effective, critical=statistics.t_quantile(0.95, 2))
    assert (estimate.low, estimate.high) == pytest.approx(expected)


def test_a_cluster_can_count_once() -> None:
    estimate = Mean(unit="cluster")(table(acc=[1, 0, 1, 0], clusters=list("aabc")))[0][0]
    assert estimate.value == 0.5
    assert estimate.method == "mean, CR1 over 3 clusters, each counting once, Wilson"
    assert Mean(unit="cluster")(table(acc=[1, 0, 1, 0]))[0] == Mean()(table(acc=[1, 0, 1, 0]))[0]


def test_epochs_are_averaged_and_failures_are_missing() -> None:
    trials = [trial(n, e, "s", acc=v) for n, e, v in [("a", 0, 1), ("a", 1, 0), ("b", 0, 1), ("b", 1, 1)]]
    (estimate,), (group,) = Mean()(Table.of([*trials, trial("c", 0, "s"), trial("c", 1, "s"), trial("d", 0, "s")]))
    assert (estimate.value, estimate.n, estimate.missing) == (0.75, 2, 3)
    assert estimate.se == pytest.approx(0.25)
    assert estimate.method == "mean, 2 epochs averaged, Wilson"
    assert (group.value, group.missing) == (0.75, 3)


@pytest.mark.parametrize(
    ("interpretation", "described"),
    [
        (Mean(), {"kind": "mean", "score": None, "weighting": "instance", "unit": "instance"}),
        (Mean("f1", macro=True), {"kind": "mean", "score": "f1", "weighting": "stratum", "unit": "instance"}),
        (Mean(unit="cluster"), {"kind": "mean", "score": None, "weighting": "cluster", "unit": "cluster"}),
        (
            Several(Mean("acc"), Perplexity(("item",))),
            {
                "kind": "several",
                "parts": [
                    {"kind": "mean", "score": "acc", "weighting": "instance", "unit": "instance"},
                    {"kind": "perplexity", "score": "nll", "units": ["item"], "weighting": "total"},
                ],
            },
        ),
    ],
)
def test_the_rules_say_what_the_number_is(interpretation: Mean | Several, described: dict[str, object]) -> None:
    assert interpretation.describe() == described
    assert msgspec.json.decode(msgspec.json.encode(described)) == described


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary() -> None:
    tokens = [10, 300, 7, 41]
    nll = [n * math.log(50_257) for n in tokens]
    words, size = [8, 250, 7, 30], [40, 1000, 30, 150]
    estimates = {e.name: e for e in Perplexity()(table(nll=nll, words=words, bytes=size, tokens=tokens))[0]}
    assert list(estimates) == ["word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"]
    assert estimates["token_perplexity"].value == pytest.approx(50_257)
    assert estimates["token_perplexity"].se == pytest.approx(0, abs=1e-6)
    assert estimates["word_perplexity"].value == pytest.approx(math.exp(358 * math.log(50_257) / 295))
    assert estimates["bits_per_byte"].value == pytest.approx(358 * math.log2(50_257) / 1220)
    assert estimates["bits_per_byte"].value == pytest.approx(math.log2(estimates["byte_perplexity"].value))
    assert not any(e.higher_is_better or e.percent for e in estimates.values())


def test_perplexity_of_documents_takes_the_jackknifes_error() -> None:
    columns = documents(seed=1, count=62)
    word, byte, bits, token = Perplexity()(table(**columns))[0]
    nll, words = np.array(columns["nll"]), np.array(columns["words"])
    rate = nll.sum() / words.sum()
    se = math.sqrt(62 / 61 * np.sum((nll - rate * words) ** 2)) / words.sum()
    assert word.value == pytest.approx(math.exp(rate))
    assert word.se == pytest.approx(word.value * se)
    # Leaving a document out moves the rate by (y - R x)/(X - x); what documents weigh is worth (Σx)²/Σx² equal ones.
    away = (nll - rate * words) / (words.sum() - words)
    jackknifed, df = math.sqrt(61 / 62 * np.sum(away**2)), words.sum() ** 2 / np.sum(words**2) - 1
    half = statistics.t_quantile(0.95, df) * jackknifed
    assert (math.log(word.low), math.log(word.high)) == pytest.approx((rate - half, rate + half))
    assert word.method == f"exp(nll/words), jackknife over 62 instances, t with {df:.3g} degrees of freedom"
    assert bits.low == pytest.approx(math.log2(byte.low))
    assert bits.high == pytest.approx(math.log2(byte.high))
    assert token.n == 62


def test_perplexity_of_few_documents_takes_t_on_the_log() -> None:
    columns = documents(seed=1, count=5)
    word = Perplexity(("word",))(table(**columns))[0][0]
    assert math.log(word.high) - math.log(word.value) == pytest.approx(math.log(word.value) - math.log(word.low))
    assert math.log(word.high) - math.log(word.value) > statistics.t_quantile(0.95, 4) * (word.se or 0) / word.value


def test_one_document_tells_no_error_and_survives_json() -> None:
    estimates = Perplexity()(table(nll=[20.0], words=[5], bytes=[30], tokens=[8]))[0]
    assert [e.se for e in estimates] == [None] * 4
    assert [e.low for e in estimates] == [1, 1, 0, 1]
    assert {e.high for e in estimates} == {statistics.UNBOUNDED}
    assert estimates[0].method == "exp(nll/words), one document: no interval; split the text to get one"
    assert msgspec.json.decode(msgspec.json.encode(estimates), type=list[Estimate]) == estimates


def test_a_perplexity_beyond_all_floats_stays_a_number() -> None:
    estimate = Perplexity(("word",))(table(nll=[5000.0, 6000.0], words=[1, 1]))[0][0]
    assert estimate.value == estimate.high == statistics.UNBOUNDED


def test_perplexity_of_clusters_and_strata() -> None:
    columns = documents(seed=2, count=60)
    clusters, strata = [f"c{i // 2}" for i in range(60)], [f"s{i // 30}" for i in range(60)]
    estimates, groups = Perplexity(("word",))(table(**columns, clusters=clusters, strata=strata))
    assert estimates[0].clusters == 30
    assert estimates[0].method == (
        "exp(nll/words), stratified by 2 strata, CR1 over 30 clusters, "
        "jackknife over 30 clusters, t with 24.4 degrees of freedom"
    )
    assert [(g.name, g.group, g.n, g.clusters) for g in groups] == [
        ("word_perplexity", "s0", 30, 15),
        ("word_perplexity", "s1", 30, 15),
    ]


def test_a_stratified_samples_perplexity_is_a_ratio_of_weighted_totals() -> None:
    nll, words, strata = [10.0, 14, 9, 40, 50], [4.0, 6, 4, 10, 10], list("aaabb")
    estimate = Perplexity(("word",))(table(nll=nll, words=words, strata=strata, sizes={"a": 30, "b": 2}))[0][0]
    rate = (10 * 33 + 90) / (10 * 14 + 20)
    assert estimate.value == pytest.approx(math.exp(rate))
    parts = [np.array([10, 14, 9]) - rate * np.array([4, 6, 4]), np.array([40, 50]) - rate * 10]
    variance = 30**2 * parts[0].var(ddof=1) / 3 + 2**2 * parts[1].var(ddof=1) / 2
    assert estimate.se == pytest.approx(math.exp(rate) * math.sqrt(variance) / 160)
    # Words by 10, 10, 10, 1 and 1: 40, 60, 40, 10, 10, worth 160²/7,000 = 3.66 equal documents, in two strata.
    assert estimate.method == (
        "exp(nll/words), stratified by 2 strata, weighted to 32 instances, "
        "jackknife over 5 instances, t with 1.66 degrees of freedom"
    )


def test_a_weighted_perplexity_lies_in_its_interval() -> None:
    columns = documents(seed=3, count=60)
    columns["nll"][40:] = [3 * x for x in columns["nll"][40:]]
    strata = ["a"] * 40 + ["b"] * 20
    plain, weighted = (
        Perplexity(("word",))(table(**columns, strata=strata, sizes=sizes))[0][0]
        for sizes in (None, {"a": 40, "b": 2000})
    )
    assert "weighted to 2,040 instances, jackknife over 60 instances" in weighted.method
    assert weighted.low < weighted.value < weighted.high
    assert plain.high < weighted.low


def test_perplexity_names_what_is_missing() -> None:
    with pytest.raises(DataError, match="no score 'words'; these trials have nll"):
        Perplexity()(table(nll=[1.0, 2.0]))
    with pytest.raises(DataError, match="above zero"):
        Perplexity(("word",))(table(nll=[1.0, 2.0], words=[0, 0]))


def test_accuracy_and_perplexity_of_the_same_items() -> None:
    scores = table(acc=[1, 0, 1], nll=[0.5, 3.0, 1.0], tokens=[1, 2, 1])
    estimates, groups = Several(Mean("acc", others=False), Perplexity(("item",)))(scores)
    assert [e.name for e in estimates] == ["acc", "perplexity"]
    assert estimates[1].value == pytest.approx(math.exp(1.5))
    assert groups == []
    with pytest.raises(DataError):
        Several()


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_the_order_of_trials_changes_nothing(random: object, count: int) -> None:
    columns = documents(seed=count, count=count)
    trials = [
        trial(
            f"i{i}",
            epoch,
            f"s{i % 3}",
            f"c{i % 11}" if i % 4 else None,
            **{k: v[i] + epoch for k, v in columns.items()},
        )
        for i in range(count)
        for epoch in range(2)
    ]
    trials.append(trial("failed", 0, "s1"))
    shuffled = list(trials)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for interpretation in (Mean(), Mean(macro=True), Perplexity()):
        assert interpretation(Table.of(trials)) == interpretation(Table.of(shuffled))


def test_naming_an_interpretation_imports_nothing_heavy() -> None:
    code = """
import sys
import howgood.interpret.compare
from howgood.interpret.estimate import Mean, Perplexity, Several
Several(Mean(), Perplexity()).describe()
print({"numpy", "scipy", "polars"} & set(sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
