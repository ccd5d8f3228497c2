"""Results and samples of lm-evaluation-harness as runs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.core.errors import DataError
from howgood.runs.interop import lm_eval
from howgood.runs.store import SavedRun, runs_folder

TIME = "2026-10-01T10-00-00.123456"


def results(folder: Path, numbers: dict[str, Any], **more: Any) -> Path:
    path = folder / f"results_{TIME}.json"
    told = {"results": numbers, "lm_eval_version": "0.4.13", "date": 1790848800.5, "model_name": "org/model"} | more
    path.write_text(json.dumps(told))
    return path


def samples(folder: Path, task: str, rows: list[dict[str, Any]]) -> None:
    (folder / f"samples_{task}_{TIME}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


def choice_row(id: int, gold: int, logprobs: list[float], acc: float) -> dict[str, Any]:
    arguments = {f"gen_args_{i}": {"arg_0": f"Q{id}\nA:", "arg_1": f" c{i}"} for i in range(len(logprobs))}
    return {
        "doc_id": id,
        "doc": {"question": f"Q{id}"},
        "target": str(gold),
        "arguments": arguments,
        "resps": [[[str(p), "False"]] for p in logprobs],
        "filtered_resps": [[str(p), "False"] for p in logprobs],
        "filter": "none",
        "metrics": ["acc"],
        "acc": acc,
    }


def written_row(id: int, filter: str, read: str, value: float) -> dict[str, Any]:
    return {
        "doc_id": id,
        "doc": {"question": f"Q{id}"},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"Q{id}\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [[f"it is #### {read}"]],
        "filtered_resps": [read],
        "filter": filter,
        "metrics": ["exact_match"],
        "exact_match": value,
    }


def by_task(path: Path) -> dict[str, SavedRun]:
    return {run.rules.benchmark: run for run in hg.import_runs(path)}


def test_tasks_filters_choices_and_texts(tmp_path: Path) -> None:
    samples(tmp_path, "pick", [choice_row(0, 1, [-3.0, -1.5], 1.0), choice_row(1, 0, [-3.0, -1.5], 0.0)])
    rows = [written_row(i, "strict", "4", 1.0) for i in range(2)]
    samples(tmp_path, "write", rows + [written_row(i, "flexible", str(4 - i), 1.0 - i) for i in range(2)])
    rolled = [{"doc_id": 0, "doc": {"text": "a b c"}, "target": "a b c", "resps": [[-6.0]], "filtered_resps": [-6.0],
               "arguments": {"gen_args_0": {"arg_0": "a b c"}}, "filter": "none",
               "metrics": ["word_perplexity", "byte_perplexity"], "word_perplexity": [-6.0, 3],
               "byte_perplexity": [-6.0, 5]}]  # fmt: skip
    samples(tmp_path, "roll", rolled * 1)
    numbers = {
        "pick": {"alias": "pick", "acc,none": 0.5, "acc_stderr,none": 0.5},
        "write": {"exact_match,strict": 1.0, "exact_match,flexible": 0.5, "exact_match_stderr,strict": "N/A"},
        "roll": {"word_perplexity,none": math.exp(2), "byte_perplexity,none": math.exp(6 / 5)},
        "gone": {"acc,none": 0.25},
    }
    configs = {
        "pick": {"output_type": "multiple_choice", "dataset_path": "org/data", "test_split": "test", "num_fewshot": 5},
        "write": {"output_type": "generate_until", "generation_kwargs": {"until": ["\n"], "temperature": 0.0}},
        "roll": {"output_type": "loglikelihood_rolling"},
        "gone": {},
    }
    counts = {task: {"original": 2, "effective": 2} for task in ("pick", "write")}
    config = {"model": "hf", "model_args": "pretrained=org/model,dtype=float32", "device": "cpu"}
    path = results(tmp_path, numbers, configs=configs, versions={"pick": 1.0}, config=config, **{"n-samples": counts})
    made = by_task(path)
    assert set(made) == {"pick", "write", "roll"}

    pick = made["pick"]
    assert (pick.estimate.name, pick.estimate.value, pick.estimate.n, pick.status) == ("acc", 0.5, 2, "finished")
    assert (pick.system.name, pick.system.model["dtype"], pick.rules.version) == ("org/model", "float32", 1)
    assert pick.rules.data["source"] == "org/data"
    assert pick.rules.call["shots"] == {"n": 5}
    row = pick.trials.row(0, named=True)
    assert (row["choices"], row["gold"], row["targets"], row["answer"]) == ([" c0", " c1"], [1], [" c1"], " c1")
    assert [x["logprob"] for x in row["likelihoods"]] == [-3.0, -1.5]
    assert (row["prompt"], row["outcome"], json.loads(row["metadata"])) == ("Q0\nA:", "right", {"question": "Q0"})
    assert pick.origin is not None
    assert [(p.name, p.value, p.se, p.score) for p in pick.origin.published] == [("acc,none", 0.5, 0.5, "acc")]
    assert "without samples beside the results, and so not imported: gone" in pick.origin.notes

    write = made["write"]
    assert {e.name: e.value for e in write.estimates} == {"exact_match,strict": 1.0, "exact_match,flexible": 0.5}
    row = write.trials.row(1, named=True)
    assert (row["text"], row["answer"], row["explanation"]) == ("it is #### 4", "4", "flexible read: 3")
    assert (row["exact_match,strict"], row["exact_match,flexible"]) == (1.0, 0.0)

    roll = made["roll"]
    assert roll.estimate.name == "word_perplexity"
    assert roll.estimate.value == pytest.approx(math.exp(2))
    assert not [note for note in roll.origin.notes if "published" in note]  # type: ignore[union-attr]


def test_an_old_file_that_lacks_most_keys(tmp_path: Path) -> None:
    row = {
        "doc_id": 0,
        "doc": {},
        "target": 1,
        "arguments": [["Q", " a"], ["Q", " b"]],
        "resps": [[[-1.0, False]], [[-2.0, True]]],
        "filtered_resps": [[-1.0, False], [-2.0, True]],
        "acc": 0,
    }
    (tmp_path / "pretrained__gpt2_old.jsonl").write_text(json.dumps(row))
    (tmp_path / "pretrained__gpt2_very_old.jsonl").write_text("of another task")
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"results": {"old": {"acc,none": 0.0}}, "config": {"model_args": "pretrained=gpt2"}}))
    [run] = hg.import_runs(path)
    assert (run.system.name, run.estimate.value, run.started) == ("gpt2", 0.0, "unknown")
    assert run.origin is not None
    assert run.origin.version is None
    assert run.trials["likelihoods"][0].to_list()[1]["greedy"]
    assert run.rules.data == {"source": "unknown", "instances": None, "digest": None}


def test_means_and_corpus_metrics(tmp_path: Path) -> None:
    rows = [written_row(i, "none", "4", 1.0) | {"metrics": ["exact_match", "f1"], "f1": [0, 1]} for i in range(3)]
    samples(tmp_path, "t", rows)
    metrics = [{"metric": "exact_match", "aggregation": "mean"}, {"metric": "f1", "aggregation": "f1"}]
    numbers = {"t": {"exact_match,none": 0.9, "f1,none": 0.3}}
    [run] = hg.import_runs(results(tmp_path, numbers, configs={"t": {"metric_list": metrics}}))
    assert [e.name for e in run.estimates] == ["exact_match"]
    assert run.origin is not None
    assert run.origin.notes == (
        "f1 is aggregated by f1, so its mean here is another number",
        "exact_match,none was published as 0.9; the mean over the samples that are here is 1",
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"doc_id": 1, "acc"', "line 2: broken JSON"),
        ('{"doc_id": "one"}', "line 2 is no sample of lm-eval"),
        ("[" * 50_000, "line 2 is not what this format holds"),
        ('{"doc_id": 0, "filter": "none", "acc": 1}', "sample 0, epoch 1, is there twice"),
        ('{"doc_id": 1, "doc": "' + "x" * 3_000_000 + '"}', "line 2: longer than 2 MiB"),
    ],
)
def test_what_is_broken(tmp_path: Path, line: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_eval, "MAX_LINE", 2 * 2**20)
    path = results(tmp_path, {"t": {"acc,none": 0.0}})
    (tmp_path / f"samples_t_{TIME}.jsonl").write_text(json.dumps(choice_row(0, 0, [-1.0], 1.0)) + "\n" + line + "\n")
    with pytest.raises(DataError, match=words) as caught:
        hg.import_runs(path)
    assert "\n" not in str(caught.value)
    assert not runs_folder().exists() or list(runs_folder().iterdir()) == []


def test_results_without_samples_and_names_that_lead_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no samples_.* beside it.*--log_samples"):
        hg.import_runs(results(tmp_path, {"../t": {"acc,none": 0.0}}))


TASKS = {
    "pick": "output_type: multiple_choice\ndoc_to_choice: '{{choices}}'\ndoc_to_target: answer\n"
    "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n",
    "write": "output_type: generate_until\ndoc_to_target: final\ngeneration_kwargs: {until: ['.'], max_gen_toks: 8}\n"
    "filter_list:\n  - {name: strict, filter: [{function: regex, regex_pattern: '#### ([0-9]+)'}, "
    "{function: take_first}]}\n  - {name: flexible, filter: [{function: regex, regex_pattern: '([0-9]+)'}, "
    "{function: take_first}]}\nmetric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n",
}
RUN = """
import sys
from lm_eval.__main__ import cli_evaluate
sys.argv = ["lm_eval", "--model", "dummy", "--tasks", "pick,write", "--include_path", sys.argv[1],
            "--output_path", sys.argv[2], "--log_samples"]
