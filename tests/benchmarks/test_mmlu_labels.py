"""MMLU with labels that were looked over again. The real files were not at hand: these rows have their columns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from plans import COMPLETES

from howgood.benchmarks.knowledge.mmlu_labels import relabelled
from howgood.core.registry import find
from howgood.core.types import Instance
from howgood.inputs.hub import Hub
from howgood.runs.check import Imagined, check
from howgood.runs.plan import Options, make_plan

CHOICES = ["Mars", "Venus", "Earth", "Io"]


def redux(error: str, correct: str | None = None, answer: int = 0, **more: Any) -> dict[str, Any]:
    row = {"question": f"Which one ({error})?", "choices": CHOICES, "answer": answer, "error_type": error}
    return row | {"source": None, "correct_answer": correct, "potential_reason": None} | more


@pytest.mark.parametrize(
    ("row", "gold"),
    [
        (redux("ok", answer=3), (3,)),
        (redux("wrong_groundtruth", "2"), (2,)),
        (redux("wrong_groundtruth", "B"), (1,)),
        (redux("wrong_groundtruth", "(c)."), (2,)),
        (redux("wrong_groundtruth", "Io"), (3,)),
        (redux("wrong_groundtruth", "Pluto"), ()),
        (redux("wrong_groundtruth", "A and C"), ()),
        (redux("wrong_groundtruth", None), ()),
        (redux("multiple_correct_answers", "0"), ()),
        (redux("no_correct_answer", "Pluto"), ()),
        (redux("bad_question_clarity"), ()),
        ({"platinum_target": ["b"], "answer": 0}, (1,)),
        ({"platinum_target": ["d", "B"], "answer": 0}, (1, 3)),
        ({"platinum_target": None, "answer": 0}, ()),
        ({"answer": "2"}, (2,)),
    ],
)
def test_new_labels(row: dict[str, Any], gold: tuple[int, ...]) -> None:
    assert relabelled(row) == gold


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def write(name: str, rows: list[dict[str, Any]]) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)

    subjects = ("anatomy", "virology", "high_school_mathematics")
    shown = [
        {"question": f"{s} {n}", "subject": s, "choices": CHOICES, "answer": 1} for s in subjects for n in range(5)
    ]
    write("mmlu/dev.jsonl", shown)
    write("mmlu/test.jsonl.gz", shown)
    for subject in subjects:
        rows = [redux("ok"), redux("no_correct_answer"), redux("wrong_groundtruth", "3")]
        write(f"mmlu_redux/{subject}.jsonl", rows)
    common = {"question": "1 + 1?", "choices": ["1", "2", "3", "4"], "answer": 0, "cleaning_status": "revised"}
    rejected = common | {"cleaning_status": "rejected", "platinum_target": None}
    write("mmlu_platinum/mmlu_math.jsonl", [rejected, common | {"platinum_target": ["b"]}])
    return tmp_path


def instances(folder: Path, **parameters: Any) -> list[Instance]:
    plan = make_plan("mmlu", Imagined("imagined", COMPLETES), parameters, Options(data=str(folder)))
    return [instance for _, instance in plan.instances()]


def test_redux_keeps_sound_questions_under_ids_of_their_own_file(folder: Path) -> None:
    both = instances(folder, labels="redux", subjects="anatomy,virology")
    assert [(i.id, i.gold, i.stratum) for i in both] == [
        ("anatomy/0", (0,), "anatomy"),
        ("anatomy/2", (3,), "anatomy"),
        ("virology/0", (0,), "virology"),
        ("virology/2", (3,), "virology"),
    ]
    assert instances(folder, labels="redux", subjects="virology") == both[2:]


def test_platinum_is_high_school_mathematics(folder: Path) -> None:
    (kept,) = instances(folder, labels="platinum")
    assert (kept.id, kept.gold, kept.stratum) == ("high_school_mathematics/1", (1,), "high_school_mathematics")


@pytest.mark.parametrize(("labels", "size"), [("redux", 2), ("platinum", 1)])
def test_worked_examples_are_mmlu_s_own(labels: str, size: int, folder: Path) -> None:
    parameters = {"labels": labels, "subjects": "high_school_mathematics"}
    found = check("mmlu", parameters, Options(data=str(folder)))
    assert [(one.instances, one.faults) for one in found] == [(size, [])] * 2
    plan = make_plan("mmlu", Imagined("imagined", COMPLETES), parameters, Options(data=str(folder)))
    assert plan.rules.call["shots_from"] == "dev"
    instance = next(plan.instances())[1]
    assert [shot.input for shot in plan.shots(instance)] == [f"high_school_mathematics {n}" for n in range(5)]
    assert (
        plan.rules.data["files"]
        == {
            "redux": ["mmlu_redux/high_school_mathematics.jsonl"],
            "platinum": ["mmlu_platinum/mmlu_math.jsonl"],
        }[labels]
    )


def test_the_hub_is_asked_for_the_published_files() -> None:
    def hub(labels: str) -> Hub:
        sources = find("mmlu")[0].build(labels=labels, subjects="virology").inputs.sources
        (found,) = [source.tests for source in sources if isinstance(source.tests, Hub)]
        return found

    assert (hub("redux").repo, hub("redux").splits) == (
        "edinburgh-dawg/mmlu-redux-2.0",
        {"virology": "virology/test/*.parquet"},
    )
    assert hub("platinum").splits == {"high_school_mathematics": "mmlu_math/test-*.parquet"}
