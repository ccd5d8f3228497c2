"""Votes in a form that sums can be taken of: one row a pair of models, or one row a vote where style is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from howgood.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats, Ints

A, B, TIE = 0, 1, 2
"""Outcomes of a vote: the first model is better, the second is, neither is."""

DENSE = 1_000
"""Up to this many models, votes are counted in a table of all pairs."""
BLOCK = 500_000
"""Votes looked at together, which bounds the memory."""
FEWEST_OF_A_PAIR = 50
"""A pair with fewer votes counts as if it had as many when pairs are to count alike, so that one vote of a rare pair
does not outweigh a hundred others."""


class Tally(NamedTuple):
    """Votes summed up. `a` and `b` (rows,) are models' codes; `votes` (rows, 3) the weight of each outcome, `squares`
    the squares of the votes' weights summed likewise, `counts` the number of votes; `style` (rows, K) how much the
    first answer has more of each feature, None without style. `models` is M."""

    a: Ints
    b: Ints
    votes: Floats
    squares: Floats
    counts: Floats
    models: int
    style: Floats | None = None

    @property
    def features(self) -> int:
        return 0 if self.style is None else self.style.shape[1]

    def won(self) -> Floats:
        """How many votes each model (M, 3) won, lost and tied."""
        import numpy as np

        found = np.zeros((self.models, 3))
        for own, other, outcome in ((A, B, 0), (B, A, 1), (TIE, TIE, 2)):
            found[:, outcome] = np.bincount(self.a, self.counts[:, own], self.models)
            found[:, outcome] += np.bincount(self.b, self.counts[:, other], self.models)
        return found


def tally(a: ArrayLike, b: ArrayLike, outcome: ArrayLike, models: int, weight: ArrayLike | None = None) -> Tally:
    """Votes by pair of models, the lower code first. Raises `DataError` for a code out of range and for a model against
    itself."""
    import numpy as np

    first, second, result = checked(a, b, outcome, models)
    w = None if weight is None else np.asarray(weight, float)
    if models <= DENSE:
        size = models * models * 3
        counts, sums, squares = np.zeros(size), np.zeros(size), np.zeros(size)
        for start in range(0, len(first), BLOCK):
            part = slice(start, start + BLOCK)
            key = (first[part].astype(np.int64) * models + second[part]) * 3 + result[part]
            counts += np.bincount(key, minlength=size)
            if w is not None:
                sums += np.bincount(key, w[part], size)
                squares += np.bincount(key, w[part] ** 2, size)
        cells = [_folded(x.reshape(models, models, 3)) for x in ((counts,) if w is None else (counts, sums, squares))]
        low, high = np.nonzero(np.triu(cells[0].sum(axis=2), 1))
        rows = [x[low, high] for x in cells]
    else:
        low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second)
        turned = np.where((first > second) & (result != TIE), 1 - result, result)
        pairs, row = np.unique(low * models + high, return_inverse=True)
        weights = (None,) if w is None else (None, w, w**2)
        rows = [np.bincount(row * 3 + turned, x, 3 * len(pairs)).reshape(-1, 3).astype(float) for x in weights]
        low, high = np.divmod(pairs, models)
    counts, sums, squares = rows if w is not None else (rows[0], rows[0], rows[0])
    return Tally(low, high, sums, squares, counts, models)


def each(
    a: ArrayLike, b: ArrayLike, outcome: ArrayLike, models: int, style: Floats, weight: ArrayLike | None = None
) -> Tally:
    """A row for every vote, with its style (N, K)."""
    import numpy as np

    first, second, result = checked(a, b, outcome, models)
    counts = np.zeros((len(first), 3))
    counts[np.arange(len(first)), result] = 1.0
    w = np.ones(len(first)) if weight is None else np.asarray(weight, float)
    votes = counts if weight is None else counts * w[:, None]
    squares = counts if weight is None else votes * w[:, None]
    return Tally(first.astype(np.int64), second.astype(np.int64), votes, squares, counts, models, style)


def even_weights(a: ArrayLike, b: ArrayLike, models: int) -> Floats:
    """Weights of votes (N,), of mean one, by which every pair of models counts alike (arXiv:2403.04132, section 4): one
    over the number of votes on the pair, at least `FEWEST_OF_A_PAIR`."""
    import numpy as np

    first, second = np.asarray(a, np.int64), np.asarray(b, np.int64)
    _, pair = np.unique(np.minimum(first, second) * models + np.maximum(first, second), return_inverse=True)
    weight = (1.0 / np.maximum(np.bincount(pair), FEWEST_OF_A_PAIR))[pair]
    return np.asarray(weight / weight.mean(), np.float64)


def checked(a: ArrayLike, b: ArrayLike, outcome: ArrayLike, models: int) -> tuple[Ints, Ints, Ints]:
    """The three columns as arrays of integers of whatever width they have."""
    import numpy as np

    columns = [np.asarray(x) for x in (a, b, outcome)]
    if len({len(x) for x in columns}) != 1 or not len(columns[0]):
        raise DataError(f"{' and '.join(str(len(x)) for x in columns)} codes are no votes; each vote has three")
    for x, most in zip(columns, (models, models, 3), strict=True):
        if x.dtype.kind not in "iu" or x.min() < 0 or x.max() >= most:
            raise DataError(f"codes are whole numbers from 0 to {most - 1}, and these are not")
    if np.array_equal(columns[0], columns[1]) or bool((columns[0] == columns[1]).any()):
        raise DataError("a model cannot be compared with itself; leave such votes out")
    return columns[0], columns[1], columns[2]


def _folded(cells: Floats) -> Floats:
    """Counts (M, M, 3) of ordered pairs on the upper triangle: a vote on (b, a) is one on (a, b) turned round."""
    turned = cells.transpose(1, 0, 2)[:, :, [B, A, TIE]]
    return cells + turned
