"""How many instances a difference needs, and which difference an evaluation can see (arXiv:2411.00640, section 5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.interpret.variance import split, split_pair

if TYPE_CHECKING:
    from howgood.interpret.table import Table


class Variances(Struct, frozen=True):
    """What one question adds to the error of a difference between two systems.

    `between` is ω², the variance over questions of the difference between the two systems' true scores; `sampling` is
    σ_A² + σ_B², the variance of single answers to one question, which epochs divide (0: each answers always alike).
    `source` says in words where the two come from, `percent` whether the score is a share.
    """

    between: float
    sampling: float
    source: str = ""
    percent: bool = True

    def instances(self, difference: float, epochs: int = 1, power: float = 0.8, level: float = 0.95) -> int:
        """How many instances show this difference with the given power, each asked `epochs` times."""
        return sample_size(difference, self.variance(epochs), power, level)

    def detectable(self, n: int, epochs: int = 1, power: float = 0.8, level: float = 0.95) -> float:
        """The smallest difference that n instances show with the given power, each asked `epochs` times."""
        return detectable_difference(n, self.variance(epochs), power, level)

    def variance(self, epochs: int = 1) -> float:
        """Of one question's difference, each system asked `epochs` times: ω² + (σ_A² + σ_B²)/K."""
        if epochs < 1:
            raise DataError(f"a question is asked at least once, not {epochs} times")
        return self.between + self.sampling / epochs


def assumed(accuracy: float = 0.5, correlation: float = 0.5, sampling: float = 0.0, paired: bool = True) -> Variances:
    """Of two systems that are right on a share `accuracy` of the questions. `sampling` is the variance of single
    answers to a question, the mean of q(1 - q) where q is how often one is right; the rest of accuracy·(1 - accuracy)
    is between questions, ω² = 2·(that rest)·(1 - correlation of the two systems over questions). Two systems on
    different questions are not paired: their correlation does not help. Raises `DataError` for impossible values."""
    whole = accuracy * (1 - accuracy)
    if not 0 < accuracy < 1:
        raise DataError(f"an accuracy to plan with lies between 0 and 1, and {accuracy:g} does not")
    if not -1 <= correlation <= 1:
        raise DataError(f"a correlation lies between -1 and 1, and {correlation:g} does not")
    if not 0 <= sampling <= whole + 1e-12:
        raise DataError(
            f"of answers that are right in {accuracy:.0%} of cases, the variance within a question is at most "
            f"{whole:.4g}, and {sampling:g} is not"
        )
    words = f"accuracy {accuracy:g}" + (f", correlation {correlation:g}" if paired else ", unpaired")
    words += f", variance of single answers {sampling:g}" if sampling else ""
    between = 2 * max(0.0, whole - sampling) * (1 - (correlation if paired else 0.0))
    return Variances(between, 2 * sampling, words)


def like(
    table: Table, score: str, correlation: float = 0.5, paired: bool = True, variance: float | None = None
) -> Variances:
    """Of two systems like the one that was run: its variance between questions, halved or not by the correlation, and
    its variance within a question where it has epochs. `variance` is that of one question as the run's estimate has it
    (n·SE² of its mean, with clusters and strata heeded); without it questions count as independent of each other."""
    found = split(table, score)
    question = found.question
    clustered = variance is not None and table.instances.clusters is not None
    if variance is not None:
        # Of few clusters the variance may come out too small by chance; they never tell more than as many instances.
        question = max(question if clustered else 0.0, variance - (found.sampling or 0.0) / found.epochs)
    between = 2 * question * (1 - (correlation if paired else 0.0))
    words = f"one run's variance between questions {question:.4g}{', clusters heeded' if clustered else ''}, "
    words += f"correlation {correlation:g}" if paired else "unpaired"
    return Variances(between, 2 * (found.sampling or 0.0), words + _epochs(found.sampling))


def like_both(a: Table, b: Table, score: str, variance: float) -> Variances:
    """Of the two systems that were run, from the `variance` of one question's difference as it was measured (n·SE² of
    their difference, paired or not, with clusters and strata heeded). What epochs tell of sampling is taken out of it.
    """
    parts = split_pair(a, b, score) if score in a.scores and score in b.scores else None
    words = "the difference of two runs"
    if parts is None or parts.sampling is None:
        return Variances(variance, 0.0, words + _epochs(None))
    return Variances(
        max(0.0, variance - parts.sampling / parts.epochs), parts.sampling, words + _epochs(parts.sampling)
    )


def _epochs(sampling: float | None) -> str:
    if sampling is None:
        return "; without epochs the variance of single answers is not known and is counted as one of questions"
    return f"; variance of single answers {sampling:.4g}"


def sample_size(difference: float, variance: float, power: float = 0.8, level: float = 0.95) -> int:
    """Instances needed to see a mean difference with the given power in a two-sided test at 1 - `level`.

    `variance` is that of one instance's difference: ω² + σ_A²/K_A + σ_B²/K_B, the spread between instances plus the
    variance within an instance over K epochs. n = (z_α/2 + z_β)² · variance / difference².
    """
    if difference == 0 or variance < 0:
        raise DataError("a sample size needs a difference other than zero and a variance not below zero")
    return math.ceil(_quantiles(power, level) ** 2 * variance / difference**2)


def detectable_difference(n: int, variance: float, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest difference n instances show with the given power; `variance` as for `sample_size`."""
    if n < 1 or variance < 0:
        raise DataError("a detectable difference needs at least one instance and a variance not below zero")
    return _quantiles(power, level) * math.sqrt(variance / n)


def variance_of(detectable: float, n: int, power: float = 0.8, level: float = 0.95) -> float:
    """The variance of one instance's difference with which n instances show this difference: `detectable_difference`
    the other way round."""
    return n * (detectable / _quantiles(power, level)) ** 2


def _quantiles(power: float, level: float) -> float:
    from scipy.special import ndtri

    if not (0 < power < 1 and 0 < level < 1):
        raise DataError(f"power and confidence lie between 0 and 1, and {power:g} or {level:g} does not")
    return float(ndtri((1 + level) / 2) + ndtri(power))
