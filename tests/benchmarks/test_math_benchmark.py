from __future__ import annotations

import importlib.metadata
import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plans import Planned

from howgood.benchmarks.reasoning.math import to_instance
from howgood.core.types import Generate
from howgood.inputs.files import read_rows
from howgood.outputs.maths import boxed, comparer
from howgood.runs.check import check
from howgood.runs.plan import Options

SLICE = "math/math_slice.jsonl.gz"
needs_library = pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="needs math-verify")


@pytest.mark.parametrize("compare", [pytest.param("math-verify", marks=needs_library), "text"])
def test_gold_answers_are_right_and_spoiled_ones_wrong(compare: str, shared: Path) -> None:
    found = check("math", {"compare": compare}, Options(data=str(shared / "data")))
    assert [(one.instances, one.faults) for one in found] == [(1_000, [])] * 2


def test_the_box_of_every_solution_is_its_answer(shared: Path) -> None:
    rows = list(read_rows(shared / "data" / SLICE))
    assert [boxed(row["chain_of_thought"]) for row in rows] == [row["answer"].strip() for row in rows]


@needs_library
def test_math_verify_takes_answers_for_themselves(shared: Path) -> None:
    """Where it cannot parse an answer it compares texts; none of every fifth is lost."""
    answers = [row["answer"] for row in read_rows(shared / "data" / SLICE)][::5]
    assert [answer for answer in answers if not comparer().equal(answer, answer)] == []


def test_subjects(planned: Planned) -> None:
    subjects = Counter(instance.stratum for _, instance in planned("math", compare="text").instances())
    assert (len(subjects), subjects["algebra"], subjects["geometry"]) == (7, 237, 96)


def test_rows_of_the_hub_are_the_same_instances() -> None:
    hub = {"problem": "1+1?", "level": "Level 1", "type": "Counting & Probability", "solution": r"\boxed{2}"}
    local = {"context": "1+1?", "answer": "2", "chain_of_thought": r"\boxed{2}", "category": "counting_and_probability"}
    assert to_instance(hub, 3) == to_instance(local, 3)


@needs_library
def test_prompts_are_those_of_lm_eval(planned: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    version = importlib.metadata.version
    # Its task refuses to load with another version of antlr, which the prompts do not need.
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "4.11" if name.startswith("antlr4") else version(name)
    )
    plan = planned("math")
    for _, instance in list(plan.instances())[:20]:
        rows: list[dict[str, Any]] = [
            {"problem": shot.input, "solution": shot.targets[0], "few_shot": "1"}
            for shot in (*plan.shots(instance), instance)
        ]
        task = peer_task("minerva_math/minerva_math_algebra.yaml", train=rows[:1], test=rows[4:])
        shown = [row | {"answer": ""} for row in rows[:4]]
        task.sampler.sample = lambda n, eval_doc=None, df=None, shown=shown: shown[:n]
        (theirs,) = task.test_docs()
        request = plan.request(instance)
        assert isinstance(request, Generate)
        assert request.prompt == task.fewshot_context(theirs, 4)
    assert list(request.stop) == task.config.generation_kwargs["until"]
