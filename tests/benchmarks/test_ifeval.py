from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plans import CHATS, COMPLETES, Planned

import howgood as hg
from howgood.benchmarks.instructions.ifeval import ifeval, to_instance
from howgood.core.errors import DataError, Unsupported
from howgood.core.registry import find
from howgood.core.types import Generate, Instance, Message, Prediction, Trial
from howgood.interpret.parts import PartShare
from howgood.interpret.table import Table
from howgood.outputs.base import judge
from howgood.runs.check import check
from howgood.runs.plan import Options

NO_COMMA, WORDS = "punctuation:no_comma", "length_constraints:number_words"
ROWS: list[dict[str, Any]] = [
    {"key": 7, "prompt": "One", "instruction_id_list": [NO_COMMA], "kwargs": [{}]},
    {
        "key": 8,
        "prompt": "Two",
        "instruction_id_list": [NO_COMMA, WORDS],
        "kwargs": [{}, {"num_words": 3, "relation": "at least"}],
    },
    {
        "key": 9,
        "prompt": "Three",
        # Twice the same kind, as 17 of the published prompts have it.
        "instruction_id_list": [WORDS, WORDS, NO_COMMA],
        "kwargs": [{"num_words": 2, "relation": "at least"}, {"num_words": 4, "relation": "less than"}, {}],
    },
]
ANSWERS = {"7": "Yes, yes", "8": "Sure:\nno, no", "9": "one two three"}


def folder_of(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    (tmp_path / "ifeval").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "ifeval" / "input_data.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_prompt_is_put_as_it_is(planned: Planned) -> None:
    for can, chat in ((CHATS, True), (COMPLETES, False)):
        plan = planned("ifeval", can)
        assert plan.total == 541
        for _, instance in plan.instances():
            request = plan.request(instance)
            assert isinstance(request, Generate)
            text = str(instance.input)
            assert request.prompt == ((Message("user", text),) if chat else text)
            assert (request.max_tokens, request.temperature, request.stop) == (1280, 0.0, ())


def test_check_reads_every_instruction_and_has_no_gold_answers(shared: Path) -> None:
    found = check("ifeval", {}, Options(data=str(shared / "data")))
    assert [(one.instances, one.faults, one.gold, one.written) for one in found] == [(541, [], False, None)] * 2


def test_there_is_no_right_answer_to_be_shown(planned: Planned) -> None:
    instance = next(planned("ifeval").instances())[1]
    with pytest.raises(Unsupported, match="no gold answer"):
        ifeval().call.imagine(instance, True)


def test_a_run_of_ones_own_prompts(tmp_path: Path) -> None:
    """From a file of one's own to estimates and parts, through the folder on disk."""
    folder = folder_of(tmp_path, ROWS)
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps({"id": key, "output": text}) + "\n" for key, text in ANSWERS.items()))
    run = hg.run("ifeval", model=f"replay/{answers}", data=folder, folder=tmp_path / "runs")
    values = {estimate.name: (estimate.value, estimate.n) for estimate in run.estimates}
    assert values == {
        "prompt_strict": (pytest.approx(1 / 3), 3),
        "prompt_loose": (pytest.approx(2 / 3), 3),  # without its last line the second answer has no comma
        "instruction_strict": (pytest.approx(4 / 6), 6),
        "instruction_loose": (pytest.approx(5 / 6), 6),
    }
    assert {group.group: (group.value, group.n, group.clusters) for group in run.groups} == {
        NO_COMMA: (pytest.approx(1 / 3), 3, 3),
        WORDS: (1.0, 3, 2),
    }
    row = run.trials.filter(pl.col("id") == "8").row(0, named=True)
    assert json.loads(row["parts"]) == [[NO_COMMA, 0.0], [WORDS, 1.0]]
    assert row["explanation"].splitlines()[0] == (
        f"NOT followed: {NO_COMMA}: no comma; there are 1 (followed in the loose sense)"
    )
    assert run.rules.outputs["compat"] == "none"


