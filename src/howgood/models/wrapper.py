"""A model around another one."""

from __future__ import annotations

from typing import Any

from howgood.core.types import Generate, Prediction, Prompt, Request, Usage
from howgood.models.base import Echo, Model


class Wrapper(Model):
    """Is what `model` is, and passes on what it does not do itself; how requests are answered is the subclass's."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.capabilities = model.name, model.capabilities
        self.concurrency, self.paid, self.share = model.concurrency, model.paid, model.share

    def describe(self) -> dict[str, Any]:
        return self.model.describe()

    def render(self, prompt: Prompt) -> str:
        return self.model.render(prompt)

    def price(self, usage: Usage) -> float | None:
        return self.model.price(usage)

    def lanes(self, request: Request) -> int:
        return self.model.lanes(request)

    def check_request(self, request: Generate) -> None:
        self.model.check_request(request)

    async def echo(self, request: Echo) -> Prediction:
        return await self.model.echo(request)

    async def check(self) -> None:
        await self.model.check()

    async def release(self) -> None:
        """Let go of what the wrappers hold, but not of the model."""
        if isinstance(self.model, Wrapper):
            await self.model.release()

    async def close(self) -> None:
        await self.release()
        await self.model.close()
