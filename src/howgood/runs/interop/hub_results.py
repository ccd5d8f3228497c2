"""Results as the Hub keeps them in a model's repository: `.eval_results/*.yaml` (https://hf.co/docs/hub/eval-results).

A result is of a data set on the Hub and a task in its eval.yaml, so a run on other data cannot be told so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from howgood.core.errors import Unsupported
from howgood.runs.store import SavedRun

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

SOURCE = re.compile(r"(?:hub )?([\w.-]+/[\w.-]+)(?: at \S+)?")


def write(runs: Sequence[SavedRun], path: Path) -> None:
    """One entry a run, all in one file."""
    import yaml  # type: ignore[import-untyped]
    from huggingface_hub import eval_result_entries_to_yaml

    entries = eval_result_entries_to_yaml([entry(run) for run in runs])
    path.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), encoding="utf-8")


def entry(run: SavedRun) -> EvalResultEntry:
    """A run's headline. Raises `Unsupported` where its data is not of the Hub."""
    from huggingface_hub import EvalResultEntry

    source = SOURCE.fullmatch(str(run.rules.data.get("source", "")))
    if source is None:
        raise Unsupported(
            f"run {run.id} is on {run.rules.data.get('source', 'data of unknown source')}; .eval_results are of data "
            "sets on the Hub alone"
        )
    first = run.estimate
    revision = str(run.rules.data.get("revision") or "")
    scale = 100 if first.percent else 1
    unit = "in percent, " if first.percent else ""
    made = run.origin.program if run.origin else "howgood"
    return EvalResultEntry(
        dataset_id=source[1],
        task_id=task(run),
        value=round(scale * first.value, 6),
        dataset_revision=revision if re.fullmatch(r"[0-9a-f]{40}", revision) else None,
        date=run.finished or run.started or None,
        notes=f"{first.name} {unit}{first.level:.0%} interval [{scale * first.low:.6g}, {scale * first.high:.6g}], "
        f"n {first.n}; by {made}, rules {run.rules.hash}",
    )


def task(run: SavedRun) -> str:
    """The task in the data set's eval.yaml: known where the run was made by that file; else the benchmark's name,
    which the user must hold against it."""
    repository = str(run.parameters.get("repo", ""))
    inner = repository.partition("@")[0].split("/")[2:]
    return str(run.parameters.get("task") or "/".join(inner) or run.rules.benchmark)
