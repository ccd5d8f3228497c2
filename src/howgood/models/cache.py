"""A model that asks nothing twice: its answers are kept by content, and given again when the same is asked.

What is asked is known by its key: the model's name, what it says of itself, the whole request, and the epoch.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from howgood.core.types import Generate, Image, Loglikelihood, Message, Prediction, Request, Rolling
from howgood.models.base import TRIAL, Model
from howgood.models.responses import Claim, Key, Responses, responses
from howgood.models.wrapper import Wrapper

LIBRARIES = ("litellm", "torch", "transformers", "xllamacpp")
"""What a model says of itself that is not the model: the versions of libraries."""
PACE = ("concurrency", "timeout", "stream")
"""Options in a model's name that say how fast it is asked, not what it answers."""
FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0
"""Seconds between two looks for the answer that another process is asking for."""


def cached(model: Model, choice: bool | None = None) -> Model:
    """The model behind the cache: every model if `choice` is True, none if False, else those that are paid. Raises
    `HowgoodError` where the cache's file cannot be used."""
    wanted = model.paid if choice is None else choice
    return Cached(model, responses()) if wanted and not isinstance(model, Cached) else model


class Cached(Wrapper):
    """`model`, asked only for what is not among the `answers`. Each answer is kept before it is returned; failures
    never are. The same request at the same time is one call, also of several processes. What comes out of the cache is
    marked as replayed, with the usage, cost and latency of the call that was once made.

    An answer that cannot be kept (a full disk) is returned all the same, with a warning. A model that keeps its answers
    there itself is wrapped with `keeps` False.
    """

    def __init__(self, model: Model, answers: Responses, *, keeps: bool = True) -> None:
        super().__init__(model)
        self.answers, self.keys, self._keeps = answers, Keys(model), keeps
        self._calls: dict[bytes, _Call] = {}

    async def send(self, request: Request) -> Prediction:
        key = self.keys(request)
        found = self._find(key)
        if found is not None:
            return found
        call = self._calls.get(key.digest)
        if call is None:
            call = self._calls[key.digest] = _Call(asyncio.create_task(self._ask(key, request)))
            return await self._share(key, call)
        return msgspec.structs.replace(await self._share(key, call), replayed=True)  # paid once, by the first

    async def generate(self, request: Generate) -> Prediction:
        return await self.send(request)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        return await self.send(request)

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        return await self.send(request)

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        key = self.keys(request)
        found = self._find(key)
        if found is not None:
            if found.text:
                yield found.text
            yield found
            return
        async for piece in self.model.stream(request):
            if isinstance(piece, Prediction):
                await self._keep(key, piece)
            yield piece

    async def _share(self, key: Key, call: _Call) -> Prediction:
        """Wait for a call with whoever else does; the last one to lose patience ends it."""
        call.waiting += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.waiting -= 1
            if not call.waiting:
                call.task.cancel()
                if self._calls.get(key.digest) is call:
                    del self._calls[key.digest]

    async def _ask(self, key: Key, request: Request) -> Prediction:
        if await self._turn(key) == "answered":
            found = self._find(key)
            if found is not None:
                return found
        try:
            prediction = await self.model.send(request)
            await self._keep(key, prediction)
            return prediction
        finally:
            self.answers.release(key.digest)

    async def _turn(self, key: Key) -> Claim:
        """Wait while another process asks the same; say whether it has answered, or else this one may ask."""
        pause = FIRST_LOOK
        try:
            while (claim := await self.answers.claim(key.digest)) == "busy":
                await asyncio.sleep(pause * (0.5 + random.random() / 2))
                pause = min(LONGEST_LOOK, 1.5 * pause)
        except sqlite3.Error as error:
            self.answers.warn(error)
            return "mine"
        return claim

    def _find(self, key: Key) -> Prediction | None:
        try:
            return self.answers.find(key.digest)
        except sqlite3.Error as error:
            self.answers.warn(error)
            return None

    async def _keep(self, key: Key, prediction: Prediction) -> None:
        if prediction.error is not None or not self._keeps:
            return
        try:
            await self.answers.put(key, prediction)
        except (sqlite3.Error, ValueError) as error:
            self.answers.warn(error)


class _Call:
    """A call under way and how many wait for it."""

    def __init__(self, task: asyncio.Task[Prediction]) -> None:
        self.task, self.waiting = task, 0


