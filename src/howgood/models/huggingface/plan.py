"""What to forward: the token sequences of all requests as one trie, walked so that no token goes through twice.

A row is a piece of the trie, written in preorder: sequences that begin alike share their beginning, and a token sees
its ancestors alone. The first places of a row may be `known`: their keys and values were kept from a row before, and
only the others are forwarded. Nothing here knows of tensors; `scoring` walks, `tree` forwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DENSE = 256
"""Tokens. Subtrees up to this size are attended to as one block with a mask; larger ones are taken apart."""
CHAIN = 128
"""Tokens. A longer chain is halved until its pieces are so short; each second half attends to the first one at once: of
1,024 tokens torch's kernel does 49 GFLOP/s of use with a causal mask and 53 so, of 4,096 tokens 68 and 70 (1 core)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sequence to score: the tokens fed (`inputs`) and what is scored (`targets`), which the last `len(targets)`
    inputs predict; `at_end`: all of which the last input predicts."""

    inputs: Sequence[int]
    targets: Sequence[int]
    at_end: bool = False

    @property
    def first(self) -> int:
        """The place of the input that predicts the first target."""
        return len(self.inputs) - (1 if self.at_end else len(self.targets))


@dataclass(frozen=True, slots=True)
class Row:
    """Tokens to forward, each with its position in its own sequence. Places count the `known` ones too: place i sees
    place j when j <= i < ends[j], and place known + n is `tokens[n]`. For each item, `reads` has which tokens predict
    its next targets, `paths` the places of its tokens, and `shares` how many of these no item before it had."""

    tokens: list[int]
    positions: list[int]
    ends: list[int]
    known: int
    reads: list[list[int]]
    paths: list[list[int]]
    shares: list[int]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Block:
    """Attention of the tokens `start` to `stop` of a row to each other: each sees all before it, or (`ends`, counted
    from `start`) its ancestors."""

    start: int
    stop: int
    ends: list[int] | None


@dataclass(frozen=True, slots=True)
class Stem:
    """Attention of the tokens `start` to `stop` of a row to all of a part of their common stem: the tokens `first` to
    `end` of the row, or (`known`) of what was kept."""

    start: int
    stop: int
    first: int
    end: int
    known: bool


def fold(items: Iterable[Scored], path: Sequence[int] = (), budget: int | None = None) -> Row:
    """The row of the first items that fit into `budget` tokens (None: all), given in the order of their inputs; the
    row's `reads` say how many these are. `path`, whose keys and values are known, is a beginning of the first item
    before the first place read. A first item that does not fit is begun: it is to be gone on with from there."""
    known = len(path)
    tokens: list[int] = []
    positions: list[int] = []
    ends: list[int] = [0] * known
    reads: list[list[int]] = []
    paths: list[list[int]] = []
    shares: list[int] = []
    places = list(range(known))  # of the current sequence
    before: Sequence[int] = path
    for number, item in enumerate(items):
        shared = shared_length(before, item.inputs)
        if item.first < min(shared, known):
            break  # what it asks about was not forwarded in this row
        stop = len(item.inputs)
        if budget is not None and len(tokens) + stop - shared > budget:
            if number:
                break
            stop = shared + budget
        here = known + len(tokens)
        for place in places[shared:]:
            ends[place] = here
        places = places[:shared] + list(range(here, here + stop - shared))
        tokens += item.inputs[shared:stop]
        positions += range(shared, stop)
        ends += [0] * (stop - shared)
        paths.append(places)
        shares.append(stop - shared)
        if item.at_end:
            reads.append([places[-1] - known] * len(item.targets) if stop == len(item.inputs) else [])
        else:
            reads.append([place - known for place in places[item.first : stop]])
        if stop < len(item.inputs):
            break
        before = item.inputs
    for place in places:
        ends[place] = known + len(tokens)
    return Row(tokens, positions, ends, known, reads, paths, shares)


def attention(row: Row, dense: int = DENSE) -> tuple[list[Block], list[Stem]]:
    """A row's attention, taken apart: blocks that cover each token once, in order, and the stems that tokens see
    beyond their own block. Nothing in them is computed in vain but the masked part of blocks of at most `dense`."""
    known, ends = row.known, row.ends
    blocks: list[Block] = []
    stems: list[Stem] = []
    i, n = 0, len(ends)
    while i < n:
        end, j = ends[i], i + 1
        if i >= known and end - i <= dense:
            j = end
            while j < n and ends[j] - i <= dense:
                j = ends[j]
            chain = all(ends[place] == j for place in range(i, j))
            blocks.append(Block(i - known, j - known, None if chain else [ends[place] - i for place in range(i, j)]))
            i = j
            continue
        while j < (known if i < known else end) and ends[j] == end:
            j += 1
        if i >= known:
            for start in range(i - known, j - known, CHAIN):
                blocks.append(Block(start, min(start + CHAIN, j - known), None))
            stems += _halves(i - known, j - known)
            if j < end:
                stems.append(Stem(j - known, end - known, i - known, j - known, known=False))
        elif end > known:
            stems.append(Stem(0, end - known, i, j, known=True))
        i = j
    return blocks, stems


def _halves(start: int, stop: int) -> list[Stem]:
    """What the pieces of a chain see beyond themselves, in as few and large parts as there are."""
    if stop - start <= CHAIN:
        return []
    middle = start + CHAIN
    while 2 * (middle - start) < stop - start:
        middle += middle - start
    return [*_halves(start, middle), Stem(middle, stop, start, middle, known=False), *_halves(middle, stop)]


def lines(items: Sequence[Scored]) -> list[tuple[list[int], Row]]:
    """Rows without branches that score `items`, each with the numbers of its items: for models that share nothing but
    a whole sequence."""
    found: list[tuple[list[int], Row]] = []
    group: list[int] = []
    for number in sorted(range(len(items)), key=lambda i: tuple(items[i].inputs), reverse=True):
        longest = items[group[0]].inputs if group else ()
        if group and shared_length(longest, items[number].inputs) < len(items[number].inputs):
            found.append((group[::-1], fold(items[i] for i in reversed(group))))
            group = []
        group.append(number)
    if group:
        found.append((group[::-1], fold(items[i] for i in reversed(group))))
    return found


def shared_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences share from the start."""
    n = min(len(a), len(b))
    return next((i for i in range(n) if a[i] != b[i]), n)


def batch(sizes: Sequence[int], budget: int) -> list[int]:
    """Which of the waiting things (`sizes` in tokens, oldest first) to forward next, as indices: the oldest, so that
    nothing waits for ever, and those nearest to it in length while the batch, padded to its longest, holds at most
    `budget` tokens."""
    chosen: list[int] = []
    longest = 0
    for index in sorted(range(len(sizes)), key=lambda i: abs(sizes[i] - sizes[0])):
        longest = max(longest, sizes[index])
        if chosen and (len(chosen) + 1) * longest > budget:
            break
        chosen.append(index)
    return chosen
