from __future__ import annotations

import math
from pathlib import Path

import pytest
from plans import Planned

from howgood.benchmarks.perplexity.lambada import to_instance, to_instances
from howgood.core.types import Likelihood, Loglikelihood, Prediction, Trial
from howgood.inputs.files import read_rows
from howgood.interpret.table import Table
from howgood.models.registry import load_model
from howgood.outputs.base import judge
from howgood.runs.plan import Options, make_plan


def test_the_last_word_is_what_is_scored(planned: Planned, shared: Path) -> None:
    plan = planned("lambada")
    row = next(read_rows(shared / "data" / "perplexity" / "lambada" / "lambada_openai_test.jsonl"))
    request = plan.request(next(plan.instances())[1])
    assert isinstance(request, Loglikelihood)
    assert (request.prompt, request.continuations) == (row["context"], (f" {row['continuation']}",))


def test_rows_of_the_hub_and_of_the_local_file_are_one_instance() -> None:
    hub = {"text": 'He said,\n\n"Go to Shane'}
    local = {"context": 'He said,\n\n"Go to', "continuation": "Shane"}
    assert to_instance(hub, 7) == to_instance(local, 7)


ORIGINAL = "he said , `` go on , '' and she did not go\nit was n't cold , but they wore their coats\n"


def test_the_original_is_one_passage_a_line(tmp_path: Path) -> None:
    path = tmp_path / "perplexity" / "lambada" / "lambada_test_plain_text.txt"
    path.parent.mkdir(parents=True)
    path.write_text(ORIGINAL)
    plan = make_plan("lambada", load_model("reference/random"), {"version": "original"}, Options(data=str(tmp_path)))
    requests = [plan.request(instance) for _, instance in plan.instances()]
    assert requests == [
        Loglikelihood("he said , `` go on , '' and she did not", (" go",)),
        Loglikelihood("it was n't cold , but they wore their", (" coats",)),
    ]
    # A row of the Hub is one passage.
    (hub,) = to_instances({"text": ORIGINAL.split("\n")[1], "domain": "Horror"}, 1)
    assert [hub] == [instance for _, instance in plan.instances()][1:]


def test_the_original_prompts_as_lm_eval_does() -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    rows = [{"text": line} for line in ORIGINAL.splitlines()]
    task = peer_task("lambada/lambada_standard.yaml", test=rows, validation=rows)
    for theirs, ours in zip(task.test_docs(), to_instances({"text": ORIGINAL}, 0), strict=True):
        assert (task.doc_to_text(theirs), task.doc_to_target(theirs)) == (ours.input, f" {ours.targets[0]}")


def test_all_passages_prompt_as_lm_eval_does(planned: Planned) -> None:
    pytest.importorskip("lm_eval")
    from peer_tasks import peer_task

    instances = [instance for _, instance in planned("lambada").instances()]
    rows = [{"text": f"{instance.input} {instance.targets[0]}"} for instance in instances]
    task = peer_task("lambada/lambada_openai.yaml", test=rows)
    for theirs, ours in zip(task.test_docs(), instances, strict=True):
        assert (task.doc_to_text(theirs), task.doc_to_target(theirs)) == (ours.input, f" {ours.targets[0]}")


def test_accuracy_leads_and_perplexity_is_that_of_the_word(planned: Planned) -> None:
    plan = planned("lambada")
    trials = []
    for index, instance in plan.instances():
        # Every fourth word is known; a word takes ln 4 nats, or ln 16 where it has two tokens.
        tokens = 1 + index % 2
        found = Prediction(likelihoods=(Likelihood(-tokens * math.log(4), tokens, greedy=index % 4 == 0),))
        score = judge(plan.benchmark.outputs, instance, found)
        trials.append(Trial(instance, index, 0, "", found, score))
    estimates, _ = plan.benchmark.interpret(Table.of(trials))
    assert [e.name for e in estimates] == ["acc", "perplexity"]
    assert estimates[0].value == 1289 / 5153
    assert estimates[1].value == pytest.approx(4 ** ((2577 + 2 * 2576) / 5153), rel=1e-12)
    assert estimates[1].n == 5153
