"""The suite `core` from the command line and from Python: 22 runs, and CORE with both baselines out of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

import howgood as hg
from howgood.benchmarks.core.data import BLOBS
from howgood.cli.main import main
from howgood.core.errors import DataError, HowgoodError
from howgood.interpret.core_score import TASKS, centred

COMMAND = ["howgood", "run", "core", "-m", "reference/uniform"]


def rows_of(path: str) -> list[dict[str, object]]:
    """Eleven questions in the form of llm-foundry, so that ten worked examples can be shown with each."""
    if "winogr" in path:
        contexts = [[f"No {i}, since Ann", f"No {i}, since Bob"] for i in range(11)]
        return [
            {"context_options": c, "continuation": "was late.", "gold": int(i >= 4)} for i, c in enumerate(contexts)
        ]
    if any(name in path for name in ("jeopardy", "bigbench", "squad", "coqa", "lambada")) and "language_id" not in path:
        return [{"context": f"What is {i}?", "continuation": f"It is {i}.", "category": "n"} for i in range(11)]
    # The right choice is the first in 4 of 11; that of a uniform model is always the first.
    return [{"query": f"Which is {i}?", "choices": ["it", "no"], "gold": int(i >= 4)} for i in range(11)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for path in BLOBS:
        file = root / "dclm_core" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows_of(path)))
    return root


def test_core_is_printed_and_comes_out_of_python(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [*COMMAND, "--data", str(folder)])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = capsys.readouterr().out
    runs = hg.list_runs()
    assert [run.rules.benchmark for run in runs] == [task.benchmark for task in TASKS]
    accuracy = {run.rules.benchmark: run.estimate.value for run in runs}
    assert set(accuracy.values()) == {0.0, 4 / 11}  # texts are never written to the letter, choices as said above
    new, old = hg.suite_estimates("core", runs)
    for estimate, baselines in ((new, [task.v2 for task in TASKS]), (old, [task.v1 for task in TASKS])):
        each = [centred(accuracy[task.benchmark], b) for task, b in zip(TASKS, baselines, strict=True)]
        assert estimate.value == pytest.approx(sum(each) / 22, abs=1e-12)
    assert (new.name, old.name, new.n) == ("CORE", "CORE v1", 22 * 11)
    printed = out[out.index("core of reference/uniform") :]
    for estimate in (new, old):
        assert f"{100 * estimate.value:.1f}% [".replace("-", "−") in printed
        assert estimate.name in printed


def test_a_part_whose_data_cannot_be_had_is_told_and_core_is_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = tmp_path / "some"
    for path in BLOBS:
        if "squad" not in path:
            (some / "dclm_core" / path).parent.mkdir(parents=True, exist_ok=True)
            (some / "dclm_core" / path).symlink_to(folder / "dclm_core" / path)
    (some / "dclm_core" / "reading_comprehension" / "squad.jsonl").write_text("{")
    monkeypatch.setattr(sys, "argv", [*COMMAND, "--data", str(some), "--limit", "2"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "left out: " in out
    assert "squad.jsonl" in out
    assert "CORE is the mean of 22 tasks; core-squad is missing: run the rest of the suite" in out
    monkeypatch.setattr(sys, "argv", ["howgood", "check", "core", "--data", str(some)])
    with pytest.raises(SystemExit) as ended:
        main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("core-")]
    assert ended.value.code == 0
    assert [line.split(":")[0] for line in lines] == [task.benchmark for task in TASKS]
    assert sum(line.endswith(": ok") for line in lines) == 21
    assert any(line.startswith("core-squad: left out: ") for line in lines)
    with pytest.warns(UserWarning, match=r"left out: .*squad\.jsonl"):
        runs = hg.run_suite("core", "reference/uniform", data=some, limit=2)
    assert len(runs) == 21
    with pytest.raises(DataError, match="core-squad is missing"):
        hg.suite_estimates("core", runs)


def test_what_is_no_core_is_refused(folder: Path) -> None:
    runs = hg.run_suite("core", "reference/uniform", data=folder, limit=1, score="bpb")
    with pytest.raises(DataError, match="CORE is made of accuracies; core-hellaswag-zeroshot, core-jeopardy"):
        hg.suite_estimates("core", runs)
    other = msgspec.structs.replace(runs[0].system, name="another")
    runs[0].system = other
    with pytest.raises(HowgoodError, match="one system's number, and these runs are of another, reference/uniform"):
        hg.suite_estimates("core", runs)
    assert hg.suite_estimates("knowledge", runs[1:]) == []


def test_where_nothing_can_be_had_the_suite_fails(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"), pytest.warns(UserWarning, match="left out"):
        hg.run_suite("core", "reference/uniform", data=tmp_path / "none")
