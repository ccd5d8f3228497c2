from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from howgood.core.errors import DataError
from howgood.inputs.zipped import LockedCsv


def source(folder: Path, member: str = "table.csv", password: str = "x") -> LockedCsv:
    return LockedCsv(member, password, test="set/data.zip").at(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    with zipfile.ZipFile(tmp_path / "set" / "data.zip", "w") as archive:
        archive.writestr("table.csv", '\ufeffa,b\n1,"two\nlines"\n')
        archive.writestr("latin.csv", b"a\n\xe9\n")
    return tmp_path


def test_rows_come_out_of_the_zip_and_the_file_is_pinned(folder: Path) -> None:
    found = source(folder)
    assert found.has("test")
    assert list(found.rows("test")) == [{"a": "1", "b": "two\nlines"}]
    assert found.provenance("test")["files"] == ["set/data.zip"]
    assert found.provenance("test")["revision"].startswith("sha256:")


def test_a_folder_without_the_zip_has_nothing(tmp_path: Path) -> None:
    assert not source(tmp_path).has("test")


def test_what_is_wrong_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"has no file other\.csv"):
        list(source(folder, "other.csv").rows("test"))
    with pytest.raises(DataError, match=r"latin\.csv is not UTF-8"):
        list(source(folder, "latin.csv").rows("test"))
    (folder / "set" / "data.zip").write_bytes(b"PK no")
    with pytest.raises(DataError, match="cannot be opened"):
        list(source(folder).rows("test"))


def test_a_wrong_password_is_told(shared: Path) -> None:
    locked = LockedCsv("dataset/gpqa_main.csv", "guess", test="gpqa/dataset.zip").at(shared / "data")
    with pytest.raises(DataError, match="cannot be opened"):
        list(locked.rows("test"))
