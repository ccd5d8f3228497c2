"""CORE of 156 evaluations that DataComp-LM stores (exp_data/evals of https://github.com/mlfoundations/dclm), with the
baselines before and after September 2025; and what is published of GPT-2's."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from howgood.core.errors import DataError
from howgood.interpret.core_score import TASKS, Version, centred, centred_mean

BASELINES = {version: {task.name: task.baseline(version) for task in TASKS} for version in ("v1", "v2")}
SIZES = {  # of the whole files that DataComp-LM ran
    "hellaswag_zeroshot": 10_042,
    "hellaswag": 10_042,
    "bigbench_qa_wikidata": 20_321,
    "arc_easy": 2_376,
    "arc_challenge": 1_172,
    "copa": 100,
    "commonsense_qa": 1_221,
    "piqa": 1_838,
    "openbook_qa": 500,
    "lambada_openai": 5_153,
    "winograd": 273,
    "winogrande": 1_267,
    "bigbench_dyck_languages": 1_000,
    "agi_eval_lsat_ar": 230,
    "bigbench_cs_algorithms": 1_320,
    "bigbench_operators": 210,
    "bigbench_repeat_copy_logic": 32,
    "squad": 10_570,
    "coqa": 7_983,
    "boolq": 3_270,
    "bigbench_language_identification": 10_000,
}
# Accuracies in per cent, rounded to a tenth: HellaSwag (0 and 10 examples), LAMBADA, PIQA, ARC-Easy, ARC-Challenge; and
# what they are centred (dev/estimate_gpt3_core.ipynb of https://github.com/karpathy/nanochat). These are 6 of the 22
# accuracies of GPT-2; the others are not published there, so its CORE (.1139 to .2565) cannot be recomputed.
GPT2_TASKS = ("hellaswag_zeroshot", "hellaswag", "lambada_openai", "piqa", "arc_easy", "arc_challenge")
GPT2 = {
    "small": ((30.9, 30.8, 32.3, 62.3, 41.2, 22.2), (0.0780, 0.0772, 0.3229, 0.2459, 0.2166, -0.0375)),
    "medium": ((39.0, 39.5, 42.6, 67.0, 48.0, 26.2), (0.1867, 0.1933, 0.4260, 0.3400, 0.3067, 0.0160)),
    "large": ((44.0, 44.4, 48.8, 69.8, 53.5, 26.4), (0.2533, 0.2587, 0.4880, 0.3960, 0.3800, 0.0187)),
    "xl": ((50.2, 51.2, 52.3, 72.5, 59.5, 29.9), (0.3360, 0.3493, 0.5230, 0.4500, 0.4600, 0.0653)),
}


@pytest.fixture(scope="module")
def stored(shared: Path) -> list[dict[str, Any]]:
    path = shared / "reference" / "dclm" / "evals.jsonl.gz"
    if not path.is_file():
        pytest.skip("needs ../shared/reference/dclm/evals.jsonl.gz")
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


@pytest.fixture(scope="module")
def published_tasks(shared: Path) -> dict[str, list[dict[str, str]]]:
    folder = shared / "data" / "dclm_core"
    files = {"v1": "eval_meta_data_v1.csv", "v2": "eval_meta_data.csv"}
    return {version: list(csv.DictReader((folder / name).read_text().splitlines())) for version, name in files.items()}


def test_tasks_shots_and_baselines_are_the_published_ones(
    published_tasks: dict[str, list[dict[str, str]]], shared: Path
) -> None:
    chosen = json.loads((shared / "data" / "dclm_core" / "additional_aggregation.json").read_text())
    assert [task.name for task in TASKS] == chosen["low_variance_datasets"]
    for version, rows in published_tasks.items():
        theirs = {row["Eval Task"]: row for row in rows}
        for task in TASKS:
            row = theirs[task.name]
            assert task.shots == int(row["#shots"])
            assert 100 * BASELINES[version][task.name] == pytest.approx(float(row["Random baseline"]), abs=1e-12)
    changed = {task.name for task in TASKS if task.v1 != task.v2}
    assert changed == {"commonsense_qa", "agi_eval_lsat_ar", "bigbench_language_identification"}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_core_of_all_stored_evaluations(stored: list[dict[str, Any]], version: Version) -> None:
    worst, counted = 0.0, 0
    for one in stored:
        published = one[f"Core_{version}"]
        ours = centred_mean(one["eval_metrics"]["icl"], BASELINES[version])
        worst, counted = max(worst, abs(ours - published)), counted + 1
    assert counted == 156
    assert worst < 1e-12


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_extended_is_the_same_mean_over_53_tasks(
    stored: list[dict[str, Any]], published_tasks: dict[str, list[dict[str, str]]], version: str
) -> None:
    own = {row["Eval Task"]: float(row["Random baseline"]) / 100 for row in published_tasks[version]}
    assert len(own) == 53
    known = [one for one in stored if isinstance(one[f"Extended_{version}"], float)]
    assert len(known) == 149
    for one in stored:
        if one not in known:  # "N/A due to missing tasks"
            with pytest.raises(DataError, match="missing; the mean is over all 53 tasks"):
                centred_mean(one["eval_metrics"]["icl"], own)
            continue
        assert centred_mean(one["eval_metrics"]["icl"], own) == pytest.approx(one[f"Extended_{version}"], abs=1e-12)


def test_the_leaderboard_s_numbers(stored: list[dict[str, Any]]) -> None:
    """Of the README: Llama2-7B 49.2 (v1) and 47.5 (v2), Qwen2-7B 57.5 and 56.5."""
    wanted = [(0.49249914, 0.47545046), (0.5746, 0.5649)]
    each = [tuple(centred_mean(one["eval_metrics"]["icl"], BASELINES[v]) for v in ("v1", "v2")) for one in stored]
    for pair in wanted:
        assert any(mine == pytest.approx(pair, abs=5e-5) for mine in each), pair


def test_the_new_baselines_never_raise_core(stored: list[dict[str, Any]]) -> None:
    for one in stored:
        icl = one["eval_metrics"]["icl"]
        assert centred_mean(icl, BASELINES["v2"]) < centred_mean(icl, BASELINES["v1"])


def test_accuracies_are_whole_numbers_of_questions_but_for_jeopardy_s(stored: list[dict[str, Any]]) -> None:
    """So the sizes are those of our files, and Jeopardy's accuracy is the mean of its five categories."""
    assert {*SIZES, "jeopardy"} == {task.name for task in TASKS}
    macro = 0
    for one in stored:
        icl = one["eval_metrics"]["icl"]
        for task, size in SIZES.items():
            assert icl[task] * size == pytest.approx(round(icl[task] * size), abs=2e-2), task
        macro += abs(icl["jeopardy"] * 2_117 - round(icl["jeopardy"] * 2_117)) > 2e-2
    assert macro > 100


@pytest.mark.parametrize("size", GPT2)
def test_what_is_published_of_gpt2(size: str) -> None:
    for task, accuracy, published in zip(GPT2_TASKS, *GPT2[size], strict=True):
        baseline = BASELINES["v1"][task]
        assert BASELINES["v2"][task] == baseline
        rounding = 0.0005 / (1 - baseline) + 0.00005
        assert centred(accuracy / 100, baseline) == pytest.approx(published, abs=rounding + 1e-9)
