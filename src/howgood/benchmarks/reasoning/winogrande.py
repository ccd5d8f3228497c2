"""WinoGrande: who or what is meant. Sakaguchi et al., https://arxiv.org/abs/1907.10641"""

from __future__ import annotations

from itertools import takewhile

from howgood.benchmarks.reasoning.blanks import BLANK, AfterFilling, Fillings
from howgood.calls.choices import Method, text_of
from howgood.core.registry import benchmark
from howgood.core.text import digest
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean
from howgood.runs.benchmark import Benchmark


@benchmark(
    "winogrande",
    purpose="capability",
    cite="https://arxiv.org/abs/1907.10641",
    random=0.5,
    human=0.94,
    human_source="Sakaguchi et al., abstract: people",
    flaws=("Sentences come in twins that differ in a word: they are clusters, not independent.",),
    deviations=(
        "The validation split, for test labels are not public. Partial evaluation (Trinh & Le, "
        "https://arxiv.org/abs/1806.02847), as in lm-evaluation-harness: the words after the blank are scored, given "
        "the sentence up to it with each filling.",
    ),
    data="dclm_core/language_understanding/winogrande.jsonl.gz: context_options (two beginnings), continuation, gold",
)
def winogrande(method: Method = "auto") -> Benchmark:
    """WinoGrande: 1,267 sentences with a blank and two words that may fill it."""
    hub = Hub("allenai/winogrande", test="winogrande_xl/validation-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="dclm_core/language_understanding/winogrande.jsonl.gz"), hub)),
        call=Fillings(
            question=lambda instance: f"What fills the blank?\n\n{text_of(instance)}",
            method=method,
            prefer=("cloze-likelihood", "letter-generation"),
        ),
        outputs=AfterFilling(),
        interpret=Mean(),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "sentence" in row:
        before, _, after = row["sentence"].partition(BLANK)
        beginnings, after = [before + row["option1"], before + row["option2"]], after.strip()
        gold = int(row["answer"]) - 1
    else:
        beginnings, after, gold = row["context_options"], row["continuation"], int(row["gold"])
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*beginnings, strict=False)))
    shared = beginnings[0][: beginnings[0].rfind(" ", 0, same) + 1]
    fillings = tuple(beginning.removeprefix(shared) for beginning in beginnings)
    cluster = digest(sorted(beginnings))
    return Instance(str(index), f"{shared}{BLANK} {after}", choices=fillings, gold=(gold,), cluster=cluster)
