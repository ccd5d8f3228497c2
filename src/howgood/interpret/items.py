"""A file of items: what was learnt of a benchmark's questions from many systems, and a part to ask the next ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.text import digest, one_line
from howgood.interpret.irt import Items

BYTES = 200_000_000
"""The largest file that is read."""


class ItemFile(Struct, frozen=True):
    """The items of a `benchmark` (its data told by `digest`, its `score` by name), the systems they were fitted to with
    their abilities and the standard `errors` of these, and the ids `picked` at random with `seed`."""

    benchmark: str
    digest: str
    score: str
    items: Items
    systems: dict[str, float]
    picked: list[str]
    seed: int = 0
    errors: dict[str, float] = {}

    @property
    def fingerprint(self) -> str:
        return digest(msgspec.to_builtins(self))

    def chosen(self, benchmark: str, content: str, ids: Sequence[str]) -> frozenset[str]:
        """The picked ids, for a benchmark of this name and content. Raises `DataError` where it is another one."""
        if self.benchmark != benchmark:
            raise DataError(f"the items are of {self.benchmark}, not of {benchmark}; fit some with `howgood irt`")
        if self.digest != content:
            raise DataError(
                f"the items are of {benchmark} with the data {self.digest}, and these are {content}: "
                "the questions have changed, so fit the items again with `howgood irt`"
            )
        if unknown := set(self.picked) - set(ids):
            raise DataError(f"the items name the instance '{sorted(unknown)[0]}', which {benchmark} does not have")
        return frozenset(self.picked)


def write(made: ItemFile, path: str | Path) -> None:
    """Raises `DataError` where the file cannot be written."""
    try:
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1))
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); name a file with -o") from error


def read(path: str | Path) -> ItemFile:
    """The items in a file. Raises `DataError` for what cannot be read or makes no sense."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(BYTES + 1)
    except OSError as error:
        raise DataError(
            f"the items {path} cannot be read ({error.strerror}); `howgood irt RUN... -o` makes them"
        ) from error
    if len(content) > BYTES:
        raise DataError(f"{path} has more than {BYTES:,} bytes; it is no file of items")
    try:
        found = msgspec.json.decode(content, type=ItemFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{path} is no file of items ({one_line(str(error))}); `howgood irt RUN... -o` makes one"
        ) from None
    items = found.items
    columns = (items.a, items.b, items.se_a, items.se_b)
    if any(len(column) != len(items.ids) for column in columns) or len(set(items.ids)) != len(items.ids):
        raise DataError(f"{path}: its items do not have one id and four numbers each")
    if not items.ids or not all(map(math.isfinite, (x for column in columns for x in column))) or min(items.a) <= 0:
        raise DataError(f"{path}: a discrimination is not above zero, or a number is not finite")
    if not set(found.picked) <= set(items.ids):
        raise DataError(f"{path}: an id is picked that is no item")
    return found
