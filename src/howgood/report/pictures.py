"""Pictures of a run as they may be shown: of a known kind, of a bounded size, and never from anywhere but the run."""

from __future__ import annotations

import base64
import struct

from msgspec import Struct

LARGEST = 4_000_000
"""Bytes of a picture that is shown."""
MOST_PIXELS = 30_000_000
"""Pixels; a small file can hold a picture that would fill the memory of a browser."""


class Picture(Struct, frozen=True):
    """A picture as a data: URL, `width` by `height` pixels; or why it is not shown."""

    url: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


def picture(data: bytes) -> Picture:
    """What is to be seen of a picture's bytes. Its kind is read from them, whatever it is said to be."""
    if len(data) > LARGEST:
        return Picture(problem=f"a picture of {len(data):,} bytes, too large to be shown")
    try:
        kind, width, height = _measure(data)
    except (struct.error, IndexError, ValueError):
        return Picture(problem=f"{len(data):,} bytes that are no PNG, JPEG, GIF or WebP picture")
    if not 0 < width * height <= MOST_PIXELS:
        return Picture(problem=f"a picture of {width:,} by {height:,} pixels, too large to be shown")
    return Picture(f"data:image/{kind};base64,{base64.b64encode(data).decode()}", width, height)


def _measure(data: bytes) -> tuple[str, int, int]:
    """A picture's kind, width and height, as its head says. Raises `ValueError` (or an error of reading) for others."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "png", *struct.unpack(">II", data[16:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif", *struct.unpack("<HH", data[6:10])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp", *_webp(data)
    if data.startswith(b"\xff\xd8"):
        return "jpeg", *_jpeg(data)
    raise ValueError("not a picture")


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if len(data) < 30:
        raise ValueError("not a WebP picture")
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("not a WebP picture")


def _jpeg(data: bytes) -> tuple[int, int]:
    """From the first frame header (ITU-T T.81, B.2.2): the markers SOF0 to SOF15 but for DHT, JPG and DAC."""
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 2 + int(struct.unpack(">H", data[place + 2 : place + 4])[0])
    raise ValueError("not a JPEG picture")
