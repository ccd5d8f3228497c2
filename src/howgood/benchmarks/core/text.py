"""The language-modelling tasks of CORE: whether greedy decoding writes the answer to the letter. Li et al., https://arxiv.org/abs/2406.11794"""

from __future__ import annotations

from howgood.benchmarks.core.task import DEVIATIONS, task
from howgood.core.registry import benchmark
from howgood.runs.benchmark import Benchmark


@benchmark(
    "core-jeopardy",
    purpose="capability",
    cite="https://github.com/mosaicml/llm-foundry/blob/main/scripts/eval/local_data/EVAL_GAUNTLET.md",
    random=0.0,
    flaws=("Only one wording is right: Richard Byrd is wrong where Admiral Richard Byrd is stored.",),
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/jeopardy_all.jsonl: context, continuation, category",
)
def jeopardy() -> Benchmark:
    """Jeopardy, 2,117 clues in five categories, which count alike."""
    return task("jeopardy", "text", "world_knowledge/jeopardy_all.jsonl", delimiter="\nAnswer: ", macro=True)


@benchmark(
    "core-bigbench-qa-wikidata",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.0,
    flaws=(
        "Only one wording is right, and facts change.",
        "Guessing is not 0: some answers are frequent.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/world_knowledge/bigbench_qa_wikidata.jsonl: context, continuation",
)
def bigbench_qa_wikidata() -> Benchmark:
    """BIG-bench, 20,321 facts of Wikidata as sentences to be ended."""
    return task("bigbench_qa_wikidata", "text", "world_knowledge/bigbench_qa_wikidata.jsonl")


@benchmark(
    "core-lambada-openai",
    purpose="capability",
    cite="https://arxiv.org/abs/1606.06031",
    random=0.0,
    flaws=(
        "The passages are from BookCorpus, which many models were trained on.",
        "Two passages occur twice.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/language_understanding/lambada_openai.jsonl: context, continuation",
)
def lambada_openai() -> Benchmark:
    """LAMBADA, the last word of 5,153 passages."""
    return task(
        "lambada_openai",
        "text",
        "language_understanding/lambada_openai.jsonl",
        also="perplexity/lambada/lambada_openai_test.jsonl",
    )


@benchmark(
    "core-bigbench-dyck-languages",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.0,
    flaws=(
        "How a tokenizer cuts brackets decides much of it.",
        "Guessing is not 0: one bracket is right in 10 %.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/symbolic_problem_solving/bigbench_dyck_languages.jsonl: context, continuation",
)
def bigbench_dyck_languages() -> Benchmark:
    """BIG-bench, 1,000 sequences of brackets to be closed."""
    return task("bigbench_dyck_languages", "text", "symbolic_problem_solving/bigbench_dyck_languages.jsonl")


@benchmark(
    "core-bigbench-cs-algorithms",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.0,
    flaws=(
        "The baseline is 0, but always saying Invalid is right in 568 of 1,320 (43.0 %), which is 2 points of CORE.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/symbolic_problem_solving/bigbench_cs_algorithms.jsonl: context, continuation",
)
def bigbench_cs_algorithms() -> Benchmark:
    """BIG-bench, 1,320 questions: are brackets balanced, how long is the longest common subsequence."""
    return task("bigbench_cs_algorithms", "text", "symbolic_problem_solving/bigbench_cs_algorithms.jsonl")


@benchmark(
    "core-bigbench-operators",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.0,
    flaws=("Guessing is not 0: 17 is right in 9 %.",),
    deviations=DEVIATIONS,
    data="dclm_core/symbolic_problem_solving/bigbench_operators.jsonl: context, continuation",
)
def bigbench_operators() -> Benchmark:
    """BIG-bench, 210 results of operators that the question defines."""
    return task("bigbench_operators", "text", "symbolic_problem_solving/bigbench_operators.jsonl")


@benchmark(
    "core-bigbench-repeat-copy-logic",
    purpose="capability",
    cite="https://arxiv.org/abs/2206.04615",
    random=0.0,
    flaws=("There are only 32 questions: each is 3 points.",),
    deviations=DEVIATIONS,
    data="dclm_core/symbolic_problem_solving/bigbench_repeat_copy_logic.jsonl: context, continuation",
)
def bigbench_repeat_copy_logic() -> Benchmark:
    """BIG-bench, 32 instructions to repeat words."""
    return task("bigbench_repeat_copy_logic", "text", "symbolic_problem_solving/bigbench_repeat_copy_logic.jsonl")


@benchmark(
    "core-squad",
    purpose="capability",
    cite="https://arxiv.org/abs/1606.05250",
    random=0.0,
    flaws=("Only the first annotator's wording is right; the task's own measure is the best F1 over all.",),
    deviations=DEVIATIONS,
    data="dclm_core/reading_comprehension/squad.jsonl: context, continuation",
)
def squad() -> Benchmark:
    """SQuAD, 10,570 questions on passages of Wikipedia, answered in the passage's words."""
    return task("squad", "text", "reading_comprehension/squad.jsonl", passage="\nQuestion:")


@benchmark(
    "core-coqa",
    purpose="capability",
    cite="https://arxiv.org/abs/1808.07042",
    random=0.0,
    flaws=(
        "Only one wording is right; the task's own measure is F1 with four answers.",
        "Questions of one conversation are not told apart from others, so the error is too small.",
    ),
    deviations=DEVIATIONS,
    data="dclm_core/reading_comprehension/coqa.jsonl: context, continuation",
)
def coqa() -> Benchmark:
    """CoQA, 7,983 questions of conversations about a passage."""
    story_ends = r"\n\s*(?:Preceding questions|Final question):"
    return task("coqa", "text", "reading_comprehension/coqa.jsonl", passage=story_ends)
