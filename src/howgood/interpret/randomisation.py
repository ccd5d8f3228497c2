"""Randomisation: if two systems are alike, each pair of their answers could as well have come the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FEWEST = 6
"""With fewer independent pairs not even the most extreme outcome is below 0.05 (2/2^6 = 0.03)."""
ENUMERATED = 14
"""Up to this many pairs that differ, all sign patterns are gone through."""
DRAWS = 10_000


def sign_flip(contributions: ArrayLike, draws: int = DRAWS, seed: int = 0) -> tuple[float, int]:
    """The two-sided p-value of the hypothesis that the sign of each independent contribution to a difference is a fair
    coin (Fisher 1935, The Design of Experiments, section 21), and how many patterns it rests on (0: all of them).

    `contributions` are the weighted differences summed over a cluster. p is the share of sign patterns whose sum is at
    least as far from zero as the one seen; where they are drawn, the one seen counts as drawn too, so that p is never
    zero and the test never too liberal (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9).
    """
    import numpy as np

    parts = np.asarray(contributions, np.float64)
    sizes = np.abs(parts[parts != 0])
    if not len(sizes):
        return 1.0, 0
    # Sums that are equal but for rounding are equal.
    limit = abs(float(parts.sum())) - 1e-9 * float(sizes.sum())
    if len(sizes) <= ENUMERATED:
        patterns = (np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes))) & 1
        sums = (2 * patterns - 1) @ sizes
        return float(np.mean(np.abs(sums) >= limit)), 0
    rng = np.random.default_rng(seed)
    extreme, block = 0, max(1, 4_000_000 // len(sizes))
    for start in range(0, draws, block):
        signs = 2.0 * rng.integers(0, 2, (min(block, draws - start), len(sizes)), np.int8) - 1
        extreme += int(np.count_nonzero(np.abs(signs @ sizes) >= limit))
    return (extreme + 1) / (draws + 1), draws
