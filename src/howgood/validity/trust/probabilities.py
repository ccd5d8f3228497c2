"""Whether a model's numbers are probabilities, and of what it does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from howgood.core.errors import RequestError, Unsupported
from howgood.core.text import one_line
from howgood.core.types import Likelihood
from howgood.models.inside import Distributes
from howgood.validity.trust.probe import (
    PASSAGES,
    CannotBeTold,
    Found,
    Probe,
    Verdict,
    brief,
    cut,
    difference,
    judged,
    together,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUM = 1e-4
"""Tolerance of a sum of probabilities: they are made in float32 whatever the model computes in."""
ALTERNATIVES, WRITTEN = 5, 16
"""Alternatives asked for at each of so many written tokens."""
WORDS = " the a an and in to of her his it not no one two never London Paris water January tea".split()
CHARACTERS = 12
"""Characters tried besides words, for models whose tokens are characters or bytes."""

LEVEL = 1e-3
"""How often an honest model is said to be wrong by the sampling check."""
DRAWS = 9999
"""Simulated sets of samples. A Monte Carlo test of (DRAWS + 1) * LEVEL = 10 is exact at its level (Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 4.2)."""
PILOT, SAMPLES = 24, 160
"""Samples for each prompt: those that only choose which continuations are counted, and those that are counted."""
LENGTHS = (1, 1, 1, 1, 2, 2)
"""Tokens that are sampled after each of `Probe.beginnings`."""
COUNTED = 8
"""The most continuations counted for each prompt; all others are one class."""


async def sums_to_one(probe: Probe) -> Found:
    """The probabilities of all next tokens sum to one; where only some can be seen, to no more than one."""
    if isinstance(probe.model, Distributes):
        return await _whole_sums(probe.model, [*probe.beginnings, *probe.passages], probe)
    found, reason = [], "it tells no log-probabilities"
    for able, sums in ((probe.able.logprobs, _most_likely_sums), (probe.able.loglikelihood, _scored_sums)):
        try:
            found += [await sums(probe)] if able else []
        except (CannotBeTold, RequestError, Unsupported) as error:
            reason = str(error)
    if not found:
        raise CannotBeTold(reason)
    worst = max(found, key=lambda one: one.value or 0.0)
    return msgspec.structs.replace(worst, figure="; ".join(one.figure for one in found))


async def _whole_sums(model: Distributes, texts: Sequence[str], probe: Probe) -> Found:
    worst, size = 0.0, 0
    for text in texts:
        probe.requests += 1
        logprobs = await model.next_token(probe.prompt(text))
        size = len(logprobs)
        # A maximum would pass over what is not a number.
        worst = max(worst, _finite(abs(math.fsum(map(_exp, logprobs)) - 1)))
    return _summed(worst, f"the sum of all {size:,} tokens after {len(texts)} prompts is off by")


async def _most_likely_sums(probe: Probe) -> Found:
    """A sum over the alternatives told, and no token that was not among them above the least of them."""
    worst, count = 0.0, 0
    for text in probe.beginnings[:3]:
        for token in (await probe.write(text, WRITTEN, ALTERNATIVES)).tokens:
            told = [_exp(logprob) for logprob in token.alternatives.values()]
            own = _exp(token.logprob)
            if token.text not in token.alternatives:
                told = [*told, own]
                worst = max(worst, own - min(told))
            worst = max(worst, _finite(math.fsum(told) - 1))
            count += 1
    if not count:
        raise CannotBeTold("its server gave no log-probabilities, though it was asked for them")
    return _summed(worst, f"the {ALTERNATIVES} likeliest tokens at {count} places are above their bound by")


async def _scored_sums(probe: Probe) -> Found:
    """Different tokens after one prompt cannot both come, so their scored probabilities sum to at most one."""
    words = [f" {word}" for word in WORDS] if probe.passages is PASSAGES else []
    candidates = [*words, *sorted(set("".join(probe.passages)) - {" "})[:CHARACTERS]]
    worst, count = 0.0, 0
    for text in probe.beginnings[:2]:
        safe = [candidate for candidate in candidates if await probe.extends(text, candidate)]
        scored = await together([probe.score(text, candidate) for candidate in safe])
        single = [_exp(likelihood.logprob) for likelihood in scored if likelihood.tokens == 1]
        worst, count = max(worst, _finite(math.fsum(single) - 1)), count + len(single)
    if not count:
        raise CannotBeTold("none of the words and characters tried is one token of this model")
    return _summed(worst, f"{count} tokens scored after 2 prompts sum above one by")


def _summed(worst: float, words: str) -> Found:
    verdict: Verdict = "ok" if worst <= SUM else "wrong"
    return Found(verdict, f"{words} at most {brief(worst)} (tolerance {SUM:g})", worst, SUM)


class Sampled(Struct, frozen=True):
    """How often each continuation counted came after one prompt, and how probable each is as scored; the last of both
    is everything else."""

    texts: list[str]
    counts: list[int]
    probabilities: list[float]


async def sampling_agrees(probe: Probe) -> Found:
    """Continuations come as often, at temperature 1, as their scores say: a likelihood-ratio test (G) over all prompts,
    its p-value by simulation."""
    if not (probe.able.generate and probe.able.loglikelihood and probe.able.completion):
        raise CannotBeTold("it does not both write after a raw text and score given text")
    found = [await _sampled(probe, text, length) for text, length in zip(probe.beginnings, LENGTHS, strict=True)]
    sampled = [one for one in found if one.texts]
    if not sampled:
        raise CannotBeTold("what it writes cannot be scored as the tokens that were written")
    excess = max(math.fsum(one.probabilities[:-1]) for one in sampled) - 1
    if excess > SUM:
        return Found("wrong", f"the scored probabilities of different continuations sum to {brief(excess)} above one")
    p = p_value(sampled, probe.seed)
    share = math.fsum(math.fsum(one.probabilities[:-1]) for one in sampled) / len(sampled)
    _, text, scored, seen = max(
        (abs(scored - count / SAMPLES), text, scored, count / SAMPLES)
        for one in sampled
        for text, count, scored in zip(one.texts, one.counts, one.probabilities, strict=False)
    )
    texts = sum(len(one.texts) for one in sampled)
    figure = (
        f"p = {p:.2g} (level {LEVEL:g}) for {SAMPLES * len(sampled)} samples of {texts} continuations with {share:.0%} "
        f"of the probability; most apart {one_line(repr(text))}, scored {scored:.3f} and sampled {seen:.3f}"
    )
    return Found("ok" if p > LEVEL else "wrong", figure, p, LEVEL)


async def _sampled(probe: Probe, text: str, length: int) -> Sampled:
    # What is counted is chosen by other samples than are counted, or the counts would be biased upwards.
    pilot = Counter(s.text or "" for s in await together([probe.sample(text, length) for _ in range(PILOT)]))
    probabilities: dict[str, float] = {}
    for continuation, _ in pilot.most_common():
        if len(probabilities) == COUNTED or not continuation or "\ufffd" in continuation:
            continue
        try:
            scored = await probe.score(text, continuation)
            if scored.tokens == length and await probe.extends(text, continuation):
                probabilities[continuation] = _exp(scored.logprob)
        except RequestError:
            continue  # its characters belong to the prompt's last token: written after it, it cannot be scored
    if not probabilities:
        return Sampled([], [], [])
    samples = Counter(s.text or "" for s in await together([probe.sample(text, length) for _ in range(SAMPLES)]))
    counts = [samples[continuation] for continuation in probabilities]
    rest = max(0.0, 1 - math.fsum(probabilities.values()))
    return Sampled(list(probabilities), [*counts, SAMPLES - sum(counts)], [*probabilities.values(), rest])


def p_value(sampled: Sequence[Sampled], seed: int) -> float:
    """How often samples from the scored probabilities lie as far from them as these do, or farther."""
    import numpy as np

    draw = np.random.default_rng(seed)
    statistic, simulated = 0.0, np.zeros(DRAWS)
    for one in sampled:
        p = np.asarray(one.probabilities)
        p = p / p.sum()
        counts = draw.multinomial(sum(one.counts), p, size=DRAWS)
        simulated += _g(counts, p)
        statistic += float(_g(np.asarray([one.counts]), p)[0])
    return float(1 + (simulated >= statistic - 1e-9).sum()) / (DRAWS + 1)


def _g(counts: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
    """Twice the log-likelihood ratio of each row of counts against p (infinite where what cannot be was seen)."""
    import numpy as np

    expected = counts.sum(axis=1, keepdims=True) * p
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
    statistic: NDArray[Any] = 2 * terms.sum(axis=1)
    return statistic


async def adds_up(probe: Probe) -> Found:
    """log P(ab | c) = log P(a | c) + log P(b | ca), and a whole text is the sum of its windows. One request at a time,
    so that a fault of batches shows in its own check alone."""
    if not probe.able.loglikelihood:
        raise CannotBeTold("it scores no given text")
    parts: list[float] = []
    for text in probe.passages:
        first, second = cut(text, len(text) // 3), cut(text, 2 * len(text) // 3)
        c, a, b = text[:first], text[first:second], text[second:]
        if not (await probe.extends(c, a + b) and await probe.extends(c + a, b)):
            continue
        whole, left, right = await probe.score(c, a + b), await probe.score(c, a), await probe.score(c + a, b)
        if left.tokens + right.tokens == whole.tokens:
            parts.append(difference(whole, _joined(left, right)))
    windows, reason = await _windows(probe)
    if not parts and windows is None:
        raise CannotBeTold("no text could be cut between its tokens")
    worst = max([*parts, *([] if windows is None else [windows])])
    told = f"whole texts {brief(windows)}" if windows is not None else f"whole texts cannot be told ({reason})"
    apart = brief(max(parts, default=0.0))
    figure = f"nats a token: {len(parts)} texts in two parts {apart}, {told} (tolerance {probe.tolerance:g})"
    return Found(judged(worst, probe.tolerance), figure, worst, probe.tolerance)


async def _windows(probe: Probe) -> tuple[float | None, str]:
    """The largest difference between whole texts, the same scored after nothing, and their windows (None, and why)."""
    if not probe.able.loglikelihood_rolling:
        return None, "it scores no whole text"
    worst = 0.0
    try:
        for text in probe.passages:
            rolled, scored = await probe.score_text(text), await probe.score("", text)
            if rolled.tokens == scored.tokens:  # where they differ, `begins_right` says so
                worst = max(worst, difference(rolled, scored))
            if rolled.token_logprobs:
                worst = max(worst, abs(rolled.logprob - math.fsum(rolled.token_logprobs)) / rolled.tokens)
    except (RequestError, Unsupported) as error:
        return None, one_line(str(error))
    try:
        size = rolled.tokens // 2
        windowed = await probe.score_text(text, size)
    except (RequestError, Unsupported):
        return worst, ""  # over HTTP texts are not cut, and nothing is scored by windows
    if windowed.tokens != rolled.tokens:
        return math.inf, ""  # a token is missing, or scored twice
    # The first window sees what the whole text sees.
    first = [
        Likelihood(math.fsum(one.token_logprobs[:size]), size, False, one.token_logprobs[:size])
        for one in (rolled, windowed)
    ]
    return max(worst, difference(*first)), ""


def _joined(a: Likelihood, b: Likelihood) -> Likelihood:
    both = a.token_logprobs and b.token_logprobs
    return Likelihood(
        a.logprob + b.logprob, a.tokens + b.tokens, False, a.token_logprobs + b.token_logprobs if both else ()
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _exp(logprob: float) -> float:
    return math.exp(logprob) if logprob < 700 else math.inf
