"""PubMedQA's people, from the authors' file as anyone's own data: it is asked by its columns, and answered by its
columns of human predictions. 78.0 % after reading the abstract alone, 90.4 % with its conclusion too (Jin et al.,
https://arxiv.org/abs/1909.06146)."""

from __future__ import annotations

from pathlib import Path

import pytest

import howgood as hg


def test_the_accuracy_of_people(shared: Path) -> None:
    file = shared / "data" / "medhelm" / "pubmedqa" / "pqal_test500.jsonl.gz"
    if not file.is_file():
        pytest.skip("needs ../shared/data/medhelm/pubmedqa/pqal_test500.jsonl.gz")
    runs = [
        hg.run(str(file), f"replay/{file},id=pmid,text={column}", ask="{QUESTION}", answer="final_decision", id="pmid")
        for column in ("reasoning_required_pred", "reasoning_free_pred")
    ]
    assert [(run.estimate.value, run.estimate.n) for run in runs] == [(0.780, 500), (0.904, 500)]
    assert [run.outcomes for run in runs] == [{"right": 390, "wrong": 110}, {"right": 452, "wrong": 48}]
    found = hg.compare(*runs)
    assert found.same_rules
    assert found.difference.value == pytest.approx(0.124)
    assert (found.gained, found.lost, found.test) == (107, 45, "exact McNemar")
