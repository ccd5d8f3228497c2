"""The choice tasks of CORE: the choice that the model finds most likely per token. Li et al., https://arxiv.org/abs/2406.11794"""

from __future__ import annotations

from howgood.benchmarks.core.task import DEVIATIONS, task
from howgood.core.registry import benchmark
from howgood.runs.benchmark import Benchmark


@benchmark(
    "core-hellaswag-zeroshot",
    purpose="capability",
    cite="https://arxiv.org/abs/1905.07830",
    random=0.25,
    human=0.956,
    human_source="Zellers et al., Table 1: crowd workers on the test split",
    flaws=("Many texts are ungrammatical or go well with several endings (https://arxiv.org/abs/2504.07825).",),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/hellaswag.jsonl: query, choices, gold",
)
def hellaswag_zeroshot() -> Benchmark:
    """HellaSwag, which ending continues the text; no worked examples."""
    return task(
        "hellaswag_zeroshot",
        "choice",
        "language_understanding/hellaswag.jsonl",
        also="perplexity/hellaswag/hellaswag_val_first2000.jsonl.gz",
    )


@benchmark(
    "core-hellaswag",
    purpose="capability",
    cite="https://arxiv.org/abs/1905.07830",
    random=0.25,
    human=0.956,
    human_source="Zellers et al., Table 1: crowd workers on the test split",
    flaws=("Many texts are ungrammatical or go well with several endings (https://arxiv.org/abs/2504.07825).",),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/hellaswag.jsonl: query, choices, gold",
)
def hellaswag() -> Benchmark:
    """HellaSwag, which ending continues the text; ten worked examples."""
    return task(
        "hellaswag",
        "choice",
        "language_understanding/hellaswag.jsonl",
        also="perplexity/hellaswag/hellaswag_val_first2000.jsonl.gz",
    )


@benchmark(
    "core-arc-easy",
    purpose="capability",
    cite="https://arxiv.org/abs/1803.05457",
    random=0.25,
    flaws=("The choices are scored one by one; the model never sees them side by side.",),
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/arc_easy.jsonl: query, choices, gold",
)
def arc_easy() -> Benchmark:
    """ARC-Easy, 2,376 questions of school science that simple programs answer."""
    return task("arc_easy", "choice", "world_knowledge/arc_easy.jsonl", delimiter="\nAnswer: ")


@benchmark(
    "core-arc-challenge",
    purpose="capability",
    cite="https://arxiv.org/abs/1803.05457",
    random=0.25,
    flaws=("The choices are scored one by one; the model never sees them side by side.",),
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/arc_challenge.jsonl: query, choices, gold",
)
def arc_challenge() -> Benchmark:
    """ARC-Challenge, 1,172 questions of school science that simple programs get wrong."""
    return task("arc_challenge", "choice", "world_knowledge/arc_challenge.jsonl", delimiter="\nAnswer: ")


@benchmark(
    "core-copa",
    purpose="capability",
    cite="https://people.ict.usc.edu/~gordon/copa.html",
    random=0.5,
    flaws=("There are only 100 questions: the standard error is five points at chance.",),
    deviations=DEVIATIONS,
    data="dclm_core/commonsense_reasoning/copa.jsonl: query, choices, gold",
)
def copa() -> Benchmark:
    """COPA, 100 causes or effects to choose from two."""
    return task("copa", "choice", "commonsense_reasoning/copa.jsonl")


@benchmark(
    "core-commonsense-qa",
    purpose="capability",
    cite="https://arxiv.org/abs/1811.00937",
    random=0.403,
    flaws=(
        "Of five choices four are left, and C is right in 492 of 1,221 (40.3 %): the v2 baseline is always saying C.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/commonsense_reasoning/commonsense_qa.jsonl: query, choices, gold",
)
def commonsense_qa() -> Benchmark:
    """CommonsenseQA, 1,221 questions about everyday things; the letter is scored."""
    return task("commonsense_qa", "choice", "commonsense_reasoning/commonsense_qa.jsonl")


@benchmark(
    "core-piqa",
    purpose="capability",
    cite="https://arxiv.org/abs/1911.11641",
    random=0.5,
    human=0.949,
    human_source="Bisk et al.: majority vote of crowd workers",
    flaws=("The choices are scored one by one; the model never sees them side by side.",),
    deviations=DEVIATIONS,
    data="dclm_core/commonsense_reasoning/piqa.jsonl: query, choices, gold",
)
def piqa() -> Benchmark:
    """PIQA, 1,838 ways to do everyday things, one of two works."""
    return task("piqa", "choice", "commonsense_reasoning/piqa.jsonl", delimiter="\nAnswer: ")


@benchmark(
    "core-openbook-qa",
    purpose="capability",
    cite="https://arxiv.org/abs/1809.02789",
    random=0.25,
    human=0.917,
    human_source="Mihaylov et al.: crowd workers, who see the choices",
    flaws=("The facts of the open book are not shown.",),
    deviations=DEVIATIONS,
    data="dclm_core/commonsense_reasoning/openbook_qa.jsonl: query, choices, gold",
)
def openbook_qa() -> Benchmark:
    """OpenBookQA, 500 questions of school science, the choice as the sentence's end."""
    return task("openbook_qa", "choice", "commonsense_reasoning/openbook_qa.jsonl")


@benchmark(
    "core-agi-eval-lsat-ar",
    purpose="capability",
    cite="https://arxiv.org/abs/2304.06364",
    random=0.25,
    flaws=(
        "Of the exam's five choices four are left; the v1 baseline of 20 % was that of five.",
        "There are only 40 puzzles, and almost every published model is at chance.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/symbolic_problem_solving/agi_eval_lsat_ar.jsonl: query, choices, gold",
)
def agi_eval_lsat_ar() -> Benchmark:
    """LSAT analytical reasoning, 230 questions on 40 puzzles; the letter is scored."""
    return task("agi_eval_lsat_ar", "choice", "symbolic_problem_solving/agi_eval_lsat_ar.jsonl", passage="\nQ:")


@benchmark(
    "core-boolq",
    purpose="capability",
    cite="https://arxiv.org/abs/1905.10044",
    random=0.62,
    human=0.9,
    human_source="Clark et al.: the authors' own answers",
    flaws=("The answer is yes in 62.2 %, which is the baseline: many models are below it.",),
    deviations=DEVIATIONS,
    data="dclm_core/reading_comprehension/boolq.jsonl: query, choices, gold",
)
def boolq() -> Benchmark:
    """BoolQ, 3,270 yes-or-no questions on passages of Wikipedia."""
    return task("boolq", "choice", "reading_comprehension/boolq.jsonl", delimiter="\nAnswer: ", passage="\nQuestion:")


@benchmark(
    "core-bigbench-language-identification",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.25,
    flaws=("The v1 baseline of 9.1 % was that of the eleven choices in BIG-bench; here there are four.",),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/bigbench_language_identification.jsonl: query, choices, gold",
)
def bigbench_language_identification() -> Benchmark:
    """BIG-bench, which of four languages a sentence is in; the letter is scored."""
    return task(
        "bigbench_language_identification", "choice", "language_understanding/bigbench_language_identification.jsonl"
    )
