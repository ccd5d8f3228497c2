"""What a model shows of its inside, where it runs in this process: its tokens, and whole distributions over them.

No answer or score needs these; `validity.trust` looks at them. A model that has the methods has the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from howgood.core.types import Prompt


@runtime_checkable
class Tokenizes(Protocol):
    """A model whose tokenizer can be asked."""

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, with none added. Raises `RequestError` where it has no token for a part of it."""

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones included."""

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        """What the model is given for a prompt: its chat template applied, and the tokens it sets before a text."""


@runtime_checkable
class Distributes(Protocol):
    """A model that tells its whole next-token distribution."""

    async def next_token(self, prompt: Prompt) -> Sequence[float]:
        """The log-probability (nats) of each token of the vocabulary, by its id, after a prompt: as they are scored."""
