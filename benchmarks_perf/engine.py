"""What the engine itself costs: trivial questions to a model that answers at once, everything logged, beside
inspect-ai (`mockllm`) and lm-evaluation-harness (`dummy`).

Run: python benchmarks_perf/engine.py [--trials 2000] [--rounds 3] [--alone 20000 200000]. Every engine reads the same
JSON lines, gets the same answer to each question, and scores it by exact match; all must find the same number right.
Wall and CPU seconds are of the run without the peers' imports (howgood's own, which are made inside the run, are in),
memory is the peak of the whole process, stored bytes are what is on disk at the end. With `--alone` howgood runs so
many more trials by itself: the memory must not grow with them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from beside import child, installed, medians, tell

ANSWER = "lol"
"""What lm-evaluation-harness's dummy model writes, and so the others' too."""
Measured = tuple[int, int, float, float, float]


def questions(folder: Path, n: int) -> Path:
    """A file of n questions, to every third of which the answer is right."""
    path = folder / "sums.jsonl"
    with path.open("w") as file:
        for i in range(n):
            answer = ANSWER if i % 3 == 0 else str(2 * i + 1)
            file.write(json.dumps({"question": f"What is {i} + {i + 1}?", "answer": answer}) + "\n")
    return path


def howgood(path: Path) -> tuple[int, int]:
    import howgood as hg
    from howgood.core.types import Generate, Prediction, Usage
    from howgood.models.base import Capabilities

    class Instant(hg.Model):
        name = "bench/instant"
        capabilities = Capabilities(generate=True, chat=True)

        async def generate(self, request: Generate) -> Prediction:
            return Prediction(text=ANSWER, stop_reason="stop", usage=Usage(9, 1), latency=1e-3, cost=0.0)

    run = hg.run(str(path), Instant(), folder=path.parent / "runs", ask="{question}", answer="answer", check="exact")
    return run.outcomes["right"], sum(run.outcomes.values())


def inspect(path: Path) -> tuple[int, int]:
    from inspect_ai import Task, eval
    from inspect_ai.dataset import FieldSpec, json_dataset
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import exact
    from inspect_ai.solver import generate

    def answer(_: int) -> ModelOutput:
        made = ModelOutput.from_content("mockllm/model", ANSWER)
        made.usage = ModelUsage(input_tokens=9, output_tokens=1, total_tokens=10)  # else it asks for a tokenizer
        return made

    model = get_model("mockllm/model", custom_outputs=map(answer, itertools.count()))
    data = json_dataset(str(path), FieldSpec(input="question", target="answer"))
    task = Task(data, solver=generate(), scorer=exact())
    log = eval(task, model=model, display="none", log_dir=str(path.parent / "runs"))[0]
    assert log.results is not None
    total = log.results.completed_samples
    return round(log.results.scores[0].metrics["mean"].value * total), total


def lm_eval(path: Path) -> tuple[int, int]:
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    task = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(path)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"]},
        "metric_list": [{"metric": "exact_match"}],
    }
    tracker = EvaluationTracker(output_path=str(path.parent / "runs"))
    tasks = TaskManager(include_defaults=False)
    found = simple_evaluate("dummy", tasks=[task], task_manager=tasks, bootstrap_iters=0, evaluation_tracker=tracker)
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples("sums", samples["sums"])
    total = len(samples["sums"])
    return round(found["results"]["sums"]["exact_match,none"] * total), total


ENGINES: dict[str, Callable[[Path], tuple[int, int]]] = {"howgood": howgood, "inspect": inspect, "lm-eval": lm_eval}
IMPORTS = {"howgood": "howgood", "inspect": "inspect_ai.scorer", "lm-eval": "lm_eval.evaluator"}


def part(name: str, n: int) -> None:
    """One engine in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = questions(Path(folder), n)
        __import__(IMPORTS[name])
        wall, cpu = time.perf_counter(), time.process_time()
        right, total = ENGINES[name](path)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        stored = sum(file.stat().st_size for file in (Path(folder) / "runs").rglob("*") if file.is_file())
    tell(right=right, total=total, wall=wall, cpu=cpu, stored=stored / n)


def show(name: str, n: int, found: dict[str, Any], ours: dict[str, Any]) -> None:
    ratio = (n / found["cpu"]) / (ours["total"] / ours["cpu"])
    print(
        f"{name:<9} {n:>8,} {found['wall']:>8.2f} {found['cpu']:>8.2f} {n / found['cpu']:>12,.0f} "
        f"{1 / ratio:>7.1f} {found['mb']:>6.0f} {found['stored']:>9.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", type=int, nargs="*", default=[20_000, 200_000])
    parser.add_argument("--part", choices=ENGINES)
    given = parser.parse_args()
    if given.part:
        part(given.part, given.trials)
    names = installed([*ENGINES])
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(given.rounds):
        for name in names:
            rounds[name].append(child(__file__, "--part", name, "--trials", given.trials))
    agreed = {(found["right"], found["total"]) for one in rounds.values() for found in one}
    if len(agreed) != 1:
        sys.exit(f"the engines do not agree on how many are right of how many: {sorted(agreed)}")
    print(
        f"{'engine':<9} {'trials':>8} {'wall s':>8} {'CPU s':>8} {'per CPU s':>12} {'ratio':>7} "
        f"{'MB':>6} {'B/trial':>9}"
    )
    ours = medians(rounds["howgood"])
    for name in names:
        show(name, given.trials, medians(rounds[name]), ours)
    for n in given.alone:
        show("howgood", n, child(__file__, "--part", "howgood", "--trials", n), ours)
    right, total = agreed.pop()
    print(f"all agree: {right} of {total} right")


if __name__ == "__main__":
    main()
