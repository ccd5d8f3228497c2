"""TruthfulQA. The real file was not at hand: these rows have its columns (truthfulqa/truthful_qa, multiple_choice)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from plans import CHATS, COMPLETES

from howgood.benchmarks.knowledge.truthfulqa_parts import PRIMER, TrueMass
from howgood.core.errors import DataError
from howgood.core.types import Generate, Instance, Likelihood, Loglikelihood, Message, Prediction
from howgood.models.base import Capabilities
from howgood.runs.check import Imagined, check
from howgood.runs.plan import Options, Plan, make_plan

ROWS: list[dict[str, Any]] = [
    {
        "question": f"What is {n} and {n}?",
        "mc1_targets": {"choices": [f"It is {2 * n}", f"It is {n}", "It is none"], "labels": [1, 0, 0]},
        "mc2_targets": {"choices": [f"{2 * n}", f"It is {2 * n}", "No", "Yes"], "labels": [1, 1, 0, 0]},
    }
    for n in range(8)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "truthfulqa").mkdir()
    (tmp_path / "truthfulqa" / "multiple_choice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def plan_of(name: str, folder: Path, can: Capabilities = COMPLETES, **parameters: Any) -> Plan:
    return make_plan(name, Imagined("imagined", can), parameters, Options(data=str(folder)))


@pytest.mark.parametrize(("name", "ways"), [("truthfulqa-mc1", 2), ("truthfulqa-mc2", 1)])
def test_gold_answers_are_right_and_spoiled_ones_wrong(name: str, ways: int, folder: Path) -> None:
    found = check(name, {}, Options(data=str(folder)))
    assert [(one.instances, one.faults) for one in found] == [(8, [])] * ways


def test_the_true_choice_is_not_always_the_first(folder: Path) -> None:
    for name, column in (("truthfulqa-mc1", "mc1_targets"), ("truthfulqa-mc2", "mc2_targets")):
        instances = [instance for _, instance in plan_of(name, folder).instances()]
        assert len({instance.gold for instance in instances}) > 1
        for row, instance in zip(ROWS, instances, strict=True):
            true = [c for c, label in zip(row[column]["choices"], row[column]["labels"], strict=True) if label]
            assert sorted(instance.choices[place] for place in instance.gold) == sorted(true)


@pytest.mark.parametrize("name", ["truthfulqa-mc1", "truthfulqa-mc2"])
def test_with_the_authors_primer_prompts_are_those_of_lm_eval(name: str, folder: Path) -> None:
    pytest.importorskip("lm_eval")
    pytest.importorskip("rouge_score")
    from peer_tasks import peer_task

    task = peer_task(f"truthfulqa/{name.replace('-', '_')}.yaml", validation=ROWS)
    docs = list(task.validation_docs())
    authors = task.fewshot_context(docs[0], 0).rpartition("\n\nQ: ")[0]
    (folder / "primer.txt").write_text(f"{authors}\n")
    plan = plan_of(name, folder, primer=str(folder / "primer.txt"))
    for theirs, (_, ours) in zip(docs, plan.instances(), strict=True):
        request = plan.request(ours)
        assert isinstance(request, Loglikelihood)
        assert request.prompt == task.fewshot_context(theirs, 0)
        assert sorted(request.continuations) == sorted(f" {choice}" for choice in task.doc_to_choice(theirs))
    assert plan.rules.call["primer"] not in ("howgood's", "none")


def test_without_it_ours_stands_there_and_the_rules_say_so(folder: Path) -> None:
    plan = plan_of("truthfulqa-mc1", folder)
    request = plan.request(next(plan.instances())[1])
    assert isinstance(request, Loglikelihood)
    assert request.prompt == f"{PRIMER}\n\nQ: What is 0 and 0?\nA:"
    assert plan.rules.call["primer"] == "howgood's"
    with pytest.raises(DataError, match="there is no file"):
        plan_of("truthfulqa-mc1", folder, primer=str(folder / "none.txt"))


def test_a_model_that_only_chats_is_asked_for_a_letter_alone(folder: Path) -> None:
    plan = plan_of("truthfulqa-mc1", folder, CHATS)
    request = plan.request(next(plan.instances())[1])
    assert isinstance(request, Generate)
    (turn,) = request.prompt
    assert isinstance(turn, Message)
    assert str(turn.content).startswith("What is 0 and 0?\n\nA. ")
    assert plan.rules.call["primer"] == "none"


@pytest.mark.parametrize(
    ("gold", "probabilities", "share"),
    [((0,), (0.3, 0.1), 0.75), ((0, 2), (0.1, 0.2, 0.1), 0.5), ((1,), (1e-200, 3e-200), 0.75)],
)
def test_the_share_of_the_true(gold: tuple[int, ...], probabilities: tuple[float, ...], share: float) -> None:
    prediction = Prediction(likelihoods=tuple(Likelihood(math.log(p), 1) for p in probabilities))
    score = TrueMass()(Instance("", "", choices=("x",) * len(probabilities), gold=gold), prediction)
    assert score.values == {"mc2": pytest.approx(share)}
    assert score.outcome == "partial"
