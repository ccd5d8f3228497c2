"""Near duplicates: all pairs above a threshold, as comparing every pair would find them."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from howgood.core.types import Instance
from howgood.inputs.duplicates import near_duplicates, shingles, similar_pairs


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_the_same_pairs_as_comparing_all_of_them(threshold: float) -> None:
    draw = random.Random(0)
    sets = [{(str(draw.randint(0, 12)),) for _ in range(draw.randint(0, 9))} for _ in range(150)]
    slow = {
        (a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        for a, b in combinations(range(len(sets)), 2)
        if sets[a] and sets[b] and len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= threshold
    }
    fast = {(min(a, b), max(a, b)): similarity for a, b, similarity in similar_pairs(sets, threshold)}
    assert fast == pytest.approx(slow)
    assert slow


def test_similarity_by_hand() -> None:
    # Trigrams: 1..8 has six, 1..7 plus x has six, five of them shared: 5/7.
    one, other = Instance("a", "1 2 3 4 5 6 7 8"), Instance("b", "1 2 3 4 5 6 7 x")
    found = near_duplicates([one, other], threshold=0.7)
    assert [(p.a, p.b, p.similarity) for p in found.pairs] == [("a", "b", pytest.approx(5 / 7, abs=1e-4))]
    assert near_duplicates([one, other], threshold=0.72).pairs == []


def test_the_order_of_choices_does_not_count_and_answers_are_compared() -> None:
    a = Instance("a", "What is it?", choices=("red fox", "grey wolf"), gold=(0,))
    b = Instance("b", "what is it", choices=("grey wolf", "red fox"), gold=(1,))
    c = Instance("c", "What is it?", choices=("grey wolf", "red fox"), gold=(0,))
    found = near_duplicates([a, b, c])
    assert {(p.a, p.b): p.same_answer for p in found.pairs} == {("a", "b"): True, ("a", "c"): False, ("b", "c"): False}
    assert found.instances == 3


def test_worked_examples_that_are_asked_too() -> None:
    asked = [Instance("1", "one two three four"), Instance("2", "five six seven eight")]
    found = near_duplicates(asked, pool=[Instance("s", "Five, six, seven; eight!"), Instance("t", "nine ten eleven")])
    assert [(p.a, p.b) for p in found.shown] == [("2", "s")]
    assert (found.pairs, found.pool) == ([], 2)
    # Two examples that are alike are no matter of the evaluated instances.
    assert near_duplicates(asked[:1], pool=[asked[1], asked[1]]).shown == []


def test_a_symbol_makes_another_question() -> None:
    one, other = Instance("a", "What is Q(2) * Q(3) here?"), Instance("b", "What is Q(2) + Q(3) here?")
    assert near_duplicates([one, other]).pairs == []
    assert len(near_duplicates([one, Instance("c", "What is Q(2)*Q(3), here")]).pairs) == 1


def test_short_and_empty_texts() -> None:
    assert shingles(Instance("a", "two words")) == {("two", "words")}
    assert shingles(Instance("a", "")) == set()
    assert near_duplicates([Instance("a", ""), Instance("b", "")]).pairs == []
