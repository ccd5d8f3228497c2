"""One Billion Word: shuffled sentences of the news. Chelba et al., https://arxiv.org/abs/1312.3005"""

from __future__ import annotations

from typing import Literal

from howgood.benchmarks.perplexity.conventions import PRESETS, Corpus, Documents, Form, Preset
from howgood.core.registry import benchmark
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.inputs.texts import Lines, news_detokenizer, one_a_line, sentences
from howgood.runs.benchmark import Benchmark


@benchmark(
    "one-billion-word",
    purpose="modelling",
    cite="https://arxiv.org/abs/1312.3005",
    flaws=(
        "The sentences are shuffled: nothing that a model learned about whole texts helps here.",
        "-P version=sample are 1,000 sentences of a copy made for a task of filling in words, so that a word may be "
        "missing from one; its numbers are not those of the official shard.",
    ),
    deviations=(
        "Each sentence is read alone after the model's prefix token; the published count of words has one end of "
        "sentence more for each (-P preset=gpt2).",
        "The de-tokeniser is our own: the one of Radford et al. was not published.",
    ),
    data="perplexity/one_billion_word/news.en.heldout-00000-of-00050.txt: the official shard, one sentence a line; or "
    "perplexity/one_billion_word_sample/sample_1000.txt",
)
def one_billion_word(
    preset: Preset = "lm-eval",
    version: Literal["test", "sample"] = "test",
    documents: Documents = "preset",
    form: Form = "preset",
    max_length: int | None = None,
    stride: int | None = None,
) -> Benchmark:
    """One Billion Word: the perplexity of single sentences of the news, per word, byte and token."""
    sample = Local(test="perplexity/one_billion_word_sample/sample_1000.txt")
    shard = Local(test="perplexity/one_billion_word/news.en.heldout-00000-of-00050.txt")
    hub = Hub("billion-word-benchmark/lm1b", revision="refs/convert/parquet", test="plain_text/test/*.parquet")
    sources = (sample,) if version == "sample" else (shard, Lines(hub))
    corpus = Corpus(sources, sentences, news_detokenizer, one_a_line)
    return corpus.measured(PRESETS[preset].with_own(documents, form, max_length, stride))
