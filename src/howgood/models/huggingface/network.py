"""A transformers model as two parts: a body that turns tokens into states, and a head that turns the few states asked
about into logits. The vocabulary is large; most positions are never asked about."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from howgood.core.errors import RequestError
from howgood.models.huggingface import plan
from howgood.models.huggingface.tree import Kept, Layer, Tree, switched

LOGITS_AT_ONCE = {"cpu": 3 * 2**21, "cuda": 2**26}
"""Logits held at one time: on a CPU what its caches hold (24 MiB in float32), so that they are read fast."""
STATES_AT_ONCE = 64
"""States that are projected at one time however large the vocabulary: with fewer the product gets slow."""
SMALLEST_PACKED = 32
"""Tokens from which on a linear layer is faster in oneDNN than in MKL."""

LIMITED = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}
"""Layers that do not look back to the beginning, and where the config says how far they do."""
PLAIN = "by length, each sequence whole"


class Network:
    """A causal language model that is about to be evaluated.

    What an architecture allows is found out by trying it on a few tokens, not from a list of names: whether its logits
    are its head on its body's states (`splits`), up to how many tokens sequences can share their beginnings (`reach`,
    0: never), whether it continues from a cache of keys and values (`steps`), and whether padding on the left leaves
    what follows unchanged (`pads`).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = model.device
        self.vocabulary: int = model.config.get_text_config().vocab_size
        takes = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in takes
        names = ("cache_params", "cache", "past_key_values")  # Mamba's word, everyone else's, theirs before 5.24
        self._cache = next((name for name in names if name in takes), names[-1])
        quicken(model)
        self.splits = False
        self.splits = self._can_split()
        self.logits_at_once = max(STATES_AT_ONCE, LOGITS_AT_ONCE.get(self.device.type, 2**24) // self.vocabulary)
        self.reach = shareable(model.config, type(model))[0] if self._positions and self._shares() else 0
        self.steps = self._continues(padding=0)
        self.pads = self.steps and self._continues(padding=2)

    def cache(self) -> Any:
        """An empty cache of keys and values, of the kinds this model's layers need."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)

    def states(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None = None, cache: Any = None
    ) -> torch.Tensor:
        """States after each of `tokens` (int, batch x length): of the body's width, or where the model does not split
        its logits. `mask` is None (causal), or batch x all tokens so far (1: not padding)."""
        keywords: dict[str, Any] = {"input_ids": tokens, "attention_mask": mask, "use_cache": cache is not None}
        if self._positions:
            keywords["position_ids"] = positions
        if cache is not None:
            keywords[self._cache] = cache
        if self._cache == "cache_params" and mask is not None and mask.shape != tokens.shape:
            del keywords["attention_mask"]  # a recurrent state needs none, and Mamba takes one of the new tokens only
        if self.splits:
            return self.model.base_model(**keywords)[0]  # type: ignore[no-any-return]
        return self.model(**keywords).logits  # type: ignore[no-any-return]

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Logits (float32, n x vocabulary) of n states."""
        return (self._head(states) if self.splits else states).float()

    def _head(self, states: torch.Tensor) -> torch.Tensor:
        """Logits of the body's states, scaled (Cohere, Granite) and capped (Gemma) as the config says."""
        config = self.model.config.get_text_config()
        found: torch.Tensor = self.model.get_output_embeddings()(states)
        if factor := getattr(config, "logit_scale", None):
            found = found * factor
        if divisor := getattr(config, "logits_scaling", None):
            found = found / divisor
        if cap := getattr(config, "final_logit_softcapping", None):
            found = (found / cap).tanh() * cap
        return found

    def row_states(
        self, row: plan.Row, path: Kept | None, keep: Sequence[list[int]] = ()
    ) -> tuple[torch.Tensor, list[list[Layer]]]:
        """States after each of a row's tokens (tokens x width), and for each of the lists of places `keep`, which begin
        at the root, the keys and values there of all layers. `path` has those of what the row takes as known."""
        tree = Tree(row, path, keep, self.device, self.model.dtype)
        with switched(self.model, tree):
            states = self.states(self._moved([row.tokens]), self._moved([row.positions]))
        return states[0], tree.layers

    def batch_states(self, rows: Sequence[list[int]], length: int) -> torch.Tensor:
        """States after each token of causal rows, padded on the right to `length`: (rows * length) x width."""
        tokens = self._moved([row + [0] * (length - len(row)) for row in rows])
        positions = torch.arange(length, device=self.device).expand(len(rows), length)
        return self.states(tokens, positions).flatten(0, 1)

    def logprobs(
        self, states: torch.Tensor, places: Sequence[int], targets: Sequence[int]
    ) -> tuple[list[float], list[bool]]:
        """The log-probability (float32) of each target after the state at its place, and whether it is the likeliest
        token there. Only these states are projected onto the vocabulary, each once."""
        different = list(dict.fromkeys(places))
        rows = dict(zip(different, range(len(different)), strict=True))
        row = self._moved([rows[place] for place in places])
        token = self._moved(targets)
        index = self._moved(different)
        logprobs = torch.empty(len(places), device=self.device)
        greedy = torch.empty(len(places), dtype=torch.bool, device=self.device)
        for start in range(0, len(different), self.logits_at_once):
            logits = self.logits(states[index[start : start + self.logits_at_once]])
            here = ((row >= start) & (row < start + len(logits))).nonzero()[:, 0]
            pair = (row[here] - start, token[here])
            # Logits of 16 bits are often equal, and then the first of the largest is the likeliest.
            if self.model.dtype == torch.float32:
                greedy[here] = logits[pair] >= logits.amax(-1)[pair[0]]
            else:
                greedy[here] = logits.argmax(-1)[pair[0]] == pair[1]
            logprobs[here] = logits.log_softmax(-1)[pair]
        return logprobs.tolist(), greedy.tolist()

    def _moved(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> torch.Tensor:
        """Numbers on the device; from pinned memory a GPU takes them while it computes."""
        tensor = torch.tensor(numbers, dtype=torch.long)
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _can_split(self) -> bool:
        model = self.model
        if model.base_model is model or model.get_output_embeddings() is None:
            return False
        tokens, positions = self._line([1, 2, 3, 4])
        whole = self.states(tokens, positions).float()
        try:
            parts = self._head(model.base_model(input_ids=tokens, use_cache=False)[0]).float()
        except (TypeError, ValueError, RuntimeError):
            return False
        return whole.shape == parts.shape and self._same(whole, parts)

    def _shares(self) -> bool:
        """Whether branches after a beginning that was forwarded before lead to the logits of each sequence alone."""
        stem, (left, right) = (1, 2, 3, 4), ((1, 2, 3, 4, 5), (1, 2, 3, 6, 7, 8))
        expected = [self._logits(*self._line(list(tokens)))[0, -1] for tokens in (left, right)]
        try:
            first = plan.fold([plan.Scored(stem, (5,))])
            path = Kept(stem, self.row_states(first, None, first.paths)[1][0])
            both = plan.fold([plan.Scored(left, (5,)), plan.Scored(right, (5,))], stem[:3])
            states, _ = self.row_states(both, path)
        except (AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError, RuntimeError):
            return False
        found = self.logits(states[[read[-1] for read in both.reads]])
        return self._same(found, torch.stack(expected))

    def _continues(self, padding: int) -> bool:
        """Whether tokens given one after another, after padding, lead to the logits of all given at once."""
        expected = self._logits(*self._line([1, 2, 3, 4, 5]))[0, -2:]
        mask = torch.tensor([[0] * padding + [1, 1, 1]], device=self.device)
        cache = self.cache()
        try:
            tokens, positions = self._line([0] * padding + [1, 2, 3])
            self.states(tokens, (positions - padding).clamp(min=0), mask, cache)
            found = []
            for token in (4, 5):
                mask = torch.nn.functional.pad(mask, (0, 1), value=1)
                tokens, positions = self._line([token])
                states = self.states(tokens, positions + token - 1, mask, cache)
                found.append(self.logits(states)[0, -1])
        except (TypeError, ValueError, RuntimeError):
            return False
        return self._same(torch.stack(found), expected)

    def _logits(self, *arguments: torch.Tensor) -> torch.Tensor:
        return self.logits(self.states(*arguments))

    def _line(self, tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([tokens], device=self.device), torch.arange(len(tokens), device=self.device)[None]

    def _same(self, a: torch.Tensor, b: torch.Tensor) -> bool:
        tolerance = 1e-3 if self.model.dtype == torch.float32 else 0.25
        difference = a.float().log_softmax(-1) - b.float().log_softmax(-1)
        return bool(difference.abs().max() < tolerance)


def shareable(config: Any, kind: type | None) -> tuple[int, str]:
    """Up to how many tokens sequences of a model of this config and class can share their beginnings (0: never), and
    how it is scored, in words. What layers remember must be the same whatever comes later, and all of it."""
    config = config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    rope = str((getattr(config, "rope_parameters", None) or {}).get("rope_type", "default"))
    if getattr(kind, "_is_stateful", False) or not kinds <= {"full_attention", *LIMITED}:
        return 0, f"{PLAIN} (its layers keep a state, which is no cache of tokens)"
    if not getattr(kind, "_supports_attention_backend", False):
        return 0, f"{PLAIN} (transformers lets no other attention into this architecture)"
    if rope in ("dynamic", "longrope"):
        return 0, f"{PLAIN} (its positions depend on the length of the sequence)"
    named = getattr(config, "layer_types", None) is None or kinds & set(LIMITED)
    limits = [getattr(config, name, None) for name in LIMITED.values()] if named else []
    if limit := min((int(limit) for limit in limits if limit), default=0):
        return limit, f"shared beginnings once, up to {limit} tokens (its layers look back so far); longer {PLAIN}"
    return sys.maxsize, "shared beginnings once"


def quicken(model: Any) -> None:
    """Let linear layers in float32 on a CPU be computed by oneDNN, which torch has but asks for 16 bits only. On an AMD
    EPYC of the fourth generation it does 99 to 104 GFLOP/s on a core where MKL does 83 to 96; for the head (49,152
    tokens), 95 and 66. Where torch has no such operation all stays as it is."""
    if model.device.type != "cpu" or model.dtype != torch.float32:
        return
    try:
        linear = torch.ops.mkldnn._linear_pointwise
        linear(torch.zeros(1, 1), torch.zeros(1, 1), None, "none", [], "")
    except (AttributeError, RuntimeError):
        return
    for module in model.modules():
        if type(module) is torch.nn.Linear:
            module.forward = partial(_linear, linear, module)  # type: ignore[method-assign]


def _linear(linear: Any, module: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    if x.numel() < SMALLEST_PACKED * module.in_features:
        return torch.nn.functional.linear(x, module.weight, module.bias)
    return linear(x, module.weight, module.bias, "none", [], "")  # type: ignore[no-any-return]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that the device's memory does not hold the batch."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)
    )


def failure(error: Exception, tokens: int) -> RequestError:
    """What a request of so many tokens is told when its batch failed."""
    if is_out_of_memory(error):
        return RequestError(f"there is not enough memory to read {tokens} tokens: use max_length, or dtype=bfloat16")
    return RequestError(f"the model failed on this request: {type(error).__name__}: {error}")
