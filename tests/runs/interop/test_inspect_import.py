"""Logs of Inspect as runs: every shape they come in, and what is wrong with some."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import foreign
import msgspec
import pytest

import howgood as hg
from howgood.core.errors import DataError, HowgoodError, Unsupported
from howgood.core.types import Message
from howgood.runs.interop import files, inspect_log
from howgood.runs.store import runs_folder


@pytest.mark.parametrize("method", [foreign.ZSTANDARD, 8])
def test_a_log_becomes_a_run(tmp_path: Path, method: int) -> None:
    path = foreign.inspect_log(tmp_path / "a.eval", ["C", "I", "C", "P", "N"], 0.5, method)
    [run] = hg.import_runs(path)
    assert (run.status, run.planned, run.rules.benchmark, run.system.name) == ("finished", 5, "sums", "mockllm/model")
    assert run.outcomes == {"right": 2, "wrong": 1, "partial": 1, "unanswered": 1}
    assert (run.estimate.name, run.estimate.value, run.estimate.n) == ("match", 0.5, 5)
    assert run.estimate.se == pytest.approx((1.0 / 4 / 5) ** 0.5)  # 1, 0, 1, 0.5, 0: a sum of squares of 1
    trials = run.trials
    assert trials["id"].to_list() == [f"q{i}" for i in range(5)]
    assert trials["match"].to_list() == [1.0, 0.0, 1.0, 0.5, 0.0]
    first = trials.row(0, named=True)
    assert (first["input"], first["targets"], first["text"], first["answer"]) == ("What is q0?", ["4"], "4", "4")
    assert msgspec.json.decode(first["prompt"], type=tuple[Message, ...]) == (Message("user", "What is q0?"),)
    assert (first["input_tokens"], first["output_tokens"], first["latency"], first["cost"]) == (7, 2, 0.5, None)
    assert json.loads(first["metadata"]) == {"kind": "sum"}
    assert (run.seconds, run.cost, run.started) == (30.0, None, "2026-10-01T10:00:00+00:00")
    assert run.rules.call["temperature"] == 0.7
    assert run.rules.call["solvers"] == [{"solver": "generate"}]
    assert run.rules.data["digest"]
    assert run.origin is not None
    assert (run.origin.program, run.origin.version, run.origin.file) == ("inspect_ai", "0.3.285", "a.eval")
    [published] = run.origin.published
    assert (published.name, published.value, published.se, published.score) == ("accuracy", 0.5, 0.1, "match")
    assert not [note for note in run.origin.notes if "published" in note]
    assert sorted(p.name for p in run.path.iterdir()) == ["run.json", "trials.parquet"]
    assert "sk-very-secret" not in (run.path / "run.json").read_text()
    assert run.system.model["device"] == "cpu"


def test_a_published_number_that_differs_is_told(tmp_path: Path) -> None:
    [run] = hg.import_runs(foreign.inspect_log(tmp_path / "a.eval", ["C", "I"], 0.75))
    assert run.origin is not None
    assert "accuracy was published as 0.75; the mean over the samples that are here is 0.5" in run.origin.notes
    [rounded] = hg.import_runs(foreign.inspect_log(tmp_path / "b.eval", ["C", "C", "I"], 0.67))
    assert rounded.origin is not None
    assert not [note for note in rounded.origin.notes if "published" in note]


def test_importing_twice_makes_one_run(tmp_path: Path) -> None:
    path = foreign.inspect_log(tmp_path / "a.eval", ["C"], 1.0)
    [first] = hg.import_runs(path)
    with pytest.warns(UserWarning, match=rf"a.eval is here already: run {first.id}"):
        [second] = hg.import_runs(path)
    assert second.id == first.id
    assert len(hg.list_runs()) == 1
    foreign.inspect_log(path, ["I"], 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hg.import_runs(path)
    assert len(hg.list_runs()) == 2


def test_what_reads_runs_reads_imported_ones(tmp_path: Path) -> None:
    values = ["C", "I"] * 20
    [a] = hg.import_runs(foreign.inspect_log(tmp_path / "a.eval", values, 0.5))
    [b] = hg.import_runs(foreign.inspect_log(tmp_path / "b.eval", ["C", "I", "C", "C"] * 10, 0.75))
    found = hg.compare(a, b)
    assert (found.difference.value, found.difference.n) == (0.25, 40)
    assert found.same_rules
    page = hg.card(a).markdown()
    assert "Made by inspect\\_ai 0.3.285, and imported from a.eval" in page
    assert "howgood run sums" not in page
    with pytest.raises(HowgoodError, match="no judge was asked"):
        hg.audit(a)
    shown = subprocess.run(
        [sys.executable, "-m", "howgood.cli.main", "show", a.id], capture_output=True, text=True, env=os.environ
    ).stdout
    shown = " ".join(shown.split())
    assert "Made by inspect_ai 0.3.285" in shown
    assert "inspect_ai itself says accuracy 0.5" in shown


def test_a_crashed_log(tmp_path: Path) -> None:
    whole = foreign.header(1.0, 4)
    start = {name: whole[name] for name in ("version", "eval", "plan")}
    samples = {f"samples/q{i}_epoch_1.json": foreign.sample(f"q{i}", 1, "C") for i in (2, 0)}
    [run] = hg.import_runs(foreign.log(tmp_path / "a.eval", {"_journal/start.json": start} | samples))
    assert (run.status, run.planned, run.estimate.n) == ("incomplete", 4, 2)
    assert run.message is not None
    assert "it crashed or was still running after 2 samples; 2 of 4 trials are not in it" in run.message
    assert run.trials["index"].to_list() == [0, 2]
    assert run.rules.sample["n"] == 2
    assert run.rules.data["digest"] is None  # of the whole data nothing is known
    with pytest.raises(Unsupported, match="made by inspect_ai"):
        hg.resume(run)


def test_failed_and_unscored_samples(tmp_path: Path) -> None:
    error = {"message": "the server went away", "traceback": "", "traceback_ansi": ""}
    samples = [
        foreign.sample("q0", 1, "C"),
        foreign.sample("q1", 1, "C", error=error, scores={}),
        foreign.sample("q2", 1, float("nan")),
        foreign.sample("q3", 1, "I", limit={"type": "token", "limit": 100}),
    ]
    members = {f"samples/{s['id']}_epoch_1.json": s for s in samples}
    [run] = hg.import_runs(foreign.log(tmp_path / "a.eval", members | {"header.json": foreign.header(0.5, 4)}))
    assert run.outcomes == {"right": 1, "failed": 1, "unjudged": 1, "wrong": 1}
    assert (run.status, run.message) == ("incomplete", "1 trials failed")
    assert (run.estimate.value, run.estimate.n, run.estimate.missing) == (0.5, 2, 2)
    trials = run.trials
    assert trials["error"][1] == "the server went away"
    assert trials["explanation"][3] == "stopped at its limit of 100 (token)"


def test_epochs_several_scorers_and_scores_that_not_all_have(tmp_path: Path) -> None:
    samples = []
    for epoch, value in ((1, "C"), (2, "I")):
        for id in ("q0", "q1"):
            one = foreign.sample(id, epoch, value)
            one["scores"]["grade"] = {"value": {"style": 4, "depth": 2.5}}
            if id == "q0":
                one["scores"]["judge"] = {"value": 0.25}
            samples.append(one)
    members = {f"samples/{s['id']}_epoch_{s['epoch']}.json": s for s in samples}
    head = foreign.header(0.5, 2, 4)
    head["eval"]["config"] = {"epochs": 2}
    [run] = hg.import_runs(foreign.log(tmp_path / "a.eval", members | {"header.json": head}))
    named = {estimate.name: estimate.value for estimate in run.estimates}
    assert named["match"] == 0.5
    assert (named["grade.style"], named["grade.depth"]) == (4.0, 2.5)
    assert named["pass@2"] == 1.0
    assert "judge" not in named
    assert run.trials.filter(run.trials["id"] == "q0")["parts"].to_list() == ['[["judge",0.25]]'] * 2
    assert run.origin is not None
    assert any("not every sample has judge" in note for note in run.origin.notes)


def test_tools_images_reasoning_and_attachments(tmp_path: Path) -> None:
    call = {"id": "c1", "function": "add", "arguments": {"a": 1}, "type": "function"}
    image = "data:image/png;base64,aGVsbG8="
    parts = [{"type": "text", "text": "Look: "}, {"type": "image", "image": "attachment://" + "0" * 32}]
    thought = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "attachment://" + "1" * 32}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
        {"role": "assistant", "content": thought},
    ]
    output = {"model": "m", "choices": [{"message": messages[-1], "stop_reason": "max_tokens"}]}
    one = foreign.sample("q0", 1, "I", input=messages[:2], messages=messages, output=output, working_time=3.0)
    one["attachments"] = {"0" * 32: image, "1" * 32: "the answer"}
    [run] = hg.import_runs(
        foreign.log(tmp_path / "a.eval", {"samples/q0_epoch_1.json": one, "header.json": foreign.header(0.0, 1)})
    )
    row = run.trials.row(0, named=True)
    asked = msgspec.json.decode(row["input"], type=tuple[Message, ...])
    assert [message.role for message in asked] == ["system", "user"]
    assert asked[1].content[1].data == b"hello"  # type: ignore[union-attr]
    said = msgspec.json.decode(row["transcript"], type=tuple[Message, ...])
    assert [message.role for message in said] == ["assistant", "tool", "assistant"]
    assert json.loads(said[0].tool_calls[0].arguments) == {"a": 1}
    assert (row["text"], row["reasoning"], row["outcome"], row["latency"]) == ("the answer", "hm", "truncated", 3.0)


def test_chunked_samples(tmp_path: Path) -> None:
    one = foreign.sample("q0", 1, "C", answer="attachment://1")
    messages = one.pop("messages")
    metadata = one.pop("metadata")
    one["message_refs"] = [[0, 1], [2, 3]]
    place = "samples/q0_epoch_1"
    members = {
        f"{place}/sample.json": one,
        f"{place}/metadata.json": metadata,
        f"{place}/skeleton.json": {},
        f"{place}/messages/0.json": [messages[0], {"role": "user", "content": "of another branch"}],
        f"{place}/messages/2.json": [messages[1]],
        f"{place}/attachments/0.json": ["zero", "the long answer"],
        "samples/q1_epoch_1.json": foreign.sample("q1", 1, "I"),
        "header.json": foreign.header(0.5, 2),
    }
    [run] = hg.import_runs(foreign.log(tmp_path / "a.eval", members))
    assert run.estimate.value == 0.5
    row = run.trials.row(0, named=True)
    assert (row["text"], row["transcript"], json.loads(row["metadata"])) == ("the long answer", None, {"kind": "sum"})
    del members[f"{place}/messages/0.json"]
    with pytest.raises(DataError, match="the messages before number 2 are missing"):
        hg.import_runs(foreign.log(tmp_path / "b.eval", members))


def test_a_json_log(tmp_path: Path) -> None:
    whole = foreign.header(0.5, 2) | {"samples": [foreign.sample("q0", 1, "C"), foreign.sample("q1", 1, "I")]}
    whole["samples"][0]["metadata"] = {"odd": float("nan"), "big": 10**30, "half": "\ud800"}
    path = tmp_path / "log.json"
    path.write_text(json.dumps(whole))
    [run] = hg.import_runs(tmp_path)  # found in its folder
    assert (run.estimate.value, run.outcomes) == (0.5, {"right": 1, "wrong": 1})
    assert json.loads(run.trials["metadata"][0]) == {"odd": None, "big": 1e30, "half": "?"}


def _broken(tmp_path: Path, what: str) -> Path:
    path = tmp_path / "bad.eval"
    members = {"samples/q0_epoch_1.json": foreign.sample("q0", 1, "C"), "header.json": foreign.header(1.0, 1)}
    if what == "no zip":
        path.write_bytes(b"PK\x03\x04 and nothing more")
    elif what == "empty":
        foreign.log(path, {"header.json": foreign.header(1.0, 1)})
    elif what == "no log":
        foreign.log(path, {"../../etc/passwd": b"root"})
    elif what == "twice":
        foreign.log(path, members | {"samples/q0_epoch_01.json": members["samples/q0_epoch_1.json"]})
    elif what == "truncated JSON":
        foreign.log(path, members | {"samples/q1_epoch_1.json": b'{"id": "q1", "epoch": 1, "inp'})
    elif what == "deep":
        foreign.log(path, members | {"samples/q1_epoch_1.json": b'{"id": "q1", "x": ' + b"[" * 100_000})
    elif what == "not a sample":
        foreign.log(path, members | {"samples/q1_epoch_1.json": b'{"id": [1]}'})
    elif what == "damaged":
        foreign.log(path, members)
        data = bytearray(path.read_bytes())
        at = data.index(b"\x28\xb5\x2f\xfd") + 60
        data[at : at + 8] = bytes(8)
        path.write_bytes(data)
    elif what == "bomb":
        foreign.log(path, members | {"samples/q1_epoch_1.json": b" " * (3 * 2**20)}, frame=2**28)
    elif what == "lying bomb":
        foreign.log(path, members | {"samples/q1_epoch_1.json": b" " * (3 * 2**20)}, frame=2**28)
        data = path.read_bytes()
        path.write_bytes(data.replace(struct.pack("<L", 3 * 2**20), struct.pack("<L", 100)))
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no zip", "no whole zip file"),
        ("empty", "holds no sample"),
        ("no log", "neither header.json nor _journal/start.json"),
        ("twice", "sample q0, epoch 1, is there twice"),
        ("truncated JSON", "broken JSON"),
        ("deep", "broken JSON"),
        ("not a sample", "not what this format holds"),
        ("damaged", "cannot be unpacked|is damaged"),
        ("bomb", "larger than 1 MiB unpacked"),
        ("lying bomb", "larger than 1 MiB unpacked|cannot be unpacked"),
    ],
)
def test_what_is_broken_is_told_in_a_line_and_leaves_nothing(
    tmp_path: Path, what: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_MEMBER", 2**20)
    path = _broken(tmp_path, what)
    with pytest.raises(DataError, match=words) as caught:
        hg.import_runs(path)
    assert "\n" not in str(caught.value)
    assert "bad.eval" in str(caught.value)
    assert list(runs_folder().iterdir()) == []


def test_the_command_goes_on_after_what_it_cannot_read(tmp_path: Path) -> None:
    foreign.inspect_log(tmp_path / "a.eval", ["C"], 1.0)
    (tmp_path / "b.eval").write_bytes(b"nothing")
    (tmp_path / "notes.json").write_text("{}")
    paths = [str(tmp_path), str(tmp_path / "notes.json"), str(tmp_path / "a.eval")]
    command = [sys.executable, "-m", "howgood.cli.main", "import", *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    first, second = (line for line in done.stdout.splitlines() if line.startswith("a.eval"))
    assert first.startswith("a.eval: run ")
    assert second.startswith("a.eval is here already: run ")
    broken, other = done.stderr.splitlines()
    assert "b.eval is no whole zip file" in broken
    assert "notes.json is nothing that howgood imports" in other


def test_values_of_another_kind_are_read_past_or_told(tmp_path: Path) -> None:
    """No value in a log, of whatever kind, ends in more than a `DataError`."""
    called = [{"role": "assistant", "content": [{"type": "text", "text": "4"}], "tool_calls": [{"id": "c"}]}]
    whole = foreign.header(0.5, 1) | {"samples": [foreign.sample("q0", 1, "C", messages=called)]}
    path, count, told = tmp_path / "a.json", 0, 0
    for record in foreign.strange(whole):
        path.write_text(json.dumps(record))
        try:
            count += len(list(inspect_log.source(path).trials()))
        except DataError:
            told += 1
    assert count > 400
    assert told > 20
