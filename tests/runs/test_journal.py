"""Lines of files that are added to, on any system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from howgood.runs.journal import append_line


def test_lines_are_added_and_a_torn_one_stays_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread", raising=False)  # Windows has none
    path = tmp_path / "notes.jsonl"
    append_line(path, b"one")
    append_line(path, b"two")
    path.write_bytes(path.read_bytes() + b"torn")
    append_line(path, b"three")
    assert path.read_bytes() == b"one\ntwo\ntorn\nthree\n"
