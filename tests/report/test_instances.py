"""What a page shows of single trials, and which ones."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from report_runs import choice_run, choice_trial, grid_run, save_run, written_run, written_trial

from howgood.core.errors import HowgoodError
from howgood.core.types import Image, Likelihood, Message, Text, Trial
from howgood.report.instances import choices, sample, shot, turns
from howgood.runs.columns import as_text, score_names, to_row


def test_shares_are_a_softmax_of_log_likelihoods() -> None:
    made = choices(to_row(choice_trial(0, picked=2)), ["acc"])
    logprobs = [-2.1, -2.1 - 1 / 3, -0.6, -3.1]
    total = sum(map(math.exp, logprobs))
    assert [c.share for c in made] == pytest.approx([math.exp(x) / total for x in logprobs])
    assert [c.label for c in made] == ["A", "B", "C", "D"]
    assert [c.right for c in made] == [False, True, False, False]
    assert [c.picked for c in made] == [False, False, True, False]


def test_shares_are_per_character_where_that_is_the_headline() -> None:
    trial = choice_trial(0, picked=0)
    instance = msgspec.structs.replace(trial.instance, choices=("ab", "abcd"), gold=(1,))
    likelihoods = (Likelihood(-2.0, 1), Likelihood(-3.0, 2))
    row = to_row(
        Trial(instance, 0, 0, "", msgspec.structs.replace(trial.prediction, likelihoods=likelihoods), trial.score)
    )
    assert [c.picked for c in choices(row, ["acc", "acc_norm"])] == [True, False]
    by_character = choices(row, ["acc_norm", "acc"])
    assert [c.picked for c in by_character] == [False, True]
    assert by_character[1].share == pytest.approx(math.exp(-0.75) / (math.exp(-0.75) + math.exp(-1.0)))


def test_a_written_letter_is_the_picked_choice() -> None:
    row = to_row(choice_trial(0, picked=3)) | {"likelihoods": [], "text": "Answer: D", "answer": "D"}
    assert [c.picked for c in choices(row, ["acc"])] == [False, False, False, True]
    assert all(c.share is None for c in choices(row, ["acc"]))


@pytest.mark.parametrize("logprob", [-math.inf, math.nan, -1e308])
def test_impossible_likelihoods_are_no_error(logprob: float) -> None:
    row = to_row(choice_trial(0, picked=0))
    for likelihood in row["likelihoods"]:
        likelihood["logprob"] = logprob
    assert len(choices(row, ["acc"])) == 4


def test_a_conversation_is_told_from_text() -> None:
    chat = as_text((Message("system", "Be brief."), Message("user", (Text("Hi"), Image(b"12345")))))
    assert turns(chat) == (("system", "Be brief."), ("user", "Hi[image/png, 5 bytes]"))
    assert turns("plain") == (("", "plain"),)
    assert turns('[{"role":"admin","content":"x"}]') == (("", '[{"role":"admin","content":"x"}]'),)
    assert turns('[{"role":') == (("", '[{"role":'),)


def test_a_sample_has_every_outcome_in_order(tmp_path: Path) -> None:
    run = written_run(tmp_path)
    parts = sample(run)
    assert [part.outcome for part in parts] == [
        "wrong", "truncated", "refused", "filtered", "empty", "unanswered", "failed", "right",
    ]  # fmt: skip
    assert all(part.total == len(part.shots) == 1 for part in parts)


def test_a_sample_is_bounded_and_smaller_on_a_page_of_many(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=1_000)
    assert [(p.outcome, p.total, len(p.shots)) for p in sample(run)] == [("wrong", 800, 20), ("right", 200, 10)]
    assert [len(p.shots) for p in sample(run, share=0.2)] == [4, 2]


def test_trials_are_read_from_the_journal_while_a_run_is_under_way(tmp_path: Path) -> None:
    run = save_run(tmp_path, [choice_trial(i, i % 4) for i in range(8)], status="running", planned=200)
    assert [(p.outcome, p.total) for p in sample(run)] == [("wrong", 6), ("right", 2)]


def test_grids_of_both_attempts(tmp_path: Path) -> None:
    run = grid_run(tmp_path)
    item = shot(run.trials.row(0, named=True), score_names(run.trials.columns))
    assert item.task is not None
    assert len(item.attempt_grids) == 2
    assert item.attempt_grids[1] == item.target_grid
    assert item.attempt_grids[0] != item.target_grid
    assert not item.read_apart


def test_facts() -> None:
    row = to_row(written_trial(0, "x", "truncated", stop_reason="length"))
    item = shot(row, ["exact_match"])
    assert item.facts == ("58 tokens in, 120 out", "stopped by length", "1.70 s")
    assert item.scores == {"exact_match": 0.0}


def test_trials_of_an_incomplete_run_without_its_table_come_from_the_journals(tmp_path: Path) -> None:
    run = save_run(tmp_path, [written_trial(0, "18", "right")], status="stopped")
    run.status = "incomplete"
    assert [(part.outcome, part.total) for part in sample(run)] == [("right", 1)]
    run.path.joinpath("journal-001.jsonl").unlink()
    with pytest.raises(HowgoodError, match=r"trials\.parquet is missing"):
        sample(run)
