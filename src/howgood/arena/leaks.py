"""Answers that say who wrote them: a vote on one is no blind vote.

Chatbot Arena leaves out every battle in which an answer has a word of a list of models and makers (arXiv:2403.04132,
section 4 and its published cleaning). Here names that are nothing else count wherever they stand; names that are words
too (palm, meta) count where the answer speaks of itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from howgood.core.text import UNSEEN

NAMES = (
    "openai chatgpt gpt gpt-3 gpt-4 gpt-4o gpt-5 anthropic claude deepmind gemini gemma deepseek qwen tongyi mistral "
    "mixtral ministral pixtral smollm smollm2 smollm3 huggingface vicuna alpaca-7b lmsys chatglm zhipu baichuan "
    "internlm hunyuan ernie minimax moonshot kimi openassistant laion dolly-v2 mpt-7b rwkv stablelm starling zephyr "
    "wizardlm xai grok llama-2 llama-3 llama2 llama3 tulu olmo ai2 allenai falcon-7b dbrx databricks nemotron nvidia "
    "lamda doubao bytedance exaone phi-2 phi-3 phi-4 granite-3 jamba ai21 reka-core"
).split()
PHRASES = ("hugging face", "open assistant", "allen institute", "uc berkeley", "01.ai", "command r", "stability ai")
WORDS_TOO = (
    "google meta microsoft apple amazon alibaba baidu tencent ibm cohere bard palm phi llama alpaca koala dolly falcon "
    "nova titan command yi granite reka bloom sonnet opus haiku"
).split()
SELF = r"\b(?:i am|i'm|im|my name is|call me|as|this is|named|called|known as)"
MAKER = r"\b(?:created|made|built|developed|trained|designed|provided|owned|powered|trained and served) (?:by|at)"
COMMON = frozenset(
    "base chat code coder completions gguf hello http https instruct instruction latest local localhost large medium "
    "mini model models preview quantized reasoning reference replay small test text thinking tiny turbo vision".split()
)
JOINERS = re.compile("[\u200c\u200d]")
SHORTEST = 4
"""Parts of the arena's own names with fewer letters are too common to tell anything."""


class Leaks:
    """Finds what gives a system away; `systems` are the names of those in the arena."""

    def __init__(self, systems: Iterable[str]) -> None:
        own = {part for name in systems for part in _parts(name)}
        names = "|".join(re.escape(word) for word in sorted({*NAMES, *PHRASES, *own}, key=len, reverse=True))
        words = "|".join(WORDS_TOO)
        self._plain = re.compile(rf"(?<!\w)(?:{names})(?!\w)")
        self._of_itself = re.compile(
            rf"(?:{SELF}|{MAKER})(?:[ ,:]+(?:an?|the|ai|large|language|model|assistant|chatbot|bot|from|by|called|named"
            rf"|and))*[ ,:\"'*]+(?:{words})(?!\w)"
        )

    def find(self, text: str) -> str | None:
        """The first words of a text that say who wrote it, None where there are none."""
        plain = _plain(text)
        for pattern in (self._plain, self._of_itself):
            if found := pattern.search(plain):
                return found[0].strip()[:60]
        return None


def _plain(text: str) -> str:
    """Letters as they are compared: no unseen character between them, no look-alike of another width."""
    flat = re.sub(r"\s", " ", unicodedata.normalize("NFKC", text.replace("’", "'")))
    return " ".join(UNSEEN.sub("", JOINERS.sub("", flat)).split()).casefold()


def _parts(name: str) -> set[str]:
    """What a model's name has in it that gives it away: `hf/Org/Name-7B,dtype=float16` has org, name and name-7b."""
    plain = re.sub(r"^https?://[^#]*#?", "", name.split(",")[0]).casefold()
    pieces = [piece for piece in re.split(r"[/#]", plain) if piece]
    words = {word for piece in pieces for word in re.split(r"[^\w]+|_", piece)}
    return {
        word
        for word in {*words, *pieces}
        if sum(letter.isalpha() for letter in word) >= SHORTEST and word not in COMMON and word != "hf"
    }
