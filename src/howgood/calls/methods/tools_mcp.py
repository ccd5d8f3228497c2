"""Tools of a server that speaks the Model Context Protocol, https://modelcontextprotocol.io

Its process is given no environment variable but PATH, HOME and the like, so no key of this process reaches it.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

import msgspec

from howgood.calls.methods.tools import MOST_TOOLS, ToolError
from howgood.core.errors import HowgoodError, MissingExtra, RequestError
from howgood.core.text import digest, one_line, shorten
from howgood.core.types import Tool

if TYPE_CHECKING:
    from mcp import Client

START = 60.0
"""Seconds that a server may take to start."""
MOST_PAGES = 20
T = TypeVar("T")


class MCPTools:
    """The tools of the server that a `command` starts, or that is at a URL. It is asked for them when the call is
    bound; while the run lasts one session is open.

    Raises `HowgoodError` for a server that does not start or has no tools.
    """

    def __init__(self, command: str, timeout: float) -> None:
        try:
            import mcp  # noqa: F401
        except ImportError:
            raise MissingExtra("an MCP server", "mcp") from None
        if re.match(r"https?://[^/]*@", command):
            raise HowgoodError("the URL of an MCP server holds a password, which would be kept in the run's record")
        self._command, self._timeout = command, timeout
        self._client: Client | None = None
        self._server, self._names, self.tools = in_own_loop(self._listed)

    def describe(self) -> dict[str, Any]:
        # Not the command: it may hold what is secret, and paths of this machine.
        return {"mcp": self._server, "digest": digest([msgspec.to_builtins(tool) for tool in self.tools])}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        # A task of its own, since the session's task group would wrap what is raised while it is open.
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closing = asyncio.Event()

        async def serve() -> None:
            try:
                async with self._connected() as self._client:
                    ready.set_result(None)
                    await closing.wait()
            except Exception as error:
                if not ready.done():
                    ready.set_exception(error)

        task = asyncio.create_task(serve())
        try:
            await ready
            yield
        finally:
            self._client = None
            closing.set()
            await task

    async def call(self, name: str, arguments: str) -> str:
        from mcp import MCPError

        if self._client is None:
            raise RuntimeError("the MCP server is not connected: a call is used inside `opened(call)`")
        try:
            given = msgspec.json.decode(arguments or "{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ToolError(f"the arguments of {name} are no JSON object: {error}") from None
        try:
            result = await asyncio.wait_for(self._client.call_tool(self._names[name], given), self._timeout)
        except TimeoutError:
            raise ToolError(f"{name} took longer than {self._timeout:g} seconds") from None
        except MCPError as error:
            if gone(error):
                raise self._lost(error) from error
            raise ToolError(shorten(str(error), 1_000)) from None
        except Exception as error:
            raise self._lost(error) from error
        text = "\n".join(map(_words, result.content))
        if not result.content and result.structured_content is not None:
            text = msgspec.json.encode(result.structured_content, enc_hook=str).decode()
        if result.is_error:
            raise ToolError(text)
        return text

    async def _listed(self) -> tuple[str, dict[str, str], tuple[Tool, ...]]:
        """The server's name and version, its own names of its tools, and the tools."""
        names: dict[str, str] = {}
        tools: list[Tool] = []
        async with self._connected() as client:
            cursor, pages = None, 0
            while pages == 0 or (cursor and pages < MOST_PAGES and len(tools) <= MOST_TOOLS):
                page = await client.list_tools(cursor=cursor)
                for tool in page.tools:
                    name = re.sub(r"[^A-Za-z0-9_-]", "_", tool.name)[:64]
                    names[name] = tool.name
                    tools.append(Tool(name, tool.description or "", dict(tool.input_schema)))
                cursor, pages = page.next_cursor, pages + 1
            info = client.server_info
        server = shorten(one_line(f"{info.name} {info.version}"), 100) if info else "unnamed"
        return server, names, tuple(tools)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        """A session with the server. Raises `HowgoodError`, with the server's last words, where there is none."""
        from mcp import Client

        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
            client = Client(self._transport(stderr), read_timeout_seconds=max(START, self._timeout))
            try:
                async with asyncio.timeout(START):
                    await client.__aenter__()
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                    raise
                stderr.seek(0)
                last = shorten(one_line(stderr.read()[-500:].strip()), 300)
                reason = last or shorten(one_line(_innermost(error)), 300)
                raise HowgoodError(f"the MCP server {self._shown} does not answer: {reason}") from None
            try:
                yield client
            finally:
                await client.__aexit__(None, None, None)

    def _transport(self, stderr: IO[str]) -> Any:
        from mcp import StdioServerParameters, stdio_client

        if self._command.startswith(("http://", "https://")):
            return self._command
        try:
            command, *args = shlex.split(self._command)
        except ValueError as error:
            raise HowgoodError(f"tools,mcp={self._shown} is no command: {error}") from None
        return stdio_client(StdioServerParameters(command=command, args=args), errlog=stderr)  # type: ignore[arg-type]

    def _lost(self, error: BaseException) -> RequestError:
        return RequestError(f"the MCP server {self._shown} was lost: {_innermost(error)}", fatal=True)

    @property
    def _shown(self) -> str:
        """The command's first word, or the URL without what may be secret in it."""
        return shorten(re.split(r"[\s?#]", self._command)[0], 100)


def gone(error: Exception) -> bool:
    """Whether an error says that the connection is closed, and not that a tool failed."""
    from mcp_types import CONNECTION_CLOSED

    return getattr(getattr(error, "error", None), "code", None) == CONNECTION_CLOSED


def in_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine, run to its end in a loop of its own, whether or not one runs here already."""
    found: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work()))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return found[0]


def _words(content: Any) -> str:
    """A piece of a result as text; what is no text is named only."""
    text = getattr(content, "text", None)
    return text if isinstance(text, str) else f"[{getattr(content, 'type', 'something')}, which cannot be shown]"


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
