"""Several answers to each instance: solved in any of k, in all of k, or by the majority of k.

All are of k draws without replacement from the n answers there are, worked out exactly, which is unbiased for any k up
to n. The mean over instances is taken after that; its error is over instances (or clusters), never over all answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from howgood.core.errors import DataError
from howgood.core.types import NOT_JUDGED, Estimate
from howgood.interpret.base import Estimates
from howgood.interpret.estimate import Mean
from howgood.interpret.table import Table
from howgood.outputs.samples import NO_VOTE, vote_for

if TYPE_CHECKING:
    import polars as pl

    from howgood.interpret.statistics import Floats, Ints

MOST = 1_000
"""Answers to one instance: with more, the number of ways to draw some of them is beyond a float."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """The probability that at least one of k answers is right, when c of n are: 1 - C(n-c, k)/C(n, k)
    (arXiv:2107.03374, eq. 1)."""
    _check(n, c, k)
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The probability that all of k answers are right: C(c, k)/C(n, k) (arXiv:2406.12045, section 5)."""
    _check(n, c, k)
    return math.comb(c, k) / math.comb(n, k)


def g_pass_at_k(n: int, c: int, k: int, share: float) -> float:
    """The probability that at least ⌈share·k⌉ of k answers are right (G-Pass@k, arXiv:2412.13147)."""
    _check(n, c, k)
    if not 0 <= share <= 1:
        raise DataError(f"a share of right answers lies between 0 and 1, and {share:g} does not")
    # A share of 0 asks for one right answer, so that it is the limit of small shares.
    least = max(1, math.ceil(share * k - 1e-9))
    return sum(math.comb(c, j) * math.comb(n - c, k - j) for j in range(least, min(c, k) + 1)) / math.comb(n, k)


def mean_g_pass_at_k(n: int, c: int, k: int) -> float:
    """G-Pass@k averaged over the shares from a half to one: (2/k) Σ_{i=⌈k/2⌉+1}^{k} G-Pass@k_{i/k} (ibid.)."""
    return 2 / k * sum(g_pass_at_k(n, c, k, i / k) for i in range(math.ceil(k / 2) + 1, k + 1))


def majority_at_k(answers: Sequence[int], right: Sequence[float], k: int, silent: int = 0) -> float:
    """The score that the majority of k answers has on average (arXiv:2203.11171), when `answers[a]` of the answers say
    a, whose score is `right[a]`, and `silent` say nothing. Where several have most votes the score is the mean of
    theirs; where none votes it is 0.

    Exact: for every answer and every number of votes it can win with, the ways of drawing the others are counted by
    multiplying polynomials in the votes drawn and in the answers tied with it.
    """
    import numpy as np

    n = sum(answers) + silent
    _check(n, 0, k)
    if n > MOST:
        raise DataError(f"a majority is worked out for at most {MOST:,} answers to an instance, and these are {n:,}")
    total = 0.0
    for leader, count in enumerate(answers):
        if not right[leader]:
            continue
        others = [other for place, other in enumerate(answers) if place != leader]
        for votes in range(1, min(count, k) + 1):
            tied = _drawn(others, silent, k - votes, votes)
            shares = tied / np.arange(1, len(tied) + 1)
            total += right[leader] * math.comb(count, votes) * float(shares.sum())
    return total / math.comb(n, k)


