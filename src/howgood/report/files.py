"""Reports as files for others: one file each, safe to mail, by what its name ends with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from howgood.core.errors import HowgoodError
from howgood.runs.journal import write_whole
from howgood.runs.store import SavedRun


def write_report(runs: Sequence[SavedRun], path: Path) -> Path:
    """Write runs, and those of one benchmark beside each other, as one file, replacing an older one in one step:
    `.html` needs nothing else and loads nothing, `.md` is Markdown with tables, `.pdf` is printed by a browser of this
    machine. Raises `HowgoodError` for another ending, where there is no browser, and where it cannot be written."""
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise HowgoodError(f"a report is a file ending in {', '.join(KINDS)}, and {path.name} is none of them")
    write_whole(path, KINDS[kind](runs))
    return path


def _html(runs: Sequence[SavedRun]) -> bytes:
    from howgood.report.html import render

    return render(runs).encode()


def _markdown(runs: Sequence[SavedRun]) -> bytes:
    from howgood.report.document import document

    return document(runs).encode()


def _pdf(runs: Sequence[SavedRun]) -> bytes:
    from howgood.report.pdf import browser, printed

    found = browser()  # before the page is made: without one it would be for nothing
    # On paper nothing can be unfolded. Only our own markup can match: texts are escaped.
    return printed(
        found, re.sub(rb'<details class="fold([^"]*)"(?: open)?>', rb'<details class="fold\1" open>', _html(runs))
    )


KINDS: dict[str, Callable[[Sequence[SavedRun]], bytes]] = {
    ".html": _html,
    ".htm": _html,
    ".md": _markdown,
    ".pdf": _pdf,
}
