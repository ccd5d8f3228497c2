"""Benchmarks by name: found without importing others, parameters checked, one's own files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from howgood.core.errors import HowgoodError, UnknownName
from howgood.core.registry import Card, Entry, catalogue, find, parse_parameters

OWN = '''
from howgood import Benchmark, benchmark


@benchmark("my-own", purpose="capability", cite="none")
def my_own(size: int = 3) -> Benchmark:
    """My own benchmark."""
    raise RuntimeError("not built here")
'''


def test_every_benchmark_of_the_catalogue_can_be_found_and_has_its_card() -> None:
    listed = catalogue()
    assert {"mmlu", "hellaswag", "lambada", "wikitext-2", "gsm8k", "arc-agi-1", "arc-agi-2"} <= {e.name for e in listed}
    for one in listed:
        entry, _ = find(one.name)
        assert entry.card.name == one.name
        assert entry.card.title == one.title != ""
        assert entry.card.purpose == one.purpose != ""


ADDED = '''
import howgood as hg


@hg.benchmark(
    "quick", purpose="propensity",
)
def quick() -> hg.Benchmark:
    """Quick to find.

    And more."""


@hg.benchmark('quoted', purpose='capability')
def quoted() -> hg.Benchmark:
    'Written in another style.'


@hg.benchmark("bare")
def bare() -> hg.Benchmark: ...
'''


def test_installed_packages_add_benchmarks_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "added.py").write_text(ADDED)
    (tmp_path / "added-1.0.dist-info").mkdir()
    (tmp_path / "added-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    (tmp_path / "added-1.0.dist-info" / "entry_points.txt").write_text("[howgood.benchmarks]\nadded = added\n")
    code = "from howgood.core.registry import catalogue; [print(*e[:4], sep='|') for e in map(astuple, catalogue())]"
    found = subprocess.run(
        [sys.executable, "-c", f"from msgspec.structs import astuple; {code}"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert [line for line in found if "|added|" in line] == [
        "bare|added||",
        "quick|added|Quick to find.|propensity",
        "quoted|added|Written in another style.|capability",
    ]
    assert len(found) == len(catalogue()) + 3


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"there is no benchmark 'hellaswga'. Did you mean hellaswag"):
        find("hellaswga")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    entry, implied = find(str(file))
    assert (entry.card.name, entry.card.title, implied) == ("my-own", "My own benchmark.", {})
    assert find(f"{file}:my-own")[0].card == entry.card
    with pytest.raises(UnknownName, match="defines: my-own"):
        find(f"{file}:other")
    with pytest.raises(HowgoodError, match="there is no file"):
        find(str(tmp_path / "missing.py"))


def test_names_of_files_and_repositories_lead_to_their_benchmarks() -> None:
    assert find("support.csv")[1] == {"file": "support.csv"}
    assert find("a/b.jsonl.gz")[0].card.name == "own-file"
    entry, implied = find("hf/someone/something")
    assert (entry.card.name, implied) == ("hub-eval", {"repo": "someone/something"})


def test_parameters_are_converted_and_checked() -> None:
    def build(shots: int = 5, method: Literal["a", "b"] = "a", cells: int | None = None) -> None: ...

    entry = Entry(Card("x", "X", "capability", ""), build)
    given = {"shots": "3", "method": "b", "cells": "9"}
    assert parse_parameters(entry, given) == {"shots": 3, "method": "b", "cells": 9}
    with pytest.raises(UnknownName, match=r"no parameter 'shot'\. Did you mean shots"):
        parse_parameters(entry, {"shot": "3"})
    with pytest.raises(HowgoodError, match=r"parameter shots of x takes int, not .three."):
        parse_parameters(entry, {"shots": "three"})
    with pytest.raises(HowgoodError, match="parameter method"):
        parse_parameters(entry, {"method": "c"})
