"""LAMBADA: the last word of a passage. Paperno et al., https://arxiv.org/abs/1606.06031"""

from __future__ import annotations

from typing import Literal

from howgood.calls.likelihood import Continuation
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean, Perplexity, Several
from howgood.outputs.likelihood import ContinuationScore
from howgood.runs.benchmark import Benchmark


@benchmark(
    "lambada",
    purpose="modelling",
    cite="https://arxiv.org/abs/1606.06031",
    random=0.0,
    human_source="no rate is published: passages were kept only where people guessed the word (Paperno et al.)",
    flaws=("The passages are from BookCorpus, which many models were trained on.", "Two passages occur twice."),
    deviations=(
        "A word is right if greedy decoding gives all its tokens, as in lm-evaluation-harness (lambada_openai, and "
        "lambada_standard for version=original); Radford et al. scored the last token and left out stop words.",
    ),
    data="perplexity/lambada/lambada_openai_test.jsonl: context, continuation (the last word); for version=original "
    "perplexity/lambada/lambada_test_plain_text.txt: the authors' file, one passage a line",
)
def lambada(version: Literal["openai", "original"] = "openai") -> Benchmark:
    """LAMBADA: the last word of 5,153 passages, which people guess from the passage but not from its last sentence.

    `original` is the authors' text, cut into lower-case tokens; `openai` the one that OpenAI made of its sources, with
    the case, the punctuation and the line breaks of the books.
    """
    if version == "openai":
        local = Local(test="perplexity/lambada/lambada_openai_test.jsonl")
        hub = Hub("EleutherAI/lambada_openai", test="data/lambada_test_en.jsonl")
    else:
        local = Local(test="perplexity/lambada/lambada_test_plain_text.txt")
        hub = Hub("cimec/lambada", test="plain_text/test-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instances if version == "original" else to_instance, (local, hub)),
        call=Continuation(),
        outputs=ContinuationScore(),
        interpret=Several(Mean("acc", others=False), Perplexity(units=("item",))),
    )


def to_instance(row: Row, index: int) -> Instance:
    if "continuation" in row:
        context, word = row["context"], row["continuation"]
    else:
        context, word = row["text"].rsplit(" ", 1)
    return Instance(str(index), context, targets=(word,))


def to_instances(row: Row, index: int) -> list[Instance]:
    """The original's passages: a row of the Hub is one, the authors' file holds one on each line."""
    passages = filter(None, row["text"].split("\n"))
    return [to_instance({"text": passage}, index + number) for number, passage in enumerate(passages)]
