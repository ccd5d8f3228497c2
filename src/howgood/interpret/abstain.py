"""Where a system had better abstain in a use case: the confidence that comes with its answers, and the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from howgood.core.types import NOT_JUDGED
from howgood.interpret import risk
from howgood.interpret.robustness import originals
from howgood.interpret.usecase import ABSTENTIONS, Part, UseCase
from howgood.interpret.utility import Saved, costs, headline, worth

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Floats

FEWEST = 20
"""Answers with a confidence that a threshold is chosen from."""
Source = Literal["stated", "choices", "tokens"]


class Threshold(Struct, frozen=True):
    """The confidence below which a system had better abstain.

    `source` is where the confidence is from; with the `threshold` (None: give all, or none), `coverage` of the answers
    are given and `risk` of those are wrong. `gain` is what abstaining adds to the mean worth of an answer on questions
    that the threshold was not chosen on (five folds), so it can be negative: confidences that tell nothing.
    `calibrated` is the threshold that would be right if the confidence were the probability of being right, and `aurc`
    the mean risk over all coverages.
    """

    source: Source
    threshold: float | None
    coverage: float
    risk: float
    gain: float
    calibrated: float
    aurc: float


class Given(NamedTuple):
    """Answers that were given, with the confidence in each, what it is worth given and withheld, how right it is, what
    it counts, and the probability of being right above which it would be worth giving."""

    confidence: Floats
    worth: Floats
    abstained: Floats
    right: Floats
    weight: Floats
    calibrated: Floats


def threshold(case: UseCase, runs: Sequence[Saved]) -> Threshold | None:
    """The threshold of a system, from its runs in the order of the use case's benchmarks. Where several kinds of
    confidence are there, from the one most answers have; None where fewer than `FEWEST` have any."""
    import numpy as np

    found: dict[Source, list[Given]] = {}
    for part, run in zip(case.parts.values(), runs, strict=True):
        if read := _given(case, part, run):
            found.setdefault(read[0], []).append(read[1])
    if not found:
        return None
    source, parts = max(found.items(), key=lambda one: sum(len(part.weight) for part in one[1]))
    whole = Given(*map(np.concatenate, zip(*parts, strict=True)))
    if len(whole.weight) < FEWEST:
        return None
    gains = (whole.confidence, whole.worth, whole.abstained, whole.weight)
    best = risk.best_threshold(*gains)
    kept = whole.confidence >= best
    return Threshold(
        source=source,
        threshold=best if math.isfinite(best) else None,
        coverage=float(np.average(kept, weights=whole.weight)),
        risk=float(np.average(1 - whole.right[kept], weights=whole.weight[kept])) if kept.any() else 0.0,
        gain=risk.gain_of_abstaining(*gains),
        calibrated=float(np.average(whole.calibrated, weights=whole.weight)),
        aurc=risk.aurc(whole.confidence, whole.right),
    )


def _given(case: UseCase, part: Part, run: Saved) -> tuple[Source, Given] | None:
    """The answers of a run that were given and have a confidence."""
    import numpy as np

    score = headline(run, part)
    known = ("confidence", "likelihoods", "answer_tokens", "choices")
    trials = originals(run, ["outcome", "cost", score, *(c for c in known if c in run.columns and c != score)])
    if (sure := confidences(trials, score)) is None:
        return None
    source, confidence = sure
    worths, price = case.worths(part), np.array(costs(run, trials, case))
    right = trials[score].fill_null(0.0).fill_nan(0.0).to_numpy()
    value = np.array(worth(trials["outcome"].to_list(), right.tolist(), worths, price.tolist()))
    abstained = worths["abstain"] - price
    weight = np.full(len(trials), part.weight / len(trials))
    calibrated = np.full(len(trials), risk.answer_above(worths["right"], worths["wrong"], worths["abstain"]))
    kept = np.isfinite(confidence) & ~trials["outcome"].is_in((*NOT_JUDGED, *ABSTENTIONS)).to_numpy()
    columns = (confidence, value, abstained, right, weight, calibrated)
    return (source, Given(*(column[kept] for column in columns))) if kept.any() else None


def confidences(trials: pl.DataFrame, score: str) -> tuple[Source, Floats] | None:
    """How sure a system was of each trial's answer, NaN where that is not known; None where no trial tells.

    The first there is: a score named `confidence`, the probability of the choice taken among the choices (by the
    length of each where the score is), or the geometric mean of the probabilities of the answer's tokens. Needs the
    columns that have any of these.
    """
    import numpy as np

    if "confidence" in trials.columns:
        found = trials["confidence"].to_numpy().astype(float)
        if np.isfinite(found).any():
            return "stated", np.where((found >= 0) & (found <= 1), found, np.nan)
    if "likelihoods" in trials.columns:
        by_length = score.endswith("_norm")
        choices = trials["choices"].to_list() if by_length else [None] * len(trials)
        found = np.array([*map(_of_choices, trials["likelihoods"].to_list(), choices)], float)
        if np.isfinite(found).any():
            return "choices", found
    if "answer_tokens" in trials.columns:
        found = np.array([*map(_of_tokens, trials["answer_tokens"].to_list())], float)
        if np.isfinite(found).any():
            return "tokens", found
    return None


def _of_choices(likelihoods: list[dict[str, float]] | None, choices: list[str] | None) -> float:
    """The probability of the likeliest of at least two choices among them."""
    if not likelihoods or len(likelihoods) < 2:
        return math.nan
    logs = [one["logprob"] for one in likelihoods]
    if choices and len(choices) == len(logs):
        logs = [log / max(1, len(choice)) for log, choice in zip(logs, choices, strict=True)]
    highest = max(logs)
    return 1 / sum(math.exp(log - highest) for log in logs) if math.isfinite(highest) else math.nan


def _of_tokens(tokens: list[dict[str, float]] | None) -> float:
    """The geometric mean of the probabilities of an answer's tokens."""
    if not tokens:
        return math.nan
    logs = [one["logprob"] for one in tokens if one["logprob"] is not None]
    return math.exp(min(0.0, sum(logs) / len(logs))) if logs else math.nan
