"""Attention over a trie: a row's tokens see their ancestors, of which the first may have been forwarded before.

Attention to a set of keys can be computed in parts and joined by the parts' log-sum-exp (as FlashAttention does, Dao et
al., arXiv:2205.14135). So a row needs no mask of its square: each block of tokens attends to itself, and all tokens
below a stem attend to it at once. transformers calls `attend` in each layer of a model that is switched to NAME.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from howgood.models.huggingface import kernel, plan

NAME = "howgood_tree"
ALTERING = ("softcap", "s_aux", "sinks", "position_bias", "head_mask")
"""What some models hand to their attention that changes its result and is not computed here."""

KEPT = 4096
"""Tokens whose keys and values are kept for requests to come, where the budget of a forward is not more than that."""

SCORES_AT_ONCE = 2**27
"""Scores that `plainly` computes at one time: half a gigabyte in float32, and for a moment two copies of it."""

Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of a layer: 1 x heads x tokens x width each."""

_now = threading.local()


@dataclass(frozen=True, eq=False)
class Kept:
    """The keys and values of a beginning."""

    tokens: tuple[int, ...]
    layers: list[Layer]


class Tree:
    """The attention of one forward of a row: `path` has what is known. The keys and values at each of the lists of
    places `keep`, which begin at the root, are gathered into `layers`, a list of layers for each."""

    def __init__(
        self, row: plan.Row, path: Kept | None, keep: Sequence[list[int]], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.row, self.path = row, path
        self.device, self.dtype = device, dtype
        self.ends = torch.tensor(row.ends, dtype=torch.int32)
        self.layers: list[list[Layer]] = [[] for _ in keep]
        self.calls = 0
        self.keep: list[tuple[int, torch.Tensor]] = []  # of each, how many are known (these come first), and the others
        for places in keep:
            old = sum(place < row.known for place in places)
            new = torch.tensor([place - row.known for place in places[old:]], dtype=torch.long, device=device)
            self.keep.append((old, new))

    def layer(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float | None) -> torch.Tensor:
        """The outputs (1 x tokens x heads x width) of the next layer for its queries, keys and values (1 x heads x
        tokens x width)."""
        known = self.path.layers[self.calls] if self.path else (k, v)
        self.calls += 1
        for layers, (old, new) in zip(self.layers, self.keep, strict=True):
            both = [torch.cat([a[:, :, :old], b[:, :, new]], 2) for a, b in zip(known, (k, v), strict=True)]
            layers.append((both[0], both[1]))
        if kernel.takes(q, k, v):
            return kernel.attend(q, known, (k, v), self.ends, scale)
        return self._in_parts(q, known, (k, v), scale).transpose(1, 2).contiguous()

    @cached_property
    def _parts(self) -> tuple[list[tuple[plan.Block, torch.Tensor | None]], list[plan.Stem]]:
        blocks, stems = plan.attention(self.row)
        return [(block, _mask(block, self.device, self.dtype)) for block in blocks], stems

    def _in_parts(self, q: torch.Tensor, known: Layer, new: Layer, scale: float | None) -> torch.Tensor:
        """The outputs (1 x heads x tokens x width), by the parts of the row."""
        k, v = new
        blocks, stems = self._parts
        parts = []
        for block, mask in blocks:
            here = slice(block.start, block.stop)
            parts.append(attend_to(q[:, :, here], k[:, :, here], v[:, :, here], scale, mask, causal=mask is None))
        out, lse = (torch.cat(pair, 2) if len(pair) > 1 else pair[0] for pair in zip(*parts, strict=True))
        for stem in stems:
            here, keys = slice(stem.start, stem.stop), slice(stem.first, stem.end)
            ks, vs = known if stem.known else (k, v)
            more, weight = attend_to(q[:, :, here], ks[:, :, keys], vs[:, :, keys], scale, None, causal=False)
            sums = torch.logaddexp(lse[:, :, here], weight)
            out[:, :, here] *= (lse[:, :, here] - sums).exp()[..., None].to(out.dtype)
            out[:, :, here].addcmul_(more, (weight - sums).exp()[..., None].to(out.dtype))
            lse[:, :, here] = sums
        return out


def attend_to(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float | None, mask: torch.Tensor | None, causal: bool
) -> Layer:
    """The outputs of queries over some keys, and the log-sum-exp of their scores (float32, 1 x heads x tokens)."""
    if q.device.type == "cpu" and q.shape[-1] == v.shape[-1]:
        heads, groups = q.shape[1], k.shape[1]
        if groups < heads and mask is None and not causal:
            # Heads that share keys become queries of one head: the kernel takes many queries in larger blocks.
            _, _, n, width = q.shape
            folded = q.reshape(1, groups, heads // groups * n, width)
            out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(folded, k, v, scale=scale)
            return out.reshape(q.shape), lse.reshape(1, heads, n)
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, is_causal=causal, attn_mask=mask, scale=scale
        )
        return out, lse
    return plainly(q, k, v, scale, mask, causal)


def plainly(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float | None, mask: torch.Tensor | None, causal: bool
) -> Layer:
    """`attend_to` in operations that every device has."""
    _, heads, n, width = q.shape
    if heads > k.shape[1]:
        k, v = (x.repeat_interleave(heads // k.shape[1], 1) for x in (k, v))
    scale = scale if scale is not None else width**-0.5
    if causal:
        mask = torch.full((n, n), -torch.inf, device=q.device).triu(1)
    at_once = max(1, SCORES_AT_ONCE // (heads * k.shape[2]))
    outs, sums = [], []
    for start in range(0, n, at_once):
        here = slice(start, start + at_once)
        scores = (q[:, :, here] @ k.transpose(-1, -2)).float().mul_(scale)
        if mask is not None:
            scores += mask[here]
        lse = scores.logsumexp(-1)
        outs.append(scores.sub_(lse[..., None]).exp_().to(v.dtype) @ v)
        sums.append(lse)
    return torch.cat(outs, 2), torch.cat(sums, 2)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **keywords: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in each layer. Raises `NotImplementedError` for an attention of another kind."""
    if attention_mask is not None or any(keywords.get(name) is not None for name in ALTERING):
        raise NotImplementedError("this model's attention is of a kind of its own")
    tree: Tree = _now.tree
    return tree.layer(query, key, value, scaling), None


@contextmanager
def switched(model: Any, tree: Tree) -> Iterator[None]:
    """The model with its attention over `tree`, for one forward in this thread."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    usual = model.config._attn_implementation
    model.config._attn_implementation = NAME
    _now.tree = tree
    try:
        yield
    finally:
        model.config._attn_implementation = usual
        del _now.tree


class Store:
    """Beginnings whose keys and values are kept, at most `room` tokens of them (but always the last one), those used
    longest ago given up first."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._kept: list[Kept] = []  # the last used at the end

    def find(self, inputs: Sequence[int], longest: int) -> tuple[Kept | None, int]:
        """What shares most with the start of `inputs`, and how much, at most `longest`."""
        shared = [min(plan.shared_length(kept.tokens, inputs), longest) for kept in self._kept]
        best = max(range(len(shared)), key=shared.__getitem__, default=None)
        if best is None or not shared[best]:
            return None, 0
        self._kept.append(self._kept.pop(best))
        return self._kept[-1], shared[best]

    def longest(self, inputs: Sequence[int], most: int) -> int:
        """How much of the start of `inputs` is kept, at most `most`."""
        return min(max((plan.shared_length(kept.tokens, inputs) for kept in self._kept), default=0), most)

    def add(self, kept: Kept) -> None:
        n = len(kept.tokens)
        self._kept = [old for old in self._kept if old.tokens != kept.tokens[: len(old.tokens)]]
        self._kept.append(kept)
        while len(self._kept) > 1 and sum(len(old.tokens) for old in self._kept) > max(self.room, n):
            del self._kept[0]

    def clear(self) -> None:
        self._kept.clear()


def _mask(block: plan.Block, device: torch.device, dtype: torch.dtype) -> torch.Tensor | None:
    """0 where a token of the block sees another, minus infinity elsewhere; None where each sees all before it."""
    if block.ends is None:
        return None
    place = torch.arange(len(block.ends))
    ends = torch.tensor(block.ends)
    seen = (place <= place[:, None]) & (place[:, None] < ends)
    return torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf).to(device)
