"""What instances are about: clusters of their words, named by the words that set each apart.

Words are weighted by tf-idf, brought down to sixty directions (latent semantic analysis, Deerwester et al. 1990, J.
Am. Soc. Inf. Sci. 41, by the randomised decomposition of Halko, Martinsson & Tropp 2011, SIAM Rev. 53) and put together
by k-means. How many topics is decided by stability (Lange et al. 2004, Neural Comput. 16): two halves of the instances,
clustered apart, should put all of them together alike, by the adjusted Rand index (Hubert & Arabie 1985, J. Classif.).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from howgood.inputs.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NUMBERS = (6, 8, 12, 16, 24)
"""The numbers of topics that are tried, where there are instances enough; else three."""
NEAR = 0.05
"""The most topics are told whose agreement is so near to the best."""
STABLE = 0.6
"""From this agreement of two halves on, a number of topics is called stable."""
SMALLEST = 15
"""Instances a topic must have on average."""
DIRECTIONS = 60
HALVES = 2
"""How often the instances are halved."""
EXAMPLES = 3
VOCABULARY = 10_000
COMMON = frozenset(
    """a about after all also am an and any are as at be because been before being between both but by can could did do
    does done for from had has have he her here him his how i if in into is it its just like may me might more most much
    must my no not of on one only or other our out over own s same she should so some such t than that the their them
    then there these they this those through to too two under up use used very was we were what when where which while
    who whom why will with within without would you your""".split()
)
"""English words that say nothing of a topic; those of other languages go because they stand in so many instances."""


class Topic(Struct, frozen=True):
    """A cluster of `n` instances, a `share` of all, with the `words` that set it apart and the ids of those in its
    middle."""

    words: list[str]
    n: int
    share: float
    examples: list[str]


class Topics(Struct, frozen=True):
    """The topics, the largest first, and which each instance has (`of`, a place in `topics`). `stability` is how far
    two halves agree on them (1: wholly; about 0: not more than by chance), `tried` the same for each number tried."""

    topics: list[Topic]
    of: list[int]
    stability: float | None
    tried: dict[int, float]

    @property
    def stable(self) -> bool:
        return self.stability is not None and self.stability >= STABLE


def topics(ids: Sequence[str], texts: Sequence[str], seed: int = 0) -> Topics:
    """The topics of texts; one for all where they are too few, or have too few words in common, to tell any apart."""
    import numpy as np

    matrix, vocabulary = _tf_idf(texts)
    numbers = [k for k in NUMBERS if k * SMALLEST <= len(texts)] or [k for k in (3,) if k * SMALLEST <= len(texts)]
    if not numbers or matrix.shape[1] < max(numbers[0], 10):
        return Topics([Topic([], len(ids), 1.0, list(ids[:EXAMPLES]))], [0] * len(ids), None, {})
    rng = np.random.default_rng(seed)
    points = _directions(matrix, rng)
    tried = {k: _stability(points, k, rng) for k in numbers}
    k = max(k for k in numbers if tried[k] >= max(tried.values()) - NEAR)
    labels, centres = _cluster(points, k, rng)
    order = np.argsort(-np.bincount(labels, minlength=k), kind="stable")
    order = order[np.bincount(labels, minlength=k)[order] > 0]
    place = {int(old): new for new, old in enumerate(order)}
    found = []
    for old in order.tolist():
        rows = np.flatnonzero(labels == old)
        near = rows[np.argsort(((points[rows] - centres[old]) ** 2).sum(axis=1), kind="stable")[:EXAMPLES]]
        names = _distinguishing(matrix, rows, vocabulary)
        found.append(Topic(names, len(rows), len(rows) / len(texts), [ids[row] for row in near.tolist()]))
    return Topics(found, [place[int(label)] for label in labels], tried[k], tried)


def _tf_idf(texts: Sequence[str]) -> tuple[Any, list[str]]:
    """The texts as rows of weights, each of length 1 (or 0), and the words of the columns."""
    import numpy as np
    from scipy.sparse import csr_array

    counted = [Counter(word for word in words(text) if len(word) > 1 and word.strip("_0123456789")) for text in texts]
    held = Counter(word for counts in counted for word in counts if word not in COMMON)
    most = max(2.0, 0.25 * len(texts))
    kept = sorted(word for word, n in held.most_common() if 2 <= n <= most)
    kept = sorted(sorted(kept, key=lambda word: -held[word])[:VOCABULARY])
    column = {word: place for place, word in enumerate(kept)}
    idf = {word: math.log((1 + len(texts)) / (1 + held[word])) + 1 for word in kept}
    starts, places, weights = [0], list[int](), list[float]()
    for counts in counted:
        row = [(column[word], (1 + math.log(n)) * idf[word]) for word, n in counts.items() if word in column]
        length = math.sqrt(sum(weight**2 for _, weight in row)) or 1.0
        places += [place for place, _ in row]
        weights += [weight / length for _, weight in row]
        starts.append(len(places))
    shape = (len(texts), len(kept))
    return csr_array((np.array(weights), np.array(places, np.int64), np.array(starts, np.int64)), shape=shape), kept


def _directions(matrix: Any, rng: np.random.Generator) -> Floats:
    """The rows in at most `DIRECTIONS` directions that keep most of their variance, each of length 1 (or 0)."""
    import numpy as np

    size = min(DIRECTIONS, min(matrix.shape) - 1)
    sketch = matrix @ rng.standard_normal((matrix.shape[1], min(size + 10, min(matrix.shape))))
    sketch = matrix @ (matrix.T @ np.linalg.qr(sketch)[0])
    basis = np.linalg.qr(sketch)[0]
    inside = matrix.T @ basis
    squares, left = np.linalg.eigh(inside.T @ inside)
    points = (basis @ left[:, ::-1][:, :size]) * np.sqrt(np.maximum(squares[::-1][:size], 0))
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.where(length > 0, length, 1.0), np.float64)


def _cluster(points: Floats, k: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """k-means from the best of three starts: each row's cluster, and the centres."""
    import numpy as np

    best = None
    for _ in range(3):
        centres = _centres(points, k, rng)
        labels, distance = _nearest(points, centres)
        if best is None or distance < best[0]:
            best = (distance, labels, centres)
    assert best is not None
    return np.asarray(best[1], np.int64), best[2]


