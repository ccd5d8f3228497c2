"""Runs on disk: pages of their trials."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

import howgood as hg
from howgood.calls.generation import Generation
from howgood.core.errors import HowgoodError, RequestError
from howgood.core.types import Generate, Instance, Prediction
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models.base import TRIAL, Model
from howgood.models.reference import Constant
from howgood.outputs.match import Match
from howgood.runs import columns
from howgood.runs.store import SavedRun


def finished(folder: Path, n: int, model: Model | None = None) -> SavedRun:
    items = [Instance(str(i), f"question {i}", targets=("yes" if i % 3 else "no",)) for i in range(n)]
    benchmark = hg.Benchmark(Inputs.of(items), Generation(), Match("normalized"), Mean())
    return hg.run(benchmark, model or Constant("yes"), folder=folder)


def test_a_page_is_those_rows_of_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "GROUP", 20)
    run = finished(tmp_path, 55)
    groups = "select row_group_id, min(file_offset) from parquet_metadata(?) group by 1 order by 1"
    table = run.path / "trials.parquet"
    offsets = [offset for _, offset in duckdb.execute(groups, [str(table)]).fetchall()]
    assert len(offsets) == 3
    for start, rows in ((0, 5), (18, 4), (19, 30), (50, 10), (0, 55), (55, 1), (1000, 5), (3, 0)):
        page = run.page(start, rows)
        assert page["id"].to_list() == [str(i) for i in range(start, min(55, start + rows))]
        assert page.equals(run.trials.slice(start, rows))

    whole, content = run.page(0, 20), bytearray(table.read_bytes())
    content[offsets[1] : offsets[1] + 200] = bytes(200)  # what is not on the page is not read
    table.write_bytes(content)
    assert run.page(0, 20).equals(whole)
    with pytest.raises(pl.exceptions.PolarsError):
        run.page(20, 20)


def test_a_page_of_a_run_that_goes_on_comes_from_its_journal(tmp_path: Path) -> None:
    class Failing(Constant):
        async def generate(self, request: Generate) -> Prediction:
            if TRIAL.get()[0] == "4":
                raise RequestError("503")
            return await super().generate(request)

    run = finished(tmp_path, 6, Failing("yes"))
    assert run.status == "incomplete"  # so its journal is still there
    whole = run.trials
    (run.path / "trials.parquet").unlink()
    run.status = "running"
    for start, rows in ((0, 6), (2, 3), (5, 9), (6, 1)):
        assert run.page(start, rows).equals(whole.slice(start, rows))


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?", "[!x]"])
def test_a_folder_may_be_called_like_a_pattern(tmp_path: Path, name: str) -> None:
    run = finished(tmp_path / name, 3)
    other = tmp_path / "ab" / run.id
    other.mkdir(parents=True)
    pl.DataFrame({"x": [1]}).write_parquet(other / "trials.parquet")
    run = hg.load(run.path)
    assert run.columns == run.trials.columns
    assert run.columns[0] == "id"
    assert run.page(1, 2)["id"].to_list() == ["1", "2"]
    assert run.find(["2"], ["id"])["id"].to_list() == ["2"]


def test_a_file_is_no_folder_of_runs(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(HowgoodError, match=r"runs is no folder, so there can be no runs in it"):
        hg.list_runs(tmp_path / "runs")
