"""Runs as files for others."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import foreign
import polars as pl
import pytest
import yaml

import howgood as hg
from howgood.core.errors import HowgoodError, UnknownName, Unsupported
from howgood.runs import columns
from howgood.runs.interop import rows
from howgood.runs.interop.tables import flat
from howgood.runs.store import SavedRun

FORMULAS = ["=1+1", "+SUM(A1)", "-2+3", "@x", "\tx", "\rx", '=cmd|" /C calc"!A0', "plain", "-3.5", "+7", "-1e9", "a=b"]


@pytest.fixture
def runs(tmp_path: Path) -> list[SavedRun]:
    """Two runs with different scores, whose answers are what a spreadsheet might run."""
    samples = [foreign.sample(f"q{i}", 1, "C" if i % 2 else "I", answer) for i, answer in enumerate(FORMULAS)]
    samples[0]["scores"]["grade"] = {"value": 1}
    for sample in samples:
        sample["scores"]["grade"] = {"value": -2.5}
    members = {f"samples/{s['id']}_epoch_1.json": s for s in samples}
    count = len(samples)
    first = foreign.log(tmp_path / "a.eval", members | {"header.json": foreign.header(0.5, count)})
    second = foreign.inspect_log(tmp_path / "b.eval", ["C", "I"], 0.5)
    return hg.import_runs(first, second)


def test_csv_holds_no_formula_and_numbers_stay(tmp_path: Path, runs: list[SavedRun]) -> None:
    [path] = hg.export_runs(*runs, path=tmp_path / "out.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(FORMULAS) + 2
    told = [row["text"] for row in rows[: len(FORMULAS)]]
    assert told == [answer if answer in FORMULAS[7:] else "'" + answer for answer in FORMULAS]
    assert [row["grade"] for row in rows] == ["-2.5"] * len(FORMULAS) + ["", ""]
    assert rows[0]["targets"] == '["4"]'
    assert (rows[-1]["run"], rows[-1]["benchmark"], rows[-1]["system"]) == (runs[1].id, "sums", "mockllm/model")
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=@\t\r" and cell]


def test_names_of_scores_are_no_formulas_either(tmp_path: Path) -> None:
    name = '=HYPERLINK("http://a.example";"b")'
    frame = flat(pl.DataFrame({"id": ["1"], name: [1.0], "-2": [0.5]}))
    assert frame.columns == ["id", f"'{name}", "'-2"]
    assert frame.row(0) == ("1", 1.0, 0.5)


def test_parquet_and_json_lines_hold_all_trials(tmp_path: Path, runs: list[SavedRun]) -> None:
    [table] = hg.export_runs(*runs, path=tmp_path / "new" / "out.parquet")
    frame = pl.read_parquet(table)
    assert frame.filter(run=runs[0].id).drop("run", "benchmark", "system").equals(runs[0].trials)
    assert frame["match"].to_list()[-2:] == [1.0, 0.0]
    assert frame.schema["targets"] == pl.List(pl.String)
    [lines] = hg.export_runs(runs[0], path=tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["text"] for row in rows] == FORMULAS
    assert (rows[3]["targets"], rows[3]["match"], rows[3]["system"]) == (["4"], 1.0, "mockllm/model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.eval", "b.eval", "new", "out.jsonl"]


def test_runs_of_older_versions(tmp_path: Path, runs: list[SavedRun]) -> None:
    """Columns, and fields in them, that are missing in what an older version wrote."""
    table = runs[0].path / "trials.parquet"
    old = [{"logprob": -1.5, "tokens": 2, "greedy": True}]
    frame = pl.read_parquet(table).drop("cache_write_tokens", "likelihoods")
    frame.insert_column(frame.columns.index("stop_reason"), pl.Series("likelihoods", [old] * len(FORMULAS)))
    frame.write_parquet(table)
    [made] = hg.export_runs(*runs, path=tmp_path / "out.parquet")
    row = pl.read_parquet(made).row(0, named=True)
    assert row["cache_write_tokens"] is None
    assert row["likelihoods"][0]["logprob"] == -1.5
    assert row["likelihoods"][0]["token_logprobs"] is None
    [log] = hg.export_runs(runs[0], path=tmp_path / "out.eval")
    [again] = hg.import_runs(log)
    assert again.estimate.value == 0.5
    assert len(hg.export_runs(runs[0], path=tmp_path / "eee", format="every-eval-ever")) == 2


def test_every_eval_ever(tmp_path: Path, runs: list[SavedRun]) -> None:
    results, samples = hg.export_runs(runs[0], path=tmp_path / "out", format="every-eval-ever")
    told = json.loads(results.read_text())
    assert {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library",
            "evaluation_results"} <= set(told)  # fmt: skip
    assert told["schema_version"] == "0.3.0"
    assert told["eval_library"] == {"name": "inspect_ai", "version": "0.3.285"}
    assert told["source_metadata"]["source_type"] == "evaluation_run"
    first = told["evaluation_results"][0]
    assert first["score_details"]["score"] == 0.5
    assert first["metric_config"]["lower_is_better"] is False
    assert (first["metric_config"]["min_score"], first["metric_config"]["max_score"]) == (0.0, 1.0)
    interval = first["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == (runs[0].estimate.low, runs[0].estimate.high)
    detailed = told["detailed_evaluation_results"]
    assert detailed["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
    assert detailed["total_rows"] == len(FORMULAS)
    uuid4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"data/sums/mockllm/model/{uuid4}_samples\.jsonl", detailed["file_path"])
    assert tmp_path / "out" / detailed["file_path"] == samples
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    assert {row["evaluation_id"] for row in rows} == {told["evaluation_id"]}
    assert rows[1]["evaluation"] == {"score": 1.0, "is_correct": True}
    assert rows[1]["output"] == {"raw": ["+SUM(A1)"]}
    assert (rows[1]["input"]["raw"], rows[1]["input"]["reference"]) == ("What is q1?", ["4"])
    assert rows[1]["answer_attribution"][0]["extracted_value"] == "+SUM(A1)"


def test_every_eval_ever_by_its_own_schema(tmp_path: Path, runs: list[SavedRun]) -> None:
    package = pytest.importorskip("every_eval_ever", reason="needs every-eval-ever, which takes Python 3.12")
    validate = pytest.importorskip("jsonschema").validate
    schemas = Path(package.__file__).parent / "schemas"
    results, samples = hg.export_runs(runs[0], path=tmp_path, format="every-eval-ever")
    validate(json.loads(results.read_text()), json.loads((schemas / "eval.schema.json").read_text()))
    schema = json.loads((schemas / "instance_level_eval.schema.json").read_text())
    for line in samples.read_text().splitlines():
        validate(json.loads(line), schema)


def test_results_for_the_hub(tmp_path: Path, runs: list[SavedRun]) -> None:
    with pytest.raises(Unsupported, match="data sets on the Hub alone"):
        hg.export_runs(runs[0], path=tmp_path / "out.yaml")
    assert not list(tmp_path.glob("*.y*"))
    runs[0].rules.data["source"] = "hub cais/mmlu"
    runs[0].rules.data["revision"] = "a" * 40
    [path] = hg.export_runs(runs[0], path=tmp_path / "out.yaml")
    [entry] = yaml.safe_load(path.read_text())
    assert entry["dataset"] == {"id": "cais/mmlu", "task_id": "sums", "revision": "a" * 40}
    assert (entry["value"], entry["date"]) == (50.0, "2026-10-01T10:00:30+00:00")
    assert entry["notes"].startswith("match in percent, 95% interval [25.3")


def test_where_it_goes(tmp_path: Path, runs: list[SavedRun]) -> None:
    with pytest.raises(HowgoodError, match=r"the ending of .*out.json tells no format"):
        hg.export_runs(runs[0], path=tmp_path / "out.json")
    with pytest.raises(HowgoodError, match="holds one run, not 2; give a folder"):
        hg.export_runs(*runs, path=tmp_path / "out.eval")
    with pytest.raises(UnknownName, match="no format 'xls'"):
        hg.export_runs(runs[0], path=tmp_path / "out", format="xls")
    with pytest.raises(HowgoodError, match=r"\. is a folder; give the file's name too"):
        hg.export_runs(runs[0], path=Path("."), format="csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(HowgoodError, match="cannot write"):
        hg.export_runs(runs[0], path=tmp_path / "file" / "out.csv")
    command = [sys.executable, "-m", "howgood.cli.main", "export", "last", "-o", str(tmp_path / "logs"), "--format"]
    done = subprocess.run([*command, "inspect"], capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'logs' / runs[1].id}.eval\n"


def test_an_exported_log_comes_back_as_it_was(tmp_path: Path, runs: list[SavedRun]) -> None:
    [path] = hg.export_runs(runs[0], path=tmp_path / "out.eval")
    [again] = hg.import_runs(path)
    same = [
        "id",
        "input",
        "targets",
        "prompt",
        "text",
        "answer",
        "outcome",
        "match",
        "grade",
        "input_tokens",
        "latency",
    ]
    assert again.trials.select(same).equals(runs[0].trials.select(same))
    assert [(e.name, e.value, e.se) for e in again.estimates] == [(e.name, e.value, e.se) for e in runs[0].estimates]
    assert again.system.name == "mockllm/model"


def test_what_belongs_together_survives_a_log(tmp_path: Path) -> None:
    table = tmp_path / "own.jsonl"
    rows = [{"q": f"Is {i} even?", "a": "yes" if i % 2 else "no", "part": f"p{i // 4}"} for i in range(8)]
    table.write_text("\n".join(map(json.dumps, rows)))
    run = hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", stratum="part")
    assert run.groups
    [path] = hg.export_runs(run, path=tmp_path / "out.eval")
    [again] = hg.import_runs(path)
    assert [(e.value, e.low, e.high, e.group) for e in (*again.estimates, *again.groups)] == [
        (e.value, e.low, e.high, e.group) for e in (*run.estimates, *run.groups)
    ]
    assert again.origin is not None
    assert (again.origin.program, again.origin.version) == ("howgood", hg.__version__)


def test_a_part_of_the_data_stays_a_part_in_a_log(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("q,a\n" + "".join(f"Is it {i}?,yes\n" for i in range(8)))
    run = hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", limit=3)
    [path] = hg.export_runs(run, path=tmp_path / "out.eval")
    [again] = hg.import_runs(path)
    assert (again.rules.data["instances"], again.rules.sample["n"]) == (8, 3)


def test_a_run_that_was_stopped_is_exported_from_its_journal(tmp_path: Path, runs: list[SavedRun]) -> None:
    table = tmp_path / "own.csv"
    table.write_text("q,a\n" + "".join(f"Is it {i}?,yes\n" for i in range(40)))

    def stop(progress: object) -> None:
        if getattr(progress, "done", 0) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", notice=stop)
    stopped = hg.load("last")
    assert stopped.status == "interrupted"
    csv_path, log = (hg.export_runs(stopped, path=tmp_path / name)[0] for name in ("out.csv", "out.eval"))
    with csv_path.open(newline="") as file:
        count = len(list(csv.DictReader(file)))
    assert 3 <= count < 40
    [again] = hg.import_runs(log)
    assert (again.status, sum(again.outcomes.values()), again.planned) == ("incomplete", count, 40)
    assert again.message is not None
    assert again.message.startswith(f"as Inspect's log says, it was cancelled after {count} samples")


def test_without_a_table_the_journals_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "own.csv"
    table.write_text("q,a\n" + "".join(f"Is it {i}?,yes\n" for i in range(7)))
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps({"id": str(i), "text": "yes"}) + "\n" for i in range(1, 7)))
    run = hg.run(str(table), f"replay/{answers}", ask="{q}", answer="a")
    assert run.status == "incomplete"  # so its journal is still there
    whole = list(rows.rows(run))
    (run.path / "trials.parquet").unlink()
    reads, frame = list[Path](), columns.frame

    def counted(folder: Path) -> pl.DataFrame:
        reads.append(folder)
        return frame(folder)

    monkeypatch.setattr(rows, "SLICE", 2)
    monkeypatch.setattr(columns, "frame", counted)
    assert list(rows.rows(run)) == whole
    assert len(reads) == 1
