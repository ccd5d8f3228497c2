"""Notes of people on single trials: kept beside the run, with author and time, and never in place of anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from studio_visitor import make_run
from typer.testing import CliRunner

import howgood as hg
from howgood.cli.main import build
from howgood.core.errors import HowgoodError
from howgood.runs import notes
from howgood.runs.notes import Note


@pytest.fixture
def run(runs: Path) -> Any:
    return make_run(runs, limit=3)


def test_notes_are_kept_with_author_and_time(run: Any) -> None:
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    name = run.trials["id"][0]
    notes.add(run, Note(name, 0, "comment", "ada", "  The target is odd. "))
    notes.add(run, Note(name, 0, "correction", "ben", "B"))
    first, second = notes.read(run)
    assert (first.id, first.kind, first.author, first.text) == (name, "comment", "ada", "The target is odd.")
    assert (second.kind, second.author, second.text) == ("correction", "ben", "B")
    assert abs(datetime.fromisoformat(first.made) - datetime.now(UTC)) < timedelta(seconds=30)
    assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.name != notes.FILE} == before


def test_a_flag_is_taken_down_by_a_later_note(run: Any) -> None:
    for kind in ("flag", "unflag", "flag"):
        notes.add(run, Note("a", 0, kind, "ada"))  # type: ignore[arg-type]
    notes.add(run, Note("b", 0, "flag", "ada"))
    notes.add(run, Note("b", 0, "unflag", "ben"))
    notes.add(run, Note("c", 1, "comment", "ben", "hm"))
    assert set(notes.flagged(notes.read(run))) == {("a", 0)}
    assert notes.noted(notes.read(run)) == {("a", 0), ("c", 1)}
    assert len(notes.read(run)) == 6  # nothing is taken away


def test_a_torn_or_strange_line_costs_no_other(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    notes.add(run, Note("a", 0, "flag", "ada"))
    path = run.path / notes.FILE
    with path.open("ab") as file:
        file.write(b'{"id": "\xff"}\n' + b"[" * 10_000 + b"\n" + b'{"id": "b", "ep')
    notes.add(run, Note("c", 0, "flag", "ada"))
    assert [note.id for note in notes.read(run)] == ["a", "c"]
    assert [note.id for note in notes.read(run)] == ["a", "c"]
    assert capfd.readouterr().err == f"howgood: 3 lines of {path} are no notes and are passed over\n"


@pytest.mark.parametrize(
    ("note", "message"),
    [
        (Note("a", 0, "flag", "<b>"), "an author's name is of letters"),
        (Note("a", 0, "flag", ""), "an author's name is of letters"),
        (Note("a", 0, "comment", "ada", "  "), "a comment has to say something"),
        (Note("a", 0, "correction", "ada", "x" * 4_001), "at most 4,000 characters, not 4,001"),
        (Note("a", 0, "comment", "ada", "\ud800"), "half a character"),
    ],
)
def test_what_is_no_note_is_said(run: Any, note: Note, message: str) -> None:
    with pytest.raises(HowgoodError, match=message):
        notes.add(run, note)
    assert not (run.path / notes.FILE).exists()


def test_notes_are_made_and_read_in_python(run: Any) -> None:
    name = run.trials["id"][0]
    assert hg.note(run.path, name, author="ada").kind == "flag"
    assert hg.note(run, name, "odd", author="ada").kind == "comment"
    assert hg.note(run, name, "B", kind="correction").author  # whoever runs the tests
    assert [(note.id, note.text) for note in hg.notes(run.path)] == [(name, ""), (name, "odd"), (name, "B")]
    with pytest.raises(HowgoodError, match="instance"):
        hg.note(run, "nothing")


def shown(run: Any, *more: str) -> str:
    words = ["show", str(run.path), *more]
    result = CliRunner().invoke(build(words), words, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    return result.output


def test_flagged_instances_are_listed_with_their_notes(run: Any) -> None:
    nothing = shown(run, "--flagged")
    assert f"nothing of {run.id} is flagged" in nothing
    first, second, _ = run.trials["id"]
    hg.note(run, first, author="ada")
    hg.note(run, first, "the target\nis odd \u202e", author="ben")
    hg.note(run, second, "fine", author="ben")
    listed = shown(run, "--flagged")
    assert f"{first}  " in listed
    assert "ada flagged it" in listed
    assert "ben said: the target is odd ⟨U+202E⟩" in listed
    assert "fine" not in listed
    assert "ben said: fine" in shown(run, "--instance", second)