cli_evaluate()
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lm_eval") is None, reason="needs lm_eval (pip install lm-eval==0.4.13)")
def test_the_real_lm_eval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    docs = [
        {"question": f"{i}+{i}?", "choices": ["cat", str(2 * i)], "answer": 1, "final": str(2 * i)} for i in range(8)
    ]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, docs)))
    for task, own in TASKS.items():
        shared = f"task: {task}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/docs.jsonl}}}}\n"
        text = "test_split: test\ndoc_to_text: 'Q: {{question}}'\nmetadata: {version: 2.0}\n"
        (folder / f"{task}.yaml").write_text(shared + text + own)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-c", RUN, str(folder), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    [path] = (tmp_path / "out").rglob("results_*.json")
    told = json.loads(path.read_text())["results"]
    made = by_task(tmp_path / "out")
    assert set(made) == {"pick", "write"}
    for task, run in made.items():
        assert run.origin is not None
        assert (run.origin.version, run.status, run.estimate.n, run.rules.version) == ("0.4.13", "finished", 8, 2)
        assert run.rules.data["digest"]
        assert not [note for note in run.origin.notes if "published" in note]
        means = {e.name: (e.value, e.se) for e in run.estimates}
        for one in run.origin.published:
            assert one.score is not None
            assert means[one.score] == (pytest.approx(one.value), pytest.approx(one.se, abs=1e-12))
            assert one.value == told[task][one.name]
    assert [len(x) for x in made["pick"].trials["likelihoods"]] == [2] * 8
    assert list(made["write"].trials["text"]) == ["lol"] * 8
