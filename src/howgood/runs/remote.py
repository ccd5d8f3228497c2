"""Runs at an address that fsspec reads (s3://, gs://, hf://, ...), copied to this machine as far as they are looked at.

What is small and says what a run is (`run.json`) is copied for all; the trials of a run when it is opened. Reading them
where they are would cost a request for every page, and duckdb and polars read local files fastest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from howgood.core.errors import HowgoodError
from howgood.core.folders import user_cache

FRESH = 10.0
"""Seconds for which a listing of the runs is taken as it was."""
LARGEST_RECORD = 64 * 2**20
"""Bytes of a run.json that are copied: the ids of a million chosen instances take a third of it."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
"""What a run's folder and its files may be called: never a path."""
SEEN = "copied.json"


def is_address(text: str) -> bool:
    """Whether this is an address rather than a folder of this machine."""
    return re.match(r"[a-z][a-z0-9+.-]+://", text) is not None


class Mirror:
    """The runs below `address`, in the folder `path` of this machine. Raises `HowgoodError` where no package reads such
    an address; the first look is what finds out whether it is there."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs

        self.address = address.rstrip("/")
        try:
            # Listings are not kept: a run that is made now has to be seen.
            self._files, self._root = url_to_fs(self.address, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            hint = "; pip install 'howgood[s3]'" if address.startswith("s3:") else ""
            raise HowgoodError(f"cannot read {address}: {error}{hint}") from error
        name = hashlib.sha256(self.address.encode()).hexdigest()[:16]
        self.path = user_cache() / "remote" / name
        self._looked = 0.0
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Copy what is new or changed of the runs' records, and forget runs that are gone. Raises `HowgoodError`."""
        with self._lock:
            if time.monotonic() - self._looked < FRESH and self._looked:
                return
            with self._told():
                found = {Path(path).parent.name: path for path in self._files.glob(f"{self._root}/*/run.json")}
                found = {name: path for name, path in found.items() if NAME.fullmatch(name)}
                self.path.mkdir(parents=True, exist_ok=True)
                for name in found:
                    self._copy(name, "run.json")
                for gone in self.path.iterdir():
                    if gone.name not in found:
                        shutil.rmtree(gone, ignore_errors=True)
            self._looked = time.monotonic()

    def fetch(self, name: str) -> None:
        """Copy all files of a run that are not here as they are there. Raises `HowgoodError`."""
        if not NAME.fullmatch(name):
            return
        with self._lock, self._told():
            for path in self._files.ls(f"{self._root}/{name}", detail=False):
                self._copy(name, Path(path).name)

    def _copy(self, run: str, file: str) -> None:
        """Copy a file unless it is here as it is there, in one step."""
        if not NAME.fullmatch(file) or file == SEEN:
            return
        source, target = f"{self._root}/{run}/{file}", self.path / run / file
        told = self._files.info(source)
        if told["type"] != "file":
            return
        if file == "run.json" and (told.get("size") or 0) > LARGEST_RECORD:
            raise HowgoodError(
                f"{self.address}/{run}/run.json has {told['size'] / 1e6:,.0f} MB, which no run's record takes; "
                "move it away from the runs"
            )
        stamp = [told.get("size"), str(told.get("ETag") or told.get("LastModified") or told.get("mtime") or "")]
        seen = self._seen(run)
        if target.exists() and seen.get(file) == stamp:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        self._files.get_file(source, str(part))
        os.replace(part, target)
        (target.parent / SEEN).write_bytes(msgspec.json.encode({**seen, file: stamp}))

    def _seen(self, run: str) -> dict[str, Any]:
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return msgspec.json.decode((self.path / run / SEEN).read_bytes(), type=dict[str, Any])
        return {}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            away = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs")  # botocore's errors are no OSErrors
            if not isinstance(error, (OSError, ImportError)) and not type(error).__module__.startswith(away):
                raise
            raise HowgoodError(
                f"cannot read the runs at {self.address}: {str(error) or type(error).__name__}; is the address right, "
                "and may this machine read it?"
            ) from error
