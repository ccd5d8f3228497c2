"""`--score bpb`: benchmarks of every kind as bits per byte of their gold answers, on models of known probabilities."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import howgood as hg
from howgood.benchmarks.own_file import own_file
from howgood.calls.gold import GoldAnswer
from howgood.core.registry import find
from howgood.core.types import Generate, Likelihood, Loglikelihood, Prediction
from howgood.interpret.bits import BitsPerByte
from howgood.models.base import Capabilities, Model
from howgood.outputs.likelihood import GoldBits
from howgood.runs.benchmark import Benchmark
from howgood.runs.evaluate import SavedRun


def bits_per_byte(benchmark: Benchmark) -> Benchmark:
    return replace(
        benchmark,
        call=GoldAnswer(benchmark.call),
        outputs=GoldBits(),
        interpret=BitsPerByte.instead_of(benchmark.interpret),
    )


def run(name: str, model: str | Model, shared: Path, shots: int | None = 0, **parameters: Any) -> SavedRun:
    benchmark = bits_per_byte(find(name)[0].build(**parameters))
    return hg.run(benchmark, model=model, limit=40, shots=shots, data=str(shared / "data"))


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
    written = bits_per_byte(own_file(str(path), ask="{q}", answer="a"))
    chosen = bits_per_byte(own_file(str(path), ask="{q}", answer="a", choices="a,wrong"))
    for benchmark in (written, chosen):
        found = hg.run(benchmark, model="reference/uniform")
        assert found.trials["text"].to_list() == [" Paris", " Lima"]
        assert found.estimates[0].value == pytest.approx(8)
    assert [str(i.input) for i in written.inputs.instances()][:1] == ["Capital of France?"]


def test_strata_are_kept(shared: Path) -> None:
    found = run("mmlu", "reference/uniform", shared, subjects="virology,anatomy")
    assert {group.group for group in found.groups} == {"virology", "anatomy"}
