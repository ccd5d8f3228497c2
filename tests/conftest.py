"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real benchmark data and recorded results beside the repository; without it the test is skipped."""
    folder = (REPOSITORY / ".." / "shared").resolve()
    if not (folder / "data").is_dir():
        pytest.skip("needs the shared data folder beside the repository (../shared/data)")
    return folder


@pytest.fixture(autouse=True)
def _own_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes runs into, or reads data, prices or answers from, what the machine happens to have."""
    monkeypatch.setenv("HOWGOOD_RUNS", str(tmp_path_factory.mktemp("runs")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    monkeypatch.setenv("HOWGOOD_CACHE", str(tmp_path_factory.mktemp("cache") / "responses.sqlite"))
    for name in ("HOWGOOD_DATA", "HOWGOOD_PRICES"):
        monkeypatch.delenv(name, raising=False)
