"""Penn Treebank: the Wall Street Journal as Mikolov et al. prepared it, https://doi.org/10.21437/Interspeech.2010-343"""

from __future__ import annotations

from howgood.benchmarks.perplexity.conventions import PRESETS, Corpus, Documents, Form, Preset
from howgood.core.registry import benchmark
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.inputs.texts import Lines, one_a_line, penn_treebank_detokenizer, sentences
from howgood.runs.benchmark import Benchmark


@benchmark(
    "penn-treebank",
    purpose="modelling",
    cite="https://doi.org/10.21437/Interspeech.2010-343",
    flaws=(
        "Lower case, no punctuation, N for numbers and <unk> outside 10,000 words: text that nobody writes.",
        "Sentences follow each other in articles whose bounds are lost: joined there is no interval, and apart "
        "(-P documents=apart) each lacks its context and the interval takes them for independent.",
    ),
    deviations=("The de-tokeniser is our own: the one of Radford et al. was not published.",),
    data="perplexity/ptb/ptb.test.txt: one sentence a line, 82,430 words and ends of sentences",
)
def penn_treebank(
    preset: Preset = "gpt2",
    documents: Documents = "preset",
    form: Form = "preset",
    max_length: int | None = None,
    stride: int | None = None,
) -> Benchmark:
    """Penn Treebank: the perplexity of 3,761 sentences of the Wall Street Journal, per word, byte and token."""
    local = Local(test="perplexity/ptb/ptb.test.txt")
    hub = Hub("ptb-text-only/ptb_text_only", revision="refs/convert/parquet", test="penn_treebank/test/*.parquet")
    corpus = Corpus((local, Lines(hub, "sentence")), sentences, penn_treebank_detokenizer, one_a_line)
    return corpus.measured(PRESETS[preset].with_own(documents, form, max_length, stride))
