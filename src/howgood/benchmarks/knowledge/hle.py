"""Humanity's Last Exam: questions at the frontier of what experts know. Phan et al., https://arxiv.org/abs/2501.14249"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

from howgood.benchmarks.knowledge.hle_answer import Confident
from howgood.benchmarks.knowledge.hle_judge import Examiner
from howgood.calls.generation import Generation
from howgood.core.registry import benchmark
from howgood.core.types import Image, Instance, Message, Text
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.calibration import CalibrationError
from howgood.interpret.estimate import Mean, Several
from howgood.runs.benchmark import Benchmark

# The authors' system prompt.
HEADER = """Your response should be in the following format:
Explanation: {your explanation for your answer choice}
Answer: {your chosen answer}
Confidence: {your confidence score between 0% and 100% for your answer}

"""
IMAGE = re.compile(r"data:(image/[a-z.+-]+);base64,([A-Za-z0-9+/=\s]+)")


@benchmark(
    "hle",
    purpose="capability",
    cite="https://arxiv.org/abs/2501.14249",
    random=0.05,  # 24 % of the questions have five or more choices
    human_source="no rate of people on the whole is published: each question was written by an expert of its field",
    flaws=(
        "Questions that the models of 2024 answered were thrown out, so those models score below what they know.",
        "About 29 % of the answers in chemistry and biology contradict the literature, by one audit "
        "(https://www.futurehouse.org/research-announcements/hle-exam).",
    ),
    deviations=(
        "Judged by comparing texts (a letter, a number or the words): an answer in other words is counted wrong, so "
        "scores are lower than the published ones, which a model judged; -P judging=judge does so, in our own words.",
        "No confidence counts as 100 %, as the authors' judge takes it; a question that got no answer as 0 %.",
        "calibration_error counts all bins; the authors' code leaves out the most confident one "
        "(calibration_error_published).",
    ),
    data="hle/*.jsonl.gz: question, answer, answer_type, category; on the Hub also id and image (a data: URL), and "
    "the terms must be accepted at https://huggingface.co/datasets/cais/hle",
)
def hle(questions: Literal["all", "text"] = "all", judging: Literal["text", "judge"] = "text") -> Benchmark:
    """Humanity's Last Exam: 2,500 questions in a hundred subjects; -P questions=text leaves out those with images,
    -P judging=judge lets a model judge (--judge)."""

    def to_instance(row: Row, index: int) -> Instance | tuple[()]:
        image = read_image(row["image"]) if row.get("image") else None
        if image and questions == "text":
            return ()
        text = row["question"]
        return Instance(
            str(row.get("id", index)),
            (Message("user", (Text(text), image)),) if image else text,
            targets=(row["answer"],),
            stratum=row["category"],
            metadata={"answer_type": row["answer_type"]},
        )

    local, hub = Local(test="hle/*.jsonl.gz"), Hub("cais/hle", test="data/test-*.parquet")
    return Benchmark(
        inputs=Inputs(to_instance, (local, hub)),
        call=Generation(header=HEADER, answer=lambda instance: f"Answer: {instance.targets[0]}", max_tokens=8192),
        outputs=Examiner(judge="openai/o3-mini-2025-01-31") if judging == "judge" else Confident(),
        interpret=Several(Mean("acc", others=False), CalibrationError()),
    )


def read_image(url: str) -> Image:
    """The image in a data: URL. Raises `ValueError` for anything else; nothing is ever fetched."""
    found = IMAGE.fullmatch(url)
    if found is None:
        raise ValueError(f"an image must be a data: URL in base64, not {url[:40]!r}")
    try:
        return Image(base64.b64decode(found[2]), found[1])
    except binascii.Error as error:
        raise ValueError(f"an image is not whole ({error})") from None
