"""Runs of a real model on real data, and the pages of the studio that they fill: for the tests in a browser, and for
the pictures of the manual."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import howgood as hg
from howgood.models.registry import load_model
from howgood.runs.store import SavedRun

Runs = dict[str, SavedRun]


def make_runs(folder: Path, data: Path, log: Path | None, limit: int = 30, max_tokens: int = 200) -> Runs:
    """SmolLM2 beside simpler systems on knowledge, puzzles, instructions that a program checks, instructions that it
    judges itself, and text; and the Inspect log `log`. `limit` is the number of instances of each."""
    model = load_model("smollm2")

    def run(benchmark: str, of: Any, **options: Any) -> SavedRun:
        return hg.run(benchmark, model=of, folder=folder, data=data, **{"limit": limit, **options})

    made = {
        "mmlu": run("mmlu", model),
        "mmlu guessing": run("mmlu", "reference/random"),
        "arc": run("arc-agi-1", model, max_cells=9, max_tokens=max_tokens),
        "arc echo": run("arc-agi-1", "reference/echo", max_cells=9),
        "ifeval": run("ifeval", model, max_tokens=max_tokens),
        "ifeval echo": run("ifeval", "reference/echo"),
        "alpacaeval": run("alpacaeval", model, judge="smollm2", max_tokens=max_tokens),
        "passages": run("quickstart-passages", model),
        "passages uniform": run("quickstart-passages", "reference/uniform"),
    }
    if log is not None:
        made["imported"] = hg.import_runs(log, folder=folder)[0]
    return made


def pages(runs: Runs) -> dict[str, str]:
    """The address of each page that there is to look at, by a short name."""

    def instance(name: str, at: int = 0, kind: str = "trials") -> str:
        row = runs[name].read(["index", "epoch"]).row(at)
        return f"/runs/{runs[name].id}/{kind}/{row[0]}.{row[1]}"

    def of(path: str, *names: str) -> str:
        return f"{path}?{urlencode([('run', runs[name].id) for name in names])}"

    two = {"mmlu": "mmlu guessing", "passages": "passages uniform"}
    found = {
        "runs": "/",
        "runs-none": "/?q=nothing+has+this",
        "run": f"/runs/{runs['mmlu'].id}",
        "run-judged": f"/runs/{runs['alpacaeval'].id}",
        "run-perplexity": f"/runs/{runs['passages'].id}",
        "instances": f"/runs/{runs['mmlu'].id}/trials",
        "instances-with": f"/runs/{runs['mmlu'].id}/trials?with={runs['mmlu guessing'].id}",
        "instances-none": f"/runs/{runs['mmlu'].id}/trials?q=nothinghasthis",
        "instance-choices": instance("mmlu"),
        "instance-grids": instance("arc"),
        "instance-checked": instance("ifeval"),
        "instance-judged": instance("alpacaeval"),
        "compare": of("/compare", "mmlu", two["mmlu"]),
        "compare-pick": "/compare",
        "compare-one": of("/compare", "mmlu"),
        "leaderboard": "/leaderboard",
        "beside": "/beside",
        "label": f"/runs/{runs['ifeval'].id}/label",
        "surprise": instance("passages", kind="surprise"),
        "surprise-two": f"{instance('passages', kind='surprise')}?with={runs['passages uniform'].id}",
        "no-such-run": "/runs/nothing",
    }
    if "imported" in runs:
        found |= {"run-imported": f"/runs/{runs['imported'].id}", "instance-imported": instance("imported")}
    return found
