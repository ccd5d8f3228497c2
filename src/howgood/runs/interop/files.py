"""Reading what others wrote: JSON of any size up to a bound, zip members of every compression that Inspect uses.

Everything here is hostile until it is read: sizes are bounded by what comes out, not by what a header says, and names
in an archive are only ever compared, never used as paths.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from howgood.core.errors import AccessError, DataError
from howgood.core.text import shorten

T = TypeVar("T")

MAX_DOCUMENT = 512 * 2**20
"""Bytes that a JSON file may have."""
MAX_MEMBER = 256 * 2**20
"""Bytes that one member of an archive may have, unpacked."""
MAX_RATIO = 500
"""How many times larger than the archive all that is read from it may be, above `MAX_DOCUMENT`."""
CHUNK = 2**20
ZSTANDARD = 93
"""The compression method of zip members that are Zstandard frames (APPNOTE 6.3.8)."""
WINDOW = 2**27
"""Bytes that a Zstandard frame may make the reader keep: what level 22 takes."""
LOCAL_HEADER = struct.Struct("<4s5H3L2H")


def decode(data: bytes, kind: type[T], where: str) -> T:
    """JSON as a record of this kind. NaN and Infinity, which Python writes and JSON does not have, are read too, and so
    are halves of surrogate pairs, which no file can hold. Raises `DataError` that says `where` and why."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{where} is not what this format holds: {shorten(str(error), 200)}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return msgspec.convert(_mended(json.loads(data)), type=kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{where} is not what this format holds: {shorten(str(error), 200)}") from error
    except RecursionError:
        raise DataError(f"{where}: broken JSON (nested too deeply); get the file again") from None
    except ValueError as error:
        raise DataError(f"{where}: broken JSON ({shorten(str(error), 120)}); get the file again") from None


def whole(path: Path) -> bytes:
    """The bytes of a file. Raises `DataError` where it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except PermissionError as error:
        raise AccessError(f"{path} may not be read by this user; change its permissions (chmod u+r)") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
    if len(data) > MAX_DOCUMENT:
        raise DataError(f"{path} is larger than {MAX_DOCUMENT // 2**20} MiB, which is more than howgood reads at once")
    return data.removeprefix(b"\xef\xbb\xbf")


def read(path: Path, kind: type[T]) -> T:
    """A JSON file as a record of this kind. Raises `DataError`."""
    return decode(whole(path), kind, str(path))


def fingerprint(paths: Sequence[Path], *words: str) -> str:
    """The sha256 of the bytes of these files, and of words that say which part of them is meant, in hex."""
    made = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                made.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
    for word in words:
        made.update(hashlib.sha256(word.encode()).digest())
    return made.hexdigest()


class Archive:
    """The members of a zip file by name, read one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = {info.filename: info for info in self._zip.infolist()}  # of two of one name the last counts
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            self._file.close()
            raise DataError(f"{path} is no whole zip file ({error}); get the file again") from error
        self._size = self._file.seek(0, 2)
        self._left = MAX_DOCUMENT + MAX_RATIO * self._size

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """A member, unpacked. Raises `DataError` where it is missing, broken, encrypted or too large."""
        where = f"{self.path}, {shorten(name, 80)}"
        if name not in self.members:
            raise DataError(f"{self.path} has no {shorten(name, 80)}; it is not whole, or another kind of file")
        info = self.members[name]
        limit = min(MAX_MEMBER, self._left)
        try:
            parts, size, crc = [], 0, 0
            for part in self._unpacked(info):
                size += len(part)
                if size > limit:
                    raise DataError(f"{where}: larger than {limit // 2**20} MiB unpacked, which no log needs; not read")
                crc = zlib.crc32(part, crc)
                parts.append(part)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise DataError(f"{where} cannot be unpacked ({error}); get the file again") from error
        if crc != info.CRC:
            raise DataError(f"{where} is damaged (its checksum is another); get the file again")
        self._left -= size
        return b"".join(parts)

    def decode(self, name: str, kind: type[T]) -> T:
        """A member that is JSON, as a record of this kind. Raises `DataError`."""
        return decode(self.read(name), kind, f"{self.path}, {shorten(name, 80)}")

    def _unpacked(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        if info.compress_type != ZSTANDARD:
            with self._zip.open(info) as file:
                yield from iter(lambda: file.read(CHUNK), b"")
            return
        import zstandard

        if info.flag_bits & 1:
            raise RuntimeError("it is encrypted")
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW)
        try:
            with unpacker.stream_reader(self._packed(info), read_across_frames=True) as stream:
                yield from iter(lambda: stream.read(CHUNK), b"")
        except zstandard.ZstdError as error:
            raise zipfile.BadZipFile(str(error)) from error

    def _packed(self, info: zipfile.ZipInfo) -> BinaryIO:
        """The packed bytes of a member: they follow its local header, whose name and extra field have lengths of their
        own."""
        self._file.seek(info.header_offset)
        header = self._file.read(LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("its header is not there")
        name, extra = LOCAL_HEADER.unpack(header)[-2:]
        start = info.header_offset + LOCAL_HEADER.size + name + extra
        return _Part(self._file, start, info.compress_size)  # type: ignore[return-value]


class _Part:
    """Some bytes of a file as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._at, self._end = file, start, start + size

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._at
        self._file.seek(self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data


def _mended(value: Any) -> Any:
    """The value with halves of surrogate pairs replaced in every text, and whole numbers beyond 64 bits as floats."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else None
    return value
