"""Attention in float32 by `attention.c`, where the processor has AVX-512 and the machine a C compiler: what torch has
for it takes 1.2 to 2.6 times as long (docs/performance.md)."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import torch

WIDEST = 256
"""Numbers in a query that the kernel has room for."""
FLAGS = ["-std=gnu11", "-O3", "-mavx512f", "-mfma", "-fopenmp", "-shared", "-fPIC", f"-DWIDEST={WIDEST}"]

Pair = tuple[torch.Tensor, torch.Tensor]


class Matrix(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("head", ctypes.c_long), ("token", ctypes.c_long)]


class Row(ctypes.Structure):
    _fields_ = [
        ("query", Matrix),
        ("key", Matrix * 2),
        ("value", Matrix * 2),
        ("out", Matrix),
        ("ends", ctypes.c_void_p),
        *((name, ctypes.c_long) for name in ("heads", "groups", "tokens", "known", "width")),
        ("scale", ctypes.c_float),
    ]


def takes(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> bool:
    """Whether the kernel is there and can compute this attention."""
    _, heads, tokens, width = q.shape
    groups = k.shape[1]
    return (
        {x.device.type for x in (q, k, v)} == {"cpu"}
        and {x.dtype for x in (q, k, v)} == {torch.float32}
        and k.shape == v.shape == (1, groups, tokens, width)
        and heads % groups == 0
        and width <= WIDEST
        and width % 4 == 0
        and _library() is not None
    )


def attend(q: torch.Tensor, known: Pair | None, new: Pair, ends: torch.Tensor, scale: float | None) -> torch.Tensor:
    """The outputs (1 x tokens x heads x width) of the queries of a row's tokens. Queries, keys and values are 1 x heads
    x tokens x width; `ends` (int32) are those of `plan.Row`, and as many of the `known` keys and values are used as it
    has more places than the row has tokens."""
    _, heads, tokens, width = q.shape
    out = q.new_empty(1, tokens, heads, width)
    keys, values = zip(known or new, new, strict=True)
    held = [x if x.stride(-1) == 1 else x.contiguous() for x in (q, *keys, *values, out.transpose(1, 2))]
    query, *both, result = [Matrix(x.data_ptr(), x.stride(1), x.stride(2)) for x in held]
    row = Row(
        query,
        (Matrix * 2)(*both[:2]),
        (Matrix * 2)(*both[2:]),
        result,
        ends.data_ptr(),
        heads,
        new[0].shape[1],
        tokens,
        len(ends) - tokens,
        width,
        width**-0.5 if scale is None else scale,
    )
    library: Any = _library()
    library.attend(ctypes.byref(row), torch.get_num_threads())
    return out


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it cannot be compiled. It takes a fifth of a second, so nothing is kept: what
    is kept would have to be told apart by processor and be safe from others."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return None
    source = resources.files(__package__).joinpath("attention.c").read_bytes()
    try:
        compiler = shlex.split(os.environ.get("CC") or "cc")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "attention.so"
            command = [*compiler, *FLAGS, "-x", "c", "-", "-o", str(made)]
            subprocess.run(command, input=source, capture_output=True, check=True, timeout=60)
            library = ctypes.CDLL(str(made))
    except (OSError, ValueError, subprocess.SubprocessError):  # ValueError: of a $CC whose quotes do not close
        return None
    library.attend.restype = None
    return library
