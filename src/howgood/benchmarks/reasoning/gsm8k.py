"""GSM8K: grade-school word problems. Cobbe et al., https://arxiv.org/abs/2110.14168"""

from __future__ import annotations

from howgood.calls.choices import text_of
from howgood.calls.generation import Generation
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.outputs.match import Numeric
from howgood.runs.benchmark import Benchmark

WORDINGS = (
    "Solve this problem step by step. {input}",
    "Here is a word problem: {input} Give the answer as a number.",
    "{input} Work it out.",
)


@benchmark(
    "gsm8k",
    purpose="capability",
    cite="https://arxiv.org/abs/2110.14168",
    random=0.0,
    human_source="no rate of people is published",
    flaws=(
        "GSM8K-Platinum throws out 110 of the 1,319 questions as badly written and mends labels "
        "(https://arxiv.org/abs/2502.03461).",
        "Some models score lower on GSM1k, new questions of the same kind (https://arxiv.org/abs/2405.00332).",
    ),
    deviations=(
        "Prompt and stops as in lm-evaluation-harness, the calculator's marks <<2*3=6>> kept in the worked examples.",
        "exact_match compares values (18 = 18.00 = $18): the number after #### if there is one, else the last.",
    ),
    data="gsm8k/test.jsonl: question, answer (a worked solution that ends in '#### 18')",
)
def gsm8k(shots: int = 5) -> Benchmark:
    """GSM8K: 1,319 grade-school word problems, answered with a worked solution and a number."""
    local = Local(test="gsm8k/test.jsonl")
    hub = Hub("openai/gsm8k", test="main/test-*.parquet", train="main/train-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (local, hub), wordings=WORDINGS),
        call=Generation(
            question=lambda instance: f"Question: {text_of(instance)}\nAnswer:",
            shots=Shots(shots, split="train"),
            stop=("Question:", "</s>", "<|im_end|>"),
            max_tokens=2048,
        ),
        outputs=Numeric(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    return Instance(str(index), row["question"], targets=(row["answer"],))
