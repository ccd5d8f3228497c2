"""One GGUF file, two engines: llama.cpp writes, fast on a CPU, and transformers scores, exact and prefix by prefix.

llama.cpp multiplies in the file's own few bits, transformers in floats with the weights made of them, so the two do not
always write the same (docs/llamacpp.md says how far they agree). `engine=transformers` has one engine do both.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any, Literal

from msgspec.structs import replace

from howgood.core.errors import HowgoodError, MissingExtra, Unsupported
from howgood.core.types import Generate, Loglikelihood, Prediction, Prompt, Request, Rolling
from howgood.models.base import Capabilities, Echo
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.llamacpp import LlamaCpp, is_installed

Engine = Literal["llamacpp", "transformers"]
SCORERS = ("torch", "transformers", "gguf", "accelerate")
"""Packages that scoring takes: the extra `local`."""
INSTALL = "pip install 'howgood[local]'"
NO_SCORES = f"scores given text only with an optional part: {INSTALL}"
FILE = ("kind", "source", "format", "sha256", "revision")
"""What a description says of the file."""


class GGUFModel(HuggingFaceModel):
    """A GGUF file, `gguf_file` in the folder or Hub repository `source`.

    `engine` says what writes (None: llama.cpp where it is installed); given text is always scored by transformers.
    `slots`, `context` and `threads` are llama.cpp's (see `LlamaCpp`), the other options transformers' (see
    `HuggingFaceModel`). Raises `MissingExtra` where the engine, or any, is not installed.
    """

    def __init__(
        self,
        name: str,
        source: str,
        *,
        gguf_file: str,
        engine: Engine | None = None,
        slots: int | None = None,
        context: int | None = None,
        threads: int | None = None,
        revision: str | None = None,
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        device: str | None = None,
        prefix: int | None = None,
        max_length: int | None = None,
        tokens_per_batch: int | None = None,
        answers_at_once: int | None = None,
    ) -> None:
        super().__init__(
            name,
            source,
            gguf_file=gguf_file,
            revision=revision,
            dtype=dtype,
            device=device,
            prefix=prefix,
            max_length=max_length,
            tokens_per_batch=tokens_per_batch,
            answers_at_once=answers_at_once,
        )
        self.scores = all(importlib.util.find_spec(package) for package in SCORERS)
        self.engine: Engine = engine or ("llamacpp" if is_installed() else "transformers")
        if self.engine == "llamacpp" and not is_installed():
            raise MissingExtra(f"{name} (to write with llama.cpp)", "llamacpp")
        if self.engine == "transformers" and not self.scores:
            if engine is None:
                raise MissingExtra(f"{name} (to write; howgood[local] also scores)", "llamacpp")
            raise MissingExtra(f"{name} (to write with transformers)", "local")
        self._slots = {"slots": slots, "context": context, "threads": threads}

    @cached_property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # asked for once, since it reads the file
        if self.engine == "transformers":
            return super().capabilities
        remedy = "" if self.scores else INSTALL
        can = self.writer.capabilities
        return replace(can, loglikelihood=self.scores, loglikelihood_rolling=self.scores, remedy=remedy)

    @cached_property
    def writer(self) -> LlamaCpp:
        path = self._checkpoint.gguf
        assert path is not None
        return LlamaCpp(self.name, path, **{key: value for key, value in self._slots.items() if value is not None})

    def describe(self) -> dict[str, Any]:
        if self.engine == "transformers":
            return super().describe()
        return {
            "kind": "gguf",
            **self._checkpoint.describe(),
            "quantisation": self.writer.header.quantisation,
            "writes": self.writer.describe_engine(),
            "scores": self._describe_scores(),
        }

    def render(self, prompt: Prompt) -> str:
        return super().render(prompt) if self.engine == "transformers" else self.writer.render(prompt)

    def lanes(self, request: Request) -> int:
        writes = self.engine == "llamacpp" and isinstance(request, Generate)
        return self.writer.lanes(request) if writes else super().lanes(request)

    async def generate(self, request: Generate) -> Prediction:
        if self.engine == "transformers":
            return await super().generate(request)
        return await self.writer.generate(request)

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        pieces = super().stream(request) if self.engine == "transformers" else self.writer.stream(request)
        async for piece in pieces:
            yield piece

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        self._need_scores()
        return await super().loglikelihood(request)

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        self._need_scores()
        return await super().loglikelihood_rolling(request)

    async def echo(self, request: Echo) -> Prediction:
        self._need_scores()
        return await super().echo(request)

    async def close(self) -> None:
        await super().close()
        if "writer" in self.__dict__:
            await self.writer.close()

    def _need_scores(self) -> None:
        if not self.scores:
            raise Unsupported(f"{self.name} {NO_SCORES}")

    def _describe_scores(self) -> Any:
        """What transformers says of itself but for the file; why not, where it cannot read a file of this kind."""
        if not self.scores:
            return f"nothing without an optional part: {INSTALL}"
        try:
            told = super().describe()
        except HowgoodError as error:
            return f"cannot score given text: {error}"
        return {"engine": "transformers"} | {k: v for k, v in told.items() if k not in FILE}
