"""A causal language model of Hugging Face transformers, run on this machine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from howgood.core.text import digest
from howgood.core.types import Generate, Loglikelihood, Prediction, Prompt, Rolling
from howgood.models.base import Capabilities, Echo, Model
from howgood.models.huggingface import load, plan
from howgood.models.huggingface.encode import Encoder
from howgood.models.huggingface.worker import Engine, Job, Worker

if TYPE_CHECKING:
    import torch


class HuggingFaceModel(Model):
    """A model of transformers: `source` is a repository of the Hub, a local folder, or a GGUF file (with `gguf_file`,
    a file in the folder or repository).

    `dtype` "auto" is float32 on the CPU; on a GPU float16 where the checkpoint says so, else bfloat16. `prefix` is the
    id of the token that stands before a text without context (None: as lm-eval, the declared BOS, else EOS).
    `max_length` is in tokens (None: what the model declares). `tokens_per_batch` is how many tokens go through the
    model at once, `answers_at_once` how many answers are written at once; both halve themselves when memory is short.
    `device` is one, or several as `cuda:0+cuda:1` (None: all GPUs, else the CPU); each has the weights whole, and a
    request goes to the one with the fewest open.

    Config and tokenizer are loaded when they are first asked for, weights by the first request, in a thread of the
    model's own that gathers whatever is in flight into batches. A prediction's `latency` is its share of the seconds
    its batches took, its `cost` is nothing; `usage.input` of a likelihood counts the tokens of its own texts, shared
    ones once, of which `usage.cached` had been through the model for other requests.
    """

    concurrency = 256

    def __init__(
        self,
        name: str,
        source: str,
        *,
        gguf_file: str | None = None,
        revision: str | None = None,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        device: str | None = None,
        prefix: int | None = None,
        max_length: int | None = None,
        tokens_per_batch: int | None = None,
        answers_at_once: int | None = None,
    ) -> None:
        self.name = name
        self._source = (source, gguf_file, revision)
        self._dtype_name = dtype
        self._device_name = device
        self._prefix = prefix
        self._max_length = max_length
        self._tokens_per_batch = tokens_per_batch
        self._answers_at_once = answers_at_once
        self._busy: Counter[int] = Counter()  # open requests of each device

    @cached_property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # asked for once, since it reads the tokenizer
        chat = self._encoder.chat_template is not None
        return Capabilities(True, True, True, completion=True, chat=chat, logprobs=True)

    def describe(self) -> dict[str, Any]:
        encoder = self._encoder
        prefix = None if encoder.prefix is None else {"id": encoder.prefix, "text": encoder.prefix_text}
        return {
            "kind": "huggingface",
            **self._checkpoint.describe(),
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": "+".join(map(str, self._devices)),
            "prefix": prefix,
            "max_length": encoder.max_length,
            "scoring": load.scoring_of(self._config),
            "chat_template": encoder.chat_template and digest(encoder.chat_template),
            "transformers": load.need("transformers"),
            "torch": load.need("torch"),
        }

    def render(self, prompt: Prompt) -> str:
        return prompt if isinstance(prompt, str) else self._encoder.render(prompt)

    async def generate(self, request: Generate) -> Prediction:
        prompt = self._encoder.prompt(request.prompt)
        from howgood.models.huggingface.generation import GenerateJob

        return await self._answer(GenerateJob(request, prompt))

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        items = self._encoder.continuations(request.prompt, request.continuations)
        from howgood.models.huggingface.scoring import ScoreJob

        return await self._answer(ScoreJob(items, whole=False))

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        items = self._encoder.windows(request.text, request.max_length, request.context)
        from howgood.models.huggingface.scoring import ScoreJob

        prediction = await self._answer(ScoreJob(items, whole=True))
        [whole], lengths = prediction.likelihoods, self._encoder.lengths(request.text)
        if len(lengths) == whole.tokens:
            whole = msgspec.structs.replace(whole, token_lengths=lengths)
        return msgspec.structs.replace(prediction, likelihoods=(whole,))

    async def echo(self, request: Echo) -> Prediction:
        tokens = self._encoder.text(request.text)
        from howgood.models.huggingface.echo import EchoJob

        return await self._answer(EchoJob(tokens, request.alternatives))

    def tokenize(self, text: str) -> list[int]:
        return self._encoder.encode([text], special=False)[0]

    def detokenize(self, tokens: Sequence[int]) -> str:
        return self._encoder.decode(tokens, special=True)

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        return self._encoder.prompt(prompt)

    async def next_token(self, prompt: Prompt) -> Sequence[float]:
        tokens = self._encoder.prompt(prompt)
        from howgood.models.huggingface.scoring import ScoreJob

        every = range(self._config.get_text_config().vocab_size)
        prediction = await self._answer(ScoreJob([plan.Scored(tokens, every, at_end=True)], whole=False))
        return prediction.likelihoods[0].token_logprobs

    async def close(self) -> None:
        """End the model's threads and let go of the weights; a later request loads them again."""
        if workers := vars(self).get("_workers"):
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))

    async def _answer(self, job: Job) -> Prediction:
        number = min(range(len(self._workers)), key=lambda n: self._busy[n])
        self._busy[number] += 1
        try:
            self._workers[number].submit(job)
            return await job.future
        finally:
            self._busy[number] -= 1

    @cached_property
    def _workers(self) -> list[Worker]:
        return [Worker(partial(self._make_engine, device)) for device in self._devices]

    def _make_engine(self, device: torch.device) -> Engine:
        from howgood.models.huggingface.engine import make_engine

        weights = load.load_weights(self._checkpoint, self._dtype, device)
        with load.explaining(self._checkpoint.source):
            return make_engine(weights, self._encoder, self._tokens_per_batch, self._answers_at_once)

    @cached_property
    def _checkpoint(self) -> load.Checkpoint:
        return load.locate(*self._source)

    @cached_property
    def _config(self) -> Any:
        return load.load_config(self._checkpoint)

    @cached_property
    def _encoder(self) -> Encoder:
        tokenizer = load.load_tokenizer(self._checkpoint)
        max_length = self._max_length or load.max_length_of(self._config, tokenizer)
        return Encoder(self.name, tokenizer, self._prefix, max_length)

    @cached_property
    def _devices(self) -> list[torch.device]:
        return load.pick_devices(self._device_name)

    @cached_property
    def _dtype(self) -> torch.dtype:
        return load.pick_dtype(self._dtype_name, self._devices[0], self._config)
