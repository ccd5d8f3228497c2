"""Instances that ask nearly the same: all pairs whose word trigrams have a Jaccard similarity of at least a threshold.

Exact, not sampled: two sets of similarity t or more share one of the rarest few of their members, so only sets with a
rare member in common are compared (prefix filtering: Chaudhuri, Ganti & Kaushik 2006, ICDE; Bayardo, Ma & Srikant 2007,
WWW).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from msgspec import Struct

from howgood.core.types import Instance
from howgood.inputs.words import question, words

THRESHOLD = 0.8
"""From this similarity on two instances are near duplicates."""
SHINGLE = 3
"""Words in a row that are one member of a set."""


class Pair(Struct, frozen=True):
    """Two instances by their ids and their similarity (1: the same words); `same_answer` is whether their right answers
    are the same."""

    a: str
    b: str
    similarity: float
    same_answer: bool


class Duplicates(Struct, frozen=True):
    """The near duplicates from `threshold` on: `pairs` among the instances, the likest first, how many instances are
    in one (`instances`), and pairs (evaluated instance, worked example) with the examples' pool of `pool` instances."""

    threshold: float
    pairs: list[Pair]
    instances: int
    shown: list[Pair]
    pool: int


def near_duplicates(
    instances: Sequence[Instance], pool: Sequence[Instance] = (), threshold: float = THRESHOLD
) -> Duplicates:
    """All near duplicates among instances, and between them and the `pool` of worked examples."""
    first = len(instances)
    everything = [*instances, *pool]
    pairs, shown = list[Pair](), list[Pair]()
    touched = set[int]()
    for one, other, similarity in similar_pairs([shingles(i) for i in everything], threshold):
        a, b = sorted((one, other))
        if a >= first:
            continue
        same = answer(everything[a]) == answer(everything[b])
        made = Pair(everything[a].id, everything[b].id, round(similarity, 4), same)
        if b < first:
            pairs.append(made)
            touched |= {a, b}
        else:
            shown.append(made)
    for found in (pairs, shown):
        found.sort(key=lambda pair: (-pair.similarity, pair.a, pair.b))
    return Duplicates(threshold, pairs, len(touched), shown, len(pool))


def shingles(instance: Instance) -> set[tuple[str, ...]]:
    """The trigrams of words and symbols of the question and of each choice by itself, so that the order of choices does
    not count; of a shorter text all of it."""
    found: set[tuple[str, ...]] = set()
    for text in (question(instance), *instance.choices):
        said = words(text, symbols=True)
        if said:
            found |= {tuple(said[place : place + SHINGLE]) for place in range(max(1, len(said) - SHINGLE + 1))}
    return found


def answer(instance: Instance) -> frozenset[str]:
    """The right answers as text, whatever the order of choices."""
    texts = [instance.choices[place] for place in instance.gold] if instance.choices else instance.targets
    return frozenset(" ".join(words(text, symbols=True)) for text in texts)


def similar_pairs(sets: Sequence[set[tuple[str, ...]]], threshold: float) -> list[tuple[int, int, float]]:
    """The places of all pairs of sets with |a∩b|/|a∪b| >= threshold (above 0), and that similarity. Empty sets are like
    none."""
    counts = Counter(member for members in sets for member in members)
    rank = {member: place for place, member in enumerate(sorted(counts, key=counts.__getitem__))}
    coded = [sorted(rank[member] for member in members) for members in sets]
    holders: dict[int, list[int]] = defaultdict(list)
    whole = [frozenset(codes) for codes in coded]
    found = []
    for place in sorted(range(len(coded)), key=lambda place: len(coded[place])):
        codes = coded[place]
        size = len(codes)
        near: set[int] = set()
        # The rarest members, one of which any set that is alike enough must share.
        for code in codes[: size - math.ceil(threshold * size - 1e-9) + 1]:
            near.update(other for other in holders[code] if len(coded[other]) >= threshold * size - 1e-9)
            holders[code].append(place)
        for other in near:
            shared = len(whole[place] & whole[other])
            similarity = shared / (size + len(coded[other]) - shared)
            if similarity >= threshold - 1e-9:
                found.append((other, place, similarity))
    return found
