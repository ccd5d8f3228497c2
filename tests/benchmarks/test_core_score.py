"""CORE as one estimate: closed forms of its error and interval, and what it refuses."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import DataError
from howgood.core.types import Estimate
from howgood.interpret import statistics
from howgood.interpret.core_score import TASKS, centred, centred_mean, core, core_estimates, missing


def headline(value: float, n: int = 1_000) -> Estimate:
    low, high = statistics.wilson(value * n, n)
    return Estimate("acc", value, math.sqrt(value * (1 - value) / (n - 1)), low, high, n, "mean, Wilson", percent=True)


def suite(value: float = 0.5, n: int = 1_000) -> dict[str, Estimate]:
    return {task.benchmark: headline(value, n) for task in TASKS}


def test_guessing_is_0_and_being_right_is_1() -> None:
    for version in ("v1", "v2"):
        guessed = {task.name: task.baseline(version) for task in TASKS}
        assert centred_mean(guessed, guessed) == 0
        assert centred_mean(dict.fromkeys(guessed, 1.0), guessed) == 1
    assert centred(0.1, 0.25) == pytest.approx(-0.2)


def test_the_error_is_each_task_s_with_hellaswag_s_two_as_one() -> None:
    made = core(suite(0.5), "v2")
    se = headline(0.5).se
    assert se is not None
    weights = [1 / (22 * (1 - task.v2)) for task in TASKS if task.data != "hellaswag"]
    both = 2 / (22 * 0.75)
    assert made.se == pytest.approx(se * math.sqrt(sum(w**2 for w in weights) + both**2))
    low, high = statistics.wilson(500, 1_000)
    assert made.value - made.low == pytest.approx((0.5 - low) * math.sqrt(sum(w**2 for w in weights) + both**2))
    assert made.high - made.value == pytest.approx((high - 0.5) * math.sqrt(sum(w**2 for w in weights) + both**2))
    assert (made.n, made.percent, made.name) == (22_000, True, "CORE")


def test_a_task_without_a_right_answer_still_counts_with_what_is_not_known_of_it() -> None:
    """0 of 32: its SE is 0, but its interval goes to 0.107, which is 0.0049 of CORE."""
    known = suite(0.5, 10**9)
    known["core-bigbench-repeat-copy-logic"] = headline(0.0, 32)
    made = core(known)
    assert made.high - made.value == pytest.approx(statistics.wilson(0, 32)[1] / 22, rel=1e-3)
    assert made.value - made.low < 1e-5
    assert made.se == pytest.approx(0, abs=1e-5)


def test_both_versions_are_told_the_one_of_today_first() -> None:
    new, old = core_estimates(suite(0.5))
    assert (new.name, old.name) == ("CORE", "CORE v1")
    difference = sum(centred(0.5, task.v1) - centred(0.5, task.v2) for task in TASKS) / 22
    assert old.value - new.value == pytest.approx(difference)
    assert "baselines v1" in old.method


def test_a_mean_over_fewer_tasks_is_refused_and_named() -> None:
    some = suite()
    del some["core-squad"], some["core-coqa"]
    assert missing(some) == ["core-squad", "core-coqa"]
    with pytest.raises(DataError, match="CORE is the mean of 22 tasks; core-squad, core-coqa are missing"):
        core(some)
    with pytest.raises(DataError, match="copa is missing; the mean is over all 2 tasks"):
        centred_mean({"piqa": 0.7}, {"piqa": 0.5, "copa": 0.5})


def test_without_an_error_of_each_task_there_is_none_of_core() -> None:
    import msgspec

    some = suite()
    some["core-copa"] = msgspec.structs.replace(some["core-copa"], se=None)
    assert core(some).se is None
    some["core-copa"] = msgspec.structs.replace(some["core-copa"], level=0.9)
    with pytest.raises(DataError, match=r"levels \(0.9, 0.95\)"):
        core(some)


@given(st.lists(st.floats(0, 1), min_size=22, max_size=22))
def test_the_interval_holds_the_value_and_better_accuracies_never_lower_it(values: list[float]) -> None:
    some = {task.benchmark: headline(round(v, 2), 100) for task, v in zip(TASKS, values, strict=True)}
    made = core(some)
    assert made.low <= made.value <= made.high <= 1 + 1e-9
    better = some | {"core-piqa": headline(1.0, 100)}
    assert core(better).value >= made.value - 1e-12


def test_it_loads_nothing_heavy_so_that_suites_may_name_it() -> None:
    code = "import sys, howgood.interpret.core_score; print({'numpy', 'polars', 'scipy'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
