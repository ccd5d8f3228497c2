"""Where the error of a mean comes from: against closed forms and simulated data of known parts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from score_tables import table, trial

from howgood.core.errors import DataError
from howgood.interpret.compare import paired
from howgood.interpret.table import Table
from howgood.interpret.variance import Split, split, split_pair, split_prompts


def repeated(values: np.ndarray) -> Table:
    """Scores (questions, epochs) as trials."""
    return Table.of([trial(f"q{i:04}", k, s=float(x)) for i, row in enumerate(values) for k, x in enumerate(row)])


@pytest.mark.parametrize(("epochs", "variance"), [(1, 1 / 4), (2, 1 / 6), (4, 1 / 8), (1e12, 1 / 12)])
def test_more_epochs_of_uniform_rates(epochs: float, variance: float) -> None:
    assert Split(1 / 12, 1 / 6, 50, epochs).se ** 2 == pytest.approx(variance / 50)


def test_one_way() -> None:
    y = np.array([[1.0, 0, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]])
    found = split(repeated(y), "s")
    within = y.var(axis=1, ddof=1).mean()
    assert found.sampling == pytest.approx(within)
    assert found.question == pytest.approx(y.mean(axis=1).var(ddof=1) - within / 4)
    assert found.se == pytest.approx(y.mean(axis=1).std(ddof=1) / math.sqrt(3))  # the parts add up to s/√n
    assert found.again == pytest.approx(math.sqrt(within / 12))


def test_the_parts_of_bernoulli_answers_are_found() -> None:
    rng = np.random.default_rng(0)
    rates = rng.random(4000)
    found = split(repeated((rng.random((4000, 3)) < rates[:, None]).astype(float)), "s")
    assert found.question == pytest.approx(1 / 12, rel=0.06)
    assert found.sampling == pytest.approx(1 / 6, rel=0.06)


def test_without_epochs_the_sampling_is_not_known() -> None:
    found = split(table(s=[1, 0, 1, 1]), "s")
    assert (found.sampling, found.parts) == (None, {"question": pytest.approx(0.25 / 4)})
    with pytest.raises(DataError, match="at least two"):
        split(table(s=[1]), "s")


def test_unequal_epochs() -> None:
    rows = [trial("a", 0, s=1), trial("a", 1, s=0), trial("b", 0, s=1), trial("c", 0, s=0), trial("c", 1)]
    found = split(Table.of(rows), "s")
    assert (found.n, found.sampling, found.epochs) == (3, 0.5, pytest.approx(3 / (0.5 + 1 + 1)))


def test_a_paired_difference() -> None:
    rng = np.random.default_rng(1)
    rates = rng.random(3000)
    a = repeated((rng.random((3000, 2)) < rates[:, None]).astype(float))
    b = repeated((rng.random((3000, 4)) < rates[:, None]).astype(float))
    found = split_pair(a, b, "s")
    assert found is not None
    # The same rates for both: nothing between questions, all of it sampling, 1/6 each.
    assert found.sampling == pytest.approx(1 / 3, rel=0.06)
    assert found.question < 0.01
    assert found.epochs == pytest.approx((1 / 3) / (1 / 12 + 1 / 24), rel=0.05)
    comparison = paired(a, b, "s")
    assert comparison.split == found
    # Where the questions differ in what they ask of the two, the parts add up to the paired error.
    other = repeated((rng.random((3000, 4)) < rng.random((3000, 1))).astype(float))
    comparison = paired(a, other, "s")
    assert comparison.split is not None
    assert comparison.split.question == pytest.approx(1 / 6, rel=0.12)
    assert comparison.split.se == pytest.approx(comparison.difference.se or 0)
    assert split_pair(a, table(s=[1, 0]), "s") is None


def test_wordings_of_a_prompt() -> None:
    y = np.array([[3.0, 1, 2], [4, 2, 3], [5, 3, 7], [1, 0, 1]])
    found = split_prompts([table(s=column.tolist()) for column in y.T], "s")
    grand, rows, columns = y.mean(), y.mean(axis=1), y.mean(axis=0)
    crossed = ((y - rows[:, None] - columns + grand) ** 2).sum() / 6
    assert found.both == pytest.approx(crossed)
    assert found.prompt == pytest.approx(columns.var(ddof=1) - crossed / 4)
    assert found.question == pytest.approx(rows.var(ddof=1) - crossed / 3)
    assert (found.sampling, found.prompts, found.n) == (None, 3, 4)


def test_known_parts_of_wordings_are_found() -> None:
    rng = np.random.default_rng(4)
    n, wordings, epochs = 400, 60, 2
    questions, prompts = rng.normal(0, 2, (n, 1, 1)), rng.normal(0, 0.5, (1, wordings, 1))
    y = questions + prompts + rng.normal(0, 1, (n, wordings, 1)) + rng.normal(0, 1.5, (n, wordings, epochs))
    found = split_prompts([repeated(y[:, p]) for p in range(wordings)], "s")
    assert found.question == pytest.approx(4, rel=0.15)
    assert found.prompt == pytest.approx(0.25, rel=0.4)
    assert (found.both, found.sampling) == (pytest.approx(1, rel=0.05), pytest.approx(2.25, rel=0.05))
    parts = found.parts
    assert parts["prompt"] == pytest.approx((found.prompt or 0) / 60)
    assert parts["sampling"] == pytest.approx((found.sampling or 0) / (n * wordings * epochs))


def test_one_wording_or_nothing_shared_is_refused() -> None:
    with pytest.raises(DataError, match="at least two wordings"):
        split_prompts([table(s=[1, 0])], "s")
    with pytest.raises(DataError, match="share 1 questions"):
        split_prompts([table(s=[1, 0]), Table.of([trial("i000", s=1), trial("z", s=0)])], "s")
