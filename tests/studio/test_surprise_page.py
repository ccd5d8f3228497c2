"""Texts coloured by surprise, and two models on one text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from studio_visitor import Visitor, make_run

import howgood as hg
from howgood.calls.likelihood import WholeText
from howgood.core.types import Instance
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Perplexity
from howgood.models.huggingface.encode import lengths
from howgood.outputs.likelihood import Surprise
from howgood.report.surprise import Both, Word, compared, spelled, surprising

BIT = -math.log(2)


def address(run: Any, query: str = "") -> str:
    index, epoch = run.read(["index", "epoch"]).row(0)
    return f"/runs/{run.path.name}/surprise/{index}.{epoch}{query}"


def text_run(runs: Path, model: str, *texts: str) -> Any:
    items = [Instance(str(number), text) for number, text in enumerate(texts)]
    benchmark = hg.Benchmark(Inputs.of(items), WholeText(), Surprise(), Perplexity())
    return hg.run(benchmark, model=model, folder=runs)


async def test_every_token_has_its_bits(runs: Path, visitor: Visitor) -> None:
    run = text_run(runs, "reference/uniform", "né <b>")
    page = await visitor.get(address(run))
    # Eight bits a byte; a character of two bytes has both.
    assert '<span class="s4" title="8.00 bits">n</span><span class="s6" title="16.00 bits">é</span>' in page
    assert '<span class="s4" title="8.00 bits">&lt;</span>' in page
    assert ">56<" in page.replace("\n", "")  # bits in all: 7 bytes
    assert "8.0000" in page  # bits a byte
    assert run.trials["likelihoods"][0][0]["token_lengths"] == [1, 0, 1, 1, 1, 1, 1]


async def test_two_models_are_compared_on_the_same_text(runs: Path, visitor: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "seen.txt"
    file.write_text("abab" * 100)
    first = text_run(runs, "reference/uniform", "abab")
    second = text_run(runs, f"reference/fitted,file={file},order=2", "abab")
    page = await visitor.get(address(first, f"?with={second.path.name}"))
    assert "Two models on one text" in page
    theirs = [x / BIT for x in second.trials["likelihoods"][0][0]["token_logprobs"]]
    told = f'title="A 8.00 bits, B {theirs[1]:.2f}, difference {theirs[1] - 8:+.2f}"'
    assert f'<span class="d-3" {told}>b</span>' in page
    other = text_run(runs, "reference/uniform", "another text")
    assert "The other run has not scored this text." in await visitor.get(address(first, f"?with={other.path.name}"))


async def test_a_long_text_is_shown_in_parts(runs: Path, visitor: Visitor) -> None:
    run = text_run(runs, "reference/uniform", "ab " * 1_500)
    page = await visitor.get(address(run))
    assert page.count('class="s4"') == 2_000
    assert "pieces 1 to 2,000 of 4,500" in page
    last = await visitor.get(address(run, "?start=4000"))
    assert last.count('class="s4"') == 500
    assert f'<a rel="prev" href="{address(run)}?start=2000">' in last


async def test_what_cannot_be_coloured_is_said(runs: Path, visitor: Visitor) -> None:
    choices = make_run(runs, limit=1)
    assert "No text was scored whole" in await visitor.get(address(choices), 404)
    run = text_run(runs, "reference/uniform", "abc")
    await visitor.get(address(run, "?start=x"), 400)
    await visitor.get(address(run, "?with=nothing"), 404)
    frame = run.trials
    old = [{**one, "token_lengths": None} for one in frame["likelihoods"][0].to_list()]
    rows = [{**row, "likelihoods": old} for row in frame.iter_rows(named=True)]
    type(frame)(rows, schema=frame.schema).write_parquet(run.path / "trials.parquet")
    page = await visitor.get(address(run))
    assert "The run does not hold where its tokens end in the text" in page
    assert page.count('<span class="s4">8.0</span>') == 3


async def test_a_run_leads_to_its_texts(runs: Path, visitor: Visitor) -> None:
    run = text_run(runs, "reference/uniform", "abc")
    assert f'href="/runs/{run.path.name}/surprise"' in await visitor.get(f"/runs/{run.path.name}")
    assert "Where the text surprised" in await visitor.get(f"/runs/{run.path.name}/surprise")
    other = make_run(runs, limit=1)
    assert f'href="/runs/{other.path.name}/surprise"' not in await visitor.get(f"/runs/{other.path.name}")


async def test_a_trial_leads_to_its_text(runs: Path, visitor: Visitor) -> None:
    run = text_run(runs, "reference/uniform", "abc")
    page = await visitor.get(address(run).replace("surprise", "trials"))
    assert f'href="{address(run)}"' in page


def test_two_readings_meet_where_a_token_ends_in_both() -> None:
    first, second = ([3, 4], [BIT, 2 * BIT]), ([1, 2, 0, 4], [BIT, 3 * BIT, BIT, 0.0])
    assert compared("the cat", first, second) == (
        Both("the", 1.0, 4.0, 2),
        Both(" cat", 2.0, pytest.approx(1.0), -1),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("sizes", "logprobs"),
    [([], []), ([3], [BIT, BIT]), ([9], [BIT]), ([-1, 4], [BIT, BIT]), ([3], [math.nan]), ([3], [-math.inf])],
)
def test_tokens_that_are_not_the_text_are_none(sizes: list[int], logprobs: list[float]) -> None:
    assert spelled("abc", sizes, logprobs) is None


def test_the_most_surprising_words_have_all_their_tokens() -> None:
    tokens = spelled("the cat sat", [3, 2, 2, 4], [BIT, 2 * BIT, BIT, 2 * BIT])
    assert tokens is not None
    assert surprising(tokens, 2) == [Word("cat", 3.0, 4), Word("sat", 2.0, 8)]


@pytest.mark.parametrize(
    ("starts", "size", "found"),
    [
        ([], 0, ()),
        ([0, 5, 11], 12, (5, 6, 1)),
        ([0, 0, 0, 1], 2, (0, 0, 1, 1)),  # a character in three tokens
        ([0, 2, 1], 3, (2, -1, 2)),
        ([1, 3], 5, (3, 2)),  # a tokenizer that drops the first space
    ],
)
def test_tokens_lengths_make_up_the_text(starts: list[int], size: int, found: tuple[int, ...]) -> None:
    expected = found if all(length >= 0 for length in found) else ()
    assert lengths(starts, size) == expected
    assert sum(lengths(starts, size)) in (size, 0)
