"""Tables inside zip files that their authors lock, so that no plain copy of the questions lies about."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from howgood.core.errors import DataError
from howgood.inputs.base import Row
from howgood.inputs.files import MAX_WHOLE
from howgood.inputs.local import Local


class LockedCsv(Local):
    """A .csv file `member` of zip files in the data folder that open with `password` (zip's own encryption, not AES).
    It is unpacked in memory and never written."""

    def __init__(self, member: str, password: str, **splits: str) -> None:
        super().__init__(**splits)
        self.member, self.password = member, password

    def rows(self, split: str) -> Iterator[Row]:
        """The table's rows. Raises `DataError`."""
        for path in self._find(split)[1]:
            yield from csv.DictReader(io.StringIO(self._text(path), newline=""), strict=True)

    def _text(self, path: Path) -> str:
        try:
            with zipfile.ZipFile(path) as archive, archive.open(self.member, pwd=self.password.encode()) as file:
                data = file.read(MAX_WHOLE + 1)
        except KeyError:
            raise DataError(f"{path} has no file {self.member}; get the authors' zip again") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
            raise DataError(f"{path} cannot be opened ({error}); get the authors' zip again") from error
        if len(data) > MAX_WHOLE:
            raise DataError(
                f"{path}: {self.member} is larger than {MAX_WHOLE // 2**20} MiB; get the authors' zip again"
            )
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: {self.member} is not UTF-8 ({error}); get the authors' zip again") from error
