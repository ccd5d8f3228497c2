"""PIQA: how things are done in the physical world. Bisk et al., https://arxiv.org/abs/1911.11641"""

from __future__ import annotations

from howgood.calls.choices import Choices, Method, text_of
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark


@benchmark(
    "piqa",
    purpose="capability",
    cite="https://arxiv.org/abs/1911.11641",
    random=0.5,
    human=0.949,
    human_source="Bisk et al.: people, on the validation split",
    flaws=("The wrong way often differs from the right one in a word or two, by which a model may tell it.",),
    deviations=("The validation split, for test labels are not public; prompt as in lm-evaluation-harness.",),
    data="dclm_core/commonsense_reasoning/piqa.jsonl.gz: query (Question: ...), choices, gold (an index)",
)
def piqa(shots: int = 0, method: Method = "auto") -> Benchmark:
    """PIQA: 1,838 everyday aims with two ways to reach them, of which one works."""
    hub = Hub("baber/piqa", test="*validation*.parquet", train="*train*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/commonsense_reasoning/piqa.jsonl.gz"), hub)),
        call=Choices(
            question=lambda instance: f"Question: {text_of(instance)}",
            shots=Shots(shots, split="train"),
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=ChoiceAccuracy(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        goal, ways, gold = row["query"].removeprefix("Question: ").removesuffix("\n"), row["choices"], row["gold"]
    else:
        goal, ways, gold = row["goal"], (row["sol1"], row["sol2"]), row["label"]
    return Instance(str(index), goal, choices=tuple(ways), gold=(int(gold),))
