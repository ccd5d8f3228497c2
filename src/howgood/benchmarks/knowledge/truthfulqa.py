"""TruthfulQA: questions that many people answer falsely. Lin et al., https://arxiv.org/abs/2109.07958"""

from __future__ import annotations

from howgood.benchmarks.knowledge.truthfulqa_parts import Primed, TrueMass, primed
from howgood.calls.choices import Choices, Method, text_of
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Row
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.inputs.shuffled import Shuffled
from howgood.interpret.estimate import Mean
from howgood.outputs.base import Outputs
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark

FLAWS = (
    "True choices can often be told from false ones without the question.",
    "Some labels are disputed, and what was true in 2021 may not be now.",
)
DEVIATIONS = (
    "Six worked questions stand above each, as published, but ours unless -P primer=FILE.txt gives the authors' "
    "(QA preset of https://github.com/sylinrl/TruthfulQA), which published numbers used; the rules say which.",
    "Not yet run on the real files.",
)
DATA = "truthfulqa/multiple_choice.jsonl: question, mc1_targets and mc2_targets, each with choices and labels (0 or 1)"


@benchmark(
    "truthfulqa-mc1",
    purpose="capability",
    cite="https://arxiv.org/abs/2109.07958",
    human_source="none for choices; in writing, 94 % of one person's answers were true (Lin et al.)",
    flaws=FLAWS,
    data=DATA,
    deviations=DEVIATIONS,
)
def truthfulqa_mc1(primer: str = "", method: Method = "auto", order: int = 0) -> Benchmark:
    """TruthfulQA MC1: 817 questions; is the true choice the likeliest."""
    ways: tuple[Method, ...] = ("cloze-likelihood", "letter-generation")
    call = Primed(header=primed(primer), cloze=asked, method=method, prefer=ways)
    return truthfulqa("mc1_targets", call, ChoiceAccuracy(), order)


@benchmark(
    "truthfulqa-mc2",
    purpose="capability",
    cite="https://arxiv.org/abs/2109.07958",
    human_source="none for choices; in writing, 94 % of one person's answers were true (Lin et al.)",
    flaws=FLAWS,
    data=DATA,
    deviations=DEVIATIONS,
)
def truthfulqa_mc2(primer: str = "", order: int = 0) -> Benchmark:
    """TruthfulQA MC2: 817 questions; how much of the likelihood of all choices do the true ones have."""
    call = Primed(header=primed(primer), cloze=asked, method="cloze-likelihood")
    return truthfulqa("mc2_targets", call, TrueMass(), order)


def truthfulqa(column: str, call: Choices, outputs: Outputs, order: int) -> Benchmark:
    def to_instance(row: Row, index: int) -> Instance:
        choices, labels = row[column]["choices"], row[column]["labels"]
        gold = tuple(place for place, label in enumerate(labels) if label == 1)
        return Instance(str(index), row["question"], choices=tuple(choices), gold=gold)

    local = Local(test="truthfulqa/multiple_choice.jsonl")
    hub = Hub("truthfulqa/truthful_qa", test="multiple_choice/validation-*.parquet")
    return Benchmark(Shuffled(to_instance, (local, hub), order=order), call, outputs, Mean())


def asked(instance: Instance) -> str:
    return f"Q: {text_of(instance)}\nA:"
