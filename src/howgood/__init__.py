"""howgood: how good is a language model, for what, at what cost, and how sure are we.

import howgood as hg

a = hg.run("quickstart-questions", model="smollm2")
a.estimate
a.trials
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# polars' allocator (jemalloc) keeps what it has freed; what a table took when it was written or read goes back at once.
os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0")
# The threads of numpy's and scipy's OpenBLAS wait for work without turning in place, which took each process 0.2 s of
# CPU time, and saved none.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

if TYPE_CHECKING:
    from howgood.api import (
        audit,
        calibrate,
        card,
        compare,
        compare_many,
        coverage,
        decide,
        export_runs,
        fit_items,
        import_runs,
        list_runs,
        load,
        measure,
        note,
        notes,
        power,
        resume,
        resume_async,
        robustness,
        run,
        run_async,
        run_suite,
        run_suite_async,
        suite_estimates,
        trust,
        write_report,
    )
    from howgood.core.registry import benchmark
    from howgood.core.types import Estimate, Image, Instance, Message, Prediction, Score, Text, Trial
    from howgood.interpret.ladder import ladder
    from howgood.interpret.rating.board import rate
    from howgood.interpret.scaling import chinchilla
    from howgood.models.base import Model
    from howgood.models.registry import load_model
    from howgood.runs.benchmark import Benchmark
    from howgood.validity.trust import trust_async

__version__ = "0.1.0"

# Name -> module. Loaded when first used, so that `import howgood` costs next to nothing.
_API = (
    "audit calibrate card compare compare_many coverage decide export_runs fit_items import_runs list_runs load "
    "measure note notes power resume resume_async robustness run run_async run_suite run_suite_async suite_estimates "
    "trust write_report"
).split()
_TYPES = "Estimate Image Instance Message Prediction Score Text Trial".split()
_WHERE = {
    **dict.fromkeys(_API, "howgood.api"),
    **dict.fromkeys(_TYPES, "howgood.core.types"),
    "benchmark": "howgood.core.registry",
    "chinchilla": "howgood.interpret.scaling",
    "ladder": "howgood.interpret.ladder",
    "Benchmark": "howgood.runs.benchmark",
    "Model": "howgood.models.base",
    "load_model": "howgood.models.registry",
    "rate": "howgood.interpret.rating.board",
    "trust_async": "howgood.validity.trust",
}

__all__ = [
    "Benchmark",
    "Estimate",
    "Image",
    "Instance",
    "Message",
    "Model",
    "Prediction",
    "Score",
    "Text",
    "Trial",
    "audit",
    "benchmark",
    "calibrate",
    "card",
    "chinchilla",
    "compare",
    "compare_many",
    "coverage",
    "decide",
    "export_runs",
    "fit_items",
    "import_runs",
    "ladder",
    "list_runs",
    "load",
    "load_model",
    "measure",
    "note",
    "notes",
    "power",
    "rate",
    "resume",
    "resume_async",
    "robustness",
    "run",
    "run_async",
    "run_suite",
    "run_suite_async",
    "suite_estimates",
    "trust",
    "trust_async",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'howgood' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
