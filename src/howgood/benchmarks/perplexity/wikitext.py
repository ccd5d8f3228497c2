"""WikiText-2 and WikiText-103: whole Wikipedia articles. Merity et al., https://arxiv.org/abs/1609.07843"""

from __future__ import annotations

import re
from typing import Literal

from howgood.benchmarks.perplexity.conventions import PRESETS, Corpus, Documents, Form, Preset
from howgood.core.registry import benchmark
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.inputs.texts import Lines, wikitext_detokenizer
from howgood.runs.benchmark import Benchmark

Version = Literal["raw", "tokens"]
FLAWS = (
    "The articles are in the training data of almost every model.",
    "WikiText-2 and WikiText-103 have one test text; only the words that version=tokens replaces by <unk> differ.",
    "Two of the 62 pages are lines of a formula that look like headings; they belong to one article.",
)
DEVIATIONS = (
    "preset=lm-eval is lm-evaluation-harness's task `wikitext`: the raw text in whole pages, de-tokenised, with words "
    "and bytes counted before; -P preset=gpt2 and hf-guide take other conventions (docs/perplexity.md).",
    "Not comparable with word-level models, which read <unk> for rare words (-P version=tokens).",
)


@benchmark(
    "wikitext-2",
    purpose="modelling",
    cite="https://arxiv.org/abs/1609.07843",
    flaws=FLAWS,
    deviations=DEVIATIONS,
    data="perplexity/wikitext-2-raw/wiki.test.raw.gz, perplexity/wikitext-2/wiki.test.tokens: the text as one file",
)
def wikitext_2(
    preset: Preset = "lm-eval",
    version: Version = "raw",
    documents: Documents = "preset",
    form: Form = "preset",
    max_length: int | None = None,
    stride: int | None = None,
) -> Benchmark:
    """WikiText-2: the perplexity of 62 pages of Wikipedia, per word, byte and token."""
    convention = PRESETS[preset].with_own(documents, form, max_length, stride)
    return wikitext("wikitext-2", version).measured(convention)


@benchmark(
    "wikitext-103",
    purpose="modelling",
    cite="https://arxiv.org/abs/1609.07843",
    flaws=FLAWS,
    deviations=(*DEVIATIONS, "version=raw is the same text, and so the same number, as wikitext-2."),
    data="perplexity/wikitext-103/wiki.test.tokens.gz, perplexity/wikitext-2-raw/wiki.test.raw.gz: the text as a file",
)
def wikitext_103(
    preset: Preset = "lm-eval",
    version: Version = "tokens",
    documents: Documents = "preset",
    form: Form = "preset",
    max_length: int | None = None,
    stride: int | None = None,
) -> Benchmark:
    """WikiText-103: the perplexity of the same pages with <unk> for 2,492 rare words."""
    convention = PRESETS[preset].with_own(documents, form, max_length, stride)
    return wikitext("wikitext-103", version).measured(convention)


def wikitext(name: str, version: Version) -> Corpus:
    files = {
        ("wikitext-2", "tokens"): "perplexity/wikitext-2/wiki.test.tokens",
        ("wikitext-103", "tokens"): "perplexity/wikitext-103/wiki.test.tokens.gz",
    }
    local = Local(test=files.get((name, version), "perplexity/wikitext-2-raw/wiki.test.raw.gz"))
    config = f"{name}-v1" if version == "tokens" else f"{name}-raw-v1"
    hub = Hub("Salesforce/wikitext", test=f"{config}/test-*.parquet")
    return Corpus((local, Lines(hub, blank=" \n")), pages, wikitext_detokenizer)


def pages(text: str) -> list[str]:
    """The pages of the text: each goes from one heading of the first level (" = Title = ") to the next."""
    return list(filter(str.strip, re.split(r"\n(?= = [^=\n].* = \n)", text)))
