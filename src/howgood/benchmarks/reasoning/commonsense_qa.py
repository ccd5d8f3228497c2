"""CommonsenseQA: what everybody knows. Talmor et al., https://arxiv.org/abs/1811.00937"""

from __future__ import annotations

import re

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
    "commonsense-qa",
    purpose="capability",
    cite="https://arxiv.org/abs/1811.00937",
    random=0.2,
    human=0.889,
    human_source="Talmor et al., abstract: people",
    flaws=("Several choices fit many questions; one writer's opinion is the label.",),
    deviations=(
        "The validation split, for test labels are not public; prompt as in lm-evaluation-harness.",
        "The copy that comes with DataComp-LM has four of the five choices, so that guessing gives 0.25 and scores are "
        "higher than on the Hub's.",
    ),
    data="dclm_core/commonsense_reasoning/commonsense_qa.jsonl: query (Question: ..., Choices: A. ...), gold",
)
def commonsense_qa(shots: int = 0, method: Method = "auto") -> Benchmark:
    """CommonsenseQA: 1,221 questions about everyday things with five choices."""
    hub = Hub("tau/commonsense_qa", test="data/validation-*.parquet", train="data/train-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/commonsense_reasoning/commonsense_qa.jsonl"), hub)),
        call=Choices(
            question=lambda instance: f"Question: {text_of(instance)}",
            shots=Shots(shots, split="train"),
            method=method,
        ),
        outputs=ChoiceAccuracy(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        question, choices = split_choices(row["query"])
        gold, question = int(row["gold"]), question.removeprefix("Question: ")
    else:
        question, choices = row["question"], tuple(row["choices"]["text"])
        gold = row["choices"]["label"].index(row["answerKey"])
    return Instance(str(index), question.strip(), choices=choices, gold=(gold,))


def split_choices(query: str) -> tuple[str, tuple[str, ...]]:
    """A question and its choices as DataComp-LM's files write them: ...\\nChoices:\\nA. ...\\nB. ...\\nAnswer:"""
    question, _, listed = query.removesuffix("\nAnswer:").partition("\nChoices:\n")
    return question, tuple(re.sub(r"^[A-Z]\. ", "", line) for line in listed.split("\n"))
