"""The real Inspect writes what is imported, and reads what is exported."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.runs.store import SavedRun

PEER = Path(__file__).with_name("inspect_peer.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("inspect_ai") is None, reason="needs inspect_ai (pip install inspect-ai==0.3.285)"),
    pytest.mark.xdist_group("inspect"),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    done = subprocess.run([sys.executable, str(PEER), "write", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return folder


def read(*paths: Path) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, str(PEER), "read", *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_format_of_inspect_gives_the_same_run(logs: Path) -> None:
    made: dict[str, SavedRun] = {}
    for kind in ("eval", "json", "chunked"):
        [made[kind]] = hg.import_runs(logs / kind)
    first = made["eval"]
    assert first.origin is not None
    assert [(p.name, p.value) for p in first.origin.published] == [
        ("match accuracy", pytest.approx(5 / 12)),
        ("includes accuracy", pytest.approx(5 / 12)),
    ]
    assert (first.estimate.value, first.estimate.n, first.status) == (pytest.approx(5 / 12), 6, "finished")
    assert not [note for note in first.origin.notes if "published" in note]
    assert first.outcomes == {"right": 5, "wrong": 7}
    assert first.usage.input == 12 * 30  # the cached tokens are input too
    assert first.usage.cached == 12 * 20
    trials = first.trials.drop("latency")
    assert trials.equals(made["chunked"].trials.drop("latency"))
    assert trials.equals(made["json"].trials.drop("latency"))
    assert made["json"].rules.hash == first.rules.hash
    asked = json.loads(trials["prompt"][0])
    assert [message["role"] for message in asked] == ["system", "user"]
    assert asked[1]["content"][1]["type"] == "image"
    assert len(asked[1]["content"][1]["data"]) > 80


def test_inspect_reads_what_is_exported(logs: Path, tmp_path: Path) -> None:
    [imported] = hg.import_runs(logs / "eval")
    table = tmp_path / "own.csv"
    table.write_text('q,a\nIs ice cold?,yes\n"Is fire, too?",no\n')
    own = hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", check="exact")
    files = hg.export_runs(imported, own, path=tmp_path / "out", format="inspect")
    again, mine, log = read(*files, next((logs / "eval").iterdir()))
    assert again["scores"]["match"]["accuracy"] == pytest.approx(log["scores"]["match"]["accuracy"])
    theirs = {(s["id"], s["epoch"]): s for s in log["samples"]}
    assert len(again["samples"]) == again["summaries"] == again["rows"] == len(theirs) == 12
    for sample in again["samples"]:
        told = theirs[str(sample["id"]), sample["epoch"]]
        assert sample["output"]["completion"] == told["output"]["completion"]
        assert sample["scores"]["match"]["value"] == told["scores"]["match"]["value"]
        assert sample["target"] == told["target"]
        assert [m["role"] for m in sample["messages"]] == [m["role"] for m in told["messages"]]
        usage, before = (x["model_usage"]["mockllm/model"] for x in (sample, told))
        for name in ("input_tokens", "output_tokens", "total_tokens", "input_tokens_cache_read"):
            assert usage[name] == before[name]
    assert (mine["status"], mine["task"], mine["model"]) == ("success", "own", "reference/constant,text=yes")
    assert mine["scores"] == {"exact_match": {"accuracy": 0.5, "stderr": pytest.approx(0.5)}}
    assert [s["scores"]["exact_match"]["value"] for s in mine["samples"]] == ["C", "I"]
    assert mine["samples"][1]["input"] == "Is fire, too?"
