"""Run folders of HELM as runs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import foreign
import pytest

import howgood as hg
from howgood.core.errors import DataError, HowgoodError
from howgood.runs.interop import helm

NAME = "mmlu:subject=anatomy,method=multiple_choice_joint,model=openai_gpt2"


def stat(name: str, value: float, split: str = "test", **more: Any) -> dict[str, Any]:
    return {"name": {"name": name, "split": split} | more, "count": 1, "sum": value, "mean": value}


def state(id: str, answer: str, **more: Any) -> dict[str, Any]:
    references = [{"output": {"text": "bone"}, "tags": ["correct"]}, {"output": {"text": "skin"}, "tags": []}]
    return {
        "instance": {"input": {"text": f"Which, {id}?"}, "references": references, "split": "test", "id": id},
        "request_mode": "original",
        "train_trial_index": 0,
        "output_mapping": {"A": "bone", "B": "skin"},
        "request": {"model": "openai/gpt2", "prompt": f"Question: Which, {id}?\nAnswer:"},
        "result": {
            "success": True,
            "cached": False,
            "request_time": 0.25,
            "request_datetime": 1759300000 + int(id[2:]),
            "completions": [{"text": answer, "logprob": -1.0, "tokens": [], "finish_reason": {"reason": "stop"}}],
        },
    } | more


def folder(
    path: Path, states: list[dict[str, Any]], each: list[dict[str, Any]], stats: list[dict[str, Any]], method: str
) -> Path:
    run = path / "runs" / "v1" / NAME
    run.mkdir(parents=True)
    spec = {
        "name": NAME,
        "scenario_spec": {"class_name": "helm.benchmark.scenarios.mmlu.MMLU", "args": {"subject": "anatomy"}},
        "adapter_spec": {"method": method, "model": "openai/gpt2", "max_train_instances": 5, "temperature": 0.0},
        "metric_specs": [{"class_name": "BasicGenerationMetric", "args": {"names": ["exact_match", "f1_score"]}}],
        "groups": ["mmlu"],
    }
    for name, content in (
        ("run_spec", spec),
        ("scenario_state", {"adapter_spec": spec["adapter_spec"], "request_states": states}),
        ("per_instance_stats", each),
        ("stats", stats),
    ):
        (run / f"{name}.json").write_text(json.dumps(content))
    return run


def test_a_run_that_was_answered(tmp_path: Path) -> None:
    perturbed = state("id0", " B")
    perturbed["instance"]["perturbation"] = {"name": "typos"}
    failed = state("id3", "", result={"success": False, "error": "timed out", "completions": [], "cached": False})
    states = [state("id0", " A"), state("id1", " B"), state("id2", ""), failed, perturbed]
    counted = [stat("num_prompt_tokens", 40.0), stat("num_output_tokens", 2.0)]
    each = [  # once for each metric
        {"instance_id": f"id{i}", "train_trial_index": 0, "stats": told}
        for i in range(3)
        for told in ([stat("exact_match", float(i == 0)), *counted], [stat("f1_score", 0.5)])
    ]
    stats = [
        stat("exact_match", 1 / 3),
        stat("exact_match", 0.9, perturbation={"name": "typos"}),
        stat("f1_score", 0.7),
    ]
    folder(tmp_path, states, each, stats, "multiple_choice_joint")
    [run] = hg.import_runs(tmp_path)
    assert run.rules.benchmark == "mmlu:subject=anatomy,method=multiple_choice_joint"
    assert (run.system.name, run.status, run.planned) == ("openai/gpt2", "incomplete", 4)
    assert run.outcomes == {"right": 1, "wrong": 1, "empty": 1, "failed": 1}
    assert [(e.name, e.value, e.n) for e in run.estimates] == [
        ("exact_match", pytest.approx(1 / 3), 3),
        ("f1_score", 0.5, 3),
    ]
    row = run.trials.row(0, named=True)
    assert (row["input"], row["prompt"]) == ("Which, id0?", "Question: Which, id0?\nAnswer:")
    assert (row["text"], row["answer"], row["choices"], row["gold"]) == (" A", "bone", ["bone", "skin"], [0])
    assert (row["input_tokens"], row["output_tokens"], row["latency"]) == (40, 2, 0.25)
    assert run.rules.call["shots"] == {"n": 5}
    assert run.started == "2025-10-01T06:26:40+00:00"
    assert run.origin is not None
    assert [(p.name, p.score) for p in run.origin.published] == [
        ("exact_match test", "exact_match"),
        ("f1_score test", "f1_score"),
    ]
    assert "1 requests of perturbed instances are not taken over" in run.origin.notes
    assert "f1_score test was published as 0.7; the mean over the samples that are here is 0.5" in run.origin.notes
    assert not [note for note in run.origin.notes if note.startswith("exact_match")]


def test_references_that_were_asked_apart(tmp_path: Path) -> None:
    """The prompt is echoed: a reference's likelihood is that of its own tokens; which was chosen is HELM's to say."""
    states = []
    for id, logprobs in (("id0", (-1.0, -2.0)), ("id1", (-4.0, -2.0))):
        for place, logprob in enumerate(logprobs):
            word = ("bone", "skin")[place]
            for mode in ("original", "calibration"):
                one = state(id, "x", reference_index=place, output_mapping=None, request_mode=mode)
                tokens = [{"text": "Answer:", "logprob": -9.0}, {"text": f" {word[:2]}", "logprob": logprob / 4},
                          {"text": word[2:], "logprob": logprob * 3 / 4}]  # fmt: skip
                one["result"]["completions"][0] |= {"logprob": logprob - 9, "tokens": tokens}
                states.append(one)
    each = [
        {
            "instance_id": f"id{i}",
            "train_trial_index": 0,
            "stats": [stat("num_references", 2.0), stat("exact_match", 1.0 - i), stat("predicted_index", float(i))],
        }
        for i in range(2)
    ]
    folder(tmp_path, states, each, [stat("exact_match", 0.5)], "multiple_choice_separate_calibrated")
    [run] = hg.import_runs(tmp_path / "runs")
    assert (run.estimate.name, run.estimate.value, run.outcomes) == ("exact_match", 0.5, {"right": 1, "wrong": 1})
    rows = list(run.trials.iter_rows(named=True))
    assert [row["answer"] for row in rows] == ["bone", "skin"]
    assert [[(x["logprob"], x["tokens"]) for x in row["likelihoods"]] for row in rows] == [
        [(-1.0, 2), (-2.0, 2)],
        [(-4.0, 2), (-2.0, 2)],
    ]
    assert rows[0]["latency"] == 0.5


def test_a_run_that_did_not_end(tmp_path: Path) -> None:
    run = folder(tmp_path, [state("id0", " A")], [], [], "generation")
    (run / "stats.json").unlink()
    with pytest.raises(DataError, match=r"no whole run of HELM: it has no stats.json"):
        hg.import_runs(run)
    (run / "stats.json").write_text('[{"name": ')
    with pytest.raises(DataError, match=r"stats.json: broken JSON"):
        hg.import_runs(run)
    (run / "stats.json").write_text("[]")
    [made] = hg.import_runs(run)
    assert made.outcomes == {"unjudged": 1}
    with pytest.raises(HowgoodError, match="its samples have no scores"):
        _ = made.estimate


@pytest.mark.parametrize("name", ["run_spec", "scenario_state", "per_instance_stats", "stats"])
def test_values_of_another_kind_are_read_past_or_told(tmp_path: Path, name: str) -> None:
    """No value in a run's folder, of whatever kind, ends in more than a `DataError`."""
    talked = state("id0", "A") | {"request": {"messages": [{"role": "user", "content": "Q"}]}}
    talked["instance"]["input"] = {"messages": [{"role": "user", "content": "Q"}]}
    shown = state("id1", "B")
    shown["instance"]["input"] = {"multimedia_content": {"media_objects": [{"text": "Q"}]}}
    apart = state("id2", "B", reference_index=0)
    each = [{"instance_id": f"id{i}", "stats": [stat("exact_match", 1.0)]} for i in range(3)]
    run = folder(tmp_path, [talked, shown, apart], each, [stat("exact_match", 1.0)], "generation")
    file, count = run / f"{name}.json", 0
    for record in foreign.strange(json.loads(file.read_text())):
        file.write_text(json.dumps(record))
        with contextlib.suppress(DataError):
            count += len(list(helm.source(run).trials()))
    assert count > 40
