"""What a benchmark's instances are, before any model is asked: lengths, languages, topics, duplicates, and whether they
quiz or ask."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from howgood.core.types import Instance
from howgood.inputs.asking import kind
from howgood.inputs.duplicates import Duplicates, near_duplicates
from howgood.inputs.topics import Topics, topics
from howgood.inputs.words import question, whole, words

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
DETECTED = 500
"""Instances whose language is detected: a random sample of more, since detection takes milliseconds each."""
SHORTEST = 40
"""Characters that a text needs for its language to be told."""
SHORT = "too short to tell"


class Length(Struct, frozen=True):
    """How long the questions are with their choices, in a `unit`: the mean and the `QUANTILES`."""

    unit: str
    mean: float
    quantiles: list[float]


class Share(Struct, frozen=True):
    """How many instances are of one kind."""

    name: str
    n: int
    share: float


class Languages(Struct, frozen=True):
    """The languages of the `n` instances looked at, the most frequent first, and that of each by its id. Empty, with
    the reason in `missing`, where the detector is not installed."""

    shares: list[Share]
    of: dict[str, str]
    n: int
    missing: str = ""


class Kinds(Struct, frozen=True):
    """How many prompts look like a quiz, how many like a request, and which each is (in the order of the instances)."""

    shares: list[Share]
    of: list[str]


class Inspected(Struct, frozen=True):
    """What was found of a benchmark's instances, whose `ids` are in their order."""

    ids: list[str]
    strata: list[Share]
    lengths: list[Length]
    languages: Languages
    topics: Topics
    kinds: Kinds
    duplicates: Duplicates


def inspect(
    instances: Sequence[Instance],
    pool: Sequence[Instance] = (),
    detect: Callable[[str], str | None] | None = None,
    tokens: Callable[[str], int] | None = None,
    seed: int = 0,
) -> Inspected:
    """Look at all instances, and at the `pool` of worked examples for duplicates. `detect` names the language of a text
    (None: no detector there is), `tokens` counts a model's tokens in one."""
    ids, texts = [i.id for i in instances], [whole(i) for i in instances]
    asked = [question(i) for i in instances]
    units: dict[str, Callable[[str], int]] = {"characters": len, "words": lambda text: len(words(text))}
    if tokens is not None:
        units["tokens"] = tokens
    kinds: list[str] = [kind(text) for text in asked]
    strata = Counter(i.stratum for i in instances if i.stratum is not None)
    return Inspected(
        ids,
        shares(strata, len(ids)),
        [length(unit, [count(text) for text in texts]) for unit, count in units.items()],
        languages(ids, asked, detect, seed),
        topics(ids, texts, seed),
        Kinds(shares(Counter(kinds), len(ids)), kinds),
        near_duplicates(instances, pool),
    )


def length(unit: str, values: Sequence[int]) -> Length:
    import numpy as np

    array = np.array(values, float)
    return Length(unit, float(array.mean()), np.quantile(array, QUANTILES).tolist())


def languages(
    ids: Sequence[str], texts: Sequence[str], detect: Callable[[str], str | None] | None, seed: int
) -> Languages:
    if detect is None:
        return Languages([], {}, 0, "needs langdetect: pip install 'howgood[inputs]'")
    places = range(len(ids))
    chosen = sorted(random.Random(seed).sample(places, DETECTED)) if len(ids) > DETECTED else list(places)
    of = {
        ids[place]: (detect(texts[place]) or SHORT) if len(texts[place].strip()) >= SHORTEST else SHORT
        for place in chosen
    }
    return Languages(shares(Counter(of.values()), len(of)), of, len(of))


def shares(counts: Counter[str], total: int) -> list[Share]:
    return [Share(name, n, n / total) for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
