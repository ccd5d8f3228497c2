"""The conventions under which perplexities are published: one model, one text, several numbers.

| preset | documents | text | words | windows | headline |
|---|---|---|---|---|---|
| `lm-eval` | each apart | de-tokenised | pieces of a split at white space | the model's own, no overlap | per word |
| `gpt2` | joined | de-tokenised | words and ends of lines | 1,024 tokens, no overlap | per word |
| `hf-guide` | joined | line breaks doubled | words and ends of lines | 1,024 tokens, stride 512 | per token |

`lm-eval` is lm-evaluation-harness's task `wikitext`. `gpt2` is Radford et al. 2019, section 3.1 (de-tokenisers, divided
by the words of the original; the authors in https://github.com/openai/gpt-2/issues/78): the paper does not say by how
much its windows move. `hf-guide` is https://huggingface.co/docs/transformers/perplexity; it does not score the first
token of all, which is scored here after the model's prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from howgood.calls.likelihood import WholeText
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row, Source
from howgood.inputs.texts import hugging_face_lines
from howgood.interpret.estimate import Per, Perplexity
from howgood.outputs.likelihood import Surprise, Words
from howgood.runs.benchmark import Benchmark

Preset = Literal["lm-eval", "gpt2", "hf-guide"]
Documents = Literal["preset", "apart", "joined"]
Form = Literal["preset", "stored", "detokenized", "hf-guide"]


@dataclass(frozen=True)
class Convention:
    """All that a perplexity depends on besides the text, the model and its prefix token: whether the `documents` of a
    text are read apart or joined, in which `form`, how `words` are counted, what the headline is counted per (`units`),
    and the windows."""

    documents: Documents
    form: Form
    words: Words
    units: tuple[Per, ...] = ("word", "byte", "token")
    max_length: int | None = None
    stride: int | None = None

    def with_own(self, documents: Documents, form: Form, max_length: int | None, stride: int | None) -> Convention:
        """The convention with what the user set in place of its own. A window of another length has no overlap unless
        a stride is set too."""
        own: dict[str, Any] = {}
        if documents != "preset":
            own["documents"] = documents
        if form != "preset":
            own["form"] = form
        if max_length is not None:
            own |= {"max_length": max_length, "stride": None}
        if stride is not None:
            own["stride"] = stride
        return replace(self, **own)


PRESETS: dict[Preset, Convention] = {
    "lm-eval": Convention("apart", "detokenized", "split"),
    "gpt2": Convention("joined", "detokenized", "lines", max_length=1024),
    "hf-guide": Convention("joined", "hf-guide", "lines", ("token", "word", "byte"), max_length=1024, stride=512),
}


@dataclass(frozen=True)
class Corpus:
    """A text data set: `sources` whose one row is the whole text, how it is `cut` into documents, what it is when they
    are `joined`, and its de-tokeniser."""

    sources: tuple[Source, ...]
    cut: Callable[[str], Sequence[str]]
    detokenize: Callable[[str], str]
    joined: Callable[[str], str] = str

    def measured(self, convention: Convention) -> Benchmark:
        """The perplexity of the text under a convention."""

        def to_instances(row: Row, index: int) -> list[Instance]:
            text = row["text"]
            documents = [self.joined(text)] if convention.documents == "joined" else self.cut(text)
            return [Instance(str(number), document) for number, document in enumerate(documents)]

        forms: dict[Form, Callable[[str], str]] = {"stored": str, "hf-guide": hugging_face_lines}
        return Benchmark(
            inputs=Inputs(to_instances, self.sources),
            call=WholeText(forms.get(convention.form, self.detokenize), convention.max_length, convention.stride),
            outputs=Surprise(convention.words),
            interpret=Perplexity(convention.units),
        )
