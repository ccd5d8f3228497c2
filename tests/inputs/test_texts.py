"""Whole texts: lines put together, and spaced tokens as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import DataError
from howgood.inputs.base import Given, Row
from howgood.inputs.files import read_rows
from howgood.inputs.local import Local
from howgood.inputs.texts import (
    Lines,
    hugging_face_lines,
    news_detokenizer,
    one_a_line,
    penn_treebank_detokenizer,
    sentences,
    wikitext_detokenizer,
)

SPACED = st.lists(st.sampled_from([*"a s n t N 5 O . , ; ( ) [ ] $ # £ \" ' - 's n't 't 'Neill <unk> \n".split(" ")]))


def test_lines_are_one_text() -> None:
    rows: tuple[Row, ...] = ({"line": " = A = \n"}, {"line": ""}, {"line": "b c"})
    (row,) = Lines(Given({"test": rows}), "line", blank=" \n").rows("test")
    assert row == {"text": " = A = \n \nb c\n"}


def test_a_row_without_a_line_is_told() -> None:
    lines = Lines(Given({"test": ({"body": "a"},)}))
    with pytest.raises(DataError, match="stands in a column 'text', but there is only body"):
        next(lines.rows("test"))


def test_lines_look_where_their_source_looks(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    lines = Lines(Local(test="a.jsonl"))
    assert not lines.has("test")
    there = lines.at(tmp_path)
    assert there.has("test")
    assert list(there.rows("test")) == [{"text": "one\ntwo\n"}]
    assert there.provenance("test")["files"] == ["a.jsonl"]


def test_the_rows_of_the_hub_are_the_official_file(shared: Path) -> None:
    """The Hub's rows of WikiText are its lines, blank ones emptied."""
    (row,) = read_rows(shared / "data" / "perplexity" / "wikitext-2-raw" / "wiki.test.raw.gz")
    lines = row["text"].removesuffix("\n").split("\n")
    hub = tuple({"text": f"{line}\n" if line.strip() else ""} for line in lines)
    assert list(Lines(Given({"test": hub}), blank=" \n").rows("test")) == [row]


def test_sentences_stand_without_the_space_around_them() -> None:
    assert sentences(" a b \n\n c\n \n") == ["a b", "c"]
    assert one_a_line(" a b \n\n c\n \n") == "a b\nc\n"


@pytest.mark.parametrize(
    ("spaced", "written"),
    [
        ("no it was n't black monday", "no it wasn't black monday"),
        ("standard & poor 's 500-stock index", "standard & poor's 500-stock index"),
        ("the holders ' rights they 're told", "the holders' rights they're told"),
        ("$ N million and # N", "$N million and #N"),
        ("us$ N $ <unk>", "us$ N $ <unk>"),
    ],
)
def test_penn_treebank(spaced: str, written: str) -> None:
    assert penn_treebank_detokenizer(spaced) == written


@pytest.mark.parametrize(
    ("spaced", "written"),
    [
        ("She paid $ 579,338 .", "She paid $579,338."),
        ('" It couldn \'t be , " said Nickie , 36 .', '"It couldn\'t be," said Nickie, 36.'),
        ('of DUMBO ( an acronym for " Down Under " ) .', 'of DUMBO (an acronym for "Down Under").'),
        ("boost girls ' self-esteem", "boost girls' self-esteem"),
        ("a L 'Wren necklace , or 8 % of it -- see [ 1 ] ?", "a L'Wren necklace, or 8% of it -- see [1]?"),
        ('an odd quote , " he added', 'an odd quote, " he added'),
        ('" one\ntwo "', '" one\ntwo "'),
    ],
)
def test_one_billion_word(spaced: str, written: str) -> None:
    assert news_detokenizer(spaced) == written


def test_wikitext() -> None:
    raw = (
        ' = A title = \n \n In 2000 , 1 @,@ 234 well @-@ known \' s 3 @.@ 5 ( or so ) said " no " . \n = = Part = = \n'
    )
    written = ' = A title =\n\nIn 2000, 1,234 well-known \' s 3.5 (or so) said "no".\n== Part ==\n'
    assert wikitext_detokenizer(raw) == written


@given(SPACED)
def test_nothing_but_spaces_changes(tokens: list[str]) -> None:
    text = " ".join(tokens)
    for detokenize in (penn_treebank_detokenizer, news_detokenizer):
        written = detokenize(text)
        assert written.replace(" ", "") == text.replace(" ", "")
        assert len(written) <= len(text)


def test_the_guide_doubles_line_breaks() -> None:
    assert hugging_face_lines(" \n = A = \n \nb\n") == "\n\n = A = \n\n\n\n\nb\n"
    # What the guide makes of the rows of the Hub.
    rows = ["", " = A = \n", "", "b\n"]
    assert hugging_face_lines(" \n = A = \n \nb\n") == "\n\n".join(rows)


def test_the_guides_text_of_wikitext(shared: Path) -> None:
    """It has 287,644 GPT-2 tokens, as the guide's users see in a warning; in bytes it has as many as here."""
    (row,) = read_rows(shared / "data" / "perplexity" / "wikitext-2-raw" / "wiki.test.raw.gz")
    assert len(hugging_face_lines(row["text"]).encode()) == 1_296_370