def _drawn(others: list[int], silent: int, size: int, votes: int) -> Floats:
    """In how many ways `size` answers can be drawn so that none of the `others` has more than `votes`, by how many of
    them have exactly as many: an array indexed by that number."""
    import numpy as np

    ways = np.zeros((size + 1, size // votes + 1))
    ways[: silent + 1, 0] = [math.comb(silent, v) for v in range(min(silent, size) + 1)]
    for count in others:
        grown = np.zeros_like(ways)
        for v in range(min(count, votes, size) + 1):
            times = math.comb(count, v)
            if v < votes:
                grown[v:] += times * ways[: size + 1 - v]
            else:
                grown[v:, 1:] += times * ways[: size + 1 - v, :-1]
        ways = grown
    return np.asarray(ways[size])


@dataclass(frozen=True)
class PassK:
    """The mean over instances of pass@k (the headline is that of the first of `ks`) and of pass^k, from the epochs of a
    right-or-wrong score (None: the first one). An instance with fewer answers than the largest k is missing."""

    ks: tuple[int, ...] = (1,)
    score: str | None = None
    by: Literal["stratum"] | None = "stratum"

    def __call__(self, table: Table) -> Estimates:
        return Mean(f"pass@{self.ks[0]}", by=self.by)(solved(table, self.ks, self.score))

    def describe(self) -> dict[str, Any]:
        return {"kind": "passk", "score": self.score, "ks": list(self.ks), "weighting": "instance", "unit": "instance"}


def repeats(frame: pl.DataFrame, table: Table, interpret: dict[str, Any], ks: Sequence[int]) -> list[Estimate]:
    """pass@k, pass^k and, where answers are written out, majority@k, of a run whose headline is a mean of right or
    wrong; nothing for others. `frame` holds the trials' id, answer and outcome with that score, `table` the same
    trials, `interpret` what the run's rules say of its number. Raises `DataError` where no instance has the largest k.
    """
    part = interpret.get("parts", [interpret])[0]
    name = part.get("score") or next(iter(table.scores), "")
    if part["kind"] != "mean" or not _right_or_wrong(table, name):
        return []
    read = Mean(by=part.get("by", "stratum"), macro=part["weighting"] == "stratum", unit=part["unit"])
    found = read(solved(table, ks, name))[0]
    written = frame["answer"].is_not_null() & ~frame["outcome"].is_in(NOT_JUDGED)
    if max(ks) > 2 and written.any():  # of two answers the majority is the mean
        found += read(majority(frame, table, [k for k in ks if k > 2], name))[0]
    return found


def _right_or_wrong(table: Table, name: str) -> bool:
    import numpy as np

    return name in table.scores and bool((np.isin(table.scores[name], (0.0, 1.0)) | table.failed).all())


def solved(table: Table, ks: Sequence[int], score: str | None = None) -> Table:
    """A table of one row an instance with the scores `pass@k` for each k and `pass^k` for each above 1. Raises
    `DataError` for a score that is not of right or wrong, and where no instance has as many answers as the largest k.
    """
    import numpy as np

    name = score or next(iter(table.scores), "")
    table.score(name)  # an unknown name or a repeated trial is said first
    codes, ids, first = _by_instance(table.ids)
    judged = ~table.failed
    values = table.scores[name]
    if not _right_or_wrong(table, name):
        raise DataError(f"pass@k is of answers that are right or wrong, and '{name}' has values between; take a mean")
    n = np.bincount(codes[judged], minlength=len(ids)).tolist()
    c = np.bincount(codes[judged], values[judged], minlength=len(ids)).astype(int).tolist()
    scores = {}
    for k in ks:
        scores[f"pass@{k}"] = [pass_at_k(n[i], c[i], k) if n[i] >= max(ks) else math.nan for i in range(len(ids))]
        if k > 1:
            scores[f"pass^{k}"] = [pass_hat_k(n[i], c[i], k) if n[i] >= max(ks) else math.nan for i in range(len(ids))]
    return _one_row_each(table, ids, first, scores, max(ks), max(n))


def majority(frame: pl.DataFrame, table: Table, ks: Sequence[int], score: str | None = None) -> Table:
    """A table of one row an instance with the score `majority@k` for each k, from a frame of trials with the columns
    id, answer, outcome and the score, and the table of the same trials. Two answers are one vote as in
    `outputs.samples`; a trial without an answer does not vote. Raises `DataError` as `solved` does."""
    name = score or next(iter(table.scores), "")
    table.score(name)
    codes, ids, first = _by_instance(table.ids)
    place = {ids[code]: code for code in codes.tolist()}
    ballots: list[dict[Any, list[float]]] = [{} for _ in ids]
    silent = [0] * len(ids)
    for one, answer, outcome, value in frame.select("id", "answer", "outcome", name).iter_rows():
        if outcome in NOT_JUDGED:
            continue
        if answer is None or outcome in NO_VOTE:
            silent[place[one]] += 1
        else:
            ballots[place[one]].setdefault(vote_for(answer), []).append(value)
    n = [mute + sum(map(len, votes.values())) for mute, votes in zip(silent, ballots, strict=True)]
    scores = {}
    for k in ks:
        column = scores[f"majority@{k}"] = [math.nan] * len(ids)
        for i, votes in enumerate(ballots):
            if n[i] >= max(ks):
                right = [sum(alike) / len(alike) for alike in votes.values()]
                column[i] = majority_at_k([len(alike) for alike in votes.values()], right, k, silent[i])
    return _one_row_each(table, ids, first, scores, max(ks), max(n))


def _by_instance(names: Sequence[str]) -> tuple[Ints, list[str], list[int]]:
    """The code of each row's instance, the instances' ids by code, and the first row of each."""
    import numpy as np

    first: dict[str, int] = {}
    for row, name in enumerate(names):
        first.setdefault(name, row)
    ids = sorted(first)
    place = {name: code for code, name in enumerate(ids)}
    return np.array([place[name] for name in names], np.int64), ids, [first[name] for name in ids]


def _one_row_each(
    table: Table, ids: list[str], first: list[int], scores: dict[str, list[float]], k: int, most: int
) -> Table:
    import numpy as np

    columns = {name: np.array(values) for name, values in scores.items()}
    failed = np.isnan(next(iter(columns.values())))
    if failed.all():
        raise DataError(
            f"{k} answers to an instance are asked for, and none has more than {most}; run it with --epochs {k}"
        )
    return Table(
        ids=ids,
        epochs=np.zeros(len(ids), np.int64),
        strata=[table.strata[row] for row in first],
        clusters=[table.clusters[row] for row in first],
        failed=failed,
        scores=columns,
        random_sample=table.random_sample,
        sizes=table.sizes,
    )


def _check(n: int, c: int, k: int) -> None:
    if not (1 <= k <= n and 0 <= c <= n):
        raise DataError(f"{k} of {n} answers, {c} of them right, cannot be drawn")
