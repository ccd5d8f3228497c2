"""Decisions: three worked use cases with answers computed by hand, and what each part of one means."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.stats import beta, norm
from written_runs import Written, written

from howgood.core.errors import DataError, HowgoodError
from howgood.interpret.decide import Decision, decide
from howgood.interpret.usecase import UseCase
from howgood.interpret.utility import WORTH, draw, gather

DRAWN = 20_000
SLACK = 4 * 0.5 / math.sqrt(DRAWN)
"""Four standard errors of a share of the draws."""


def case(**fields: Any) -> UseCase:
    whole = {"question": "Which?", "benchmarks": {"b": 1.0}, "outcomes": {"right": 1.0, "wrong": 0.0}}
    return msgspec.convert(whole | fields, UseCase)


def decided(use: UseCase, *runs: Written) -> Decision:
    return decide(use, runs, draws=DRAWN)


def test_a_buyer_for_whom_an_error_costs_four_right_answers() -> None:
    # careless: 6 right, 2 wrong. careful: 5 right, 3 refused. Accuracy says careless, worth says careful.
    careless = written("careless", "rrrrrrww", took={"cost": 0.01, "latency_p95": 2.0})
    careful = written("careful", "rrrrrxxx", took={"cost": 0.02, "latency_p95": 3.0})
    dear = written("dear", "rrrrrrrr", took={"cost": 0.30, "latency_p95": 1.0})
    limits = {"cost": 0.05, "latency": 10.0}
    use = case(outcomes={"right": 1, "wrong": -4, "abstain": 0}, otherwise=0.1, limits=limits)
    found = decided(use, careless, careful, dear)
    by_name = {option.system: option for option in found.options}
    assert [option.system for option in found.options] == ["careful", "careless", "dear"]
    # Observed: (6 - 8)/8 and 5/8. Expected, with a pseudo-question at best and one at worst: (6-8+1-4)/10, (5+1-4)/10.
    assert by_name["careless"].observed == pytest.approx(-0.25)
    assert by_name["careful"].observed == pytest.approx(0.625)
    assert by_name["careless"].worth.value == pytest.approx(-0.5)
    assert by_name["careful"].worth.value == pytest.approx(0.2)
    assert (found.choice, found.sure, found.ready) == ("careful", False, True)
    assert by_name["dear"].excluded == ("an answer costs $0.3, over the limit of $0.05",)
    assert by_name["dear"].best == 0
    assert sum(option.best for option in found.options) + found.otherwise_best == pytest.approx(1)
    assert found.probability == by_name["careful"].best
    # careful's worth is (Σ right + p·1 - q·4)/Σ over Gamma weights; above 0.1 in this share of its own draws:
    rng = np.random.default_rng(1)
    g = rng.standard_gamma([5, 3, 1, 1], (200_000, 4))
    above = ((g[:, 0] + g[:, 2] - 4 * g[:, 3]) / g.sum(axis=1) > 0.1).mean()
    assert found.probability + by_name["careless"].best >= above - SLACK
    alone = decided(use, careful)
    assert alone.probability == pytest.approx(above, abs=SLACK + 0.005)


def test_a_researcher_who_asks_which_method_is_better() -> None:
    # Both right on 4, neither on 2; new alone on 3, old alone on 1.
    old, new = written("old", "rrrrwwwwwr"), written("new", "rrrrwwrrrw")
    found = decided(case(), old, new)
    assert [(o.system, o.observed) for o in found.options] == [("new", 0.7), ("old", 0.5)]
    assert [o.worth.value for o in found.options] == pytest.approx([8 / 12, 6 / 12])
    # New is ahead where Gamma(3) > Gamma(1), or, with the pseudo-questions opposed (half the time), where
    # Gamma(4) > Gamma(2): P(Beta(3, 1) > 1/2) = 1 - 1/8, P(Beta(4, 2) > 1/2) = 26/32.
    assert found.choice == "new"
    assert found.probability == pytest.approx((0.875 + 0.8125) / 2, abs=SLACK)
    assert not found.sure
    # About how many instances make it sure: 10 · (1.645 · sd/Δ)², sd and Δ of the posterior difference. By hand the
    # variance of Σ g d / Σ g over 12 Dirichlet weights is (E d² - (E d)²)/13: E d² = (4 + 2·½)/12, E d = 2/12.
    sd, gap = math.sqrt(((4 + 1) / 12 - (2 / 12) ** 2) / 13), 2 / 12
    assert found.needed == pytest.approx(10 * (norm.ppf(0.95) * sd / gap) ** 2, rel=0.05)
    assert found.more[0].instances == 10
    assert 0 < found.more[0].each < found.more[1].each < found.more[2].each < found.perfect
    assert all(more.net is None for more in found.more)


def test_a_policy_maker_who_requires_91_percent() -> None:
    # 97 right, 1 wrong, 2 refused of 100. The rates' posteriors are Beta(98, 4) and Beta(2, 100).
    require = {"score": {"at_least": 0.91}, "wrong": {"at_most": 0.05}}
    ready = written("ready", "r" * 97 + "w" + "xx")
    found = decided(case(outcomes={"right": 1, "wrong": -20}, require=require, otherwise=0.0), ready)
    score, wrong = found.options[0].levels
    assert score.probability == pytest.approx(beta(98, 4).sf(0.91), abs=SLACK)
    assert wrong.probability == pytest.approx(beta(2, 100).cdf(0.05), abs=SLACK)
    assert score.estimate.value == pytest.approx(98 / 102)
    assert (score.estimate.low, score.estimate.high) == pytest.approx(beta(98, 4).ppf([0.025, 0.975]), abs=0.004)
    assert (score.verdict, wrong.verdict, found.ready, score.needed) == ("met", "met", True, None)
    assert found.options[0].worth.value == pytest.approx((97 - 20 + 1 - 20) / 102)

    # 91 of 100 is the level itself, and says little about whether the rate is above it.
    at = decided(case(require={"score": {"at_least": 0.91}}), written("at", "r" * 91 + "w" * 9))
    (level,) = at.options[0].levels
    assert level.probability == pytest.approx(beta(92, 10).sf(0.91), abs=SLACK)
    assert (level.verdict, at.ready) == ("cannot be told", None)
    sd, gap = beta(92, 10).std(), 0.91 - 92 / 102
    assert level.needed == pytest.approx(100 * (norm.ppf(0.95) * sd / gap) ** 2, rel=0.05)

    # 75 of 100 is clearly below: not met, and so left out.
    below = decided(case(require={"score": {"at_least": 0.91}}), written("below", "r" * 75 + "w" * 25))
    assert (below.choice, below.options[0].excluded) == (None, ("score is not at least 0.91",))
    assert (below.perfect, below.needed, below.probability) == (0, None, 0)


def test_the_value_of_knowing_all() -> None:
    # One right answer of one: the rate's posterior has density 2x. Against 0.6 for sure: E max = 2/3 + 0.6³/3.
    found = decided(case(otherwise=0.6), written("a", "r"))
    assert (found.choice, found.probability) == ("a", pytest.approx(1 - 0.36, abs=SLACK))
    assert found.perfect == pytest.approx(0.6**3 / 3, abs=0.003)
    assert decided(case(otherwise=0.7), written("a", "r")).choice == "otherwise"


def test_more_instances_are_paid_for() -> None:
    use = case(otherwise=0.6, answers=10_000, instance=3.0, dollar=1.0, outcomes={"right": 1, "wrong": 0})
    found = decided(use, written("a", "rrwr", cost=0.0))
    for more in found.more:
        assert more.net == pytest.approx(10_000 * more.each - 3 * more.instances)


def test_prices_are_taken_off_where_a_dollar_has_a_worth() -> None:
    cheap, dear = written("cheap", "rrww", cost=0.0), written("dear", "rrrr", cost=[0.1, 0.2, 0.3, 0.4])
    found = decided(case(dollar=2.0), cheap, dear)
    assert {o.system: o.observed for o in found.options} == {"cheap": 0.5, "dear": pytest.approx(0.5)}
    with pytest.raises(DataError, match="cost is not known"):
        decided(case(dollar=2.0), cheap, written("secret", "rrrr"))


def test_each_kind_of_no_answer_has_its_own_worth() -> None:
    use = case(outcomes={"right": 10, "wrong": -10, "abstain": 1, "refused": -2, "truncated": -3})
    assert decided(use, written("a", "rwxut")).options[0].observed == pytest.approx((10 - 10 - 2 + 1 - 3) / 5)


def test_benchmarks_count_by_their_weights_and_have_their_own_worths() -> None:
    parts = {"b": {"weight": 3}, "c": {"weight": 1, "outcomes": {"wrong": -8}}, "d": 0}
    runs = [written("a", "rrrw"), written("a", "rw", "c")]
    found = decided(case(benchmarks=parts), *runs)
    assert found.options[0].observed == pytest.approx(0.75 * 0.75 + 0.25 * (1 - 8) / 2)
    assert found.options[0].worth.value == pytest.approx(0.75 * 4 / 6 + 0.25 * (1 - 8 + 1 - 8) / 4)
    assert [(w.benchmark, w.weight, w.instances) for w in found.benchmarks] == [("b", 0.75, 4), ("c", 0.25, 2)]


def test_only_shared_instances_count_and_failures_are_told() -> None:
    a = written("a", "rrwf", names=["p", "q", "r", "s"])
    b = written("b", "wrrr", names=["q", "r", "s", "t"], shots=5)
    (one,) = decided(case(), a, b).benchmarks
    assert (one.instances, one.left, one.failed, one.same_rules) == (2, 3, 1, False)
    with pytest.raises(DataError, match="share no instance of b"):
        decided(case(), a, written("b", "r", names=["z"]))


def test_a_cluster_counts_as_one() -> None:
    # Every question twice in a cluster of its own is the same evidence as every question once.
    once, twice = written("a", "rrwrw"), written("a", "rrrrwwrrww", clusters=[f"c{i // 2}" for i in range(10)])
    plain, clustered = (decided(case(), run).options[0].worth for run in (once, twice))
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert clustered.value == pytest.approx(plain.value)


def test_a_stratified_sample_counts_as_the_whole_it_stands_for() -> None:
    sizes = {"x": 90, "y": 10}
    run = written("a", "rrww", strata=list("xyxy"), sample={"how": "stratified", "strata": sizes})
    # x: half right, y: half right; weights 45, 5, 45, 5.
    assert decided(case(), run).options[0].observed == pytest.approx(0.5)
    run = written("a", "rwrw", strata=list("xyxy"), sample={"how": "stratified", "strata": sizes})
    assert decided(case(), run).options[0].observed == pytest.approx(0.9)


def test_identical_systems_share_the_first_place() -> None:
    found = decided(case(), written("a", "rwrw"), written("b", "rwrw"))
    # Only the pseudo-questions tell them apart, and those by coins.
    assert [o.best for o in found.options] == pytest.approx([0.5, 0.5], abs=SLACK)
    assert found.needed is None


def test_the_draws_of_right_or_wrong_are_beta() -> None:
    runs = [[written("a", "r" * 7 + "w" * 3)]]
    drawn = draw(gather(case(), runs, [WORTH]), [WORTH], 50_000)[WORTH][:, 0]
    assert np.quantile(drawn, [0.025, 0.25, 0.5, 0.975]) == pytest.approx(
        beta(8, 4).ppf([0.025, 0.25, 0.5, 0.975]), abs=0.005
    )
    again = draw(gather(case(), runs, [WORTH]), [WORTH], 50_000)[WORTH][:, 0]
    assert (again == drawn).all()


def test_a_threshold_from_stated_confidences() -> None:
    # Sure of 20, of which 19 are right; unsure of 20, of which 4 are.
    answers = "r" * 19 + "w" + "r" * 4 + "w" * 16 + "xx"
    run = written("a", answers, confidence=[0.9] * 20 + [0.4] * 20 + [0.1] * 2)
    found = decided(case(outcomes={"right": 1, "wrong": -1, "abstain": 0}), run).options[0].threshold
    assert found is not None
    assert (found.source, found.threshold, found.coverage, found.risk) == ("stated", 0.9, 0.5, pytest.approx(0.05))
    assert found.gain == pytest.approx(12 / 40)  # each of the 16 - 4 avoided
    assert found.calibrated == 0.5
    always = decided(case(outcomes={"right": 1, "wrong": -0.1, "abstain": 0}), run).options[0].threshold
    assert always is not None
    assert (always.threshold, always.coverage, always.gain) == (None, 1, 0)
    assert decided(case(), written("a", "rw" * 20)).options[0].threshold is None


def test_what_cannot_be_decided_is_said() -> None:
    use = case(benchmarks={"b": 1.0, "c": 1.0})
    with pytest.raises(HowgoodError, match="a has no run of c"):
        decided(use, written("a", "rw"))
    with pytest.raises(HowgoodError, match="gives no weight; it weighs b, c"):
        decided(use, written("a", "rw", "mmlu"))
    with pytest.raises(HowgoodError, match="needs runs"):
        decided(use)
    other = written("a", "rw")
    other.rules = msgspec.structs.replace(other.rules, version=2)
    twin = Written(other.system, other.rules, other.frame)
    twin.__class__ = type("Twin", (Written,), {"id": "twin"})
    with pytest.raises(HowgoodError, match="a has two runs of b, b_a and twin"):
        decided(case(), other, twin)
    with pytest.raises(DataError, match="has no score 'f1'"):
        decided(case(benchmarks={"b": {"score": "f1"}}), written("a", "rw"))
    large = written("a", "rw")
    large.frame = large.frame.with_columns(acc=large.frame["acc"] * 10)
    with pytest.raises(DataError, match="is not between 0 and 1"):
        decided(case(), large)


def test_a_decision_is_plain_data() -> None:
    found = decided(case(require={"score": {"at_least": 0.5}}), written("a", "rwrr"), written("b", "rwww"))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Decision) == found
