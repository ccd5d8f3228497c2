"""Two texts word by word."""

from __future__ import annotations

import random

import pytest

from howgood.report.diffs import Piece, words
from limits import in_time


def test_changed_words_are_told_apart() -> None:
    assert words("the cat sat on the mat", "the dog sat on a mat") == (
        Piece("both", "the "), Piece("first", "cat"), Piece("second", "dog"), Piece("both", " sat on "),
        Piece("first", "the"), Piece("second", "a"), Piece("both", " mat"),
    )  # fmt: skip


def test_equal_and_empty_texts() -> None:
    assert words("same here", "same here") == (Piece("both", "same here"),)
    assert words("", "") == ()
    assert words("a", "") == (Piece("first", "a"),)
    assert words("", "b c") == (Piece("second", "b c"),)


def test_both_texts_can_be_read_out_of_the_pieces_and_as_little_as_possible_differs() -> None:
    draw = random.Random(0)
    for _ in range(500):
        a, b = ("".join(draw.choice("ab,") for _ in range(draw.randrange(12))) for _ in range(2))
        a, b = " ".join(a), " ".join(b)
        found = words(a, b)
        assert found is not None
        assert "".join(piece.text for piece in found if piece.side != "second") == a
        assert "".join(piece.text for piece in found if piece.side != "first") == b
        both = sum(len(piece.text) for piece in found if piece.side == "both")
        assert both == _longest_common(a, b)


def _longest_common(a: str, b: str) -> int:
    """The length of the longest common subsequence, by the textbook's table: every word here has one character."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = row
        row = [0]
        for place, y in enumerate(b):
            row.append(before[place] + 1 if x == y else max(row[-1], before[place + 1]))
    return row[-1]


@pytest.mark.parametrize(("a", "b"), [("a " * 9_900, "b " * 9_900), ("." * 20_000, ".," * 10_000), ("x" * 20_001, "x")])
def test_what_is_too_long_or_too_far_apart_is_not_marked(a: str, b: str) -> None:
    with in_time():
        assert words(a, b) is None
