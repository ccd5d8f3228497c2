"""IFEval by the answers that others recorded: the published numbers of GPT-4, and every flag of four other runs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from howgood.benchmarks.instructions.ifeval import ifeval, to_instance
from howgood.core.types import Instance, Prediction, Score, Trial
from howgood.interpret.table import Table
from howgood.outputs.base import judge
from howgood.outputs.verify import Compat, Verify

Flags = tuple[list[bool], list[bool]]
REVISED = 2785
"""The prompt that asked for one placeholder when the answers were made and asks for three now."""


def rows_of(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        pytest.skip(f"needs ../shared/{path.parts[-4]}/{path.parts[-3]}/{path.parts[-2]}/{path.name}")
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]


@pytest.fixture(scope="module")
def prompts(shared: Path) -> dict[str, Instance]:
    rows = rows_of(shared / "data" / "ifeval" / "input_data.jsonl")
    return {instance.id: instance for instance in (to_instance(row, i) for i, row in enumerate(rows))}


@pytest.fixture(scope="module")
def answers(shared: Path, prompts: dict[str, Instance]) -> dict[str, str]:
    """GPT-4's answers of November 2023, which the authors publish."""
    ids = {instance.input: instance.id for instance in prompts.values()}
    rows = rows_of(shared / "reference" / "ifeval" / "gpt4_20231107_input_response_data.jsonl.gz")
    return {ids[row["prompt"]]: row["response"] for row in rows}


def score(instance: Instance, answer: str, compat: Compat = "none") -> Score:
    return judge(Verify(compat), instance, Prediction(text=answer, stop_reason="stop"))


def flags(found: Score) -> Flags:
    lines = (found.explanation or "").splitlines()
    strict = [value == 1 for _, value in found.parts]
    assert strict == [line.startswith("followed: ") for line in lines]
    loose = [one or line.endswith("(followed in the loose sense)") for one, line in zip(strict, lines, strict=True)]
    assert [sum(strict), sum(loose)] == [found.values["followed_strict"], found.values["followed_loose"]]
    return strict, loose


@pytest.mark.parametrize(
    ("compat", "prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose"),
    [
        # The convention of the published table, in which an instruction to count # or ! is never followed.
        ("upstream", 415, 696, 429, 712),
        # GPT-4 follows both.
        ("none", 417, 698, 431, 714),
    ],
)
def test_gpt4(
    compat: Compat,
    prompt_strict: int,
    instruction_strict: int,
    prompt_loose: int,
    instruction_loose: int,
    prompts: dict[str, Instance],
    answers: dict[str, str],
) -> None:
    """The paper has 76.89, 83.57, 79.30 and 85.37 %, which are 416, 697, 429 and 712: equal in the loose sense, and one
    more in the strict one, where the authors' code drew a letter that happened to fit."""
    trials = [
        Trial(prompts[id], place, 0, "", Prediction(text=answer), score(prompts[id], answer, compat))
        for place, (id, answer) in enumerate(answers.items())
    ]
    estimates, groups = ifeval(compat).interpret(Table.of(trials))
    strict, loose, by_instruction, by_instruction_loose = estimates
    assert (strict.n, by_instruction.n, by_instruction.clusters) == (541, 834, 541)
    assert (strict.value, loose.value) == (pytest.approx(prompt_strict / 541), pytest.approx(prompt_loose / 541))
    assert by_instruction.value == pytest.approx(instruction_strict / 834)
    assert by_instruction_loose.value == pytest.approx(instruction_loose / 834)
    # Clustered by prompt the error is 1.29 points; taking instructions as independent it would be 1.28.
    assert by_instruction.se == pytest.approx(0.0129, abs=0.0002)
    assert by_instruction.low < by_instruction.value < by_instruction.high
    assert len(groups) == 25
    assert sum(group.n for group in groups) == 834
    assert sum(round(group.value * group.n) for group in groups) == instruction_strict


def test_every_flag_of_gpt4(shared: Path, prompts: dict[str, Instance], answers: dict[str, str]) -> None:
    recorded = rows_of(shared / "reference" / "ifeval" / "gpt4_20231107_eval_results.jsonl")
    assert len(recorded) == 540
    different = [
        row["key"]
        for row in recorded
        if flags(score(prompts[str(row["key"])], answers[str(row["key"])])) != (row["strict"], row["loose"])
    ]
    # The letter drawn in place of # fitted strictly and not loosely, though loose is never stricter.
    assert different == [1122]


@pytest.mark.parametrize(
    ("model", "published", "ours", "differences"),
    [
        # 1645 and 3456 are names in capitals: of 30 seeds langdetect says Somali with 20 and 26, else English, and none
        # was set when this was recorded. 2785 asked for fewer placeholders then.
        (
            "claude-3-haiku-20240307",
            (371, 645, 425, 711),
            (370, 644, 424, 710),
            {1645: ([False], [False]), REVISED: ([True, False], [True, False]), 3456: ([True, True], [True, True])},
        ),
        # 1122 counts #, for which a letter was drawn.
        (
            "gpt-4o-2024-08-06",
            (455, 739, 475, 761),
            (455, 739, 474, 760),
            {1122: ([True, True], [True, True]), REVISED: ([True, False], [True, False])},
        ),
        # 3112 wants Gujarati: without its last line the answer is that with 8 of 30 seeds, else Finnish.
        (
            "mistralai__Mistral-7B-Instruct-v0.3",
            (255, 492, 278, 529),
            (255, 492, 278, 529),
            {1122: ([True, True], [True, True]), 3112: ([False], [False])},
        ),
    ],
)
def test_every_flag_of_three_models(
    model: str,
    published: tuple[int, ...],
    ours: tuple[int, ...],
    differences: dict[int, Flags],
    shared: Path,
    prompts: dict[str, Instance],
) -> None:
    """The English half of M-IFEval's runs. Every flag is the same but in the prompts listed, where we find this."""
    rows = rows_of(shared / "reference" / "ifeval" / "m-ifeval-en" / f"{model}.jsonl.gz")
    found = {row["key"]: flags(score(prompts[str(row["key"])], row["response"])) for row in rows}
    theirs: dict[int, Flags] = {row["key"]: (row["strict"], row["loose"]) for row in rows}
    assert counts(theirs) == published
    assert counts(found) == ours
    assert {key: mine for key, mine in found.items() if mine != theirs[key]} == differences


def counts(found: dict[int, Flags]) -> tuple[int, ...]:
    return tuple(sum(kind(flags[place]) for flags in found.values()) for place in (0, 1) for kind in (all, sum))
