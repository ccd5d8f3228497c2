"""Tool use: the model may call functions of one's own and tools of MCP servers until it answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from howgood.calls.base import Call, Settings
from howgood.calls.methods.base import Method, chat, concluded, needs_chat, said, single, written
from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Generate, Instance, Message, Prediction, Request, Tool, ToolCall
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import Outputs

LONGEST_RESULT = 20_000
"""Characters of a tool's result that the model is shown."""
MOST_TOOLS = 128
MOST_CALLS = 16
"""Calls of one turn that are carried out; more are answered with an error."""
LONGEST_DEFINITION = 20_000
"""Characters of a tool's description and schema together."""


class ToolError(Exception):
    """Why a call of a tool gave no result, in words for the model."""


class Toolbox(Protocol):
    """Tools from one place. `call` raises `ToolError` for what the model can mend, `RequestError` for the rest."""

    tools: tuple[Tool, ...]

    def describe(self) -> dict[str, Any]: ...
    async def call(self, name: str, arguments: str) -> str: ...
    def open(self) -> AbstractAsyncContextManager[None]: ...


@dataclass(frozen=True)
class Tools(Method):
    """The model may call tools, at most `steps` times in a row: the public functions of a Python file, and the tools of
    an MCP server (a command that is started once a run, or a URL). A call of a tool takes at most `timeout` seconds. A
    model that still wants a tool after the last step has given no answer (truncated)."""

    name: ClassVar[str] = "tools"
    python: Path | None = field(default=None, kw_only=True)
    mcp: str | None = field(default=None, kw_only=True)
    steps: int = field(default=10, kw_only=True)
    timeout: float = field(default=30.0, kw_only=True)
    boxes: tuple[Toolbox, ...] = field(default=(), kw_only=True)

    @classmethod
    def around(
        cls,
        call: Call,
        outputs: Outputs,
        *,
        python: Path | None = None,
        mcp: str | None = None,
        steps: int = 10,
        timeout: float = 30.0,
    ) -> tuple[Call, Outputs]:
        return cls(call, python=python, mcp=mcp, steps=steps, timeout=timeout), outputs

    def bind(self, can: Capabilities, settings: Settings) -> Tools:
        if not can.tools:
            raise Unsupported("the model cannot call tools")
        needs_chat(can, settings, self.name)
        if self.steps < 1 or not self.timeout > 0:
            raise HowgoodError("tools takes steps=1 or more and a timeout in seconds above 0")
        inner = single(self.inner, self.name).bind(can, settings)
        return replace(self, inner=inner, boxes=self.boxes or self._boxes())

    def told(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "timeout": self.timeout,
            "tools": [tool.name for tool in self._tools],
            "from": [box.describe() for box in self.boxes],
            "version": 1,
        }

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Generate:
        return msgspec.structs.replace(written(super().request(instance, shots, seed)), tools=self._tools)

    async def __call__(self, request: Request, model: Model) -> Prediction:
        first = written(request)
        parts: list[Prediction] = []
        transcript: list[Message] = []
        try:
            for step in range(self.steps + 1):
                prompt = (*chat(first.prompt), *transcript)
                parts.append(await self.inner(msgspec.structs.replace(first, prompt=prompt), model))
                transcript += said(parts[-1])
                calls = parts[-1].tool_calls
                if not calls or parts[-1].error is not None:
                    break
                if step == self.steps:
                    parts[-1] = msgspec.structs.replace(parts[-1], text="", stop_reason="length")
                    break
                for place, call in enumerate(calls):
                    transcript.append(Message("tool", await self._result(call, place), tool_call_id=call.id))
        except RequestError as error:
            if error.fatal or not parts:
                raise
            return concluded(parts, transcript, error)
        return concluded(parts, transcript)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(super().open())
            for box in self.boxes:
                await stack.enter_async_context(box.open())
            yield

    @property
    def _tools(self) -> tuple[Tool, ...]:
        return tuple(tool for box in self.boxes for tool in box.tools)

    async def _result(self, call: ToolCall, place: int) -> str:
        box = next((box for box in self.boxes if call.name in [tool.name for tool in box.tools]), None)
        try:
            if place >= MOST_CALLS:
                raise ToolError(f"only {MOST_CALLS} tools can be called at once")
            if box is None:
                raise ToolError(f"there is no tool of this name; there are {', '.join(t.name for t in self._tools)}")
            return shortened(await box.call(call.name, call.arguments))
        except ToolError as error:
            return shortened(f"Error: {error}")

    def _boxes(self) -> tuple[Toolbox, ...]:
        boxes: list[Toolbox] = []
        if self.python is not None:
            from howgood.calls.methods.tools_python import PythonTools

            boxes.append(PythonTools(self.python, self.timeout))
        if self.mcp is not None:
            from howgood.calls.methods.tools_mcp import MCPTools

            boxes.append(MCPTools(self.mcp, self.timeout))
        if not boxes:
            raise HowgoodError("tools needs tools: tools,python=FILE.py or tools,mcp=COMMAND_OR_URL")
        checked([tool for box in boxes for tool in box.tools])
        return tuple(boxes)


def checked(tools: list[Tool]) -> None:
    """Raises `HowgoodError` for tools that servers would refuse: unnamed, of one name, too many, too long."""
    names = [tool.name for tool in tools]
    for tool in tools:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name):
            raise HowgoodError(f"a tool is named {tool.name!r:.80}; names have 1 to 64 letters, digits, _ and -")
        if names.count(tool.name) > 1:
            raise HowgoodError(f"two tools are named {tool.name}; rename one of them")
        if len(tool.description) + len(msgspec.json.encode(tool.parameters)) > LONGEST_DEFINITION:
            raise HowgoodError(f"the tool {tool.name} is described in more than {LONGEST_DEFINITION:,} characters")
    if not 1 <= len(tools) <= MOST_TOOLS:
        raise HowgoodError(f"there are {len(tools)} tools; a model can be given 1 to {MOST_TOOLS}")


def shortened(text: str) -> str:
    """A result that is not too long: its beginning and its end."""
    half = LONGEST_RESULT // 2
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:half]}\n[... {len(text) - LONGEST_RESULT} characters left out ...]\n{text[-half:]}"
