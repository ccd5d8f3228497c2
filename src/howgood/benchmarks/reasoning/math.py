"""MATH: problems of mathematics competitions. Hendrycks et al., https://arxiv.org/abs/2103.03874"""

from __future__ import annotations

from howgood.calls.base import spoil
from howgood.calls.choices import text_of
from howgood.calls.generation import Generation
from howgood.core.registry import benchmark
from howgood.core.types import Instance, Prediction
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.outputs.maths import Compare, Maths, boxed
from howgood.runs.benchmark import Benchmark


@benchmark(
    "math",
    purpose="capability",
    cite="https://arxiv.org/abs/2103.03874",
    random=0.0,
    human=0.4,
    human_source="Hendrycks et al.: one doctoral student in computer science, on 20 problems; a gold medallist 0.9",
    flaws=(
        "From competitions whose solutions lie all over the web; models are trained on MATH's own training split.",
        "500 of the 5,000 problems (MATH-500) are what most reports since 2024 use.",
    ),
    deviations=(
        "Problem and Solution as in Minerva (https://arxiv.org/abs/2206.14858), with four solutions of the training "
        "split, drawn for each problem, in place of Minerva's own four.",
        "Answers are compared by math-verify, which takes equal forms that the authors' comparison of texts does not.",
    ),
    data="math/math_slice.jsonl.gz: context (the problem), answer, chain_of_thought (the solution), category",
)
def math(shots: int = 4, compare: Compare = "math-verify") -> Benchmark:
    """MATH: 5,000 problems of high-school competitions in seven subjects, answered with a solution."""
    hub = Hub("EleutherAI/hendrycks_math", test="*/test-*.parquet", train="*/train-*.parquet")
    call: Generation = Solutions(
        question=lambda instance: f"Problem:\n{text_of(instance)}\n\nSolution:",
        shots=Shots(shots, split="train"),
        stop=("Problem:",),
        max_tokens=2048,
    )
    inputs = Inputs(to_instance, (Local(test="math/math_slice.jsonl.gz"), hub))
    return Benchmark(inputs=inputs, call=call, outputs=Maths(compare), interpret=Mean(by="stratum"))


class Solutions(Generation):
    """Worked solutions; a wrong one, for `howgood check`, is one with another answer in the box."""

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        answer = boxed(instance.targets[0]) or ""
        return Prediction(text=f"\\boxed{{{answer if right else spoil(answer)}}}", stop_reason="stop")


def to_instance(row: Row, index: int) -> Instance:
    if "context" in row:
        problem, solution, subject = row["context"], row["chain_of_thought"], row["category"]
    else:
        problem, solution = row["problem"], row["solution"]
        subject = row["type"].lower().replace(" & ", "_and_").replace(" ", "_")
    return Instance(str(index), problem, targets=(solution,), stratum=subject)
