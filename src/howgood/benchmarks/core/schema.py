"""The schema tasks of CORE: after which of two contexts the rest is more likely. Li et al., https://arxiv.org/abs/2406.11794"""

from __future__ import annotations

from howgood.benchmarks.core.task import DEVIATIONS, task
from howgood.core.registry import benchmark
from howgood.runs.benchmark import Benchmark


@benchmark(
    "core-winograd",
    purpose="capability",
    cite="https://commonsensereasoning.org/winograd.html",
    random=0.5,
    flaws=("The sentences have been on the web since 2011.",),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/winograd_wsc.jsonl: context_options, continuation, gold",
)
def winograd() -> Benchmark:
    """Winograd schemas, 273 sentences in which a pronoun is replaced by either of two names."""
    return task("winograd", "schema", "language_understanding/winograd_wsc.jsonl")


@benchmark(
    "core-winogrande",
    purpose="capability",
    cite="https://arxiv.org/abs/1907.10641",
    random=0.5,
    human=0.94,
    human_source="Sakaguchi et al.: majority vote of three crowd workers",
    flaws=(
        "Sentences were written in pairs; of 797 pairs only one is here, so that a name's own likelihood may decide.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/winogrande.jsonl: context_options, continuation, gold",
)
def winogrande() -> Benchmark:
    """WinoGrande, 1,267 sentences in which a gap is filled with either of two names."""
    return task("winogrande", "schema", "language_understanding/winogrande.jsonl")
