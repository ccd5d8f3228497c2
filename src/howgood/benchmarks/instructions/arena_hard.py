"""Arena-Hard: hard prompts of the Chatbot Arena against a baseline. Li et al., arXiv:2406.11939"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from howgood.calls.generation import Generation
from howgood.core.errors import DataError
from howgood.core.registry import benchmark
from howgood.core.types import Instance, Prediction, Verdict
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.joined import Joined
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean, Several
from howgood.interpret.ratio import Ratio
from howgood.outputs.judge import Pairwise
from howgood.runs.benchmark import Benchmark

MUCH = 3.0
"""How often a verdict of "much better" counts."""
RUBRIC = (
    "Before you read the answers, answer the task yourself, in a few lines. Then judge which answer is more correct, "
    "helpful, relevant and concise; where a task is vague, asking back is better than a guess. What is missing from an "
    "answer counts against it."
)


@benchmark(
    "arena-hard",
    purpose="preference",
    cite="https://arxiv.org/abs/2406.11939",
    human_source="no score of people is published",
    flaws=(
        "The prompts were chosen by a model for being hard, and judged by one of the baseline's family.",
        "Version 0.1 (500 prompts); version 2 has 750 others.",
    ),
    deviations=(
        "The judge is asked in our own words, by the same steps (its own answer first, both orders, five verdicts).",
        "Prompts are resampled with both of their orders and all repeats together; upstream resamples rows, which "
        "makes its interval (of 90 %) too narrow.",
        "Of a strong verdict the weight is 3, as upstream's, which repeats its row.",
    ),
    data="arena_hard/question.jsonl.gz: question_id, cluster, turns; arena_hard/model_answer/NAME.jsonl: question_id, "
    "choices (turns with content), as in the authors' repository",
)
def arena_hard(baseline: str = "gpt-4-0314", verdict: Literal["json", "logprobs"] = "json") -> Benchmark:
    """Arena-Hard: 500 hard prompts of real users; how often the answer beats a baseline's, strong verdicts thrice."""
    if not re.fullmatch(r"[\w.-]{1,100}", baseline):
        raise DataError(f"-P baseline takes the name of a file in arena_hard/model_answer, not '{baseline}'")
    questions, answers = "arena_hard/question.jsonl.gz", f"arena_hard/model_answer/{baseline}.jsonl"
    local = Joined(Local(test=questions), Local(test=answers), "question_id")
    repository, folder = "lmarena-ai/arena-hard-auto", "data/arena-hard-v0.1"
    asked, answered = f"{folder}/question.jsonl", f"{folder}/model_answer/{baseline}.jsonl"
    hub = Joined(Hub(repository, test=asked), Hub(repository, test=answered), "question_id")
    return Benchmark(
        inputs=Inputs(to_instance, (local, hub)),
        call=Generation(max_tokens=4096),
        outputs=Strong(judge="openai/gpt-4-1106-preview", rubric=RUBRIC, max_tokens=4096, verdict_by=verdict),
        interpret=Several(
            Ratio("arena_hard", "won", "weight"),
            Mean("preference", by=None, others=False),
            Mean("consistent", by=None, others=False),
        ),
    )


@dataclass(frozen=True)
class Strong(Pairwise):
    """Comparisons in which strong verdicts count `MUCH` times: `won` is the weight of the verdicts for the answer, of
    all their `weight`."""

    def values(self, instance: Instance, prediction: Prediction, verdicts: Sequence[Verdict]) -> dict[str, float]:
        values = super().values(instance, prediction, verdicts)
        liked = [verdict.values["preference"] for verdict in verdicts] or [values["preference"]]
        weights = [MUCH if preference in (0.0, 1.0) else 1.0 for preference in liked]
        sides = [0.5 + 0.5 * ((preference > 0.5) - (preference < 0.5)) for preference in liked]
        won = sum(weight * side for weight, side in zip(weights, sides, strict=True))
        return {**values, "won": won, "weight": sum(weights)}

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"strong": MUCH}


def to_instance(row: Row, index: int) -> Instance:
    said = row["choices"][0]["turns"][0]
    return Instance(
        row["question_id"],
        row["turns"][0]["content"],
        targets=(said if isinstance(said, str) else said["content"],),
        stratum=row.get("cluster"),
    )
