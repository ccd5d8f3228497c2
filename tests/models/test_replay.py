"""Recorded answers: found by id or prompt, never invented, and checked when the file is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from howgood.calls.base import Settings
from howgood.calls.generation import Generation
from howgood.calls.methods.registry import apply
from howgood.core.errors import DataError, RequestError, UnknownName, Unsupported
from howgood.core.types import Generate, Likelihood, Loglikelihood, Message, Rolling, Usage
from howgood.models.base import TRIAL
from howgood.models.replay import ReplayModel
from howgood.outputs.match import Match

ASK = Generate((Message("user", "2 + 2?"),))


def jsonl(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def replay(path: str, **options: Any) -> ReplayModel:
    return ReplayModel(f"replay/{path}", path, **options)


@contextmanager
def trial(id: str, epoch: int = 0) -> Iterator[None]:
    token = TRIAL.set((id, epoch))
    try:
        yield
    finally:
        TRIAL.reset(token)


async def test_by_id(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "output": "4", "cost": 0.01, "latency": 1.5, "input_tokens": 7, "output_tokens": 2},
        {"id": 2, "output": "", "stop_reason": "max_tokens", "reasoning": "hm"},
    ]
    model = replay(jsonl(tmp_path, *rows))
    with trial("a"):
        got = await model.generate(ASK)
    assert (got.text, got.cost, got.latency, got.usage) == ("4", 0.01, 1.5, Usage(7, 2))
    with trial("2"):
        got = await model.generate(ASK)
    # an answer that was recorded as empty is one; a cost that was not recorded is unknown
    assert (got.text, got.stop_reason, got.reasoning, got.cost) == ("", "length", "hm", None)


@pytest.mark.parametrize("column", ["output", "text", "response", "prediction"])
async def test_answer_columns(tmp_path: Path, column: str) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", column: "4"}))
    with trial("a"):
        assert (await model.generate(ASK)).text == "4"
    assert model.describe()["text"] == column


async def test_named_columns(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"question_id": 7, "output": "no", "answer": "yes"})
    model = replay(path, id="question_id", text="answer")
    with trial("7"):
        assert (await model.generate(ASK)).text == "yes"


async def test_epochs_are_rows_in_order(tmp_path: Path) -> None:
    rows = [{"id": i, "output": f"{i}{n}"} for n in range(2) for i in ("a", "b")]
    model = replay(jsonl(tmp_path, *rows))
    for epoch in (1, 0):
        with trial("b", epoch):
            assert (await model.generate(ASK)).text == f"b{epoch}"
    with trial("b", 2), pytest.raises(RequestError, match="has 2 rows"):
        await model.generate(ASK)


async def test_what_was_not_recorded_fails(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "output": None}))
    with trial("b"), pytest.raises(RequestError, match="no row whose id is 'b'; one is 'a'") as caught:
        await model.generate(ASK)
    assert not caught.value.fatal
    with trial("a"), pytest.raises(RequestError, match="null"):
        await model.generate(ASK)


async def test_ids_need_a_run(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="only in a run") as caught:
        await replay(jsonl(tmp_path, {"id": "a", "output": "4"})).generate(ASK)
    assert caught.value.fatal


async def test_by_prompt(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"prompt": "2 + 2?", "output": "4"}, {"prompt": "2 + 2?", "output": "5"}))
    assert (await model.generate(ASK)).text == "4"
    assert (await model.generate(Generate("2 + 2?"))).text == "4"
    with trial("whatever", 1):
        assert (await model.generate(ASK)).text == "5"
    with pytest.raises(RequestError, match="no row whose prompt"):
        await model.generate(Generate("2 + 2? "))


async def test_likelihoods(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "logprobs": [-1.5, 0, -2]}))
    assert model.capabilities.loglikelihood
    assert not model.capabilities.generate
    with trial("a"):
        got = await model.loglikelihood(Loglikelihood("q", (" A", " B", " C")))
        with pytest.raises(RequestError, match="3 logprobs for an instance with 2 choices"):
            await model.loglikelihood(Loglikelihood("q", (" A", " B")))
    assert got.likelihoods == (Likelihood(-1.5, 0), Likelihood(0.0, 0), Likelihood(-2.0, 0))


async def test_without_likelihoods(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "output": "4"}))
    assert not model.capabilities.loglikelihood
    assert not model.capabilities.loglikelihood_rolling
    with trial("a"), pytest.raises(Unsupported):
        await model.loglikelihood_rolling(Rolling("text"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
async def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"answers{suffix}"
    frame = pl.DataFrame({"id": [1, 2], "response": ["4", "a, b\nc"], "cost": [0.5, None]})
    if suffix == ".csv":
        frame = frame.with_columns(logprobs=pl.Series(["[-1.0, -2.0]", "[-0.5, -3]"]))
        frame.write_csv(path)
    elif suffix == ".parquet":
        frame.with_columns(logprobs=pl.Series([[-1.0, -2.0], [-0.5, -3.0]])).write_parquet(path)
    else:
        path.write_text(json.dumps([row | {"logprobs": [-0.5, -3.0]} for row in frame.to_dicts()]))
    model = replay(str(path))
    with trial("2"):
        got = await model.generate(ASK)
        scored = await model.loglikelihood(Loglikelihood("q", ("A", "B")))
    assert (got.text, got.cost) == ("a, b\nc", None)
    assert [x.logprob for x in scored.likelihoods] == [-0.5, -3.0]


@pytest.mark.parametrize(
    ("row", "options", "error", "words"),
    [
        ({"identity": 1, "output": "4"}, {}, UnknownName, "no column 'id'"),
        ({"id": 1, "anwser": "4"}, {}, DataError, "anwser"),
        ({"id": 1, "anwser": "4"}, {"text": "answer"}, UnknownName, "Did you mean anwser"),
        ({"id": 1, "output": "4"}, {"id": "idd"}, UnknownName, "id, output"),
        ({"id": None, "output": "4"}, {}, DataError, "row 1: column id is null"),
        ({"id": 1, "output": ["4"]}, {}, DataError, "row 1: column output holds list"),
        ({"id": 1, "output": "4", "cost": -1}, {}, DataError, "row 1: cost"),
        ({"id": 1, "output": "4", "cost": True}, {}, DataError, "row 1: cost must be a number"),
        ({"id": 1, "output": "4", "cost": [1]}, {}, DataError, "row 1: cost must be a number"),
        ({"id": 1, "output": "4", "cost": 10**400}, {}, DataError, "row 1: cost must be a number"),
        ({"id": 1, "output": "4", "latency": "nan"}, {}, DataError, "row 1: latency must be a number"),
        ({"id": 1, "output": "4", "input_tokens": 10**19}, {}, DataError, "row 1: input_tokens must be a number"),
        ({"id": 1, "output": "4", "output_tokens": 1.5}, {}, DataError, "row 1: output_tokens must be a whole"),
        ({"id": 1, "output": "4", "reasoning": ["hm"]}, {}, DataError, "row 1: column reasoning holds list"),
        ({"id": 1, "logprobs": [False]}, {}, DataError, "row 1: logprobs"),
        ({"id": 1, "logprobs": [-(10**400)]}, {}, DataError, "row 1: logprobs"),
        ({"id": 1, "logprobs": "[" * 10**5}, {}, DataError, "row 1: "),
        ({"id": 1, "output": "4", "cost": "free"}, {}, DataError, "row 1: .*free"),
        ({"id": 1, "output": "4", "stop_reason": "bored"}, {}, DataError, "row 1: stop_reason 'bored'"),
        ({"id": 1, "logprobs": [0.5]}, {}, DataError, "row 1: logprobs"),
        ({"id": 1, "logprobs": ["-1"]}, {}, DataError, "row 1: logprobs"),
        ({"id": 1, "logprobs": "[-1, "}, {}, DataError, "row 1: "),
    ],
)
def test_bad_files_are_said_when_opened(
    tmp_path: Path, row: dict[str, Any], options: dict[str, str], error: type[Exception], words: str
) -> None:
    path = jsonl(tmp_path, row)
    with pytest.raises(error, match=words) as caught:
        replay(path, **options)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_is_part_of_what_the_model_is(tmp_path: Path) -> None:
    first = replay(jsonl(tmp_path, {"id": "a", "output": "4"})).describe()
    second = replay(jsonl(tmp_path, {"id": "a", "output": "5"})).describe()
    assert first["sha256"] != second["sha256"]
    assert first["answers"] == "recorded; how they were made is not known"
    assert (first["file"], first["instances"], first["epochs"]) == ("answers.jsonl", 1, 1)


@pytest.mark.parametrize(
    ("told", "reason"), [("content_filter", "filter"), ("refusal", "refusal"), ("length", "length")]
)
async def test_no_text_for_a_reason_is_an_answer(tmp_path: Path, told: str, reason: str) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "output": None, "stop_reason": told}))
    with trial("a"):
        got = await model.generate(ASK)
    assert (got.text, got.stop_reason, got.error) == ("", reason, None)


async def test_no_text_for_no_reason_is_a_failure(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "output": None, "stop_reason": "stop"}))
    with trial("a"), pytest.raises(RequestError, match="null"):
        await model.generate(ASK)


def test_rows_that_would_never_be_looked_at(tmp_path: Path) -> None:
    rows = [{"id": i, "output": str(n)} for n, i in enumerate("abcbb")]
    with pytest.raises(DataError, match=r"same id as others, such as 'b' \(3 rows\), where others have 1"):
        replay(jsonl(tmp_path, *rows))
    twice = [{"prompt": p, "output": p} for p in "aabbc"]
    with pytest.raises(DataError, match=r"same prompt as others, such as 'a' \(2 rows\), 'b' \(2 rows\)"):
        replay(jsonl(tmp_path, *twice))
    assert replay(jsonl(tmp_path, *twice[:4])).describe()["epochs"] == 2


def test_the_largest_numbers_that_are_believed(tmp_path: Path) -> None:
    model = replay(jsonl(tmp_path, {"id": "a", "output": "4", "input_tokens": 2**53, "output_tokens": 3.0}))
    assert model._answers["a"][0].usage == Usage(2**53, 3)


@pytest.mark.parametrize("method", ["vote,n=4", "best,by=reference/constant", "turns"])
def test_recorded_answers_are_not_asked_for_again(tmp_path: Path, method: str) -> None:
    """Four copies of one recorded answer are no vote."""
    model = replay(jsonl(tmp_path, {"id": "a", "text": "4"}))
    call, _ = apply((method,), Generation(), Match())
    with pytest.raises(Unsupported, match="one answer to each question"):
        call.bind(model.capabilities, Settings())
