"""What a benchmark's instances are: topics, lengths, languages, and quizzing or asking with its error."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from howgood.core.types import Image, Instance, Message, Text
from howgood.inputs.asking import kind
from howgood.inputs.coverage import SHORT, inspect, languages, length
from howgood.inputs.topics import rand_index, topics
from howgood.inputs.words import question, whole, words

SUBJECTS = {
    "sea": "harbour vessel anchor sailor captain tide lighthouse mast rudder compass deck cargo".split(),
    "kitchen": "oven flour recipe butter dough knife saucepan pepper garlic onion spoon bake".split(),
    "court": "judge jury verdict lawyer appeal statute defendant trial witness plaintiff oath bail".split(),
}


def texts(n: int, seed: int = 0) -> tuple[list[str], list[str]]:
    draw, subjects = random.Random(seed), list(SUBJECTS)
    labels = [subjects[k % 3] for k in range(n)]
    return labels, [" ".join([*draw.sample(SUBJECTS[label], 6), "question", "asked"]) for label in labels]


def test_topics_are_found_and_named_by_their_words() -> None:
    labels, written = texts(75)
    found = topics([str(k) for k in range(75)], written)
    assert len(found.topics) == 3
    assert found.stability == pytest.approx(1.0)
    assert found.stable
    codes = np.array([list(SUBJECTS).index(label) for label in labels])
    assert rand_index(codes, np.array(found.of)) == pytest.approx(1.0)
    for place, topic in enumerate(found.topics):
        own = {label for label, of in zip(labels, found.of, strict=True) if of == place}
        assert len(own) == 1
        assert topic.n == 25
        assert set(topic.words) <= set(SUBJECTS[own.pop()])
        assert all(found.of[int(id)] == place for id in topic.examples)
    assert topics([str(k) for k in range(75)], written) == found  # the same seed, the same topics


def test_texts_without_topics_are_called_unstable() -> None:
    draw = random.Random(1)
    pool = [f"word{k}" for k in range(300)]
    found = topics([str(k) for k in range(120)], [" ".join(draw.sample(pool, 8)) for _ in range(120)])
    assert not found.stable
    assert found.stability is not None
    assert found.stability < 0.3


def test_few_texts_are_one_topic() -> None:
    found = topics(["a", "b"], ["some words", "other words"])
    assert (len(found.topics), found.of, found.stability) == (1, [0, 0], None)


def test_the_rand_index_by_hand() -> None:
    # Hubert & Arabie: pairs together in both 2, in one 6 and 4, of 15: (2 - 1.6)/(5 - 1.6).
    one, other = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert rand_index(one, other) == pytest.approx((2 - 6 * 3 / 15) / ((6 + 3) / 2 - 6 * 3 / 15))
    assert rand_index(one, one) == 1.0


def test_words_of_all_scripts() -> None:
    assert words("Don't STOP, e-mail 3 friends!") == ["don't", "stop", "e", "mail", "3", "friends"]
    assert words("東京都は") == ["東京", "京都", "都は"]
    assert words("猫") == ["猫"]


def test_the_question_of_a_conversation() -> None:
    turns = (
        Message("system", "Be brief."),
        Message("user", (Text("What is this?"), Image(b"x"))),
        Message("assistant", "A cat."),
        Message("user", "And that?"),
    )
    assert question(Instance("1", turns)) == "What is this?\nAnd that?"
    assert whole(Instance("1", "Which?", choices=("a", "b"), gold=(0,))) == "Which?\na\nb"


def test_lengths_by_hand() -> None:
    found = length("words", [1, 2, 3, 4, 5])
    assert found.mean == 3
    assert found.quantiles == pytest.approx([1, 1.2, 2, 3, 4, 4.8, 5])


def test_languages_are_told_where_there_is_text_enough() -> None:
    pytest.importorskip("langdetect")
    from howgood.outputs.verify.language import language

    written = [
        "How many days do I have to return an item that I bought in the shop?",
        "Wie viele Tage habe ich Zeit, um einen gekauften Artikel zurückzugeben?",
        "Combien de jours ai-je pour retourner un article acheté au magasin ?",
        "Yes?",
    ]
    found = languages(["a", "b", "c", "d"], written, language, 0)
    assert found.of == {"a": "en", "b": "de", "c": "fr", "d": SHORT}
    missing = languages(["a"], written[:1], None, 0)
    assert (missing.of, missing.shares) == ({}, [])
    assert "pip install" in missing.missing


def test_everything_at_once() -> None:
    made = [
        Instance(str(k), f"What is {k} plus {k}?", targets=(str(2 * k),), stratum="even" if k % 2 else "odd")
        for k in range(4)
    ]
    found = inspect(made, tokens=len)
    assert [one.unit for one in found.lengths] == ["characters", "words", "tokens"]
    assert [(one.name, one.n) for one in found.strata] == [("even", 2), ("odd", 2)]
    assert found.ids == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Which of the following is a noble gas?", "quizzing"),
        ("The powerhouse of the cell is the", "quizzing"),
        ("A farmer has 17 sheep and buys 5 more. How many sheep does he have?", "quizzing"),
        ("Find the value of $x$ if $2x = 6$.", "quizzing"),
        ("can you help me write an email to my boss about the delay", "asking"),
        ("Write a poem about autumn.", "asking"),
        ("I have a headache every morning, what should I do?", "asking"),
    ],
)
def test_plain_cases(prompt: str, expected: str) -> None:
    assert kind(prompt) == expected


def lines(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode().split("\n") if line]


@pytest.mark.parametrize(
    ("file", "column", "right", "least"),
    [
        ("mmlu/test.jsonl.gz", "question", "quizzing", 0.79),
        ("gsm8k/test.jsonl", "question", "quizzing", 0.90),
        ("alpacaeval/eval_set.jsonl.gz", "instruction", "asking", 0.72),
        ("arena_hard/question.jsonl.gz", "turns", "asking", 0.89),
        # Not looked at while the rules were written.
        ("math/math_slice.jsonl.gz", "context", "quizzing", 0.90),
        ("medhelm/medication_qa", "Question", "asking", 0.93),
    ],
)
def test_the_error_of_the_rules_is_what_the_docs_say(
    file: str, column: str, right: str, least: float, shared: Path
) -> None:
    path = shared / "data" / file
    rows = lines(next(path.iterdir()) if path.is_dir() else path)
    prompts = [r[column][0]["content"] if column == "turns" else str(r[column]) for r in rows if r.get(column)][::4]
    assert sum(kind(prompt) == right for prompt in prompts) / len(prompts) >= least - 0.02
