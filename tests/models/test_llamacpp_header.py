"""The header of a GGUF file: what it says, and files that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from howgood.core.errors import ModelError
from howgood.models import embedded
from howgood.models.llamacpp.header import Header, read_header

U32, TEXT, ARRAY, BOOL = 4, 8, 9, 7


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def number(key: str, value: int) -> bytes:
    return entry(key, U32, struct.pack("<I", value))


def array(key: str, kind: int, *values: bytes) -> bytes:
    return entry(key, ARRAY, struct.pack("<IQ", kind, len(values)) + b"".join(values))


def file(*entries: bytes, count: int | None = None, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    head = struct.pack("<4sIQQ", magic, version, 0, len(entries) if count is None else count)
    return head + b"".join(entries)


WHOLE = file(
    entry("general.architecture", TEXT, text("qwen3")),
    number("general.file_type", 15),
    number("qwen3.context_length", 40960),
    array("tokenizer.ggml.scores", 6, *[struct.pack("<f", 0.5)] * 3),
    array("tokenizer.ggml.tokens", TEXT, text("a"), text("<bös>"), text("c")),
    entry("tokenizer.ggml.add_bos_token", BOOL, b"\x01"),
    number("tokenizer.ggml.bos_token_id", 1),
    entry("tokenizer.chat_template", TEXT, text("{{ messages }}")),
)


def read(tmp_path: Path, content: bytes) -> Header:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    return read_header(path)


def test_what_a_file_says(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == Header("qwen3", "Q4_K_M", 40960, "{{ messages }}", "<bös>")


def test_what_it_does_not_say_is_unknown(tmp_path: Path) -> None:
    assert read(tmp_path, file()) == Header("unknown")
    odd = file(entry("general.architecture", TEXT, text("x")), number("general.file_type", 999))
    assert read(tmp_path, odd) == Header("x", "type 999")


def test_a_bos_that_is_no_token_is_unknown(tmp_path: Path) -> None:
    tokens = array("tokenizer.ggml.tokens", TEXT, text("a"))
    assert read(tmp_path, file(tokens, number("tokenizer.ggml.bos_token_id", 1))).bos is None


def test_the_embedded_model() -> None:
    try:
        path = embedded.smollm2_path()
    except ModelError as error:
        pytest.skip(str(error))
    header = read_header(path)
    assert (header.architecture, header.quantisation, header.context_length) == ("llama", "Q4_1", 8192)
    assert header.bos == "<|im_start|>"
    assert header.chat_template is not None
    assert "SmolLM, trained by Hugging Face" in header.chat_template


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        file(magic=b"GGML"),
        file(version=1),
        file(count=2**40),
        file(count=1),
        file(text("key") + struct.pack("<I", 99)),
        file(text("key")[:-1] + b"\xff" + struct.pack("<I", U32) + bytes(4)),
        file(struct.pack("<Q", 2**63) + b"key"),
        file(entry("key", TEXT, struct.pack("<Q", 2**62))),
        file(array("key", ARRAY, b"")),
        file(entry("key", ARRAY, struct.pack("<IQ", TEXT, 2**50))),
        file(entry("key", ARRAY, struct.pack("<IQ", U32, 2**62)), number("next", 1)),
    ],
)
def test_files_that_are_none_or_lie_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"m.gguf is no whole GGUF file \(.*\): fetch it again"):
        read(tmp_path, content)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(ModelError):
            read(tmp_path, WHOLE[:length])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none.gguf \(No such file"):
        read_header(tmp_path / "none.gguf")
