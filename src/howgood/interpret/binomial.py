"""Rates from few answers: exact and Bayesian intervals, where the central limit theorem says too much
(arXiv:2503.01747)."""

from __future__ import annotations

from howgood.core.errors import DataError

UNIFORM, JEFFREYS = (1.0, 1.0), (0.5, 0.5)
"""Beta priors of a rate: every rate alike, and the one that no change of scale alters."""


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a rate that holds at least `level` whatever the rate is (Clopper & Pearson 1934, Biometrika 26):
    the rates that two exact one-sided tests do not reject. Raises `DataError` unless 0 <= successes <= n and n > 0."""
    tail = (1 - level) / 2
    return at_least(successes, n, 1 - tail), at_most(successes, n, 1 - tail)


def at_least(successes: int, n: int, level: float = 0.95) -> float:
    """The exact lower bound of a rate."""
    from scipy.special import betaincinv

    _check(successes, n)
    return float(betaincinv(successes, n - successes + 1, 1 - level)) if successes else 0.0


def at_most(successes: int, n: int, level: float = 0.95) -> float:
    """The exact upper bound of a rate: 0 of 30 is at most 1 - 0.05^(1/30) = 9.5 % (about 3/n, the rule of three)."""
    return 1.0 - at_least(n - successes, n, level)


def credible(
    successes: float, n: float, prior: tuple[float, float] = UNIFORM, level: float = 0.95
) -> tuple[float, float]:
    """The central interval of the posterior Beta(a + k, b + n - k) of a rate, for a prior Beta(a, b).

    Jeffreys' prior has good coverage too; its interval then begins at 0 for no success and ends at 1 for no failure
    (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 4.3)."""
    from scipy.special import betaincinv

    _check(successes, n)
    a, b, tail = prior[0] + successes, prior[1] + n - successes, (1 - level) / 2
    low = 0.0 if prior == JEFFREYS and successes == 0 else float(betaincinv(a, b, tail))
    high = 1.0 if prior == JEFFREYS and successes == n else float(betaincinv(a, b, 1 - tail))
    return low, high


def probability_above(rate: float, successes: float, n: float, prior: tuple[float, float] = UNIFORM) -> float:
    """How probable it is, after k of n, that the rate is above this one."""
    from scipy.special import betainc

    if n:  # after nothing the prior speaks
        _check(successes, n)
    return 1.0 - float(betainc(prior[0] + successes, prior[1] + n - successes, min(max(rate, 0.0), 1.0)))


def _check(successes: float, n: float) -> None:
    if not (n > 0 and 0 <= successes <= n):
        raise DataError(f"{successes:g} successes of {n:g} is no proportion")
