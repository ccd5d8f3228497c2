"""CORE of DataComp-LM (Li et al., https://arxiv.org/abs/2406.11794): one number out of 22 tasks.

Each task's accuracy is centred, so that guessing is 0 and being always right is 1, and the 22 are averaged. What
guessing scores was mended in September 2025 (https://github.com/mlfoundations/dclm/pull/115): numbers with the new
baselines (v2) are lower than those with the old (v1), and the two must not be compared.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, NamedTuple

from howgood.core.errors import DataError
from howgood.core.types import Estimate

Version = Literal["v1", "v2"]


class Task(NamedTuple):
    """A task of CORE: how many worked examples it shows, and what guessing scores by the old and the new baselines.
    Tasks on the same `data` ask the same questions."""

    name: str
    shots: int
    v1: float
    v2: float
    data: str

    @property
    def benchmark(self) -> str:
        """Its name among howgood's benchmarks."""
        return f"core-{self.name.replace('_', '-')}"

    def baseline(self, version: Version) -> float:
        return self.v1 if version == "v1" else self.v2


def _task(name: str, shots: int, v1: float, v2: float | None = None, data: str = "") -> Task:
    return Task(name, shots, v1, v1 if v2 is None else v2, data or name)


# Shots and baselines: eval/eval_meta_data.csv (v2) and eval_meta_data_v1.csv of https://github.com/mlfoundations/dclm;
# which tasks: low_variance_datasets of its eval/additional_aggregation.json.
TASKS = (
    _task("hellaswag_zeroshot", 0, 0.25, data="hellaswag"),
    _task("jeopardy", 10, 0.0),
    _task("bigbench_qa_wikidata", 10, 0.0),
    _task("arc_easy", 10, 0.25),
    _task("arc_challenge", 10, 0.25),
    _task("copa", 0, 0.5),
    _task("commonsense_qa", 10, 0.2, 0.403),
    _task("piqa", 10, 0.5),
    _task("openbook_qa", 0, 0.25),
    _task("lambada_openai", 0, 0.0),
    _task("hellaswag", 10, 0.25),
    _task("winograd", 0, 0.5),
    _task("winogrande", 0, 0.5),
    _task("bigbench_dyck_languages", 10, 0.0),
    _task("agi_eval_lsat_ar", 3, 0.2, 0.25),
    _task("bigbench_cs_algorithms", 10, 0.0),
    _task("bigbench_operators", 10, 0.0),
    _task("bigbench_repeat_copy_logic", 10, 0.0),
    _task("squad", 10, 0.0),
    _task("coqa", 0, 0.0),
    _task("boolq", 10, 0.62),
    _task("bigbench_language_identification", 10, 0.091, 0.25),
)


def centred(accuracy: float, baseline: float) -> float:
    """An accuracy on the scale where guessing is 0 and being always right is 1; below guessing it is negative."""
    return (accuracy - baseline) / (1 - baseline)


def centred_mean(accuracies: Mapping[str, float], baselines: Mapping[str, float]) -> float:
    """The mean centred accuracy of all tasks that have a baseline. Raises `DataError` where one has no accuracy: a mean
    over fewer tasks is another number."""
    if absent := [task for task in baselines if task not in accuracies]:
        raise DataError(f"{_listed(absent)} missing; the mean is over all {len(baselines)} tasks, so run them too")
    return math.fsum(centred(accuracies[task], own) for task, own in baselines.items()) / len(baselines)


def missing(headlines: Mapping[str, Estimate]) -> list[str]:
    """The benchmarks of CORE that have no estimate yet."""
    return [task.benchmark for task in TASKS if task.benchmark not in headlines]


def core(headlines: Mapping[str, Estimate], version: Version = "v2") -> Estimate:
    """CORE from the accuracies of one system, by benchmark name.

    The tasks are fixed, so the errors are those within them: SE² = Σ SE_t² / (22 (1 - b_t))². The interval adds up the
    distances from each accuracy to the ends of its own interval in the same way (MOVER: Zou & Donner 2008, Stat. Med.
    27), so that a task with no right answer, whose SE is 0, still counts with what is not known of it. The two
    HellaSwag tasks ask the same questions; their errors are added as if they were one.

    Raises `DataError` where a task is missing, is no accuracy, or the intervals are not of one level.
    """
    if absent := missing(headlines):
        raise DataError(f"CORE is the mean of {len(TASKS)} tasks; {_listed(absent)} missing: run the rest of the suite")
    own = {task: headlines[task.benchmark] for task in TASKS}
    if other := [task.benchmark for task, estimate in own.items() if estimate.name != "acc"]:
        raise DataError(f"CORE is made of accuracies; {_listed(other)} measured in another score")
    if len(levels := {estimate.level for estimate in own.values()}) > 1:
        raise DataError(f"intervals of different levels ({', '.join(map(str, sorted(levels)))}) cannot be put together")
    value = centred_mean(
        {task.name: estimate.value for task, estimate in own.items()},
        {task.name: task.baseline(version) for task in TASKS},
    )

    def added(part: Mapping[Task, float]) -> float:
        by_data: dict[str, float] = defaultdict(float)
        for task, error in part.items():
            by_data[task.data] += error / (len(TASKS) * (1 - task.baseline(version)))
        return math.sqrt(math.fsum(error**2 for error in by_data.values()))

    errors = {task: estimate.se for task, estimate in own.items() if estimate.se is not None}
    return Estimate(
        "CORE" if version == "v2" else "CORE v1",
        value,
        added(errors) if len(errors) == len(TASKS) else None,
        value - added({task: estimate.value - estimate.low for task, estimate in own.items()}),
        value + added({task: estimate.high - estimate.value for task, estimate in own.items()}),
        n=sum(estimate.n for estimate in own.values()),
        method=f"mean of {len(TASKS)} centred accuracies, baselines {version}, fixed tasks, MOVER",
        level=levels.pop(),
        missing=sum(estimate.missing for estimate in own.values()),
        percent=True,
    )


def core_estimates(headlines: Mapping[str, Estimate]) -> list[Estimate]:
    """What the suite `core` says as a whole: CORE with today's baselines, then with those before September 2025."""
    return [core(headlines, "v2"), core(headlines, "v1")]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
