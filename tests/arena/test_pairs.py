"""Which pair is shown next."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from howgood.arena import pairs as module
from howgood.arena.pairs import Pairs


@pytest.fixture(autouse=True)
def _never_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_RANDOM", 0.0)


def met(pairs: Pairs, times: int) -> Counter[tuple[int, int]]:
    return Counter(tuple(sorted(pairs.draw())) for _ in range(times))  # type: ignore[misc]


def test_without_votes_all_pairs_come_in_turn_and_sides_by_chance() -> None:
    pairs = Pairs([10, 20, 30])
    assert met(pairs, 30) == {(10, 20): 10, (10, 30): 10, (20, 30): 10}
    drawn = [pairs.draw() for _ in range(200)]
    assert 60 < sum(a < b for a, b in drawn) < 140  # a coin misses this once in 10^7


def test_a_newcomer_is_shown_until_it_is_known_as_well() -> None:
    pairs = Pairs([1, 2, 3])
    pairs.learn([(1, 2, "a", 100), (2, 1, "a", 100)])
    assert all(3 in pair for pair in met(pairs, 50))


def test_a_pair_whose_winner_is_clear_tells_less() -> None:
    pairs = Pairs([1, 2, 3])
    each = [(1, 2, "tie", 40), (1, 3, "a", 40), (2, 3, "a", 40)]
    pairs.learn(each)
    assert met(pairs, 5) == {(1, 2): 5}


def test_battles_under_way_count_as_votes() -> None:
    pairs = Pairs([1, 2, 3])
    pairs.learn([(1, 2, None, 20), (2, 3, None, 20)])
    assert met(pairs, 20) == {(1, 3): 20}
    pairs.learn([(7, 8, "a", 5)])  # systems that are gone
    assert met(pairs, 3) == {(1, 2): 1, (1, 3): 1, (2, 3): 1}


def test_what_pending_votes_are_expected_to_tell() -> None:
    """Two systems without votes: information I/2 each, p(1-p) = 1/4, so n pending votes leave a variance of the
    difference of 1/(1/4 + n/4) = 4/(1 + n)."""
    pairs = Pairs([1, 2])
    pairs.learn([(1, 2, None, 3)])
    assert pairs._gain[0, 1] == pytest.approx(0.5 * np.log1p(0.25 * 1.0))


def test_some_battles_are_of_any_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_RANDOM", 1.0)
    pairs = Pairs([1, 2, 3])
    pairs.learn([(1, 2, "tie", 1000), (1, 3, "a", 1000), (2, 3, "a", 1000)])
    assert set(met(pairs, 200)) == {(1, 2), (1, 3), (2, 3)}
