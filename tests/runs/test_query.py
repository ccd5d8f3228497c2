"""SQL over runs: what it answers, and that it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import howgood as hg
from howgood.core.errors import HowgoodError
from howgood.runs.query import LONGEST_ERROR, sql


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    """The trials.parquet of the only run there is."""
    file = tmp_path / "own.csv"
    file.write_text("q,a\nIs ice cold?,yes\nIs fire cold?,no\n")
    run = hg.run(str(file), "reference/constant,text=yes", ask="{q}", answer="a")
    return run.path / "trials.parquet"


def test_both_views(trials: Path) -> None:
    assert sql("select benchmark, value, n from runs").rows() == [("own", 0.5, 2)]
    assert sql("select id, outcome from trials order by id desc;").rows() == [("2", "wrong"), ("1", "right")]
    assert sql("describe trials").height > 20
    # The example of the docs needs columns that the trials of any benchmark have.
    assert sql("select system, avg(latency), count(*) n from trials group by all")["n"].to_list() == [2]


def test_columns_of_one_name_are_told_apart() -> None:
    frame = sql("select 1 as a, 2 as a, 3 as a_2, 4 as a")
    assert frame.columns == ["a", "a_2", "a_2_2", "a_3"]
    assert frame.rows() == [(1, 2, 3, 4)]


def test_a_mistake_is_answered_with_what_there_is(trials: Path) -> None:
    with pytest.raises(HowgoodError) as caught:
        sql("select avg(latncy) from trials")
    assert "\n" not in str(caught.value)
    assert '"latncy" not found' in str(caught.value)
    assert "latency" in str(caught.value)
    assert "LINE" not in str(caught.value)
    with pytest.raises(HowgoodError) as caught:
        sql(f"select {'x' * 1000}")
    assert len(str(caught.value)) < LONGEST_ERROR + 30


@pytest.mark.parametrize(
    "query",
    [
        "copy trials to 'FOLDER/out.csv'",
        "copy (select 1) to 'TRIALS' (format parquet, use_tmp_file false)",
        "explain analyze copy (select 1) to 'TRIALS' (format parquet, use_tmp_file false)",
        "with x as (copy (select 1) to 'TRIALS' (format parquet, use_tmp_file false)) select 1",
        "with x as (copy (select 1) to 'TRIALS' (format csv, use_tmp_file false)) select * from x;",
        "with x as (copy (select 1) to 'FOLDER/out.csv') select 1",
        "select 1; copy runs to 'FOLDER/out.csv'",
        "export database 'FOLDER/out'",
        "attach 'FOLDER/out.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "drop view trials",
        "select * from read_csv('FOLDER/own.csv')",
        "select * from read_text('/etc/hostname')",
        "",
    ],
)
def test_it_only_reads(trials: Path, tmp_path: Path, query: str) -> None:
    before = trials.read_bytes()
    with pytest.raises(HowgoodError):
        sql(query.replace("TRIALS", str(trials)).replace("FOLDER", str(tmp_path)))
    assert trials.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["own.csv"]
    assert sql("select count(*) from trials").item() == 2


def test_folders_may_be_called_like_patterns(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("q,a\nIs ice cold?,yes\n")
    for folder in ("a[1]", "a*", "a?", "it's"):
        run = hg.run(str(file), "reference/constant,text=yes", ask="{q}", answer="a", folder=tmp_path / folder)
        other = tmp_path / "ab" / run.id
        other.mkdir(parents=True)
        (other / "trials.parquet").write_bytes((run.path / "trials.parquet").read_bytes())
        assert sql("select run, count(*) from trials group by 1", tmp_path / folder).rows() == [(run.id, 1)]
