"""`--score bpb`: benchmarks of every kind as bits per byte of their gold answers, on models of known probabilities."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.benchmarks.own_file import own_file
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Generate, Likelihood, Loglikelihood, Prediction
from howgood.models.base import Capabilities, Model
from howgood.runs.evaluate import SavedRun


def run(name: str, model: str | Model, shared: Path, shots: int | None = 0, **parameters: Any) -> SavedRun:
    return hg.run(name, model=model, limit=40, shots=shots, score="bpb", data=str(shared / "data"), **parameters)


@pytest.mark.parametrize("name", ["gsm8k", "mmlu", "hellaswag", "lambada"])
def test_a_uniform_model_over_bytes_needs_eight_bits_for_each(name: str, shared: Path) -> None:
    found = run(name, "reference/uniform", shared, shots=None if name == "lambada" else 0)
    assert found.outcomes == {"scored": 40}
    for estimate in found.estimates:
        assert estimate.value == pytest.approx(8, rel=1e-12)
        assert (estimate.low, estimate.high) == (pytest.approx(8), pytest.approx(8))
    assert [estimate.name for estimate in found.estimates] == ["bpb", "bits_per_byte"]


def test_the_answers_scored_are_the_gold_ones(shared: Path) -> None:
    trials = run("gsm8k", "reference/uniform", shared).trials
    assert all(f" {target[0]}" == text for target, text in zip(trials["targets"], trials["text"], strict=True))
    assert all(prompt.startswith("Question: ") and prompt.endswith("\nAnswer:") for prompt in trials["prompt"])
    trials = run("mmlu", "reference/uniform", shared).trials
    for choices, gold, text, size in trials.select("choices", "gold", "text", "bytes").iter_rows():
        assert text == f" {choices[gold[0]]}"
        assert size == len(text.encode())


class LongAnswersAreEasy(Model):
    """Gives each answer ln 2 nats, whatever its length: one bit."""

    name, concurrency = "one-bit", 4
    capabilities = Capabilities(loglikelihood=True, completion=True)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        return Prediction(likelihoods=tuple(Likelihood(-math.log(2), 1) for _ in request.continuations))

    async def generate(self, request: Generate) -> Prediction:
        raise AssertionError("nothing is written")


def test_every_answer_counts_once_in_the_headline_and_by_its_bytes_in_the_ratio(shared: Path) -> None:
    found = run("hellaswag", LongAnswersAreEasy(), shared)
    sizes = found.trials["bytes"].to_list()
    mean, ratio = found.estimates
    assert mean.value == pytest.approx(sum(1 / size for size in sizes) / 40, rel=1e-12)
    assert ratio.value == pytest.approx(40 / sum(sizes), rel=1e-12)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("q,a,wrong\nCapital of France?,Paris,Rome\nCapital of Peru?,Lima,Oslo\n")
    for choices in ({}, {"choices": "a,wrong"}):
        found = hg.run(str(path), "reference/uniform", score="bpb", ask="{q}", answer="a", **choices)
        assert found.trials["text"].to_list() == [" Paris", " Lima"]
        assert found.estimate.value == pytest.approx(8)
        again = hg.resume(found.id)
        assert again.estimate == found.estimate


def test_what_cannot_be_scored_is_told_before_a_model_is_called(shared: Path) -> None:
    data = str(shared / "data")
    for name, model, told in (
        ("wikitext-2", "reference/uniform", "whole texts have no gold answer"),
        ("gsm8k", "reference/constant,text=A", "gives no log-likelihoods, which bits per byte"),
    ):
        with pytest.raises(Unsupported, match=told):
            hg.run(name, model, score="bpb", data=data)
    with pytest.raises(HowgoodError, match=r"there is no score .ppl..*bits per byte of the gold answers"):
        hg.run("gsm8k", "reference/uniform", score="ppl", data=data)  # type: ignore[arg-type]


def test_a_benchmark_made_in_python_and_the_baselines_of_another_number(tmp_path: Path, shared: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("q,a\nCapital of France?,Paris\n")
    made = own_file(str(path), ask="{q}", answer="a")
    assert hg.run(made, "reference/uniform", score="bpb").estimate.value == pytest.approx(8)
    card = run("piqa", "reference/uniform", shared).card
    assert "random" not in card or card["random"] is None
    assert hg.run("piqa", "reference/uniform", limit=5, data=str(shared / "data")).card["random"] == 0.5


def test_strata_are_kept(shared: Path) -> None:
    found = run("mmlu", "reference/uniform", shared, subjects="virology,anatomy")
    assert {group.group for group in found.groups} == {"virology", "anatomy"}


@pytest.mark.parametrize(
    ("name", "prompt", "text"),
    [
        # winogrande's and core's first questions; what is scored follows the gap that the right choice fills.
        ("winogrande", "Sarah was a much better surgeon than Maria so Maria", " always got the easier cases."),
        (
            "core-winograd",
            "The city councilmen refused the demonstrators a permit because the city councilmen",
            " feared violence.",
        ),
    ],
)
def test_what_follows_a_gap_is_the_answer(name: str, prompt: str, text: str, shared: Path) -> None:
    found = hg.run(name, "reference/uniform", score="bpb", shots=0, data=str(shared / "data"))
    first = found.trials.sort("index").row(0, named=True)
    assert (first["prompt"], first["text"]) == (prompt, text)
    assert found.estimate.value == pytest.approx(8)
