"""`howgood trust` over HTTP, against howgood's own gateway: what a server shows is enough to find its faults."""

from __future__ import annotations

from pathlib import Path

import distrusted
import msgspec
import pytest

from howgood.core.errors import ModelError
from howgood.core.types import Prediction
from howgood.models.base import Echo, Model
from howgood.models.gateway import Gateway
from howgood.models.reference import Constant, FittedNgram, Uniform
from howgood.models.registry import load_model
from howgood.validity.trust import CHECKS, Report, trust_async
from howgood.validity.trust.probabilities import sums_to_one
from howgood.validity.trust.probe import Probe

SCORES = "completion=true,logprobs=true"


async def served(model: Model, options: str) -> Report:
    async with Gateway(model) as gateway:
        return await trust_async(f"{gateway.url}/v1#{model.name},{options}")


def verdicts(report: Report) -> dict[str, str]:
    return {finding.name: finding.verdict for finding in report}


async def test_an_honest_server_that_scores_is_trusted(tmp_path: Path) -> None:
    report = await served(FittedNgram(file=str(distrusted.english(tmp_path)), order=3), SCORES)
    assert set(verdicts(report).values()) == {"ok"}, [(f.name, f.verdict, f.figure) for f in report]
    for finding, check in zip(report, CHECKS, strict=True):
        assert finding.requests <= check.requests
    assert report.described["kind"] == "http"


async def test_a_server_that_only_chats_is_judged_by_what_it_repeats() -> None:
    report = await served(Constant(), "logprobs=false")
    told = {name for name, verdict in verdicts(report).items() if verdict != "cannot be told"}
    assert told == {"repeatable"}
    assert report.verdict == "ok"


@pytest.mark.parametrize("kind", [FittedNgram, distrusted.Exaggerating])
async def test_the_likeliest_tokens_of_a_chat_are_held_to_their_bounds(kind: type[FittedNgram], tmp_path: Path) -> None:
    async with Gateway(kind("served", file=str(distrusted.english(tmp_path)), order=3)) as gateway:
        model = load_model(f"{gateway.url}/v1#served,completion=false,logprobs=true")
        found = await sums_to_one(Probe(model))
        await model.close()
    likeliest, _, scored = found.figure.partition("; ")
    assert likeliest.startswith("the 5 likeliest tokens at 48 places are above their bound by at most ")
    assert scored.startswith("24 tokens scored after 2 prompts sum above one by at most 0 ")
    assert found.verdict == ("ok" if kind is FittedNgram else "wrong")
    # Five alternatives of exp(-0.1) each, of which one was written with probability 1.
    assert found.value == pytest.approx(0 if kind is FittedNgram else 5 * 0.9048 - 1, abs=0.2)


async def test_a_server_that_refuses_everything_is_an_error() -> None:
    async with Gateway(Constant()) as gateway:
        with pytest.raises(ModelError, match="no model 'other'"):
            await trust_async(f"{gateway.url}/v1#other")


async def test_a_server_that_echoes_another_text_is_found(tmp_path: Path) -> None:
    report = await served(distrusted.Mispelled("broken", file=str(distrusted.english(tmp_path))), SCORES)
    wrong = [name for name, verdict in verdicts(report).items() if verdict == "wrong"]
    assert wrong == ["tokens round trip"], [(f.name, f.verdict, f.figure) for f in report]
    assert "many spaces" in report["tokens round trip"].figure


async def test_what_echoes_cost_is_counted() -> None:
    class Dear(Uniform):
        async def echo(self, request: Echo) -> Prediction:
            return msgspec.structs.replace(await super().echo(request), cost=0.25)

    probe = Probe(Dear("dear"))
    await probe.echoed("four")
    assert (probe.cost, probe.requests) == (0.25, 1)
