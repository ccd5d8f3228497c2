"""What a call costs the gateway: requests per second of its CPU time, with a model that answers at once.

Run: python benchmarks_perf/gateway.py [--requests 3000] [--concurrency 32] [--rounds 5]. The gateway runs in a process
of its own, whose CPU time (user and system) is read before and after; beside it stands a bare aiohttp server that
answers with the same bytes and reads none. Prints the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

from howgood.models.gateway import Gateway, Key
from howgood.models.reference import Constant

SECRET = "a-secret-key-0123456789"
MODEL = Constant(text="The answer is 42. " * 20)
QUESTION = [{"role": "user", "content": "What is six times seven? " * 40}]
BODY = {"model": MODEL.name, "messages": QUESTION, "max_tokens": 1000}
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"

Server = Callable[[Connection], None]


def gateway(metered: bool) -> Server:
    async def run(told: Connection) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = {"agent": Key(SECRET, tokens=10**12)} if metered else None
            async with Gateway(MODEL, keys=keys, log=Path(folder) / "log" if metered else None) as server:
                told.send(server.url)
                await asyncio.to_thread(told.recv)

    return lambda told: asyncio.run(run(told))


def bare(told: Connection) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=msgspec.json.encode(BODY), content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.to_thread(told.recv)

    asyncio.run(run())


def cpu(pid: int) -> float:
    """Seconds of CPU time that a process has used (Linux: proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(url: str, path: str, stream: bool, requests: int, concurrency: int) -> None:
    left = iter(range(requests))

    async def client(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url + path, json=BODY | {"stream": stream}) as reply:
                assert reply.status == 200
                await reply.read()

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {SECRET}"}) as session:
        await asyncio.gather(*(client(session) for _ in range(concurrency)))


def measure(server: Server, path: str, stream: bool, given: argparse.Namespace) -> float:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=server, args=(theirs,))
    process.start()
    url, found = ours.recv(), []
    assert process.pid
    for turn in range(given.rounds + 1):
        before = cpu(process.pid)
        asyncio.run(ask(url, path, stream, given.requests, given.concurrency))
        if turn:  # the first is not counted
            found.append(given.requests / (cpu(process.pid) - before))
    ours.send(None)
    process.join()
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for name, server, path, stream in (
        ("bare aiohttp", bare, CHAT, False),
        ("chat", gateway(False), CHAT, False),
        ("chat, with key, budget and log", gateway(True), CHAT, False),
        ("chat, streamed", gateway(False), CHAT, True),
        ("messages (Anthropic)", gateway(False), MESSAGES, False),
    ):
        print(f"{name:32} {measure(server, path, stream, given):8.0f} requests per CPU second")


if __name__ == "__main__":
    main()
