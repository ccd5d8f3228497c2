"""A GGUF file run by llama.cpp on this machine: fast generation on the CPU, several answers at once.

llama.cpp runs in processes of its own (see `server`) and is asked over HTTP on the loopback address, as any other
server is: requests are written, retried and read by `models/http.py`. Its slots are filled as they get free
(continuous batching), and each remembers the prompt it read last, so that worked examples that begin every prompt are
read once a slot.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from howgood.core.errors import MissingExtra, ModelError, RequestError
from howgood.core.text import digest
from howgood.core.types import Generate, Prediction, Prompt, Request
from howgood.models.base import LANE, THINKING, Capabilities, Model
from howgood.models.embedded import sha256
from howgood.models.http import HTTPModel
from howgood.models.llamacpp import thinking
from howgood.models.llamacpp.header import Header, read_header
from howgood.models.llamacpp.process import Process

PACKAGE = "xllamacpp"
SLOTS = 8
LONGEST_DEFAULT = 4096
"""Tokens a slot holds where the user says nothing and the model was trained on more: room for them is set aside."""
SMALL = 10**9
"""Bytes of a file whose model is small: its weights stay in the processor's reach, and each process reads them anew."""
PATIENCE = 86400.0
"""Seconds for one answer. A process that died is noticed at once, and one that lives is at work."""
TOO_LONG = re.compile(r"request \((\d+) tokens\) exceeds the available context size \((\d+) tokens\)")


def is_installed() -> bool:
    """Whether llama.cpp can be had without installing anything."""
    return importlib.util.find_spec(PACKAGE) is not None


@dataclass(eq=False)
class Worker:
    """A process, how it is asked, whether its thinking has no mark (see `thinking`), and the requests it has now."""

    process: Process
    http: HTTPModel
    unmarked: bool
    busy: int = 0


class LlamaCpp(Model):
    """The GGUF file at `path`, run by llama.cpp in `slots` answers at once, each of at most `context` tokens, prompt
    and answer together (None: what the model was trained on, up to 4,096), by so many `threads` (None: all processors
    that this process may use).

    A small model runs in a process a thread, which share the slots and the file's memory: that is faster, and what one
    thread computes does not depend on what else it computes, so that a greedy answer is always the same. A large one
    runs in one process, all threads on the same answers; there a near tie may fall one way or the other.

    Processes start with the first request that needs them. Sampling is by temperature, then top_p, and nothing else.
    Raises `MissingExtra` where llama.cpp is not installed, `ModelError` for a file that is no GGUF file.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        slots: int = SLOTS,
        context: int | None = None,
        threads: int | None = None,
    ) -> None:
        if not is_installed():
            raise MissingExtra("generation by llama.cpp", "llamacpp")
        if slots < 1 or (context is not None and context < 1) or (threads is not None and threads < 1):
            raise ModelError(f"{name}: slots, context and threads must be at least 1")
        self.name, self.path = name, path
        self.slots, self.threads = slots, threads or _processors()
        self.concurrency = slots
        self._context = context
        self._lock = threading.Lock()
        self._workers: list[Worker] = []

    @cached_property
    def header(self) -> Header:
        return read_header(self.path)

    @property
    def context(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return self._context or min(self.header.context_length or LONGEST_DEFAULT, LONGEST_DEFAULT)

    @cached_property
    def processes(self) -> int:
        """In how many processes the model runs."""
        return min(self.threads, self.slots) if self.path.stat().st_size < SMALL else 1

    @cached_property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # asked for once, since it reads the file
        template = self.header.chat_template
        return Capabilities(
            generate=True,
            completion=True,
            chat=template is not None,
            tools=template is not None and "tools" in template,
            schema=template is not None,
            logprobs=True,
        )

    def describe(self) -> dict[str, Any]:
        file = {"kind": "llamacpp", "source": self.path.name, "format": "gguf", "sha256": sha256(self.path)}
        return file | {"quantisation": self.header.quantisation} | self.describe_engine()

    def describe_engine(self) -> dict[str, Any]:
        """What is not the file's: how it is run."""
        template = self.header.chat_template
        return {
            "engine": "llama.cpp",
            "context": self.context,
            "slots": self.slots,
            "repeatable": self.threads == self.processes,
            "chat_template": template and digest(template),
            PACKAGE: version(PACKAGE),
        }

    def render(self, prompt: Prompt) -> str:
        if isinstance(prompt, str):
            return prompt
        worker = self._start()[0]
        _, body = worker.http.encode(Generate(prompt))
        return str(worker.process.ask("/apply-template", {"messages": body["messages"]})["prompt"])

    def lanes(self, request: Request) -> int:
        return self.slots

    async def generate(self, request: Generate) -> Prediction:
        await self._ready()
        with self._worker() as worker:
            if worker.unmarked and not isinstance(request.prompt, str):
                return thinking.apart(await worker.http.generate(replace(request, stop=())), request.stop)
            return await worker.http.generate(self._begun(request))

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        await self._ready()
        with self._worker() as worker:
            if worker.unmarked and not isinstance(request.prompt, str):
                pieces = thinking.stream_apart(worker.http.stream(replace(request, stop=())), request.stop)
            else:
                pieces = worker.http.stream(self._begun(request))
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """End the processes; a later request starts others."""
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            await worker.http.close()
            await asyncio.to_thread(worker.process.stop)

    async def _ready(self) -> None:
        if not self._workers:
            await asyncio.to_thread(self._start)

    def _start(self) -> list[Worker]:
        with self._lock:
            if not self._workers:
                n = self.processes
                shares = [self.slots // n + (place < self.slots % n) for place in range(n)]
                with ThreadPoolExecutor(n) as together:
                    self._workers = list(together.map(self._start_one, shares))
            return self._workers

    def _start_one(self, slots: int) -> Worker:
        can, threads = self.capabilities, self.threads // self.processes
        process = Process(self.name, self.path, slots=slots, context=self.context, threads=threads)
        server = replace(process.server, tools=can.tools, schema=can.schema)
        marks = THINKING[0] in (self.header.chat_template or "")
        http = HTTPModel(
            self.name,
            server,
            self.path.stem,
            concurrency=slots,
            timeout=PATIENCE,
            chat=can.chat,
            thinks=marks or None,
        )
        return Worker(process, http, marks and thinking.is_unmarked(process))

    def _begun(self, request: Generate) -> Generate:
        """The request with a text that is not empty: the token that begins a text stands for one that is."""
        if request.prompt != "":
            return request
        if self.header.bos is None:
            raise RequestError(f"{self.name} has no token that begins a text, so it cannot continue an empty one")
        return replace(request, prompt=self.header.bos)

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        """The worker of the request's lane, which remembers the one before it; without a lane, or where it has no place
        free, the one with the least to do. What goes wrong in a request is told in words that fit a model on this
        machine."""
        worker = self._workers[LANE.get(0) % len(self._workers)]
        if LANE.get(None) is None or worker.busy >= worker.http.concurrency:
            worker = min(self._workers, key=lambda worker: worker.busy)
        worker.busy += 1
        try:
            yield worker
        except RequestError as error:
            if long := TOO_LONG.search(str(error)):
                raise RequestError(
                    f"the prompt has {long[1]} tokens and {self.name} reads {long[2]}: use fewer shots, or add "
                    ",context=TOKENS to its name"
                ) from None
            if worker.process.ended:
                words = f"{self.name}: llama.cpp died in the middle of its work ({worker.process.fate()})"
                raise RequestError(f"{words}; where memory is short, use fewer slots", fatal=True) from None
            raise
        finally:
            worker.busy -= 1


def _processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1
