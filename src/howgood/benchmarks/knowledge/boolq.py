"""BoolQ: yes or no, by a passage. Clark et al., https://arxiv.org/abs/1905.10044"""

from __future__ import annotations

from howgood.calls.choices import Choices, Method, text_of
from howgood.core.registry import benchmark
from howgood.core.text import digest
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark


@benchmark(
    "boolq",
    purpose="capability",
    cite="https://arxiv.org/abs/1905.10044",
    random=0.5,
    human=0.9,
    human_source="Clark et al., abstract: annotators",
    flaws=("62 % of the answers are yes: who always says yes scores 0.62.",),
    deviations=(
        "The validation split, for test labels are not public; prompt as in lm-evaluation-harness.",
        "The copy that comes with DataComp-LM lacks the passages' titles, which SuperGLUE's has.",
    ),
    data="dclm_core/reading_comprehension/boolq.jsonl.gz: query (Passage: ..., Question: ...?), choices, gold",
)
def boolq(shots: int = 0, method: Method = "auto") -> Benchmark:
    """BoolQ: 3,270 questions that people asked a search engine, answered yes or no by a passage of Wikipedia."""
    hub = Hub("aps/super_glue", test="boolq/validation-*.parquet", train="boolq/train-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/reading_comprehension/boolq.jsonl.gz"), hub)),
        call=Choices(
            cloze=lambda instance: f"{text_of(instance)}\nAnswer:",
            shots=Shots(shots, split="train"),
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=ChoiceAccuracy(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        passage, _, question = row["query"].removeprefix("Passage: ").rpartition("\nQuestion: ")
        gold = int(row["gold"])
    else:
        passage, question, gold = row["passage"], f"{row['question']}?", int(row["label"])
    text = f"{passage}\nQuestion: {question}"
    return Instance(str(index), text, choices=("no", "yes"), gold=(gold,), cluster=digest(passage))
