"""Rows of one source with what a second one knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howgood.core.errors import DataError
from howgood.inputs.base import Row, Source


@dataclass(frozen=True)
class Joined:
    """The rows of `left`, each with the columns of the row of `right` that has the same value in `key`. The right one
    is held in memory. Raises `DataError` for a row that has no such fellow."""

    left: Source
    right: Source
    key: str

    def at(self, folder: Path) -> Joined:
        return Joined(self.left.at(folder), self.right.at(folder), self.key)

    def has(self, split: str) -> bool:
        return self.left.has(split) and self.right.has(split)

    def rows(self, split: str) -> Iterator[Row]:
        known = {str(row.get(self.key)): row for row in self.right.rows(split)}
        for row in self.left.rows(split):
            name = str(row.get(self.key))
            if name not in known:
                source = self.right.provenance(split)["source"]
                raise DataError(f"{source} has no row whose '{self.key}' is {name!r}, which the questions have; add it")
            yield known[name] | row

    def provenance(self, split: str) -> dict[str, Any]:
        one, other = self.left.provenance(split), self.right.provenance(split)
        return {
            "source": f"{one['source']} with {other['source']}",
            "revision": f"{one['revision']} {other['revision']}",
            "files": [*one["files"], *other["files"]],
        }
