"""MMLU-Pro: harder exam questions with up to ten choices. Wang et al., https://arxiv.org/abs/2406.01574"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from howgood.benchmarks.knowledge.mmlu_pro_answer import LastLetter
from howgood.calls.choices import text_of
from howgood.calls.generation import Generation
from howgood.core.registry import benchmark
from howgood.core.text import LETTERS
from howgood.core.types import Generate, Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.runs.benchmark import Benchmark

BEGINNING = "A: Let's think step by step. "


@benchmark(
    "mmlu-pro",
    purpose="capability",
    cite="https://arxiv.org/abs/2406.01574",
    random=0.1112,
    human_source="no rate of people is published",
    flaws=(
        "Five questions have one choice only, and 17 % have fewer than ten.",
        "The authors count an answer that cannot be read as if a letter had been drawn, and so give points for none: "
        "0.3 to 1.5 points to the models whose outputs they published.",
    ),
    deviations=(
        "An answer that cannot be read scores 0 and is counted apart as unanswered. -P fallback=random draws a letter "
        "as the authors' evaluate_from_local.py does, from the same seed for every question.",
        "The prompt as in lm-evaluation-harness; a chat model is shown the examples as turns.",
        "Examples without a chain of thought (a data folder without the validation split) show the answer alone.",
    ),
    data="mmlu_pro/test.jsonl.gz, mmlu_pro/validation.jsonl: question_id, question, options, answer_index, category, "
    "cot_content",
)
def mmlu_pro(shots: int = 5, fallback: Literal["none", "random"] = "none") -> Benchmark:
    """MMLU-Pro: 12,032 questions in 14 subjects with up to ten choices, answered with a chain of thought."""
    local = Local(test="mmlu_pro/test.jsonl.gz", validation="mmlu_pro/validation.jsonl")
    hub = Hub("TIGER-Lab/MMLU-Pro", test="data/test-*.parquet", validation="data/validation-*.parquet")
    call: Generation = AboutSubject(
        question=listed,
        shots=Shots(shots, split="validation", how="first", same_stratum=True),
        stop=("Question:",),
        max_tokens=2048,
    )
    inputs = Inputs(to_instance, (local, hub))
    return Benchmark(inputs=inputs, call=call, outputs=LastLetter(fallback), interpret=Mean(by="stratum"))


class AboutSubject(Generation):
    """Questions under a line that names their subject."""

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        header = (
            f"The following are multiple choice questions (with answers) about {instance.stratum}. Think step by step "
            'and then finish your answer with "the answer is (X)" where X is the correct letter choice.\n'
        )
        return super(AboutSubject, replace(self, header=header)).request(instance, shots, seed)


def to_instance(row: Row, index: int) -> Instance:
    gold, choices = int(row["answer_index"]), tuple(option.strip() for option in row["options"])
    thought = row["cot_content"].replace(BEGINNING, "")
    target = thought or f"The answer is ({LETTERS[gold]})."
    return Instance(
        str(row["question_id"]),
        row["question"],
        targets=(target,),
        choices=choices,
        gold=(gold,),
        stratum=row["category"],
    )


def listed(instance: Instance) -> str:
    options = "".join(f"{letter}. {choice}\n" for letter, choice in zip(LETTERS, instance.choices, strict=False))
    return f"Question:\n{text_of(instance)}\nOptions:\n{options}Answer: Let's think step by step."