def _centres(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    import warnings

    from scipy.cluster.vq import kmeans2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cluster that nothing is nearest to is left out later
        centres: Floats = kmeans2(points, k, iter=20, minit="++", rng=rng)[0]
    return centres


def _nearest(points: Floats, centres: Floats) -> tuple[Ints, float]:
    import numpy as np

    away = (centres**2).sum(axis=1) - 2 * points @ centres.T
    labels = away.argmin(axis=1)
    return labels, float((away[np.arange(len(points)), labels] + (points**2).sum(axis=1)).sum())


def _stability(points: Floats, k: int, rng: np.random.Generator) -> float:
    """The mean agreement of the clusters of two random halves, to which all rows are then put."""
    import numpy as np

    found = []
    for _ in range(HALVES):
        halves = np.array_split(rng.permutation(len(points)), 2)
        one, other = (_nearest(points, _centres(points[half], k, rng))[0] for half in halves)
        found.append(rand_index(one, other))
    return float(np.mean(found))


def rand_index(one: Ints, other: Ints) -> float:
    """The adjusted Rand index of two groupings: 1 for the same, 0 on average for two drawn at random."""
    import numpy as np

    table = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(table, (one, other), 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / (len(one) * (len(one) - 1) / 2)
    most = (rows + columns) / 2
    return (both - expected) / (most - expected) if most != expected else 1.0


def _distinguishing(matrix: Any, rows: Ints, vocabulary: list[str], most: int = 6) -> list[str]:
    """The words that stand in more of these rows than of the others, by the z-score of the log odds with the whole as
    prior (Monroe, Colaresi & Quinn 2008, Political Analysis 16)."""
    import numpy as np

    held = matrix.astype(bool).astype(np.float64)
    all_counts = np.asarray(held.sum(axis=0)).ravel()
    inside = np.asarray(held[rows].sum(axis=0)).ravel()
    n, total = len(rows), matrix.shape[0]
    prior = 20.0
    share = all_counts / total
    a, b = inside + prior * share, (n - inside) + prior * (1 - share)
    c = (all_counts - inside) + prior * share
    d = (total - n - (all_counts - inside)) + prior * (1 - share)
    z = (np.log(a / b) - np.log(c / d)) / np.sqrt(1 / a + 1 / c)
    best = np.argsort(-z, kind="stable")[:most]
    return [vocabulary[place] for place in best.tolist() if z[place] > 0]
