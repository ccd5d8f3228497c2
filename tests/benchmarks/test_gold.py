"""Every benchmark on the whole of its real data: gold answers score 1, spoiled ones 0, nothing is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from howgood.core.registry import catalogue, find
from howgood.interpret.core_score import TASKS
from howgood.runs.check import check
from howgood.runs.plan import Options

BOTH = ["a model that can do everything", "a model that only chats"]
SIZES = [
    ("mmlu", {}, 14_042, BOTH),
    ("mmlu", {"method": "cloze-likelihood", "subjects": "virology"}, 166, BOTH[:1]),
    ("hellaswag", {}, 2_000, BOTH),
    ("lambada", {}, 5_153, BOTH[:1]),
    ("wikitext-2", {}, 62, BOTH[:1]),
    ("wikitext-103", {}, 62, BOTH[:1]),
    ("penn-treebank", {"documents": "apart"}, 3_761, BOTH[:1]),
    ("one-billion-word", {"version": "sample"}, 1_000, BOTH[:1]),
    ("gsm8k", {}, 1_319, BOTH),
    ("arc-agi-1", {}, 419, BOTH),
    ("arc-agi-1", {"split": "training"}, 416, BOTH),
    ("arc-agi-2", {}, 167, BOTH),
    ("arc-agi-2", {"split": "training"}, 1_076, BOTH),
]
ELSEWHERE = {
    "test_choice_benchmarks.py": "arc-easy arc-challenge openbookqa boolq piqa commonsense-qa social-iqa winogrande",
    "test_core_tasks.py": " ".join(task.benchmark for task in TASKS),
    "test_gpqa.py": "gpqa",
    "test_hle.py": "hle",
    "test_math_benchmark.py": "math",
    "test_mmlu_pro_benchmark.py": "mmlu-pro",
    "test_own_file.py": "own-file",
    "test_hub_eval.py": "hub-eval",
    "test_quickstart.py": "endings instructions last-words passages questions word-problems",
    "test_truthfulqa.py": "truthfulqa-mc1 truthfulqa-mc2",
}
"""Where the others are checked, beside what else is to be said of them."""
WITHOUT = {"own-text"}
"""What has no gold answers of its own to check."""


@pytest.mark.parametrize(("name", "parameters", "size", "ways"), SIZES)
def test_gold_answers_are_right_and_spoiled_ones_wrong(
    name: str, parameters: dict[str, Any], size: int, ways: list[str], shared: Path
) -> None:
    found = check(name, parameters, Options(data=str(shared / "data")))
    assert [one.way for one in found] == ways
    assert all(one.instances == size and not one.faults for one in found)


def test_no_benchmark_of_these_sections_goes_unchecked() -> None:
    here = Path(__file__).parent
    for file in ELSEWHERE:
        text = (here / file).read_text()
        assert " = check(" in text or "def test_gold_answers_are_right_and_spoiled_ones_wrong" in text
    checked = {name for name, *_ in SIZES} | WITHOUT
    for file, names in ELSEWHERE.items():
        checked |= {f"quickstart-{name}" if file == "test_quickstart.py" else name for name in names.split()}
    sections = {"benchmarks", "core", "knowledge", "perplexity", "quickstart", "reasoning"}
    assert {entry.name for entry in catalogue() if entry.section in sections} == checked


@pytest.mark.parametrize("name", sorted({name for name, *_ in SIZES} | {"own-text"}))
def test_the_card_says_what_a_reader_must_know(name: str) -> None:
    card = find(name)[0].card
    assert card.title
    assert card.cite.startswith("https://")
    assert card.flaws
    assert card.data
    assert (card.human is not None) <= bool(card.human_source)
    assert card.purpose == "modelling" or card.random is not None


def test_importing_all_benchmarks_loads_nothing_heavy() -> None:
    modules = ", ".join(sorted({one.module for one in catalogue() if one.module.startswith("howgood.")}))
    heavy = "{'numpy', 'scipy', 'polars', 'duckdb', 'torch', 'transformers', 'huggingface_hub', 'aiohttp', 'jinja2'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
