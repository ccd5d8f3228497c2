from __future__ import annotations

import numpy as np
import pytest

from howgood.core.errors import DataError
from howgood.interpret.calibration import CalibrationError, bins_of, reliability, rogan_gladen
from howgood.interpret.table import Table


def table_of(confidence: list[float], acc: list[float]) -> Table:
    n = len(acc)
    return Table(
        ids=[f"{i:05}" for i in range(n)],
        epochs=np.zeros(n, np.int64),
        strata=[None] * n,
        clusters=[None] * n,
        failed=np.zeros(n, np.bool_),
        scores={"acc": np.array(acc, float), "confidence": np.array(confidence, float)},
    )


def published(confidence: np.ndarray, correct: np.ndarray, beta: int = 100) -> float:
    """What the code of HLE's authors computes (calib_err in hle_eval/run_judge_results.py), in words of our own: the
    sum over bins goes to the last but one."""
    order = np.argsort(confidence, kind="stable")
    error = 0.0
    for start in range(0, (len(order) // beta - 1) * beta, beta):
        members = order[start : start + beta]
        error += len(members) / len(order) * (confidence[members].mean() - correct[members].mean()) ** 2
    return float(np.sqrt(error))


def test_bins_hold_a_hundred_and_the_last_one_the_rest() -> None:
    sizes = [np.bincount(bins_of(np.linspace(1, 0, n), 100)).tolist() for n in (5, 100, 199, 200, 250)]
    assert sizes == [[5], [100], [199], [100, 100], [100, 150]]
    assert bins_of(np.array([0.9, 0.1, 0.5, 0.3]), 2).tolist() == [1, 0, 1, 0]


def test_a_case_by_hand() -> None:
    # Bins of 2: (0.1, 0.3 | 0, 1) gap -0.3; (0.5, 0.9 | 0, 0) gap 0.7.
    found, as_published = CalibrationError(size=2)(table_of([0.9, 0.1, 0.5, 0.3], [0, 0, 0, 1]))[0]
    assert found.value == pytest.approx(np.sqrt((0.09 + 0.49) / 2))
    assert as_published.value == pytest.approx(np.sqrt(0.09 / 2))
    assert (found.n, found.higher_is_better, found.percent) == (4, False, True)


@pytest.mark.parametrize("n", [100, 250, 1_234])
def test_the_published_code_leaves_out_the_last_bin(n: int) -> None:
    rng = np.random.default_rng(n)
    confidence = np.round(rng.uniform(0, 1, n), 2)
    acc = (rng.uniform(0, 1, n) < confidence / 2).astype(float)
    ours, theirs = CalibrationError()(table_of(confidence.tolist(), acc.tolist()))[0]
    assert theirs.value == pytest.approx(published(confidence, acc))
    assert (theirs.value == 0) == (n < 200)
    assert ours.value > theirs.value
    assert ours.low <= ours.value <= ours.high


def test_perfect_and_worst() -> None:
    sure = CalibrationError()(table_of([1.0] * 300, [1.0] * 300))[0][0]
    assert (sure.value, sure.low, sure.high) == (0.0, 0.0, 0.0)
    worst = CalibrationError()(table_of([1.0] * 300, [0.0] * 300))[0][0]
    assert worst.value == 1.0


def test_the_interval_narrows_with_more_instances() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n in (200, 2_000):
        acc = (rng.uniform(0, 1, n) < 0.3).astype(float)
        found = CalibrationError()(table_of([0.9] * n, acc.tolist()))[0][0]
        assert found.low < 0.6 < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_reliability_by_hand() -> None:
    error, brier = reliability([0.05, 0.15, 0.95, 0.85, 0.8], [0, 1, 1, 1, 0])
    # Bins 0, 1, 9 and 8: |0.05| + |-0.85| + |-0.05| + |0.85 + 0.8 - 1|, each over 5.
    assert error.value == pytest.approx((0.05 + 0.85 + 0.05 + 0.65) / 5)
    assert brier.value == pytest.approx((0.05**2 + 0.85**2 + 0.05**2 + 0.15**2 + 0.8**2) / 5)
    assert (error.higher_is_better, brier.higher_is_better, error.n) == (False, False, 5)
    assert reliability([1.0] * 40, [1] * 40)[0].value == 0.0
    one = reliability([0.7], [1])
    assert (one[0].low, one[0].high) == (0.0, 1.0)
    with pytest.raises(DataError, match="between 0 and 1"):
        reliability([1.2], [1])


def test_a_calibrated_judge_has_a_small_error_and_an_overconfident_one_a_large() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(4_000)
    hit = (rng.random(4_000) < p).astype(float)
    good, brier = reliability(p, hit)
    assert good.value < 0.03
    assert brier.low < 1 / 6 < brier.high  # E p(1 - p)
    sure = reliability(np.where(p > 0.5, 1.0, 0.0), hit)[0]
    assert sure.low < 0.25 < sure.high


def test_rogan_gladen() -> None:
    found = rogan_gladen(60, 100, (90, 100), (80, 100))
    assert found.value == pytest.approx(0.571429, abs=1e-6)
    variance = (0.24 / 100 + found.value**2 * 0.09 / 100 + (1 - found.value) ** 2 * 0.16 / 100) / 0.7**2
    assert found.se == pytest.approx(variance**0.5)
    perfect = rogan_gladen(30, 100, (1_000, 1_000), (1_000, 1_000))
    assert perfect.value == pytest.approx(0.3)
    assert (perfect.low, perfect.high) == pytest.approx((0.22, 0.40), abs=0.015)  # as without correction
    assert rogan_gladen(5, 100, (90, 100), (80, 100)).value == 0.0
    for wrong, why in (((60, 100, (40, 100), (50, 100)), "no better than chance"), ((60, 50, (1, 1), (1, 1)), "share")):
        with pytest.raises(DataError, match=why):
            rogan_gladen(*wrong)  # type: ignore[arg-type]


def test_how_often_the_interval_of_a_corrected_share_holds() -> None:
    rng = np.random.default_rng(0)
    held = told = 0
    for _ in range(2_000):
        counts = rng.binomial(300, 0.3 * 0.85 + 0.7 * 0.1), (rng.binomial(30, 0.85), 30), (rng.binomial(30, 0.9), 30)
        found = rogan_gladen(counts[0], 300, *counts[1:])
        held, told = held + (found.low <= 0.3 <= found.high), told + 1
    assert 0.94 <= held / told <= 0.98
