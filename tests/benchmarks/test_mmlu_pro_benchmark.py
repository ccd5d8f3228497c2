from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from plans import CHATS, Planned

from howgood.core.types import Generate, Message
from howgood.models.base import Capabilities
from howgood.runs.check import Imagined, check
from howgood.runs.plan import Options, Plan, make_plan


def test_all_questions_are_there_and_judged_rightly(shared: Path) -> None:
    found = check("mmlu-pro", {}, Options(data=str(shared / "data")))
    assert [(one.instances, one.faults) for one in found] == [(12_032, [])] * 2


def test_the_categories_have_their_published_sizes(planned: Planned) -> None:
    sizes = Counter(instance.stratum for _, instance in planned("mmlu-pro").instances())
    assert (len(sizes), sizes.total()) == (14, 12_032)
    assert (sizes["math"], sizes["law"], sizes["computer science"], sizes["history"]) == (1_351, 1_101, 410, 381)


def with_examples(folder: Path, shared: Path, can: Capabilities) -> tuple[Plan, list[dict[str, Any]]]:
    """A plan on ten questions of biology, whose worked examples are five others."""
    lines = gzip.decompress((shared / "data" / "mmlu_pro" / "test.jsonl.gz").read_bytes()).splitlines()
    rows = [row for row in map(json.loads, lines) if row["category"] == "biology"][:15]
    for row in rows[10:]:
        row["cot_content"] = f"A: Let's think step by step. It lives. The answer is ({row['answer']})."
    (folder / "mmlu_pro").mkdir()
    with gzip.open(folder / "mmlu_pro" / "test.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows[:10])
    validation = folder / "mmlu_pro" / "validation.jsonl"
    validation.write_text("".join(json.dumps(row) + "\n" for row in rows[10:]))
    return make_plan("mmlu-pro", Imagined("imagined", can), {}, Options(data=str(folder))), rows


def test_prompts_are_those_of_lm_eval(tmp_path: Path, shared: Path) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    plan, rows = with_examples(tmp_path, shared, Capabilities(generate=True, completion=True))
    task = peer_task("mmlu_pro/mmlu_pro_biology.yaml", test=rows[:10], validation=rows[10:])
    for theirs, (_, ours) in zip(task.test_docs(), plan.instances(), strict=True):
        request = plan.request(ours)
        assert isinstance(request, Generate)
        assert request.prompt == task.fewshot_context(theirs, 5)
    assert list(request.stop) == task.config.generation_kwargs["until"]
    assert request.max_tokens == task.config.generation_kwargs["max_gen_toks"]


def test_a_chat_model_sees_the_examples_as_turns(tmp_path: Path, shared: Path) -> None:
    plan, rows = with_examples(tmp_path, shared, CHATS)
    request = plan.request(next(plan.instances())[1])
    assert isinstance(request, Generate)
    system, *turns = request.prompt
    assert isinstance(system, Message)
    assert str(system.content).startswith("The following are multiple choice questions (with answers) about biology.")
    assert [turn.role for turn in turns if isinstance(turn, Message)] == ["user", "assistant"] * 5 + ["user"]
    assert turns[1] == Message("assistant", f"It lives. The answer is ({rows[10]['answer']}).")


def test_without_the_validation_split_the_rules_say_where_examples_are_from(planned: Planned) -> None:
    plan = planned("mmlu-pro")
    assert plan.rules.call["shots_from"].startswith("test (the evaluated split")
    shots = plan.shots(next(plan.instances())[1])
    assert shots[0].targets == (f"The answer is ({'ABCDEFGHIJ'[shots[0].gold[0]]}).",)


def test_the_fallback_is_in_the_rules(planned: Planned) -> None:
    one, other = planned("mmlu-pro"), planned("mmlu-pro", fallback="random")
    assert one.rules.differences(other.rules) == [("outputs.fallback", "none", "random")]
