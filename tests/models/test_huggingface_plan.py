"""What is forwarded: windows that score every token once, rows that hold no token twice, attention taken apart, batches
within a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from howgood.models.huggingface.encode import windows
from howgood.models.huggingface.plan import Row, Scored, attention, batch, fold, lines, shared_length

sequences = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=8).flatmap(
        lambda inputs: st.integers(1, len(inputs)).map(lambda n: Scored(inputs, [7] * n))
    ),
    min_size=1,
    max_size=8,
).map(lambda items: sorted(items, key=lambda item: tuple(item.inputs)))
"""Items in the order of their tokens."""


@st.composite
def begun(draw: st.DrawFn) -> tuple[list[Scored], list[int]]:
    """Items, and a beginning of the first one that is known."""
    items = draw(sequences)
    return items, list(items[0].inputs[: draw(st.integers(0, items[0].first))])


def test_windows_are_those_of_lm_eval() -> None:
    # The case of lm-eval's own documentation of get_rolling_token_windows: P is the prefix.
    found = windows(range(10), [-1], length=4, context=1)
    assert [(list(w.inputs), list(w.targets)) for w in found] == [
        ([-1, 0, 1, 2], [0, 1, 2, 3]),
        ([3, 4, 5, 6], [4, 5, 6, 7]),
        ([5, 6, 7, 8], [8, 9]),
    ]


@given(st.integers(0, 60), st.integers(1, 12), st.data())
def test_windows_score_every_token_once_after_enough_context(n: int, length: int, data: st.DataObject) -> None:
    context = data.draw(st.integers(1, length))
    found = windows(range(n), [-1], length, context)
    assert [target for window in found for target in window.targets] == list(range(n))
    for number, window in enumerate(found):
        assert len(window.inputs) <= length
        assert list(window.inputs[len(window.inputs) - len(window.targets) + 1 :]) == list(window.targets[:-1])
        before = len(window.inputs) - len(window.targets) + 1
        assert before >= (context if number else 1)


def seen(row: Row, path: list[int], place: int) -> list[int]:
    """The tokens that the token at `place` sees, in order."""
    tokens = [*path, *row.tokens]
    return [tokens[j] for j in range(place + 1) if place < row.ends[j]]


@given(begun(), st.one_of(st.none(), st.integers(1, 30)))
def test_a_row_shows_each_sequence_to_its_own_tokens_alone(
    case: tuple[list[Scored], list[int]], budget: int | None
) -> None:
    items, path = case
    row = fold(items, path, budget)
    assert row.known == len(path)
    assert len(row.reads) == len(row.shares) >= 1
    assert sum(row.shares) == len(row)
    assert budget is None or len(row) <= budget
    for item, read in zip(items, row.reads, strict=False):
        places = range(item.first, len(item.inputs))[: len(read)]
        whole = len(row.reads) > 1 or len(row.paths[-1]) == len(item.inputs)
        assert len(read) == (len(item.targets) if whole else max(0, len(row.paths[-1]) - item.first))
        for depth, token in zip(places, read, strict=True):
            assert seen(row, path, len(path) + token) == list(item.inputs[: depth + 1])
            assert row.positions[token] == depth


@given(sequences)
def test_a_row_holds_each_shared_beginning_once(items: list[Scored]) -> None:
    beginnings = {tuple(item.inputs[:n]) for item in items for n in range(1, len(item.inputs) + 1)}
    assert len(fold(items)) == len(beginnings)


@given(begun(), st.integers(1, 12), st.one_of(st.none(), st.integers(1, 30)))
def test_attention_taken_apart_shows_each_token_its_ancestors_once(
    case: tuple[list[Scored], list[int]], dense: int, budget: int | None
) -> None:
    items, path = case
    row = fold(items, path, budget)
    blocks, stems = attention(row, dense)
    assert [place for block in blocks for place in range(block.start, block.stop)] == list(range(len(row)))
    found: list[list[int]] = [[] for _ in row.tokens]
    for stem in stems:
        shift = 0 if stem.known else row.known
        for token in range(stem.start, stem.stop):
            found[token] += range(stem.first + shift, stem.end + shift)
    for block in blocks:
        for token in range(block.start, block.stop):
            i = token - block.start
            ends = block.ends or [block.stop - block.start] * (block.stop - block.start)
            found[token] += [row.known + block.start + j for j in range(i + 1) if i < ends[j]]
    for token, places in enumerate(found):
        place = row.known + token
        assert sorted(places) == [j for j in range(place + 1) if place < row.ends[j]]


def test_blocks_of_many_branches_are_small_and_stems_are_whole() -> None:
    items = [Scored([*range(100), n, n + 1], [9]) for n in range(200, 300, 2)]
    blocks, stems = attention(fold(items), dense=10)
    assert [(s.start, s.stop, s.first, s.end) for s in stems] == [(100, 200, 0, 100)]
    assert [(b.start, b.stop) for b in blocks] == [(0, 100), *((n, n + 10) for n in range(100, 200, 10))]
    assert blocks[0].ends is None
    assert blocks[1].ends == [2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
    [_, after], [known] = attention(fold(items[:3], range(100)), dense=4)
    assert (known.start, known.stop, known.first, known.end, known.known) == (0, 6, 0, 100, True)
    assert (after.start, after.stop, after.ends) == (4, 6, None)


def test_a_long_chain_is_cut_into_pieces_that_attend_to_those_before() -> None:
    blocks, stems = attention(fold([Scored(range(300), [9])]))
    assert [(b.start, b.stop, b.ends) for b in blocks] == [(0, 128, None), (128, 256, None), (256, 300, None)]
    assert [(s.start, s.stop, s.first, s.end) for s in stems] == [(128, 256, 0, 128), (256, 300, 0, 256)]


def test_an_item_that_asks_about_what_is_known_waits_for_another_row() -> None:
    items = [Scored([1, 2, 3, 4], [9]), Scored([1, 2, 5], [9, 9])]
    assert len(fold(items, [1]).reads) == 2
    assert len(fold(items, [1, 2]).reads) == 1  # the second asks what comes after 2


@given(sequences)
def test_lines_hold_only_whole_sequences(items: list[Scored]) -> None:
    found = lines(items)
    assert sorted(number for numbers, _ in found for number in numbers) == list(range(len(items)))
    for numbers, row in found:
        assert row.ends == [len(row)] * len(row)  # no branches
        for number, read in zip(numbers, row.reads, strict=True):
            item = items[number]
            assert read == list(range(item.first, len(item.inputs)))
            assert row.tokens[: len(item.inputs)] == list(item.inputs)
    assert len({tuple(row.tokens) for _, row in found}) == len(found)


def test_every_token_after_a_sequence_is_read_at_its_end() -> None:
    assert fold([Scored([1, 2, 3], range(5), at_end=True)]).reads == [[2] * 5]
    assert fold([Scored([1, 2, 3], range(5), at_end=True)], budget=2).reads == [[]]
    assert shared_length([1, 2, 3], [1, 2, 4, 5]) == 2


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 500))
def test_a_batch_takes_the_oldest_and_keeps_to_its_budget(sizes: list[int], budget: int) -> None:
    chosen = batch(sizes, budget)
    assert chosen[0] == 0
    assert len(set(chosen)) == len(chosen)
    assert len(chosen) == 1 or len(chosen) * max(sizes[i] for i in chosen) <= budget


def test_a_batch_prefers_its_own_length() -> None:
    assert sorted(batch([10, 500, 11, 9, 300, 10], 45)) == [0, 2, 3, 5]
