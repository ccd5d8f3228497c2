"""What a GGUF file says of itself, read from its beginning without the weights: enough to know what the model can do
before anything is loaded. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from msgspec import Struct

from howgood.core.errors import ModelError

MAGIC = b"GGUF"
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of values with a fixed size, as `struct` writes them; 8 is a text, 9 an array."""
TEXT, ARRAY = 8, 9
MOST_ENTRIES = 2**16
"""Entries of the header; files have a few dozen."""
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}
"""How most weights of a file are stored, by its general.file_type (llama.cpp's `llama_ftype`)."""


class Header(Struct, frozen=True):
    """`architecture` (llama, qwen3 ...), `quantisation` of most weights (None: not told), `context_length` in tokens
    that the model was trained on (None: not told), its `chat_template` (None: it has none), and the text of the token
    that begins a text (`bos`, None: not told)."""

    architecture: str
    quantisation: str | None = None
    context_length: int | None = None
    chat_template: str | None = None
    bos: str | None = None


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises `ModelError` for a file that is none or is cut off."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            entries = _entries(data)
    except (struct.error, ValueError, KeyError, OverflowError) as error:
        raise ModelError(f"{path} is no whole GGUF file ({error}): fetch it again") from None
    except OSError as error:
        raise ModelError(f"cannot read {path} ({error.strerror or error}): check the path") from None
    architecture = str(entries.get("general.architecture", "unknown"))
    kind, length = entries.get("general.file_type"), entries.get(f"{architecture}.context_length")
    template, bos = entries.get("tokenizer.chat_template"), entries.get("bos")
    return Header(
        architecture,
        FILE_TYPES.get(kind, f"type {kind}") if isinstance(kind, int) else None,
        length if isinstance(length, int) and length > 0 else None,
        template if isinstance(template, str) and template else None,
        bos,
    )


def _entries(data: mmap.mmap) -> dict[str, Any]:
    """The header's entries but for its arrays, and under `bos` the text of the token that begins a text."""
    magic, version, _, count = struct.unpack_from("<4sIQQ", data, 0)
    if magic != MAGIC or version not in (2, 3) or count > MOST_ENTRIES:
        raise ValueError("it does not begin as one of version 2 or 3 does")
    place = struct.calcsize("<4sIQQ")
    entries: dict[str, Any] = {}
    tokens = None
    for _ in range(count):
        key, place = _text(data, place)
        (kind,) = struct.unpack_from("<I", data, place)
        if key == "tokenizer.ggml.tokens":
            tokens = place + 4
        value, place = _value(data, place + 4, kind)
        entries[key] = value
    bos = entries.get("tokenizer.ggml.bos_token_id")
    if tokens is not None and isinstance(bos, int):
        entries["bos"] = _text_at(data, tokens, bos)
    return entries


def _value(data: mmap.mmap, place: int, kind: int) -> tuple[Any, int]:
    """A value, and the place after it; None for an array."""
    if kind == TEXT:
        return _text(data, place)
    if kind == ARRAY:
        return None, _after_array(data, place)
    form = "<" + NUMBERS[kind]
    return struct.unpack_from(form, data, place)[0], place + struct.calcsize(form)


def _after_array(data: mmap.mmap, place: int) -> int:
    kind, count = struct.unpack_from("<IQ", data, place)
    place += struct.calcsize("<IQ")
    if kind in NUMBERS:
        return place + count * struct.calcsize(NUMBERS[kind])  # type: ignore[no-any-return]
    if kind != TEXT:
        raise ValueError("it holds an array of arrays")
    return _skip_texts(data, place, count)


def _skip_texts(data: mmap.mmap, place: int, count: int) -> int:
    read = struct.Struct("<Q").unpack_from
    for _ in range(count):
        place += 8 + read(data, place)[0]  # beyond the file's end the next read fails
    return place


def _text_at(data: mmap.mmap, place: int, index: int) -> str | None:
    """One text of the array that begins at `place`."""
    kind, count = struct.unpack_from("<IQ", data, place)
    if kind != TEXT or not 0 <= index < count:
        return None
    return _text(data, _skip_texts(data, place + struct.calcsize("<IQ"), index))[0]


def _text(data: mmap.mmap, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, place)
    place += 8
    if place + length > len(data):
        raise ValueError("it is cut off")
    return data[place : place + length].decode(), place + length