def test_two_runs_are_compared_prompt_by_prompt(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ROWS)
    runs = []
    for name, seven in (("a", "Yes, yes"), ("b", "Yes")):
        path = tmp_path / f"{name}.jsonl"
        rows = [{"id": key, "output": text} for key, text in (ANSWERS | {"7": seven}).items()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        runs.append(hg.run("ifeval", model=f"replay/{path}", data=folder, folder=tmp_path / "runs"))
    found = hg.compare(*runs)
    assert (found.difference.name, found.difference.value) == ("prompt_strict", pytest.approx(1 / 3))
    assert hg.compare(*runs, score="followed_strict").difference.value == pytest.approx(1 / 3)


def trial(id: str, epoch: int, right: list[int]) -> Trial:
    score = judge(
        ifeval().outputs,
        Instance(id, "", metadata={"instruction_id_list": [NO_COMMA] * len(right), "kwargs": [{}] * len(right)}),
        Prediction(text="a", stop_reason="stop"),
    )
    values = score.values | {"followed_strict": float(sum(right)), "instructions": float(len(right))}
    parts = tuple((f"kind:{place}", float(value)) for place, value in enumerate(right))
    return Trial(Instance(id, ""), int(id), epoch, "", Prediction(), type(score)(values, "wrong", parts=parts))


def test_a_share_of_parts_is_a_ratio_clustered_by_instance() -> None:
    table = Table.of([trial("1", 0, [1]), trial("2", 0, [1, 0]), trial("3", 0, [0, 0, 1]), trial("4", 0, [1, 1])])
    (whole,), groups = PartShare("s", "followed_strict", "instructions", by_part=True)(table)
    # R = 5/8; the residuals f - R n are 3/8, -2/8, -7/8 and 6/8, and SE² = 4/3 Σ r² / 8².
    assert whole.value == 5 / 8
    assert whole.se == pytest.approx((4 / 3 * (9 + 4 + 49 + 36) / 64) ** 0.5 / 8)
    assert (whole.n, whole.clusters, whole.percent) == (8, 4, True)
    assert [(g.group, g.value, g.n, g.clusters) for g in groups] == [
        ("kind:0", 0.75, 4, 4), ("kind:1", pytest.approx(1 / 3), 3, 3), ("kind:2", 1.0, 1, 1),
    ]  # fmt: skip


def test_epochs_are_averaged_within_an_instance() -> None:
    table = Table.of([trial("1", 0, [1, 0]), trial("1", 1, [1, 1]), trial("2", 0, [0]), trial("2", 1, [0])])
    (whole,), groups = PartShare("s", "followed_strict", "instructions", by_part=True)(table)
    assert (whole.value, whole.n) == (0.5, 3)
    assert [(g.group, g.value) for g in groups] == [("kind:0", 0.5), ("kind:1", 0.5)]


def test_prompts_without_a_key_are_numbered() -> None:
    row = {name: value for name, value in ROWS[0].items() if name != "key"}
    assert to_instance(row, 3).id == "3"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instruction_id_list": ["punctuation:no_dot"]}, "row 1 of .* there is no instruction 'punctuation:no_dot'"),
        ({"instruction_id_list": [WORDS]}, "missing required field `num_words`"),
        ({"kwargs": []}, "there must be one record for each"),
        ({"kwargs": None}, "TypeError"),
    ],
)
def test_a_row_that_cannot_be_verified_stops_before_anything_is_asked(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        check("ifeval", {}, Options(data=str(folder_of(tmp_path, [ROWS[0] | change]))))


def test_the_card_says_what_a_reader_must_know() -> None:
    card = find("ifeval")[0].card
    assert card.title.startswith("IFEval")
    assert (card.random, card.human) == (0.09, None)
    assert card.flaws
    assert card.deviations
