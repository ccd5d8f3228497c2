"""Errors a user can act on: each says what happened, where, and what to do next, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HowgoodError(Exception):
    """Base of every error that is the user's to mend. The command line prints its text alone, without a traceback."""


class UnknownName(HowgoodError):
    """A benchmark, model, parameter or run that does not exist, with the nearest names that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.name = name
        # Numbers that look alike are not meant alike.
        near = [] if name.isdigit() else difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
        suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"there is no {kind} '{name}'.{suggestion}{' ' + hint if hint else ''}")


class DataError(HowgoodError):
    """Data that cannot be read or does not have the form the benchmark needs."""


class AccessError(DataError):
    """Data or a model that exists but may not be read without permission."""


class Unsupported(HowgoodError):
    """Something asked of a model, a benchmark or a file that it truly cannot do."""


class MissingExtra(HowgoodError):
    """An optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'howgood[{extra}]'")


class ModelError(HowgoodError):
    """A model that cannot be found, loaded or reached."""


class RequestError(Exception):
    """One request that failed for good; it becomes a failed trial, never a wrong answer. `fatal` says that every other
    request of the run would fail the same way (a wrong key, a dead server), so the run stops."""

    def __init__(self, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal
