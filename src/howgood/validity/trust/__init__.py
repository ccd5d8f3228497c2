"""Whether a model's probabilities can be trusted: a page of checks, each with a figure and a tolerance.

A leaderboard of perplexities, and every multiple-choice score by likelihood, rests on probabilities that nobody looks
at. Each check here looks at one way in which they were wrong somewhere; docs/trust.md says what each means.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from msgspec import Struct

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.text import one_line, shorten
from howgood.models.base import Model
from howgood.models.registry import load_model
from howgood.validity.trust.probabilities import adds_up, sampling_agrees, sums_to_one
from howgood.validity.trust.probe import CannotBeTold, Finding, Found, Probe, Verdict
from howgood.validity.trust.steadiness import batch_and_order, greedy_flag, repeatable
from howgood.validity.trust.tokens import begins_right, round_trip

__all__ = ["CHECKS", "Check", "Finding", "Report", "Verdict", "trust_async"]


class Check(Struct, frozen=True):
    """A check: the most `requests` and about how many `tokens` it takes, why it matters, and the check (`after`) that
    must not have found a fault, since this one would only find the same again."""

    name: str
    run: Callable[[Probe], Awaitable[Found]]
    why: str
    requests: int
    tokens: int
    after: str | None = None


CHECKS = (
    Check(
        "sums to one",
        sums_to_one,
        "A perplexity from numbers that are no probabilities can be made as low as one likes.",
        requests=140,
        tokens=1_000,
    ),
    Check(
        "sampling agrees",
        sampling_agrees,
        "A model scored with another temperature, prompt or quantisation than it writes with is another model.",
        requests=1_400,
        tokens=14_000,
        after="sums to one",
    ),
    Check(
        "adds up",
        adds_up,
        "A text's probability must not depend on where it was cut into prompt and continuation.",
        requests=40,
        tokens=2_000,
    ),
    Check(
        "batch and order",
        batch_and_order,
        "A score that depends on its neighbours changes from run to run, and from one batch size to another.",
        requests=50,
        tokens=9_000,
    ),
    Check(
        "tokens round trip",
        round_trip,
        "If the tokens are of another text, the score is of that text too.",
        requests=20,
        tokens=700,
    ),
    Check(
        "begins right",
        begins_right,
        "The token before a text can cost more than the difference between two models.",
        requests=45,
        tokens=1_800,
    ),
    Check(
        "repeatable",
        repeatable,
        "Where temperature 0 does not repeat, a difference between two runs may be none.",
        requests=25,
        tokens=1_500,
    ),
    Check(
        "greedy flag",
        greedy_flag,
        "Accuracies such as LAMBADA's count how often the right word is the likeliest.",
        requests=80,
        tokens=800,
        after="repeatable",
    ),
)


class Report(Struct, frozen=True):
    """What all checks found about one model: `described` is what the model says of itself, `seed` what the samples
    were drawn by, `cost` in US dollars (None: unknown)."""

    model: str
    described: dict[str, Any]
    findings: list[Finding]
    seed: int
    requests: int
    tokens: int
    seconds: float
    cost: float | None

    def counted(self, verdict: Verdict) -> int:
        return sum(finding.verdict == verdict for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    @property
    def verdict(self) -> Verdict:
        """The worst of what could be told."""
        told = [finding.verdict for finding in self.findings]
        worst: tuple[Verdict, ...] = ("wrong", "doubtful", "ok")
        return next((verdict for verdict in worst if verdict in told), "cannot be told")


async def trust_async(model: str | Model, *, seed: int = 0, notice: Callable[[Check], None] | None = None) -> Report:
    """Put a model (a name, or a `Model`) to every check that it is able to take. `seed` draws the samples; `notice` is
    called before each check.

    Takes at most the requests that `CHECKS` tell, and a few to find texts that the model can read. What fails in a
    check is its finding; `ModelError` is raised for a model that cannot be reached or refuses every request.
    """
    subject = load_model(model) if isinstance(model, str) else model
    try:
        await subject.check()
        probe = Probe(subject, seed)
        start = time.perf_counter()
        await probe.learn()
        findings: list[Finding] = []
        for check in CHECKS:
            if notice is not None:
                notice(check)
            findings.append(await _run(check, probe, findings))
        seconds = time.perf_counter() - start
        if probe.failure is not None and all(finding.verdict == "cannot be told" for finding in findings):
            raise ModelError(str(probe.failure))
        return Report(subject.name, probe.described, findings, seed, probe.requests, probe.tokens, seconds, probe.cost)
    finally:
        if isinstance(model, str):
            await subject.close()


async def _run(check: Check, probe: Probe, before: list[Finding]) -> Finding:
    requests, tokens, start = probe.requests, probe.tokens, time.perf_counter()
    try:
        if any(finding.name == check.after and finding.verdict == "wrong" for finding in before):
            raise CannotBeTold(f"it rests on '{check.after}', which is wrong")
        found = await check.run(probe)
    except (CannotBeTold, RequestError, Unsupported) as error:
        if isinstance(error, RequestError) and error.fatal:
            probe.failure = error
        found = Found("cannot be told", shorten(one_line(str(error)), 300))
    took = (probe.requests - requests, probe.tokens - tokens, time.perf_counter() - start)
    return Finding(check.name, found.verdict, found.figure, check.why, found.value, found.tolerance, *took)
