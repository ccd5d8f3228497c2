"""Runs that howgood exported as logs come back under the rules they had, and no log can bring in others."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.core.types import Rules
from howgood.interpret.estimate import Mean
from howgood.report import cards
from howgood.runs.interop import own_rules
from howgood.runs.interop.inspect_log import source
from howgood.runs.store import SavedRun


def asked(where: Path, **options: Any) -> SavedRun:
    table = where / "own.jsonl"
    rows = [{"q": f"Is {i} even?", "a": "yes" if i % 2 else "no", "part": f"p{i // 4}"} for i in range(12)]
    table.write_text("\n".join(map(json.dumps, rows)))
    return hg.run(str(table), "reference/constant,text=yes", ask="{q}", answer="a", stratum="part", **options)


def exported(run: SavedRun, path: Path) -> Path:
    [made] = hg.export_runs(run, path=path)
    return made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"limit": 5, "seed": 3},
        {"limit": 6, "sample": "stratified"},
        {"epochs": 2, "temperature": 0.5, "method": "vote,n=3"},
    ],
)
def test_the_rules_come_back_as_they_were(options: dict[str, Any], tmp_path: Path) -> None:
    run = hg.load(asked(tmp_path, **options).path)
    [again] = hg.import_runs(exported(run, tmp_path / "out.eval"))
    assert again.rules == run.rules
    assert again.rules.hash == run.rules.hash
    assert [(e.name, e.value, e.low, e.high, e.method) for e in again.estimates[:1]] == [
        (e.name, e.value, e.low, e.high, e.method) for e in run.estimates[:1]
    ]
    compared = hg.compare(run, again)
    assert run.rules.differences(again.rules) == []
    assert compared.difference.value == 0
    assert cards.four_questions(again)
    [third] = hg.import_runs(exported(again, tmp_path / "again.eval"))
    assert third.rules == run.rules


def test_a_number_that_only_its_benchmark_makes_is_told_as_what_it_is_here(tmp_path: Path) -> None:
    run = asked(tmp_path)
    run.rules = Rules(**{**{n: getattr(run.rules, n) for n in Rules.__struct_fields__}, "interpret": {"kind": "passk"}})
    [again] = hg.import_runs(exported(run, tmp_path / "out.eval"))
    assert again.rules.interpret == Mean(score=run.estimates[0].name).describe()
    assert [name for name, *_ in run.rules.differences(again.rules)] == [
        "interpret.kind",
        "interpret.score",
        "interpret.unit",
        "interpret.weighting",
    ]


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no record": lambda told: told.update(rules=[1]),
    "no hash": lambda told: told.pop("rules_hash"),
    "another hash": lambda told: told.update(rules_hash="0" * 12),
    "changed": lambda told: told["rules"]["call"].update(temperature=1),
    "another benchmark": lambda told: told["rules"].update(benchmark="mmlu"),
    "a part is missing": lambda told: told["rules"].pop("outputs"),
    "no digest": lambda told: told["rules"]["data"].pop("digest"),
    "no size": lambda told: told["rules"]["data"].update(instances=None),
    "a size below 0": lambda told: told["rules"]["data"].update(instances=-1),
    "epochs are a word": lambda told: told["rules"]["sample"].update(epochs="many"),
    "no epochs": lambda told: told["rules"]["sample"].update(epochs=0),
    "strata are a list": lambda told: told["rules"]["sample"].update(strata=["p0"]),
    "strata without end": lambda told: told["rules"]["sample"].update(strata={"p0": 10**13}),
    "perturbed": lambda told: told["rules"]["sample"].update(perturb={"typos": 1}),
    "a grade without ends": lambda told: told["rules"].update(outputs={"kind": "graded"}),
    "too deep": lambda told: told["rules"]["call"].update(shots=deep(200)),
    "too large": lambda told: told["rules"]["call"].update(note="x" * own_rules.LARGEST),
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    return exported(asked(folder, folder=folder / "runs"), folder / "out.eval")


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_not_ours_or_not_as_it_was_is_not_taken(what: str, log: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "out.eval"
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(spoiled, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "header.json":
                header = json.loads(content)
                told = header["eval"]["metadata"]["howgood"]
                SPOILED[what](told)
                if what not in ("no record", "no hash", "another hash", "changed", "a part is missing"):
                    told["rules_hash"] = Rules(**told["rules"]).hash
                content = json.dumps(header).encode()
            new.writestr(name, content)
    assert source(log).whole is not None
    assert source(spoiled).whole is None
    [run] = hg.import_runs(spoiled, folder=tmp_path / "runs")
    assert run.rules.call["made_by"] == "howgood"
    assert (run.rules.benchmark, run.estimate.n) == ("own", 12)
