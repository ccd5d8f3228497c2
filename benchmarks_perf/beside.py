"""Running a script's parts each in a process of its own, by turns, so that a busy machine is busy for all."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from typing import Any

PACKAGES = {"howgood": "howgood", "inspect": "inspect_ai", "lm-eval": "lm_eval"}


def installed(names: list[str]) -> list[str]:
    """Those whose package is there; the others are named and left out."""
    there = [name for name in names if importlib.util.find_spec(PACKAGES[name])]
    for name in sorted({*names} - {*there}):
        print(f"{name} is not installed and is left out (extra `perf`, in an environment of its own)")
    return there


def child(script: str, *arguments: object) -> dict[str, Any]:
    """What a part of a script tells on its last line (JSON), with `mb`: the peak memory of its whole process."""
    command = [sys.executable, script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors[-3000:]}")
    return dict(json.loads(told.splitlines()[-1]))


def peak() -> float:
    """The most memory that this process has held so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(**values: Any) -> None:
    """Say, as a part, what was measured."""
    print(json.dumps(values | {"mb": round(peak(), 1)}), flush=True)
    os._exit(0)  # what a peer does at its end is not measured


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; what is no number is that of the first round."""
    first = rounds[0]
    return {k: statistics.median(r[k] for r in rounds) if isinstance(v, int | float) else v for k, v in first.items()}
