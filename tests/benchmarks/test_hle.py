from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from plans import CHATS, Planned

from howgood.benchmarks.knowledge.hle import read_image
from howgood.benchmarks.knowledge.hle_answer import Confident, read_answer
from howgood.core.errors import DataError
from howgood.core.types import Generate, Image, Instance, Message, Prediction, Text
from howgood.outputs.base import judge
from howgood.runs.check import Imagined, check
from howgood.runs.plan import Options, make_plan

PIXEL = b"\x89PNG\r\n\x1a\n"
PICTURE = {
    "id": "abc",
    "question": "What is shown?",
    "image": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}",
    "answer": "A pixel",
    "answer_type": "exactMatch",
    "category": "Other",
}


def folder_of(tmp_path: Path, *rows: dict[str, Any]) -> Options:
    (tmp_path / "hle").mkdir()
    with gzip.open(tmp_path / "hle" / "rows.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return Options(data=str(tmp_path))


def test_the_examples_are_judged_rightly(shared: Path) -> None:
    found = check("hle", {}, Options(data=str(shared / "data")))
    assert [(one.instances, one.faults) for one in found] == [(6, [])] * 2


def test_the_prompt_is_the_authors(planned: Planned) -> None:
    plan = planned("hle", CHATS)
    instance = next(plan.instances())[1]
    request = plan.request(instance)
    assert isinstance(request, Generate)
    assert request.prompt == (
        Message(
            "system",
            "Your response should be in the following format:\n"
            "Explanation: {your explanation for your answer choice}\nAnswer: {your chosen answer}\n"
            "Confidence: {your confidence score between 0% and 100% for your answer}",
        ),
        Message("user", str(instance.input)),
    )


def test_an_image_is_a_part_of_the_question(tmp_path: Path) -> None:
    options = folder_of(tmp_path, PICTURE, PICTURE | {"id": "d", "image": ""})
    plan = make_plan("hle", Imagined("imagined", CHATS), {}, options)
    (_, first), (_, second) = plan.instances()
    assert first.input == (Message("user", (Text("What is shown?"), Image(PIXEL, "image/png"))),)
    request = plan.request(first)
    assert isinstance(request, Generate)
    assert request.prompt[1:] == first.input
    assert second.input == "What is shown?"
    only_text = make_plan("hle", Imagined("imagined", CHATS), {"questions": "text"}, options)
    assert [instance.id for _, instance in only_text.instances()] == ["d"]


@pytest.mark.parametrize(
    "url", ["https://example.org/a.png", "data:image/png;base64,***", "data:text/html;base64,AA=="]
)
def test_what_is_no_image_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an image must be a data: URL"):
        read_image(url)
    with pytest.raises(DataError, match="row 1"):
        make_plan("hle", Imagined("imagined", CHATS), {}, folder_of(tmp_path, PICTURE | {"image": url}))


def test_a_broken_image_is_told() -> None:
    with pytest.raises(ValueError, match="not whole"):
        read_image("data:image/png;base64,AAAAA")


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("Explanation: so.\nAnswer: 18\nConfidence: 85%", "18", 0.85),
        ("**Answer:** Rxf3, Rf1#\n**Confidence:** 7.5%", "Rxf3, Rf1#", 0.075),
        ("Exact Answer: two\nlines\nConfidence: 100", "two\nlines", 1.0),
        ("Confidence: 20%\nAnswer: D", "D", 0.2),
        ("Answer: D", "D", 1.0),
        ("Answer: D\nConfidence: 250%", "D", 1.0),
        ("Answer: A\nConfidence: 10%\nNo. Answer: B.\nAnswer: C\nConfidence: 30%", "C", 0.3),
        ("It is D.", None, 1.0),
        ("Answer:\nConfidence: 5%", None, 0.05),
    ],
)
def test_answer_and_confidence_are_read(text: str, answer: str | None, confidence: float) -> None:
    assert read_answer(text) == (answer, confidence)


@pytest.mark.parametrize(
    ("target", "kind", "answer", "right"),
    [
        ("D", "multipleChoice", "D", True),
        ("D", "multipleChoice", "**D**. False", True),
        ("D", "multipleChoice", "(D)", True),
        ("D", "multipleChoice", "C", False),
        ("D", "multipleChoice", "Dogs", False),
        ("D", "exactMatch", "d", True),
        ("56", "exactMatch", "$56$", True),
        ("56", "exactMatch", "56.0", True),
        ("56", "exactMatch", "156", False),
        ("1,234", "exactMatch", "1234", True),
        ("False", "exactMatch", "false.", True),
        (r"\mathbb{Z}", "exactMatch", r"\mathbb{Z}", True),
        (r"\mathbb{Z}", "exactMatch", r"\mathbb{Q}", False),
    ],
)
def test_answers_are_compared_as_texts(target: str, kind: str, answer: str, right: bool) -> None:
    instance = Instance("", "", targets=(target,), metadata={"answer_type": kind})
    score = judge(Confident(), instance, Prediction(text=f"Answer: {answer}\nConfidence: 50%", stop_reason="stop"))
    assert score.values == {"acc": float(right), "confidence": 0.5}


def test_no_answer_has_no_confidence() -> None:
    instance = Instance("", "", targets=("1",), metadata={"answer_type": "exactMatch"})
    for text, outcome in (("", "empty"), ("Who knows?", "unanswered"), ("I'm sorry, I can't help with it.", "refused")):
        score = judge(Confident(), instance, Prediction(text=text, stop_reason="stop"))
        assert (score.outcome, score.values) == (outcome, {"acc": 0.0, "confidence": 0.0})
