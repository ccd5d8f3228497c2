"""GPQA: graduate questions that a search engine does not answer. Rein et al., https://arxiv.org/abs/2311.12022"""

from __future__ import annotations

from typing import Literal

from howgood.calls.choices import Choices, Method, text_of
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Row
from howgood.inputs.hub import Hub
from howgood.inputs.shuffled import Shuffled
from howgood.inputs.zipped import LockedCsv
from howgood.interpret.estimate import Mean
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark

PASSWORD = "deserted-untie-orchid"
"""The authors publish it beside the zip, whose only aim is that no crawler reads the questions."""


@benchmark(
    "gpqa",
    purpose="capability",
    cite="https://arxiv.org/abs/2311.12022",
    random=0.25,
    human=0.65,
    human_source="Rein et al., abstract: experts of the question's domain; skilled others with the web 0.34",
    flaws=(
        "Diamond was chosen by what experts and others answered, so their rates on it say nothing of people.",
        "Diamond has 198 questions: a score of half of them is known to 7 points to either side.",
        "Two to four questions of each set list one choice twice, in other spacing or not.",
    ),
    deviations=(
        "The choices are shuffled for each question by the seed of -P order=N, which is in the rules.",
        "Listed as A. B. C. D., without worked examples; the authors write (A) (B) (C) (D) and try five prompts.",
    ),
    data="gpqa/dataset.zip: the authors' zip, opened in memory (a run's folder does hold the questions asked: do not "
    "publish it); on the Hub the terms must be accepted at https://huggingface.co/datasets/Idavidrein/gpqa",
)
def gpqa(
    subset: Literal["main", "extended", "diamond"] = "diamond", order: int = 0, method: Method = "auto"
) -> Benchmark:
    """GPQA: questions in biology, physics and chemistry that experts answer and others with the web do not."""
    local = LockedCsv(f"dataset/gpqa_{subset}.csv", PASSWORD, test="gpqa/dataset.zip")
    hub = Hub("Idavidrein/gpqa", test=f"gpqa_{subset}.csv")
    return Benchmark(
        inputs=Shuffled(to_instance, (local, hub), order=order),
        call=Choices(
            question=lambda instance: f"What is the correct answer to this question: {text_of(instance)}\n\nChoices:",
            method=method,
            max_tokens=4096,
        ),
        outputs=ChoiceAccuracy(),
        interpret=Mean(by="stratum"),
    )


def to_instance(row: Row, index: int) -> Instance:
    names = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    choices = tuple(row[name].strip() for name in names)
    return Instance(
        row["Record ID"],
        row["Question"].strip(),
        choices=choices,
        # A choice that is written twice is right twice.
        gold=tuple(i for i, choice in enumerate(choices) if choice == choices[0]),
        stratum=row["High-level domain"],
    )
