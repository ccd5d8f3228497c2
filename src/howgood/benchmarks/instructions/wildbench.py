"""WildBench v2: real users' hard tasks, graded with a checklist, or compared. Lin et al., arXiv:2406.04770"""

from __future__ import annotations

import re
from typing import Any, Literal

from howgood.benchmarks.instructions.wildbench_reward import GROUPS, OFFICIAL_LABELS, Reward, TaskWeighted
from howgood.calls.generation import Generation
from howgood.core.errors import DataError
from howgood.core.registry import benchmark
from howgood.core.types import Instance, Message
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.joined import Joined
from howgood.inputs.local import Local
from howgood.inputs.published import Published
from howgood.interpret.estimate import Mean, Several
from howgood.outputs.judge import Graded, Template
from howgood.runs.benchmark import Benchmark

CODE = "https://raw.githubusercontent.com/allenai/WildBench/main/evaluation"
SCORE_PROMPT = Published(
    "wildbench/eval_template.score.v2.md",
    f"{CODE}/eval_template.score.v2.md",
    "c5984ae77b009f8dad0e8e37093348345f4e8d3099ce812bd7799ef7b73f005f",
)
PAIR_PROMPT = Published(
    "wildbench/eval_template.pairwise.v2.md",
    f"{CODE}/eval_template.pairwise.v2.md",
    "ccd57bd8c4c73f4f83cf8963ef3c2697c1c7b9e907ead91e0d0512cca4ae7a11",
)
SLOTS = (("{$history}", "history"), ("{$user_query}", "question"), ("{$checklist}", "checklist"))
BASELINES = ("gpt-4-turbo-2024-04-09", "claude-3-haiku-20240307", "Llama-2-70b-chat-hf")
DATA = "wildbench/test.jsonl: session_id, conversation_input (role, content), checklist, primary_tag, secondary_tags"
Prompt = Literal["auto", "official", "howgood"]


@benchmark(
    "wildbench",
    purpose="preference",
    cite="https://arxiv.org/abs/2406.04770",
    human_source="no score of people is published",
    flaws=("The checklists were written by models, and tasks that a moderation filter stopped are missing.",),
    deviations=(
        "A task that got no answer, or whose grade could not be read, is missing from every mean; upstream keeps empty "
        "answers in the plain mean and leaves them out of the weighted one.",
        "Where the published prompt is out of reach the judge is asked in our own words (the rules say which). In ours "
        "answers stand as data that cannot speak to the judge: -P prompt=howgood.",
        "The judge of the board, gpt-4o-2024-05-13, may be retired: another --judge makes another scale.",
    ),
    data=f"{DATA}; for -P prompt=official wildbench/eval_template.score.v2.md",
)
def wildbench(prompt: Prompt = "auto") -> Benchmark:
    """WildBench: 1,024 tasks of real users, each graded from 1 to 10 with the task's own checklist (WB-Score)."""
    template = official(SCORE_PROMPT, prompt, "WildBench score.v2", (*SLOTS, ("{$model_output}", "answer")))
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="wildbench/test.jsonl"), Hub("allenai/WildBench", test="v2/test-*"))),
        call=Generation(max_tokens=4096),
        outputs=Graded(judge="openai/gpt-4o-2024-05-13", template=template),
        interpret=Several(TaskWeighted("wb_score", "score", centre=5.0, factor=20.0), Mean("score", by=None)),
    )


@benchmark(
    "wildbench-pairwise",
    purpose="preference",
    cite="https://arxiv.org/abs/2406.04770",
    flaws=(
        "The board's reward is the mean over three baselines; a model without results on one of them got 0 there.",
        "The published protocol shows one order alone, drawn at random.",
    ),
    deviations=(
        "One baseline a run (-P baseline=...); the mean of the three is yours to take, where all three are there.",
        "Both orders are judged.",
        "Prompt as in wildbench.",
    ),
    data=f"{DATA}; wildbench/outputs/NAME.jsonl: session_id, output; for -P prompt=official "
    "wildbench/eval_template.pairwise.v2.md",
)
def wildbench_pairwise(baseline: str = BASELINES[0], margin: int = 500, prompt: Prompt = "auto") -> Benchmark:
    """WildBench against a baseline: much better, better, a tie and so on (WB-Reward); -P margin=500 makes a slight win
    a tie where the winner is so many characters longer (-1: never)."""
    if not re.fullmatch(r"[\w.@-]{1,100}", baseline):
        raise DataError(f"-P baseline takes the name of a file in wildbench/outputs, not '{baseline}'")
    local = Joined(Local(test="wildbench/test.jsonl"), Local(test=f"wildbench/outputs/{baseline}.jsonl"), "session_id")
    outputs = Hub("allenai/WildBench-V2-Model-Outputs", test=f"{baseline}/train-*")
    hub = Joined(Hub("allenai/WildBench", test="v2/test-*"), outputs, "session_id")
    slots = (*SLOTS, ("{$candidate_A}", "first"), ("{$candidate_B}", "second"))
    template = official(PAIR_PROMPT, prompt, "WildBench pairwise.v2", slots)
    judged = Reward(judge="openai/gpt-4-turbo-2024-04-09", template=template, margin=margin)
    if template is not None:
        judged = Reward(
            judge=judged.judge, template=template, margin=margin, key="choice", labels=tuple(OFFICIAL_LABELS.items())
        )
    return Benchmark(
        inputs=Inputs(to_instance, (local, hub)),
        call=Generation(max_tokens=4096),
        outputs=judged,
        interpret=Several(
            TaskWeighted("wb_reward", "reward", centre=0.0, factor=100.0),
            *(Mean(name, by=None, others=False) for name in ("reward", "preference", "consistent")),
        ),
    )


def official(published: Published, prompt: Prompt, name: str, slots: tuple[tuple[str, str], ...]) -> Template | None:
    """The published template, in which answers stand bare; None for our own words, or where it is out of reach."""
    if prompt == "howgood":
        return None
    text = published.needed() if prompt == "official" else published.text()
    return None if text is None else Template(name, text, slots=slots, turn="{ROLE}: {text}")


def to_instance(row: Row, index: int) -> Instance:
    talk = [Message(turn["role"], turn["content"]) for turn in row["conversation_input"]]
    if not talk or talk[-1].role != "user":
        raise ValueError("the conversation does not end with what a user says")
    tags = [row["primary_tag"], *(row.get("secondary_tags") or ())]
    groups = sorted({GROUPS[tag] for tag in tags if tag in GROUPS})
    output: Any = row.get("output")
    if isinstance(output, list):
        output = output[0] if output else ""
    return Instance(
        row["session_id"],
        tuple(talk) if len(talk) > 1 else str(talk[0].content),
        targets=() if output is None else (output,),
        stratum=" + ".join(groups) or None,
        metadata={"checklist": list(row["checklist"])},
    )
