"""The kernel of attention beside attention in float64 with a mask of the row's square."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `local`")

from howgood.models.huggingface import kernel, plan  # noqa: E402

there = pytest.mark.skipif(kernel._library() is None, reason="no AVX-512 or no C compiler here")


def tree(tokens: int, known: int, branches: int, seed: int = 0) -> list[int]:
    """The ends of a row of so many tokens in so many branches, below a stem that is known in part."""
    draw = random.Random(seed)
    lengths = [tokens // branches + (number < tokens % branches) for number in range(branches)]
    stem = [draw.randrange(50) for _ in range(known + lengths[0] // 2)]
    items = [stem + [draw.randrange(50) for _ in range(lengths[0] - lengths[0] // 2)]]
    for length in lengths[1:]:
        before = items[-1]
        items.append(before[: draw.randrange(known, len(before) + 1)] + [draw.randrange(50) for _ in range(length)])
    row = plan.fold([plan.Scored(item, [1], at_end=True) for item in sorted(items)], items[0][:known])
    return row.ends


def reference(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, ends: list[int], scale: float) -> torch.Tensor:
    """1 x tokens x heads x width, float64."""
    known = len(ends) - q.shape[2]
    k, v = (x.double().repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    place = torch.arange(len(ends))
    seen = ((place <= place[:, None]) & (place[:, None] < torch.tensor(ends)))[known:]
    scores = (q.double() @ k.transpose(-1, -2) * scale).masked_fill(~seen, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2)


@there
@pytest.mark.parametrize(
    ("heads", "groups", "width", "tokens", "known", "branches"),
    [
        (9, 3, 64, 200, 0, 1),
        (9, 3, 64, 130, 300, 1),
        (4, 2, 8, 150, 33, 12),
        (2, 1, 128, 300, 70, 7),
        (3, 3, 256, 70, 5, 3),
        (6, 2, 64, 64, 64, 4),
        (2, 2, 4, 1, 9, 1),
        (2, 1, 20, 3, 0, 1),
        (5, 5, 32, 65, 1, 30),
    ],
)
def test_it_is_attention(heads: int, groups: int, width: int, tokens: int, known: int, branches: int) -> None:
    torch.manual_seed(0)
    ends = tree(tokens, known, branches)
    n = len(ends) - known
    q = torch.randn(1, n, heads, width).transpose(1, 2) * 3
    old = tuple(torch.randn(1, groups, known + 5, width) for _ in range(2))  # more is kept than is used
    new = tuple(torch.randn(1, groups, n, width) for _ in range(2))
    assert kernel.takes(q, *new)
    found = kernel.attend(q, old if known else None, new, torch.tensor(ends, dtype=torch.int32), 0.2)
    k, v = (torch.cat([a[:, :, :known], b], 2) for a, b in zip(old, new, strict=True))
    torch.testing.assert_close(found.double(), reference(q, k, v, ends, 0.2), atol=3e-5, rtol=1e-5)


@there
def test_thousands_of_keys_lose_no_digits() -> None:
    torch.manual_seed(0)
    known, n = 6000, 70
    ends = [known + n] * (known + n)
    q = torch.randn(1, 2, n, 64)
    k, v = torch.randn(1, 1, known + n, 64), torch.randn(1, 1, known + n, 64) + 1
    old, new = (k[:, :, :known], v[:, :, :known]), (k[:, :, known:], v[:, :, known:])
    found = kernel.attend(q, old, new, torch.tensor(ends, dtype=torch.int32), None)
    assert (found - reference(q, k, v, ends, 64**-0.5)).abs().max() < 2e-6


@there
def test_large_scores_stay_finite_and_what_is_no_number_stays_so() -> None:
    torch.manual_seed(0)
    n, ends = 80, torch.full((80,), 80, dtype=torch.int32)
    q, k, v = (torch.randn(1, 1, n, 16) for _ in range(3))
    found = kernel.attend(q * 1e4, None, (k, v), ends, 1.0)
    expected = reference(q * 1e4, k, v, ends.tolist(), 1.0)
    assert torch.isfinite(found).all()
    assert (found - expected).abs().median() < 1e-6
    q[0, 0, 7, 3] = torch.nan
    k[0, 0, 50, 3] = torch.nan
    lost = kernel.attend(q, None, (k, v), ends, 1.0)[0, :, 0].isnan().all(1)
    assert lost.nonzero()[:, 0].tolist() == [7, *range(50, n)]


@there
def test_threads_change_no_bit() -> None:
    torch.manual_seed(0)
    ends = torch.tensor(tree(500, 100, 9), dtype=torch.int32)
    n, threads = len(ends) - 100, torch.get_num_threads()
    q, *rest = (torch.randn(1, heads, tokens, 64) for heads, tokens in ((4, n), (2, 100), (2, 100), (2, n), (2, n)))
    try:
        found = []
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            found.append(kernel.attend(q, tuple(rest[:2]), tuple(rest[2:]), ends, None))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@there
def test_numbers_may_lie_in_memory_as_they_like() -> None:
    torch.manual_seed(0)
    ends = tree(70, 0, 5)
    n = len(ends)
    q = torch.randn(1, 6, 16, n).transpose(2, 3)
    k, v = torch.randn(1, n, 4, 32)[..., ::2].transpose(1, 2)[:, 1:3], torch.randn(1, 1, n, 16).expand(1, 2, n, 16)
    found = kernel.attend(q, None, (k, v), torch.tensor(ends, dtype=torch.int32), 0.2)
    torch.testing.assert_close(found.double(), reference(q, k, v, ends, 0.2), atol=3e-5, rtol=1e-5)


@there
def test_outputs_are_of_the_queries_type_whatever_torch_makes_otherwise() -> None:
    x, ends = torch.randn(1, 2, 70, 16), torch.full((70,), 70, dtype=torch.int32)
    expected = kernel.attend(x, None, (x, x), ends, None)
    usual = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = kernel.attend(x, None, (x, x), ends, None)
    finally:
        torch.set_default_dtype(usual)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


@there
def test_what_it_does_not_compute() -> None:
    x = torch.randn(1, 2, 3, 16)
    assert kernel.takes(x, x, x)
    assert not kernel.takes(x, x, torch.randn(1, 2, 3, 8))
    assert not kernel.takes(x.bfloat16(), x.bfloat16(), x.bfloat16())
    assert not kernel.takes(x, torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16))  # keys of another text
    assert not kernel.takes(torch.randn(1, 3, 3, 16), x, x)
    assert not kernel.takes(*(torch.randn(2, 2, 3, 16) for _ in range(3)))
    for width in (6, 260):
        y = torch.randn(1, 2, 3, width)
        assert not kernel.takes(y, y, y)


@there
@pytest.mark.parametrize("compiler", ["no-such-compiler", "false", f"{sys.executable} -c pass", 'cc "'])
def test_without_a_compiler_there_is_none(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there, one that fails, one that makes nothing, and what is no command."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CC", compiler)
    assert kernel._library.__wrapped__() is None
    monkeypatch.delenv("CC")
    assert kernel._library.__wrapped__() is not None
    assert list(tmp_path.iterdir()) == []


@there
def test_without_a_folder_to_compile_in_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert kernel._library.__wrapped__() is None