class OnlyCached(Wrapper):
    """A model that answers out of a cache alone, and remembers what it `found` there: when each answer was made (unix
    time), and the answer. What is not there raises `Missing`, and so does what follows a call of tools, which would
    have to be called to know it."""

    def __init__(self, model: Cached) -> None:
        super().__init__(model)
        self.answers, self.keys = model.answers, model.keys
        self.found: list[tuple[float, Prediction]] = []

    async def send(self, request: Request) -> Prediction:
        if self.found and self.found[-1][1].tool_calls:
            raise Missing(None)
        key = self.keys(request)
        prediction, entry = self.answers.find(key.digest), self.answers.entry(key.digest)
        if prediction is None or entry is None:
            raise Missing(key)
        self.found.append((entry.made, prediction))
        return prediction

    async def generate(self, request: Generate) -> Prediction:
        return await self.send(request)

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        return await self.send(request)

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        return await self.send(request)


class Missing(BaseException):
    """A request that is not in the cache, by its `key`; None where it is not known what would be asked. No error of a
    request: nothing that goes on after a failed one may catch it."""

    def __init__(self, key: Key | None) -> None:
        super().__init__()
        self.key = key


class Keys:
    """The keys of requests to a model, in the running trial."""

    def __init__(self, model: Model) -> None:
        self._model, self._identity = model, dict[str, Any]()

    def __call__(self, request: Request) -> Key:
        self._identity = self._identity or identity(self._model)
        return key_of(self._model.name, self._identity, request, *TRIAL.get(("", 0)))


def identity(model: Model) -> dict[str, Any]:
    """What a model says of itself that may change what it answers."""
    told: dict[str, Any] = msgspec.to_builtins(model.describe())
    return {key: value for key, value in told.items() if key not in LIBRARIES}


def unpaced(name: str) -> str:
    """A model's name without the options that do not change what it answers."""
    return ",".join(part for part in name.split(",") if part.partition("=")[0] not in PACE)


def key_of(model: str, identity: dict[str, Any], request: Request, instance: str, epoch: int) -> Key:
    """The key of what is asked of a model in a trial. The instance is no part of what identifies it."""
    plain = _plain(request)
    name = unpaced(model)
    fields = {"model": name, "identity": identity, "request": plain, "epoch": epoch}
    encoded = msgspec.json.encode(fields, order="sorted")
    prompt = msgspec.json.encode(plain.get("prompt") or plain.get("text"))
    number = int.from_bytes(hashlib.sha256(prompt).digest()[:8], "big", signed=True)
    return Key(hashlib.sha256(encoded).digest(), encoded, name, instance, number)


def request_of(fields: bytes) -> Request:
    """The request in a key's fields, its images replaced by their digests."""
    plain = msgspec.json.decode(fields)["request"]
    for tool in plain.get("tools", ()):
        tool["parameters"] = msgspec.json.decode(tool["parameters"])
    if "schema" in plain:
        plain["schema"] = msgspec.json.decode(plain["schema"])
    request: Request = msgspec.convert(plain, Request)
    return request


def _plain(request: Request) -> dict[str, Any]:
    """A request as plain values, two of them equal only if a model may not tell the requests apart.

    What is not set is left out, so that a field which a later version adds changes no key; so is the seed of a greedy
    request, which is not used. JSON Schemas stand as text: the order of their properties is the order of the answer's.
    """
    greedy = isinstance(request, Generate) and request.temperature == 0
    told: dict[str, Any] = {"type": request.__struct_config__.tag}
    required = len(request.__struct_fields__) - len(request.__struct_defaults__)
    for place, name in enumerate(request.__struct_fields__):
        value = getattr(request, name)
        if (place >= required and value in (None, ())) or (name == "seed" and greedy):
            continue
        if name in ("temperature", "top_p"):
            value = float(value) + 0.0  # 0, 0.0 and -0.0 are one
        elif name == "schema":
            value = msgspec.json.encode(value).decode()
        elif name == "prompt" and not isinstance(value, str):
            value = [_without_bytes(message) for message in value]
        elif name == "tools":
            value = [
                msgspec.structs.asdict(t) | {"parameters": msgspec.json.encode(t.parameters).decode()} for t in value
            ]
        told[name] = msgspec.to_builtins(value)
    return told


def _without_bytes(message: Message) -> Message:
    """A message with the digests of its images in their place."""
    if isinstance(message.content, str):
        return message
    parts = [
        msgspec.structs.replace(p, data=hashlib.sha256(p.data).digest()) if isinstance(p, Image) else p
        for p in message.content
    ]
    return msgspec.structs.replace(message, content=tuple(parts))
