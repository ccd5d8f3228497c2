"""A small MCP server of the SDK's own, as a process: its ids are written to the file named
first; `broken` or a port to be served at may follow."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("test server", version="1.2")


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool(name="where.am.i")
def where() -> str:
    """The process and what it knows of its environment."""
    return f"{os.getpid()} {os.environ.get('OPENAI_API_KEY')}"


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("no such thing")


@server.tool()
def wait() -> str:
    """Takes a minute."""
    time.sleep(60)
    return "done"


@server.tool()
def quit() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a") as started:
        started.write(f"{os.getpid()}\n")
    if sys.argv[2:] == ["broken"]:
        sys.exit("the database is not there")
    if sys.argv[2:]:
        server.run(transport="streamable-http", port=int(sys.argv[2]))
    else:
        server.run()
