"""`howgood serve` as a process: what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from howgood.cli.main import build
from howgood.core.errors import ModelError

COMMAND = "import sys, typer; from howgood.cli.serve import serve; typer.run(serve)"
SECRET = "a-secret-key-0123456789"


async def start(*arguments: str, **variables: str) -> Process:
    command = [sys.executable, "-c", COMMAND, *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env={**os.environ, **variables})


async def url_of(process: Process) -> str:
    """Where it listens, once it does."""
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode() for _ in range(3)]
    found = re.search(r"Anthropic +base URL (http://127\.0\.0\.1:\d+) +model reference/constant", lines[2])
    assert found, lines
    return found[1]


async def ask(url: str, key: str) -> tuple[int, Any]:
    asked = {"model": "reference/constant", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    async with (
        aiohttp.ClientSession(headers={"x-api-key": key}) as session,
        session.post(f"{url}/v1/messages", json=asked) as reply,
    ):
        return reply.status, await reply.json()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_told_to_end(end: signal.Signals, tmp_path: Path) -> None:
    keys, log = tmp_path / "keys.json", tmp_path / "calls.jsonl"
    keys.write_text('{"alice": {"key": "ALICE_KEY", "tokens": 1000}}')
    process = await start(
        "reference/constant", "--port", "0", "--keys", str(keys), "--log", str(log), ALICE_KEY=SECRET
    )  # fmt: skip
    url = await url_of(process)
    status, told = await ask(url, SECRET)
    assert (status, told["content"][0]["text"]) == (200, "A")
    assert (await ask(url, "another"))[0] == 401
    process.send_signal(end)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err) == (0, b"")
    assert b"alice: 1 calls, 9 tokens, $0.0000" in out
    [line] = log.read_text().splitlines()
    assert json.loads(line)["key"] == "alice"
    assert SECRET not in line + out.decode()


async def test_it_is_not_open_to_others_without_keys() -> None:
    process = await start("reference/constant", "--host", "0.0.0.0", "--port", "0")
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode
    assert "without keys anyone who reaches 0.0.0.0 could use" in err.decode()


@pytest.mark.parametrize(
    "command", ["serve reference/constant", "studio .", "arena serve -m reference/echo -m reference/uniform"]
)
@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_a_port_that_there_is_not_is_told_in_one_line(
    command: str, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*command.split(), "--port", port]
    refused = CliRunner().invoke(build(arguments), arguments)
    assert isinstance(refused.exception, ModelError)
    assert str(refused.exception) == f"there is no port {port}: give a --port between 1 and 65535, or 0 for a free one"
    assert refused.output == ""
    assert list(tmp_path.iterdir()) == []
