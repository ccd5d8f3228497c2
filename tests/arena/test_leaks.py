"""Which answers say who wrote them."""

from __future__ import annotations

import pytest

from howgood.arena.leaks import Leaks
from limits import in_time

LEAKS = Leaks(["smollm2", "hf/HuggingFaceTB/Zyx-7B-Instruct,dtype=float16", "http://localhost:8000/v1#Quux_large"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I am ChatGPT, a model by OpenAI.", "chatgpt"),
        ("As a language model trained by **Google**, I cannot.", "trained by **google"),
        ("My name is Bard.", "my name is bard"),
        ("I'm Llama, how can I help?", "i'm llama"),
        ("I’m an AI assistant called Phi", "i'm an ai assistant called phi"),
        ("I was developed by Meta", "developed by meta"),
        ("G\u200bP\u2060T speaking; open\u200dai made me", "gpt"),
        ("ＣＬＡＵＤＥ here", "claude"),
        ("hugging\nface", "hugging face"),
        ("SmolLM2 says hi", "smollm2"),
        ("It is Zyx-7B-Instruct.", "zyx-7b-instruct"),
        ("I am Quux.", "quux"),
    ],
)
def test_what_gives_a_system_away(text: str, found: str) -> None:
    assert LEAKS.find(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I am a language model.",
        "The llama and the alpaca live in the Andes; the palm does not.",
        "Search on Google, or ask Meta. A bard sings an opus.",
        "phi is 1.618, a nova is bright, and commands run.",
        "A large instruct model on localhost.",
        "zyx speaking",  # three letters are too common to tell anything
        "gpts and openairs, unclaudeable",
    ],
)
def test_what_does_not(text: str) -> None:
    assert LEAKS.find(text) is None


def test_a_long_hostile_text_takes_no_time() -> None:
    for text in ("as a model as a " * 4000, "I'm " * 12_000, "trained by " * 5000, "\u200b" * 50_000):
        with in_time():
            assert LEAKS.find(text) is None
