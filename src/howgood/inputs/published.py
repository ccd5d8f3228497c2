"""Long texts that others published and this project does not copy: judges' templates, side files of a protocol."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.folders import user_cache
from howgood.inputs.local import Local

LONGEST = 16 * 2**20
PATIENCE = 10.0
"""Seconds that the network has to answer."""


class Published(Struct, frozen=True):
    """A text at `url`, known by the `sha256` of its bytes. In a data folder it is the file `name`."""

    name: str
    url: str
    sha256: str

    def text(self) -> str | None:
        """The text, out of the data folder, of what was fetched before, or of the network; None where it is in none of
        them. Raises `DataError` for a file of that name that is another one."""
        folder = Local().folder
        data: bytes | None
        if folder is not None and (path := folder / self.name).is_file():
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != self.sha256:
                raise DataError(
                    f"{path} is not the file that was published at {self.url} (its sha256 differs); take it away, or "
                    "get it from there"
                )
        else:
            data = _fetched(self.url, self.sha256)
        return None if data is None else data.decode("utf-8")

    def needed(self) -> str:
        """`text`, where there is no doing without. Raises `DataError`."""
        found = self.text()
        if found is None:
            raise DataError(
                f"{self.name} cannot be had: it is in no data folder, and {self.url} does not give it; get it where "
                "there is a network, and pass --data FOLDER with it (or set HOWGOOD_DATA)"
            )
        return found


@cache
def _fetched(url: str, sha256: str) -> bytes | None:
    """The bytes from the user's cache or the network, checked; None where neither has them."""
    kept = user_cache() / "published" / sha256
    if kept.is_file():
        data = kept.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or not url.startswith("https://"):
        return None
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
            data = bytes(reply.read(LONGEST + 1))
    except (urllib.error.URLError, OSError, ValueError):
        return None
    if hashlib.sha256(data).hexdigest() != sha256:
        return None
    _keep(kept, data)
    return data


def _keep(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError:  # it is read again next time
        part.unlink(missing_ok=True)
