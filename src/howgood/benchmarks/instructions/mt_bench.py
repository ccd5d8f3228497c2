"""MT-Bench: two turns, graded by a judge, or compared. Zheng et al., arXiv:2306.05685"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal

from howgood.benchmarks.instructions.mt_bench_judge import TwoConversations, TwoGrades
from howgood.calls.generation import Generation
from howgood.calls.methods.turns import Turns
from howgood.core.errors import DataError
from howgood.core.registry import benchmark
from howgood.core.types import Instance, Message
from howgood.inputs.base import Inputs, Row
from howgood.inputs.joined import Joined
from howgood.inputs.local import Local
from howgood.inputs.published import Published
from howgood.interpret.estimate import Mean, Several
from howgood.runs.benchmark import Benchmark

PROMPTS = Published(
    "mt_bench/judge_prompts.jsonl",
    "https://raw.githubusercontent.com/lm-sys/FastChat/main/fastchat/llm_judge/data/judge_prompts.jsonl",
    "fd283293406d024f44c174b094ef48031d0687a4682fd3a56b29b138f80281b6",
)
DATA = "mt_bench/question.jsonl: question_id, category, turns"
Prompt = Literal["auto", "official", "howgood"]


@benchmark(
    "mt-bench",
    purpose="preference",
    cite="https://arxiv.org/abs/2306.05685",
    human_source="no score of people is published; GPT-4 and people agree on 85 % of pairs without ties",
    flaws=(
        "Eighty questions: two strong models differ by less than the judge's own noise.",
        "Some of the published reference answers in mathematics are wrong.",
    ),
    deviations=(
        "Every category is answered greedily unless --temperature says otherwise; the authors answer writing and "
        "roleplay at 0.7, STEM and humanities at 0.1.",
        "A judge's grade that cannot be read leaves out the question, not the turn alone.",
        "Where the published prompts are out of reach the judge is asked in our own words (the rules say which).",
    ),
    data=f"{DATA}; mt_bench/reference_answer_gpt-4.jsonl; for -P prompt=official mt_bench/judge_prompts.jsonl",
)
def mt_bench(prompt: Prompt = "auto") -> Benchmark:
    """MT-Bench: 80 questions of two turns in eight categories, each answer graded from 1 to 10."""
    return Benchmark(
        inputs=Inputs(to_instance, sources("mt_bench/question.jsonl")),
        call=Turns(Generation(max_tokens=1024), say=None),
        outputs=TwoGrades(judge="openai/gpt-4", prompts=read_prompts(prompt)),
        interpret=Mean("score"),
    )


@benchmark(
    "mt-bench-pairwise",
    purpose="preference",
    cite="https://arxiv.org/abs/2306.05685",
    flaws=("GPT-4's verdicts hold in 65 % of pairs when the answers change places (arXiv:2306.05685, table 2).",),
    deviations=(
        "Both turns are judged at once, as in the authors' multi-turn prompts; their first turn alone is not judged "
        "apart.",
        "Decoding and prompts as in mt-bench.",
    ),
    data=f"{DATA}; mt_bench/model_answer/NAME.jsonl: question_id, choices (turns)",
)
def mt_bench_pairwise(baseline: str = "gpt-3.5-turbo", prompt: Prompt = "auto") -> Benchmark:
    """MT-Bench against a baseline: which of two conversations is better, in both orders; a winner in one only ties."""
    if not re.fullmatch(r"[\w.-]{1,100}", baseline):
        raise DataError(f"-P baseline takes the name of a file in mt_bench/model_answer, not '{baseline}'")
    return Benchmark(
        inputs=Inputs(to_instance, sources("mt_bench/question.jsonl", f"mt_bench/model_answer/{baseline}.jsonl")),
        call=Turns(Generation(max_tokens=1024), say=None),
        outputs=TwoConversations(judge="openai/gpt-4", prompts=read_prompts(prompt)),
        interpret=Several(Mean("preference", others=False), Mean("consistent", by=None, others=False)),
    )


def sources(questions: str, answers: str = "") -> tuple[Joined | Local, ...]:
    """The questions, with the references where the folder has them, and a baseline's answers where asked for."""
    asked = WithReferences(test=questions)
    return (Joined(asked, Local(test=answers), "question_id") if answers else asked,)


class WithReferences(Local):
    """Questions with the GPT-4 references that the folder has."""

    def rows(self, split: str) -> Iterator[Row]:
        folder = self.folder
        references = folder / "mt_bench/reference_answer_gpt-4.jsonl" if folder else None
        known: dict[int, list[str]] = {}
        if references is not None and references.is_file():
            for line in references.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                known[row["question_id"]] = row["choices"][0]["turns"]
        for row in super().rows(split):
            yield row | {"reference_turns": known.get(row["question_id"], [])}


def read_prompts(prompt: Prompt) -> tuple[tuple[str, str, str], ...]:
    """The published prompts as (name, system, text); none for our own words, or where they are out of reach."""
    if prompt == "howgood":
        return ()
    text = PROMPTS.needed() if prompt == "official" else PROMPTS.text()
    rows = [json.loads(line) for line in (text or "").splitlines()]
    return tuple((row["name"], row["system_prompt"], row["prompt_template"]) for row in rows)


def to_instance(row: Row, index: int) -> Instance:
    first, *later = row["turns"]
    references = list(row.get("reference") or row.get("reference_turns") or [])
    choices = row.get("choices")
    baseline = list(choices[0]["turns"]) if choices else []
    return Instance(
        str(row["question_id"]),
        (Message("user", first),),
        targets=("\n\n".join(baseline),) if baseline else (),
        stratum=row["category"],
        metadata={"turns": later, "references": references, "baseline": baseline},
    )
