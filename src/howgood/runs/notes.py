"""What people note of single trials while they look at them: flags, comments, corrections of what is said to be right.

Kept beside the run, one line a note with its author and time, and never taken away: a flag that is taken down is one
more line. Nothing of it changes a score. (`labels.py` keeps what people are asked blindly.)
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.text import one_line
from howgood.runs.journal import append_line
from howgood.runs.labels import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from howgood.runs.store import SavedRun

FILE = "notes.jsonl"
LONGEST = 4_000
"""Characters of a comment or a correction."""
Kind = Literal["flag", "unflag", "comment", "correction"]


class Note(Struct, frozen=True, omit_defaults=True):
    """What `author` noted of a trial (an instance's `id` and its epoch), and when (UTC): that it is flagged or no
    longer, a comment (`text`), or what should stand as its target (`text`)."""

    id: str
    epoch: int
    kind: Kind
    author: str
    text: str = ""
    made: str = ""


Key = tuple[str, int]
_TOLD: set[Path] = set()


def add(run: SavedRun, note: Note) -> Note:
    """Keep a note, with the time it is now. Raises `HowgoodError` for an author's name that is none, a comment without
    words, and where it cannot be written. Whether the run has the trial is the caller's to know."""
    if not NAME.fullmatch(note.author):
        raise HowgoodError(f"an author's name is of letters, digits and ._@- (at most 64), not '{note.author[:80]}'")
    text = "" if note.kind in ("flag", "unflag") else note.text.strip()
    if note.kind in ("comment", "correction") and not text:
        raise HowgoodError(f"a {note.kind} has to say something")
    if len(text) > LONGEST:
        raise HowgoodError(f"a {note.kind} has at most {LONGEST:,} characters, not {len(text):,}")
    made = msgspec.structs.replace(note, text=text, made=datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        line = msgspec.json.encode(made)
    except UnicodeEncodeError:
        raise HowgoodError(f"the {note.kind} holds half a character (a lone surrogate), which no file can") from None
    append_line(run.path / FILE, line)
    return made


def read(run: SavedRun) -> list[Note]:
    """All notes of a run, oldest first. Lines that cannot be read are passed over, which is said once."""
    path = run.path / FILE
    found, broken = [], 0
    if path.is_file():
        decode = msgspec.json.Decoder(Note).decode
        for line in path.read_bytes().splitlines():
            try:
                found.append(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                broken += 1
    if broken and path not in _TOLD:
        _TOLD.add(path)
        lines = "1 line of {} is no note and is" if broken == 1 else f"{broken:,} lines of {{}} are no notes and are"
        print(one_line(f"howgood: {lines.format(path)} passed over"), file=sys.stderr)
    return found


def flagged(notes: Iterable[Note]) -> dict[Key, Note]:
    """The trials that are flagged now, with the note that did it: of several of a trial the last one counts."""
    found: dict[Key, Note] = {}
    for note in notes:
        if note.kind == "flag":
            found[note.id, note.epoch] = note
        elif note.kind == "unflag":
            found.pop((note.id, note.epoch), None)
    return found


def noted(notes: Iterable[Note]) -> set[Key]:
    """The trials of which anything is noted that still holds: a flag, a comment, a correction."""
    kept = list(notes)
    said = {(note.id, note.epoch) for note in kept if note.kind in ("comment", "correction")}
    return said | set(flagged(kept))
