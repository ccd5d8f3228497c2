"""Tools of an MCP server that really runs: one process a run, closed at its end, and no key in its environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from method_models import CHATS, Calling

from howgood.calls.base import Settings, opened
from howgood.calls.generation import Generation
from howgood.calls.methods.registry import apply
from howgood.calls.methods.tools import Tools
from howgood.core.errors import HowgoodError, RequestError
from howgood.core.types import Instance

pytest.importorskip("mcp")
SUM = Instance("sum", "2 + 3?", targets=("5",))
SERVER = Path(__file__).parent / "mcp_server.py"


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """The file in which the server writes the id of each of its processes."""
    return tmp_path / "started"


def bound(started: Path, extra: str = "", timeout: float = 30) -> Tools:
    command = f"{sys.executable} {SERVER} {started}{extra}"
    return Tools(Generation(), mcp=command, timeout=timeout).bind(CHATS, Settings())


def alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_run_talks_to_one_process_that_is_gone_after_it(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-secret")
    around, _ = apply(("vote,n=3", f"tools,mcp={sys.executable} {SERVER} {started}"), Generation(), None)
    call = around.bind(CHATS, Settings())
    request = call.request(SUM, (), 7)
    assert [tool.name for tool in request.tools] == ["add", "where_am_i", "fail", "wait", "quit"]
    assert request.tools[0].description == "Add two numbers."
    assert request.tools[0].parameters["required"] == ["a", "b"]
    model = Calling(("add", '{"a": 2, "b": 3}'), ("where_am_i", ""))
    async with opened(call):
        found = await call(request, model)
    results = [str(m.content) for r in model.requests for m in r.prompt if m.role == "tool"]
    _, process = started.read_text().split()  # one that listed the tools, one that served the run
    assert results == ["5", f"{process} None"] * 3
    assert len(model.requests) == 6
    assert found.attempts == ("done",) * 3
    assert not alive(process)
    told = call.describe()["methods"][0]["from"][0]
    assert told["mcp"] == "test server 1.2"
    assert str(SERVER) not in str(call.describe())


async def test_what_a_tool_says_is_wrong_is_for_the_model(started: Path) -> None:
    call = bound(started)
    model = Calling(("fail", "{}"), ("add", '{"a": "two"}'), ("add", "[1]"), ("add", '{"a": 1, "b": 1}'))
    async with opened(call):
        found = await call(call.request(SUM, (), 7), model)
    results = [str(m.content) for m in found.transcript if m.role == "tool"]
    assert results[0] == "Error: Error executing tool fail"
    assert results[1].startswith("Error: ")
    assert "no JSON object" in results[2]
    assert results[3] == "2"
    assert found.error is None


async def test_a_tool_that_takes_too_long_is_not_waited_for(started: Path) -> None:
    call = bound(started, timeout=0.1)
    async with opened(call):
        found = await call(call.request(SUM, (), 7), Calling(("wait", "{}")))
    assert found.transcript[1].content == "Error: wait took longer than 0.1 seconds"


async def test_a_server_at_a_url(started: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HowgoodError, match=f"the MCP server http://127.0.0.1:{port}/mcp does not answer"):
        Tools(Generation(), mcp=f"http://127.0.0.1:{port}/mcp?key=planted-secret").bind(CHATS, Settings())
    with subprocess.Popen([sys.executable, SERVER, started, str(port)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            while "running on" not in process.stderr.readline():
                assert process.poll() is None
            call = Tools(Generation(), mcp=f"http://127.0.0.1:{port}/mcp").bind(CHATS, Settings())
            async with opened(call):
                found = await call(call.request(SUM, (), 7), Calling(("add", '{"a": 2, "b": 3}')))
        finally:
            process.kill()
    assert found.transcript[1].content == "5"


async def test_a_server_that_is_lost_ends_the_run_and_is_no_wrong_answer(started: Path) -> None:
    call = bound(started)
    async with opened(call):
        with pytest.raises(RequestError, match=r"the MCP server .* was lost") as raised:
            await call(call.request(SUM, (), 7), Calling(("quit", "{}")))
    assert raised.value.fatal


def test_a_server_that_does_not_start_is_told_with_its_own_words(started: Path) -> None:
    with pytest.raises(HowgoodError, match="does not answer: the database is not there"):
        bound(started, " broken")
    with pytest.raises(HowgoodError, match="the MCP server /no/such/command does not answer"):
        Tools(Generation(), mcp="/no/such/command --key planted-secret").bind(CHATS, Settings())


async def test_what_is_raised_while_the_server_runs_is_raised_as_it_is(started: Path) -> None:
    call = bound(started)
    with pytest.raises(HowgoodError, match="another matter"):
        async with opened(call):
            raise HowgoodError("another matter")
    assert not any(map(alive, started.read_text().split()))


def test_a_url_with_a_password_in_it_is_refused() -> None:
    with pytest.raises(HowgoodError, match="holds a password"):
        Tools(Generation(), mcp="https://me:secret@host/mcp").bind(CHATS, Settings())
