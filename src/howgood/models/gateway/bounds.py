"""The most that a call can take, told before it is let in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from howgood.core.types import Generate, Image, Prompt, Usage
from howgood.models import prices
from howgood.models.base import Echo, Model

IMAGE = 2000
"""Tokens of an image. Anthropic's largest have 1,600, OpenAI's (gpt-4o, high detail) 1,105 in most forms
(https://docs.anthropic.com/en/docs/build-with-claude/vision, https://platform.openai.com/docs/guides/images-vision)."""
MESSAGE, REQUEST = 16, 64
"""Tokens that a server may set around a message and a request beyond what is seen here (marks of roles, BOS)."""
TOOLS = 600
"""Tokens of the instructions that a provider sets before tools
(https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview#pricing: up to 530)."""


def most_usage(model: Model, requests: Sequence[Generate | Echo]) -> Usage:
    """The most tokens that requests can take: a token is at least a byte, and no answer is longer than asked for."""
    read = written = 0
    for request in requests:
        if isinstance(request, Echo):
            read += len(request.text.encode()) + REQUEST
        else:
            extras = msgspec.json.encode((request.tools, request.schema)) if request.tools or request.schema else b""
            read += _prompt(model, request.prompt) + len(extras) + REQUEST + (TOOLS if request.tools else 0)
            written += request.max_tokens
    return Usage(read, written)


def most_dollars(model: Model, requests: Sequence[Generate | Echo]) -> float | None:
    """The most that requests can cost, in US dollars; None where the model's price is not known."""
    costs = [prices.cost_of(model, most_usage(model, [request])) for request in requests]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _prompt(model: Model, prompt: Prompt) -> int:
    size = len(model.render(prompt).encode(errors="replace"))
    if isinstance(prompt, str):
        return size
    parts = [part for m in prompt if not isinstance(m.content, str) for part in m.content]
    calls = [call for m in prompt for call in m.tool_calls]
    images = sum(isinstance(part, Image) for part in parts)
    return size + MESSAGE * len(prompt) + IMAGE * images + len(msgspec.json.encode(calls))
