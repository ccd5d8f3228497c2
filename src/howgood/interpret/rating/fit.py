"""The most likely ratings by Newton's method, and their covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from howgood.core.errors import DataError
from howgood.interpret.rating import graph
from howgood.interpret.rating import ties as reading
from howgood.interpret.rating.votes import TIE, Tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.rating.ties import Ties
    from howgood.interpret.statistics import Floats, Ints

SCALE = 400 / 2.302585092994046
"""Points to one natural unit: 400/ln 10, so that 400 points are odds of ten to one, as in chess."""
CENTRE = 1000.0
STEPS = 60
BLOCK = 250_000
"""Rows looked at together, which bounds the memory."""


class Fit(NamedTuple):
    """Ratings in natural units. `parameters` are the M ratings (their sum is zero), the K weights of style and, where
    ties have a parameter, η; `covariance` (M+K+1, M+K+1) is theirs, with a last row of zeros for η without one;
    `bread` the inverse of the information; `likelihood` the log-likelihood of the votes."""

    parameters: Floats
    covariance: Floats
    bread: Floats
    likelihood: float
    models: int
    ties: Ties
    prior: float
    only_ties: tuple[int, ...] = ()

    @property
    def ratings(self) -> Floats:
        return self.parameters[: self.models]

    @property
    def style(self) -> Floats:
        return self.parameters[self.models : -1]

    @property
    def eta(self) -> float:
        return float(self.parameters[-1])

    @property
    def spread(self) -> Floats:
        """The covariance (M, M) of the ratings."""
        return self.covariance[: self.models, : self.models]


def fit(votes: Tally, ties: Ties = "half", prior: float = 0.0, begin: Fit | None = None) -> Fit:
    """Bradley-Terry ratings of M models, with `covariance` the sandwich H⁻¹BH⁻¹ (Huber 1967; B = Σ w² s sᵀ over votes):
    right also where the model is not, as when ties are half votes. A model all of whose votes are ties has no
    residuals to take an error from, so its votes count in B with the variance of a vote without ties.

    The ratings are finite only if no group of models has won all its votes against the rest (Ford 1957, Am. Math. Mon.
    64; see `graph`). `prior` adds so many wins and as many losses of every model against one of rating 0; with it the
    ratings are always finite. `begin` is an earlier fit of nearly the same votes to start from.
    Raises `DataError` where there are no finite ratings.
    """
    import numpy as np

    # Newton's method would end far out without a word.
    if begin is None and not prior and graph.tiers(votes).any():
        raise DataError(INFINITE)
    m = votes.models
    size = m + votes.features + 1
    tied = float(votes.votes[:, TIE].sum() / votes.votes.sum())
    kind: Ties = ties if 0 < tied < 1 else "half"
    theta = np.zeros(size)
    if begin is not None:
        theta[:] = begin.parameters
    elif kind != "half":
        theta[-1] = reading.start(kind, tied)
    value, slope, information = _sums(votes, theta, kind, prior)
    for _ in range(STEPS):
        step = _solved(information, slope, m, prior)
        gain = float(step @ slope)
        # Newton converges quadratically: the step after one that gains this little would change nothing.
        if gain < 1e-9:
            theta = theta + step
            break
        for _ in range(40):
            after = theta + step
            if kind != "rao-kupper" or after[-1] > 0:
                new = _sums(votes, after, kind, prior)
                if new[0] >= value - 1e-9 * abs(value):
                    break
            step = step / 2
        theta, (value, slope, information) = after, new
    else:
        raise DataError(INFINITE)
    theta[:m] -= theta[:m].mean()
    alone: Any = _only_ties(votes) if kind == "half" else np.zeros(m, bool)
    bread = _inverse(information, m, prior)
    meat = _meat(votes, theta, kind, prior, alone)
    return Fit(theta, _centred(bread @ meat @ bread, m), bread, value, m, kind, prior, tuple(np.flatnonzero(alone)))


def clustered(
    fitted: Fit,
    a: Ints,
    b: Ints,
    outcome: Ints,
    cluster: ArrayLike,
    weight: ArrayLike | None = None,
    style: Floats | None = None,
) -> Fit:
    """The fit with an error that answers for votes that belong together (of one voter, on one prompt): CR1, B = G/(G-1)
    Σ_c s_c s_cᵀ with s_c the sum of a cluster's slopes. `cluster` (N,) are codes. Raises `DataError` for one cluster.
    """
    import numpy as np
    from scipy.sparse import csr_array

    m, codes = fitted.models, np.asarray(cluster, np.int64)
    count = int(codes.max()) + 1
    if count < 2:
        raise DataError("all votes are of one cluster, so nothing tells how far other votes would differ")
    w = np.ones(len(codes)) if weight is None else np.asarray(weight, float)
    totals = csr_array((count, m), dtype=float)
    rest = np.zeros((count, len(fitted.parameters) - m))
    for start in range(0, len(codes), BLOCK):
        part = slice(start, start + BLOCK)
        here, own = codes[part], w[part]
        z = None if style is None else style[part]
        d = fitted.ratings[a[part]] - fitted.ratings[b[part]] + (0.0 if z is None else z @ fitted.style)
        said = reading.terms(fitted.ties, d, fitted.eta, np.zeros((len(d), 3)))
        row = np.arange(len(d))
        slope, tie_slope = own * said.slope[row, outcome[part]], own * said.tie_slope[row, outcome[part]]
        rows, columns = np.concatenate([here, here]), np.concatenate([a[part], b[part]])
        totals = totals + csr_array((np.concatenate([slope, -slope]), (rows, columns)), shape=(count, m))
        for k in range(rest.shape[1] - 1):
            assert z is not None
            rest[:, k] += np.bincount(here, slope * z[:, k], count)
        rest[:, -1] += np.bincount(here, tie_slope, count)
    meat = np.zeros((len(fitted.parameters), len(fitted.parameters)))
    meat[:m, :m] = (totals.T @ totals).toarray()
    meat[:m, m:] = totals.T @ rest
    meat[m:, :m] = meat[:m, m:].T
    meat[m:, m:] = rest.T @ rest
    meat *= count / (count - 1)
    _add_prior(meat, fitted.ratings, fitted.prior, squares=True)
    return fitted._replace(covariance=_centred(fitted.bread @ meat @ fitted.bread, m))


def model_covariance(fitted: Fit) -> Floats:
    """The covariance of the parameters if the model is right: the inverse of the information."""
    return _centred(fitted.bread, fitted.models)


def shifted(fitted: Fit, baseline: int) -> tuple[Floats, Floats]:
    """The ratings less that of the baseline, and their covariance."""
    import numpy as np

    turn = np.eye(fitted.models)
    turn[:, baseline] -= 1.0
    return fitted.ratings - fitted.ratings[baseline], turn @ fitted.spread @ turn.T


def differences(votes: Tally, theta: Floats, part: slice) -> Floats:
    """d = ξ_a - ξ_b + zβ of rows."""
    d = theta[votes.a[part]] - theta[votes.b[part]]
    if votes.style is not None:
        d = d + votes.style[part] @ theta[votes.models : -1]
    return d


def _sums(votes: Tally, theta: Floats, ties: Ties, prior: float) -> tuple[float, Floats, Floats]:
    """The log-likelihood, its gradient and its information at these parameters."""
    import numpy as np

    m, size = votes.models, len(theta)
    value, slope, information = 0.0, np.zeros(size), np.zeros((size, size))
    for start in range(0, len(votes.a), BLOCK):
        part = slice(start, start + BLOCK)
        n = votes.votes[part]
        said = reading.terms(ties, differences(votes, theta, part), theta[-1], n)
        value += float(np.sum(n * said.likelihood))
        rows = np.einsum("ij,ij->i", n, said.slope)
        slope[:m] += np.bincount(votes.a[part], rows, m) - np.bincount(votes.b[part], rows, m)
        if votes.style is not None:
            slope[m:-1] += rows @ votes.style[part]
        slope[-1] += float(np.sum(n * said.tie_slope))
        _gram(information, votes, part, *said.curvature)
    if ties == "half":
        information[-1, -1] = 1.0  # no such parameter: it stays where it is
    if prior:
        from scipy.special import expit, log_expit

        xi = theta[:m]
        value += prior * float(np.sum(log_expit(xi) + log_expit(-xi)))
        slope[:m] += prior * (1 - 2 * expit(xi))
        _add_prior(information, xi, prior)
    return value, slope, information


def _gram(into: Floats, votes: Tally, part: slice, dd: Floats, de: Floats, ee: Floats) -> None:
    """Add Σ x xᵀ over rows, where x = (e_a - e_b, z, 1) and its parts have these weights by row."""
    import numpy as np

    m, a, b = votes.models, votes.a[part], votes.b[part]
    cross = np.bincount(a * m + b, dd, m * m).reshape(m, m)
    cross = cross + cross.T
    into[:m, :m] += np.diag(cross.sum(axis=1)) - cross
    if votes.style is not None:
        z = votes.style[part]
        for k in range(z.shape[1]):
            column: Any = np.bincount(a, dd * z[:, k], m) - np.bincount(b, dd * z[:, k], m)
            into[:m, m + k] += column
            into[m + k, :m] += column
        into[m:-1, m:-1] += (z * dd[:, None]).T @ z
        into[m:-1, -1] += de @ z
        into[-1, m:-1] += de @ z
    column = np.bincount(a, de, m) - np.bincount(b, de, m)
    into[:m, -1] += column
    into[-1, :m] += column
    into[-1, -1] += float(ee.sum())


def _meat(votes: Tally, theta: Floats, ties: Ties, prior: float, alone: Any) -> Floats:
    """Σ w² s sᵀ over votes."""
    import numpy as np

    meat = np.zeros((len(theta), len(theta)))
    for start in range(0, len(votes.a), BLOCK):
        part = slice(start, start + BLOCK)
        squares = votes.squares[part]
        said = reading.terms(ties, differences(votes, theta, part), theta[-1], squares)
        dd = np.einsum("ij,ij->i", squares, said.slope**2)
        de = np.einsum("ij,ij->i", squares, said.slope * said.tie_slope)
        ee = np.einsum("ij,ij->i", squares, said.tie_slope**2)
        bare = alone[votes.a[part]] | alone[votes.b[part]]
        _gram(meat, votes, part, np.where(bare, said.curvature[0], dd), de, ee)
    _add_prior(meat, theta[: votes.models], prior, squares=True)
    return meat


def _only_ties(votes: Tally) -> Any:
    won = votes.won()
    return (won[:, 0] == 0) & (won[:, 1] == 0)


def _add_prior(into: Floats, xi: Floats, prior: float, squares: bool = False) -> None:
    """The information of the virtual votes, or the squares of their slopes: they count as votes do."""
    if prior:
        import numpy as np
        from scipy.special import expit

        p = expit(xi)
        place = np.arange(len(xi))
        into[place, place] += prior * (p**2 + (1 - p) ** 2 if squares else 2 * p * (1 - p))


def _held(information: Floats, models: int, prior: float) -> Floats:
    """Only differences of ratings are known; their mean is held at zero."""
    if prior:
        return information
    held = information.copy()
    held[:models, :models] += max(float(information[:models, :models].trace()) / models, 1e-300) / models
    return held


def _solved(information: Floats, slope: Floats, models: int, prior: float) -> Floats:
    import numpy as np
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve(_factored(information, models, prior), slope), np.float64)


def _inverse(information: Floats, models: int, prior: float) -> Floats:
    import numpy as np
    from scipy.linalg import cho_solve

    if len(information) > models + 1:
        # Features that go together leave their weights anywhere, with errors to match.
        root = np.sqrt(np.diag(information))
        if np.linalg.cond(_held(information, models, prior) / np.outer(root, root)) > WORST_CONDITION:
            raise DataError(UNSOLVED)
    return np.asarray(cho_solve(_factored(information, models, prior), np.eye(len(information))), np.float64)


def _factored(information: Floats, models: int, prior: float) -> Any:
    from scipy.linalg import LinAlgError, cho_factor

    try:
        return cho_factor(_held(information, models, prior))
    except LinAlgError:
        raise DataError(UNSOLVED) from None


WORST_CONDITION = 1e10
INFINITE = (
    "the ratings have no finite values: some models only won against the rest, only lost, or were never compared with "
    "it; leave them out or give a prior"
)
UNSOLVED = (
    "what style is worth cannot be told: a feature always goes along with another or with the models; give the counts "
    "of fewer features"
)


def _centred(covariance: Floats, models: int) -> Floats:
    """The covariance of ratings less their mean."""
    found = covariance.copy()
    found[:models] -= found[:models].mean(axis=0)
    found[:, :models] -= found[:, :models].mean(axis=1, keepdims=True)
    return found
