"""Social IQa: why people do what they do. Sap et al., https://arxiv.org/abs/1904.09728"""

from __future__ import annotations

from howgood.benchmarks.reasoning.commonsense_qa import split_choices
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
    "social-iqa",
    purpose="capability",
    cite="https://arxiv.org/abs/1904.09728",
    random=1 / 3,
    human=0.87,
    human_source="Sap et al.: people on the validation split, 86.9 %",
    flaws=("Answers were guessed by crowd workers, and often more than one fits.",),
    deviations=(
        "The validation split; prompt as in lm-evaluation-harness.",
        "The copy that comes with DataComp-LM has two of the three choices, so that guessing gives 0.5 and scores are "
        "higher than on the Hub's.",
    ),
    data="dclm_core/commonsense_reasoning/siqa.jsonl.gz: query (Context: ..., Question: ..., Choices: A. ...), gold",
)
def social_iqa(shots: int = 0, method: Method = "auto") -> Benchmark:
    """Social IQa: 1,954 questions on people's reasons, feelings and what comes next, with three choices."""
    hub = Hub("lighteval/siqa", test="*validation*.parquet", train="*train*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/commonsense_reasoning/siqa.jsonl.gz"), hub)),
        call=Choices(
            cloze=lambda instance: f"Q: {text_of(instance)}\nA:",
            shots=Shots(shots, split="train"),
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=ChoiceAccuracy(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "query" in row:
        text, choices = split_choices(row["query"])
        context, _, question = text.removeprefix("Context: ").partition("\nQuestion: ")
        gold = int(row["gold"])
    else:
        context, question, gold = row["context"], row["question"], int(row["label"]) - 1
        choices = (row["answerA"], row["answerB"], row["answerC"])
    # Several questions are asked on one context.
    return Instance(str(index), f"{context} {question}", choices=choices, gold=(gold,), cluster=digest(context))
