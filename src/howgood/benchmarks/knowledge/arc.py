"""ARC: science questions for school children. Clark et al., https://arxiv.org/abs/1803.05457"""

from __future__ import annotations

from howgood.calls.choices import Choices, Method
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark

FLAWS = ("Taken from public school exams, which lie all over the web.",)
DEVIATIONS = (
    "The answer's text is scored after the question alone, as in lm-evaluation-harness: a model never sees the "
    "choices. Shown the choices, the same model can score much higher; -P method=letter-likelihood does that.",
)


@benchmark(
    "arc-easy",
    purpose="capability",
    cite="https://arxiv.org/abs/1803.05457",
    random=0.25,
    human_source="no rate of people is published",
    flaws=FLAWS,
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/arc_easy.jsonl.gz: query (Question: ...), choices, gold (an index)",
)
def arc_easy(shots: int = 0, method: Method = "auto") -> Benchmark:
    """ARC-Easy: 2,376 science questions of grades 3 to 9 that simple programs answered."""
    return arc("Easy", shots, method)


@benchmark(
    "arc-challenge",
    purpose="capability",
    cite="https://arxiv.org/abs/1803.05457",
    random=0.25,
    human_source="no rate of people is published",
    flaws=(*FLAWS, "Chosen for what two programs of 2018 got wrong, not for being hard for people."),
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/arc_challenge.jsonl.gz: query (Question: ...), choices, gold (an index)",
)
def arc_challenge(shots: int = 0, method: Method = "auto") -> Benchmark:
    """ARC-Challenge: 1,172 science questions of grades 3 to 9 that simple programs got wrong."""
    return arc("Challenge", shots, method)


def arc(part: str, shots: int, method: Method) -> Benchmark:
    folder = f"ARC-{part}"
    hub = Hub("allenai/ai2_arc", test=f"{folder}/test-*.parquet", train=f"{folder}/train-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test=f"dclm_core/world_knowledge/arc_{part.lower()}.jsonl.gz"), hub)),
        call=Choices(
            question=lambda instance: f"Question: {instance.input}",
            shots=Shots(shots, split="train"),
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=ChoiceAccuracy(normalized=part == "Challenge"),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        question, choices, gold = row["query"].removeprefix("Question: "), row["choices"], int(row["gold"])
    else:
        question, choices = row["question"], row["choices"]["text"]
        gold = row["choices"]["label"].index(row["answerKey"])
    return Instance(str(index), question, choices=tuple(choices), gold=(gold,))
