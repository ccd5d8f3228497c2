"""Small files as other programs write them, made by hand."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

ZSTANDARD = 93


def sample(id: str, epoch: int, value: Any, answer: str = "4", **more: Any) -> dict[str, Any]:
    """A sample of an Inspect log with one scorer, `match`."""
    asked = {"role": "user", "content": f"What is {id}?", "source": "input"}
    said = {"role": "assistant", "content": answer, "source": "generate", "model": "mockllm/model"}
    return {
        "id": id,
        "epoch": epoch,
        "input": f"What is {id}?",
        "target": "4",
        "messages": [asked, said],
        "output": {
            "model": "mockllm/model",
            "choices": [{"message": said, "stop_reason": "stop"}],
            "completion": answer,
            "usage": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9},
            "time": 0.5,
        },
        "scores": {"match": {"value": value, "answer": answer, "explanation": answer}},
        "metadata": {"kind": "sum"},
        "events": [{"event": "info", "data": "x" * 50}],
        "model_usage": {"mockllm/model": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}},
    } | more


def header(accuracy: float, samples: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    """The header of an Inspect log of a task `sums` with one scorer, `match`."""
    score = {
        "name": "match",
        "scorer": "match",
        "params": {},
        "metrics": {
            "accuracy": {"name": "accuracy", "value": accuracy, "params": {}},
            "stderr": {"name": "stderr", "value": 0.1, "params": {}},
        },
    }
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": "e",
            "run_id": "r",
            "created": "2026-10-01T10:00:00+00:00",
            "task": "sums",
            "task_id": "t",
            "task_version": 3,
            "dataset": {"name": "own", "samples": samples, "sample_ids": [f"q{i}" for i in range(samples)]},
            "model": "mockllm/model",
            "model_generate_config": {"temperature": 0.7},
            "model_args": {"api_key": "sk-very-secret-1234567890", "device": "cpu"},
            "config": {"epochs": 1},
            "packages": {"inspect_ai": "0.3.285"},
            "scorers": [{"name": "match", "options": {}}],
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {"total_samples": total or samples, "completed_samples": samples, "scores": [score]},
        "stats": {"started_at": "2026-10-01T10:00:00+00:00", "completed_at": "2026-10-01T10:00:30+00:00"},
    } | more


def log(path: Path, members: dict[str, Any], method: int = ZSTANDARD, frame: int = 1_000) -> Path:
    """An archive of these members, each JSON (or bytes as they are), in several Zstandard frames or deflated."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            if method != ZSTANDARD:
                archive.writestr(name, data)
                continue
            squeeze = zstandard.ZstdCompressor().compress
            packed = b"".join(squeeze(data[at : at + frame]) for at in range(0, max(1, len(data)), frame))
            _add(archive, name, data, packed)
    return path


def _add(archive: zipfile.ZipFile, name: str, data: bytes, packed: bytes) -> None:
    """Append a member that is packed already: the standard library writes no method 93 before Python 3.14."""
    info = zipfile.ZipInfo(name)
    info.compress_type, info.compress_size, info.file_size, info.CRC = (
        ZSTANDARD,
        len(packed),
        len(data),
        zlib.crc32(data),
    )
    assert archive.fp is not None
    info.header_offset = archive.fp.tell()
    archive.fp.write(info.FileHeader() + packed)
    archive.start_dir = archive.fp.tell()  # type: ignore[attr-defined]
    archive._didModify = True  # type: ignore[attr-defined]
    archive.filelist.append(info)
    archive.NameToInfo[name] = info


def inspect_log(path: Path, values: list[Any], accuracy: float, method: int = ZSTANDARD) -> Path:
    """A whole log with a sample for each value."""
    members = {f"samples/q{i}_epoch_1.json": sample(f"q{i}", 1, value) for i, value in enumerate(values)}
    return log(path, members | {"header.json": header(accuracy, len(values))}, method)


def strange(record: Any) -> Iterator[Any]:
    """The record with each of its values in turn replaced by one of another kind."""
    for other in (7, "x", [7], {"a": 7}, None):
        for path in _paths(record):
            yield _replaced(record, path, other)


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from ((key, *rest) for rest in _paths(one))


def _replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    made = value.copy()
    made[path[0]] = _replaced(value[path[0]], path[1:], other)
    return made
