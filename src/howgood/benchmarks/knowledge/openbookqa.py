"""OpenBookQA: elementary science and common sense together. Mihaylov et al., https://arxiv.org/abs/1809.02789"""

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
    "openbookqa",
    purpose="capability",
    cite="https://arxiv.org/abs/1809.02789",
    random=0.25,
    human=0.92,
    human_source="Mihaylov et al., abstract: people's accuracy, close to 92 %",
    flaws=("500 questions: an accuracy is known to 4 points to either side.",),
    deviations=("Without the book of 1,326 facts; the question's stem is continued, as in lm-evaluation-harness.",),
    data="dclm_core/commonsense_reasoning/openbook_qa.jsonl: query (the stem), choices, gold (an index)",
)
def openbookqa(shots: int = 0, method: Method = "auto") -> Benchmark:
    """OpenBookQA: 500 questions that need a fact of elementary science and common sense."""
    hub = Hub("allenai/openbookqa", test="main/test-*.parquet", train="main/train-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/commonsense_reasoning/openbook_qa.jsonl"), hub)),
        call=Choices(
            cloze=text_of,
            shots=Shots(shots, split="train"),
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=ChoiceAccuracy(normalized=True),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        return Instance(str(index), row["query"], choices=tuple(row["choices"]), gold=(int(row["gold"]),))
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    return Instance(
        str(index), row["question_stem"], choices=tuple(texts), gold=(labels.index(row["answerKey"].strip()),)
    )
