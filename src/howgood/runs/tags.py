"""Tags of a run: words that people put to it, kept beside it in `tags.json`."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from howgood.core.errors import HowgoodError
from howgood.runs.journal import write_whole

FILE = "tags.json"
TAG = re.compile(r"[\w][\w.+-]{0,39}")
MOST = 20


def read_tags(folder: Path) -> tuple[str, ...]:
    """The tags of a run, in order; none where there is no file. Raises `HowgoodError` for one that cannot be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=tuple[str, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HowgoodError(f"{folder / FILE} cannot be read as a list of tags: {error}; mend or remove it") from error


def write_tags(folder: Path, tags: list[str]) -> tuple[str, ...]:
    """Give a run these tags and no others, in one step. Raises `HowgoodError` for a tag that is none (letters, digits
    and . + - _, at most 40), and where it cannot be written."""
    made = tuple(sorted(dict.fromkeys(tag.strip() for tag in tags if tag.strip())))
    if wrong := next((tag for tag in made if not TAG.fullmatch(tag)), None):
        raise HowgoodError(f"'{wrong[:60]}' cannot be a tag: letters, digits and . + - _, at most 40 of them")
    if len(made) > MOST:
        raise HowgoodError(f"a run has at most {MOST} tags, not {len(made)}")
    write_whole(folder / FILE, msgspec.json.encode(made))
    return made
