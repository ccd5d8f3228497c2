from __future__ import annotations

import numpy as np
import pytest

from howgood.interpret.calibration import CalibrationError, bins_of
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
