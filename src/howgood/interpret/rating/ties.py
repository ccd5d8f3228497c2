"""What a vote says of two ratings: three ways to read a tie.

With d = ξ_a - ξ_b the difference in natural units:

- half: a tie is half a win and half a loss; P(a) = σ(d) (Bradley & Terry 1952, Biometrika 39; as Chatbot Arena does,
  arXiv:2403.04132). Not a model of how often ties happen.
- davidson: P(a) : P(b) : P(tie) = e^{d/2} : e^{-d/2} : e^η, so that ν = e^η (Davidson 1970, JASA 65).
- rao-kupper: P(a) = σ(d - η), P(b) = σ(-d - η), the rest are ties: who is less than η apart is not told apart
  (Rao & Kupper 1967, JASA 62).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from howgood.interpret.rating.votes import TIE, A, B

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats

Ties = Literal["half", "davidson", "rao-kupper"]
TIES: tuple[Ties, ...] = ("half", "davidson", "rao-kupper")


class Terms(NamedTuple):
    """By row and outcome (rows, 3): the log-likelihood of one vote and its slopes in d and in η. By row: the curvature
    (minus the second derivatives) of the row's votes in dd, dη and ηη."""

    likelihood: Floats
    slope: Floats
    tie_slope: Floats
    curvature: tuple[Floats, Floats, Floats]


def terms(ties: Ties, d: Floats, eta: float, votes: Floats) -> Terms:
    """What rows of `votes` (rows, 3) add at the differences d (rows,)."""
    return {"half": _half, "davidson": _davidson, "rao-kupper": _rao_kupper}[ties](d, eta, votes)


def beats(ties: Ties, d: Floats, eta: float) -> Floats:
    """P(a is better) + P(tie)/2."""
    import numpy as np
    from scipy.special import expit

    if ties == "half":
        return np.asarray(expit(d), np.float64)
    if ties == "davidson":
        lost, won, tied = _shares(d, eta)
        return np.asarray(won + tied / 2, np.float64) if lost is not None else won
    return np.asarray((expit(d - eta) + expit(d + eta)) / 2, np.float64)


def start(ties: Ties, tied: float) -> float:
    """η if all models were alike and this share of votes ties."""
    import numpy as np

    return float(np.log(2 * tied / (1 - tied)) if ties == "davidson" else np.log((1 + tied) / (1 - tied)))


def _half(d: Floats, eta: float, votes: Floats) -> Terms:
    import numpy as np
    from scipy.special import expit

    p = expit(d)
    won, lost = _log_sigmoid(d), _log_sigmoid(-d)
    likelihood, slope = np.empty((len(d), 3)), np.empty((len(d), 3))
    likelihood[:, A], likelihood[:, B], likelihood[:, TIE] = won, lost, (won + lost) / 2
    slope[:, A], slope[:, B], slope[:, TIE] = 1 - p, -p, 0.5 - p
    none = np.zeros(len(d))
    return Terms(likelihood, slope, np.zeros((len(d), 3)), (votes.sum(axis=1) * p * (1 - p), none, none))


def _davidson(d: Floats, eta: float, votes: Floats) -> Terms:
    import numpy as np

    lost, won, tied = _shares(d, eta)
    total = np.logaddexp(np.logaddexp(d / 2, -d / 2), eta)
    likelihood = np.stack([d / 2 - total, -d / 2 - total, eta - total], axis=1)
    middle = (won - lost) / 2
    slope = np.stack([0.5 - middle, -0.5 - middle, -middle], axis=1)
    tie_slope = np.stack([-tied, -tied, 1 - tied], axis=1)
    n = votes.sum(axis=1)
    curvature = (n * ((won + lost) / 4 - middle**2), -n * middle * tied, n * tied * (1 - tied))
    return Terms(likelihood, slope, tie_slope, curvature)


def _rao_kupper(d: Floats, eta: float, votes: Floats) -> Terms:
    import numpy as np
    from scipy.special import expit

    q, r = expit(d - eta), expit(-d - eta)
    gap = np.log(-np.expm1(-2 * eta))
    likelihood = np.stack(
        [_log_sigmoid(d - eta), _log_sigmoid(-d - eta), _log_sigmoid(d + eta) + _log_sigmoid(eta - d) + gap], axis=1
    )
    slope = np.stack([1 - q, r - 1, r - q], axis=1)
    tie_slope = np.stack([q - 1, r - 1, r + q + 2 / np.expm1(2 * eta)], axis=1)
    won = (votes[:, A] + votes[:, TIE]) * q * (1 - q)
    lost = (votes[:, B] + votes[:, TIE]) * r * (1 - r)
    bend = 4 * np.exp(2 * eta) / np.expm1(2 * eta) ** 2
    return Terms(likelihood, slope, tie_slope, (won + lost, lost - won, won + lost + votes[:, TIE] * bend))


def _shares(d: Floats, eta: float) -> tuple[Floats, Floats, Floats]:
    """Davidson's P(b), P(a) and P(tie)."""
    import numpy as np

    logits = np.stack([-d / 2, d / 2, np.full(len(d), eta)])
    p = np.exp(logits - logits.max(axis=0))
    lost, won, tied = p / p.sum(axis=0)
    return lost, won, tied


def _log_sigmoid(x: Floats) -> Floats:
    import numpy as np

    return -np.logaddexp(0.0, -x)
