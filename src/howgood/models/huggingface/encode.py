"""Text to tokens and back, by the conventions of lm-evaluation-harness 0.4.13.

Two of them are easily got wrong and change every number: a context's trailing white space belongs to the continuation
(so that the split never cuts a token that begins with a space), and the continuation's tokens are what is left of the
tokens of context + continuation, not the tokens of the continuation alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.text import shorten
from howgood.core.types import Image, Message, Prompt
from howgood.models.base import text_of
from howgood.models.huggingface.plan import Scored

TEXT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>")
"""Names of the token that ends a text; a checkpoint that names only its end of turn would otherwise write past it."""


class Encoder:
    """A model's tokenizer, safe to use from several threads (the Rust tokenizers are not).

    `prefix` is the token that stands before a text with no context; None takes the tokenizer's BOS, or EOS where there
    is none, as lm-eval does. It matters more than it seems: the declared BOS of SmolLM2-Instruct costs 0.25 bits a
    byte on a short text, so it is part of what the model says of itself.
    """

    def __init__(self, name: str, tokenizer: Any, prefix: int | None, max_length: int) -> None:
        self.name = name
        self.max_length = max_length
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        declared = (prefix, tokenizer.bos_token_id, tokenizer.eos_token_id)
        self.prefix: int | None = next((token for token in declared if token is not None), None)
        if self.prefix is not None and not 0 <= self.prefix < len(tokenizer):
            raise ModelError(f"{name} has no token {self.prefix}: prefix must be from 0 to {len(tokenizer) - 1}")
        self.prefix_text = "" if self.prefix is None else self.decode([self.prefix], special=True)

    @property
    def chat_template(self) -> str | None:
        template = self._tokenizer.chat_template
        return template.get("default") if isinstance(template, dict) else template

    def encode(self, texts: Sequence[str], special: bool | None = None) -> list[list[int]]:
        """Tokens of each text. `special` says whether the tokenizer adds its special tokens; None: as it does by
        itself, but never a second BOS before a text that begins with the prefix."""
        with self._lock:
            return [self._encode(text, special) for text in texts]

    def _encode(self, text: str, special: bool | None) -> list[int]:
        if special is None and self.prefix_text and text.startswith(self.prefix_text):
            special = False
        keywords = {} if special is None else {"add_special_tokens": special}
        return list(self._tokenizer.encode(text, **keywords))

    def decode(self, tokens: Sequence[int], special: bool = False) -> str:
        """The text of tokens, special tokens left out unless asked for."""
        with self._lock:
            text = self._tokenizer.decode(
                list(tokens), skip_special_tokens=not special, clean_up_tokenization_spaces=False
            )
        return str(text)

    def spell(self, tokens: Sequence[int], special: bool = True) -> list[str]:
        """What each token adds to the text of those before it. The last token of a character spread over several has
        it, those before have nothing. Special tokens have their names, or nothing (`special` False)."""
        texts = []
        start = read = 0  # decoded from `start`, since a token's text can depend on the one before; told up to `read`
        for end in range(1, len(tokens) + 1):
            known = self.decode(tokens[start:read], special)
            text = self.decode(tokens[start:end], special)
            if text.endswith("\ufffd") and end < len(tokens):
                texts.append("")
                continue
            texts.append(text[len(known) :])
            start, read = read, end
        return texts

    def render(self, prompt: Prompt) -> str:
        """The text of a prompt: raw text as it is, messages by the chat template up to where the answer begins. A last
        message of the assistant is left open, to be continued. Raises `Unsupported` and `RequestError`."""
        if isinstance(prompt, str):
            return prompt
        if self.chat_template is None:
            raise Unsupported(
                f"{self.name} has no chat template, so it takes raw text and no messages; use a completion prompt or "
                "the instruction-tuned version of the model"
            )
        answer_begun = bool(prompt) and prompt[-1].role == "assistant"
        messages = [{"role": m.role, "content": self._text(number, m)} for number, m in enumerate(prompt, 1)]
        try:
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=not answer_begun, continue_final_message=answer_begun
            )
        except Exception as error:  # the template is the model's own program and may raise anything
            raise RequestError(
                f"the chat template of {self.name} does not take these messages ({shorten(str(error), 200)}); "
                f"their roles are {', '.join(m.role for m in prompt)}"
            ) from error
        return str(text)

    def _text(self, number: int, message: Message) -> str:
        if not isinstance(message.content, str) and any(isinstance(part, Image) for part in message.content):
            raise Unsupported(f"{self.name} takes text only, but message {number} holds an image")
        return text_of(message)

    def prompt(self, prompt: Prompt) -> list[int]:
        """The tokens of a prompt to generate from. Raises as `render`, and `RequestError` when it is too long."""
        # A chat template writes every special token that belongs there itself.
        [tokens] = self.encode([self.render(prompt)], None if isinstance(prompt, str) else False)
        if not tokens:
            tokens = self._prefix()
        if len(tokens) >= self.max_length:
            raise RequestError(
                f"the prompt has {len(tokens)} tokens and {self.name} reads {self.max_length}: use fewer shots or a "
                "model with a longer context"
            )
        return tokens

    def text(self, text: str) -> list[int]:
        """The tokens of a text to read as it is. Raises `RequestError` when it has none or too many."""
        [tokens] = self.encode([text])
        if not 1 <= len(tokens) <= self.max_length:
            raise RequestError(f"the text has {len(tokens)} tokens and {self.name} reads 1 to {self.max_length}")
        return tokens

    def continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[Scored]:
        """Each continuation after the prompt, cut from the left to the model's length. Raises `RequestError` for one
        that has no tokens of its own or is longer than the model reads."""
        context = self.render(prompt)
        bare = context.rstrip()
        spaces = context[len(bare) :]
        # An empty context is the prefix token; otherwise the tokenizer may add special tokens of its own.
        special = None if bare else False
        before, *wholes = self.encode([bare, *(bare + spaces + c for c in continuations)], special)
        return [self._split(c, before, whole) for c, whole in zip(continuations, wholes, strict=True)]

    def _split(self, continuation: str, before: list[int], whole: list[int]) -> Scored:
        context, targets = before, whole[len(before) :]
        if not before:
            context = self._prefix()
            if targets[:1] == context:
                context, targets = targets[:1], targets[1:]
        if not targets:
            raise RequestError(
                f"the continuation {shorten(repr(continuation), 60)} has no tokens of its own after its prompt"
            )
        if len(targets) > self.max_length:
            raise RequestError(f"a continuation has {len(targets)} tokens and {self.name} reads {self.max_length}")
        return Scored((context + targets)[-(self.max_length + 1) :][:-1], targets)

    def windows(self, text: str, max_length: int | None, context: int) -> list[Scored]:
        """The windows of a text (see `windows`). Only the text is scored: unlike lm-eval no special token that the
        tokenizer would add is, since scoring BOS after BOS measures nothing."""
        length = max_length or self.max_length
        if not 1 <= context <= length <= self.max_length:
            raise Unsupported(
                f"{self.name} reads at most {self.max_length} tokens; windows of {length} with a context of {context} "
                "cannot be: need 1 <= context <= window <= model"
            )
        [tokens] = self.encode([text], special=False)
        return windows(tokens, self._prefix(), length, context)

    def lengths(self, text: str) -> tuple[int, ...]:
        """The characters of each token of a text that is scored whole (see `Likelihood`); nothing where the tokenizer
        does not say where they stand in it."""
        if not self._tokenizer.is_fast:
            return ()
        with self._lock:
            ends = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return lengths([start for start, _ in ends], len(text))

    def _prefix(self) -> list[int]:
        if self.prefix is None:
            raise Unsupported(
                f"{self.name} names no BOS or EOS token to stand before a text; pass prefix=ID of the token it was "
                "trained to begin texts with"
            )
        return [self.prefix]

    @cached_property
    def end_of_turn(self) -> int | None:
        """The special token that the chat template writes after an answer, if it writes one."""
        if self.chat_template is None:
            return None
        try:
            answered = self.render((Message("user", "1"), Message("assistant", "answer"), Message("user", "2")))
        except RequestError:
            return None
        [tokens] = self.encode([answered.partition("answer")[2]], special=False)
        return next((token for token in tokens if token in self._special), None)

    def ends(self, declared: Sequence[int]) -> frozenset[int]:
        """The tokens that end an answer: those the checkpoint declares, the template's end of turn, the end of text."""
        known = {self.special(name) for name in TEXT_ENDS} | {self.end_of_turn, self._tokenizer.eos_token_id}
        return frozenset({*declared, *(token for token in known if token is not None)})

    def special(self, text: str) -> int | None:
        """The special token whose text this is, if there is one."""
        token = self._tokenizer.convert_tokens_to_ids(text)
        return token if token in self._special else None

    @cached_property
    def _special(self) -> frozenset[int]:
        added = {token for token, entry in self._tokenizer.added_tokens_decoder.items() if entry.special}
        return frozenset({*self._tokenizer.all_special_ids, *added})


def lengths(starts: Sequence[int], size: int) -> tuple[int, ...]:
    """The characters of each token from where they start in a text of `size` characters. Tokens that share a character
    start at the same place: the last of them has it. White space that no token claims belongs to the one before."""
    ends = [*starts[1:], size]
    found = [end - start for start, end in zip([0, *starts[1:]], ends, strict=True)] if starts else []
    return tuple(found) if all(length >= 0 for length in found) else ()


def windows(tokens: Sequence[int], prefix: Sequence[int], length: int, context: int) -> list[Scored]:
    """Windows of at most `length` tokens that score every token once. The first begins with `prefix` and scores all it
    can; each later one scores `length - context + 1` tokens, the first of them after `context` tokens (1: windows do
    not overlap). The windows of lm-evaluation-harness."""
    found = []
    start = 0
    while start < len(tokens):
        stop = min(start + (length - context + 1 if start else length), len(tokens))
        inputs = [*prefix, *tokens[: stop - 1]] if not start else tokens[stop - 1 - length : stop - 1]
        found.append(Scored(inputs, tokens[start:stop]))
        start = stop
    return found
