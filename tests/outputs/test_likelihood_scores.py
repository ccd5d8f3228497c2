from __future__ import annotations

import math
import re
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import UnknownName
from howgood.core.types import Instance, Likelihood, Prediction
from howgood.outputs.base import judge
from howgood.outputs.likelihood import ContinuationScore, GoldBits, Surprise, count_words


@pytest.mark.parametrize(("greedy", "outcome"), [(True, "right"), (False, "wrong")])
def test_a_continuation(greedy: bool, outcome: str) -> None:
    score = judge(ContinuationScore(), Instance("1", "a"), Prediction(likelihoods=(Likelihood(-2.5, 3, greedy),)))
    assert (score.values, score.outcome) == ({"acc": float(greedy), "nll": 2.5, "tokens": 3.0}, outcome)


def test_the_bits_of_a_gold_answer() -> None:
    """Eight nats are 8/ln 2 bits, over the bytes of what was scored, the space included."""
    found = Prediction(text=" Grüße", likelihoods=(Likelihood(-8.0, 3),))
    score = judge(GoldBits(), Instance("1", "a", targets=("Grüße",)), found)
    assert score.values == {"bpb": pytest.approx(8 / math.log(2) / 8, rel=1e-15), "nll": 8.0, "bytes": 8.0, "tokens": 3}
    assert (score.outcome, score.answer, next(iter(score.values))) == ("scored", " Grüße", "bpb")


def test_a_text_counts_its_words_bytes_and_tokens_as_stored() -> None:
    score = judge(Surprise("plain"), Instance("1", " Grüße an alle "), Prediction(likelihoods=(Likelihood(-8.0, 6),)))
    assert (score.values, score.outcome) == ({"nll": 8.0, "words": 3.0, "bytes": 17.0, "tokens": 6.0}, "scored")


def test_a_way_to_count_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"no way to count words 'line'\. Did you mean lines"):
        Surprise("line")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "how", "count"),
    [
        (" a b\nc \n", "plain", 3),
        (" a b\nc \n", "split", 5),
        (" a b\nc \n", "lines", 5),
        ("a b\nc", "lines", 5),
        ("a b c", "lines", 4),
        ("a\n\nb\n", "lines", 5),
        ("", "plain", 0),
        ("", "split", 1),
    ],
)
def test_count_words(text: str, how: Literal["split", "plain", "lines"], count: int) -> None:
    assert count_words(text, how) == count


@given(st.lists(st.text("ab \t"), min_size=1))
def test_lines_count_alike_with_and_without_the_last_line_break(lines: list[str]) -> None:
    text = "\n".join([*lines, "end"])
    assert (
        count_words(text, "lines")
        == count_words(text + "\n", "lines")
        == sum(len(line.split()) + 1 for line in text.split("\n"))
    )


@given(st.text())
def test_a_split_counts_the_empty_pieces_at_both_ends_too(text: str) -> None:
    pieces = re.split(r"\s+", text)
    assert count_words(text, "split") == sum(map(bool, pieces)) + (not pieces[0]) + (len(pieces) > 1 and not pieces[-1])
