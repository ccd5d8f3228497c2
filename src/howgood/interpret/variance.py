"""Where the error of a mean comes from: the questions, the sampling of answers, the wording of prompts.

Each part is estimated by the analysis of variance of random effects (Searle, Casella & McCulloch 1992, Variance
Components, chapters 3 and 4) and can be made smaller in its own way: by more questions, more epochs, more wordings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from howgood.core.errors import DataError

if TYPE_CHECKING:
    from howgood.interpret.statistics import Floats
    from howgood.interpret.table import Table


class Split(Struct, frozen=True, omit_defaults=True):
    """The variance of one answer's score (of one answer's difference, for two systems) by its source.

    `question` is the spread between questions, `sampling` that between the answers to one question under one prompt
    (None: not known, since each was asked once), `prompt` that of the whole benchmark's mean between wordings, and
    `both` what a wording does to one question but not to others (None without wordings; with one answer to each
    question and wording the sampling is in it). `n` questions, `epochs` answers to each, `prompts` wordings.
    """

    question: float
    sampling: float | None
    n: int
    epochs: float
    prompt: float | None = None
    both: float | None = None
    prompts: int = 1

    @property
    def parts(self) -> dict[str, float]:
        """What each source adds to the squared error of the mean."""
        found = {"question": self.question / self.n}
        if self.sampling is not None:
            found["sampling"] = self.sampling / (self.n * self.epochs * self.prompts)
        if self.prompt is not None and self.both is not None:
            found["prompt"] = self.prompt / self.prompts
            found["prompt and question"] = self.both / (self.n * self.prompts)
        return found

    @property
    def se(self) -> float:
        """The standard error of the mean for other questions, answers and wordings of the same kind, all instances
        being independent."""
        return math.sqrt(sum(self.parts.values()))

    @property
    def again(self) -> float:
        """The standard error of the mean for the very same questions, asked again."""
        return math.sqrt(sum(part for name, part in self.parts.items() if name != "question"))


def split(table: Table, score: str) -> Split:
    """Of one run: Var(mean) = (question + sampling/K)/n (arXiv:2411.00640, section 3). The sampling part needs epochs;
    instances may have different numbers of them. Raises `DataError` with fewer than two instances."""
    import numpy as np

    mean, within, count = _cells(table, score)
    n = len(mean)
    if n < 2:
        raise DataError("a variance between questions needs at least two of them")
    epochs = n / float(np.sum(1 / count))
    sampling = float(np.sum(within) / np.sum(count - 1)) if (count > 1).any() else None
    between = float(mean.var(ddof=1))
    return Split(max(0.0, between - (sampling or 0.0) / epochs), sampling, n, epochs)


def split_pair(a: Table, b: Table, score: str) -> Split | None:
    """Of the paired difference of two runs on the questions they share: Var(mean) = (ω² + σ_A²/K_A + σ_B²/K_B)/n with
    ω² = Var x_A + Var x_B - 2 Cov(x_A, x_B) (ibid., section 5). `sampling` is then σ_A² + σ_B² by the harmonic mean of
    the epochs. None unless both have epochs and two questions are shared."""
    import numpy as np

    one, two = a.instances, b.instances
    if min(one.epochs, two.epochs) < 2:
        return None
    place = {name: row for row, name in enumerate(two.ids)}
    rows = np.array([(row, place[name]) for row, name in enumerate(one.ids) if name in place], np.int64)
    if len(rows) < 2:
        return None
    (mean_a, within_a, count_a), (mean_b, within_b, count_b) = (
        tuple(column[rows[:, side]] for column in _cells(table, score)) for side, table in enumerate((a, b))
    )
    if not ((count_a > 1).any() and (count_b > 1).any()):
        return None
    noise_a, noise_b = (float(w.sum() / (c - 1).sum()) for w, c in ((within_a, count_a), (within_b, count_b)))
    of_mean = noise_a * float(np.mean(1 / count_a)) + noise_b * float(np.mean(1 / count_b))
    between = float((mean_b - mean_a).var(ddof=1))
    epochs = (noise_a + noise_b) / of_mean if of_mean else len(rows) / float(np.sum(1 / count_a))
    return Split(max(0.0, between - of_mean), noise_a + noise_b, len(rows), epochs)


def split_prompts(tables: Sequence[Table], score: str) -> Split:
    """Of runs of the same questions under several wordings of the prompt, on the questions all of them have:
    Var(mean) = question/n + prompt/P + both/(nP) + sampling/(nPK), from the mean squares of questions crossed with
    wordings. Raises `DataError` with fewer than two wordings or two shared questions."""
    import numpy as np

    if len(tables) < 2:
        raise DataError("the part of the prompt's wording needs runs of at least two wordings")
    shared = sorted(set.intersection(*(set(table.instances.ids) for table in tables)))
    if len(shared) < 2:
        raise DataError(f"the {len(tables)} wordings share {len(shared)} questions; two at least are needed")
    cells = []
    for table in tables:
        place = {name: row for row, name in enumerate(table.instances.ids)}
        rows = [place[name] for name in shared]
        cells.append(np.stack([column[rows] for column in _cells(table, score)]))
    y, within, count = np.stack(cells, axis=2)
    n, wordings = y.shape
    epochs = count.size / float(np.sum(1 / count))
    more = float((count - 1).sum())
    sampling = float(within.sum()) / more if more else None
    by_question, by_prompt = y.mean(axis=1), y.mean(axis=0)
    rest = y - by_question[:, None] - by_prompt + y.mean()
    crossed = float((rest**2).sum()) / ((n - 1) * (wordings - 1))
    return Split(
        question=max(0.0, float(by_question.var(ddof=1)) - crossed / wordings),
        sampling=sampling,
        n=n,
        epochs=epochs,
        prompt=max(0.0, float(by_prompt.var(ddof=1)) - crossed / n),
        both=max(0.0, crossed - (sampling or 0.0) / epochs),
        prompts=wordings,
    )


def _cells(table: Table, score: str) -> tuple[Floats, Floats, Floats]:
    """For each instance (in the order of `table.instances`) its mean, the sum of its answers' squared distances from
    that, and how many answers it has."""
    import numpy as np

    means = table.score(score)
    place = {name: row for row, name in enumerate(table.instances.ids)}
    kept = np.flatnonzero(~table.failed)
    rows = np.array([place[table.ids[row]] for row in kept.tolist()], np.int64)
    values = table.scores[score][kept]
    within = np.bincount(rows, (values - means[rows]) ** 2, minlength=len(means)).astype(np.float64)
    return means, within, np.bincount(rows, minlength=len(means)).astype(np.float64)
