"""What a request costs the client: howgood's transport beside bare aiohttp and the OpenAI SDK.

Run: python benchmarks_perf/transport.py [--requests 3000] [--concurrency 32] [--rounds 5]. One local server, in a
process of its own, answers every chat request at once with the same reply; each client asks it and reads the answer's
text. Prints requests per second of the client's CPU time (median of the rounds), and ours as a multiple of each. A peer
that is not installed is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any

ANSWER = "The answer is 42. " * 20
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 300, "completion_tokens": 100, "total_tokens": 400},
}
PATH = "chat/completions"
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "What is six times seven? " * 40}],
    "max_tokens": 64,
    "temperature": 0.0,
}

Ask = Callable[[], Awaitable[str]]


def serve(told: Connection) -> None:
    """Answer every request, and tell the port."""
    from aiohttp import web

    reply = json.dumps(REPLY).encode()

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=reply, content_type="application/json")

    async def start() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(start())


@asynccontextmanager
async def ours(url: str, concurrency: int) -> AsyncIterator[Ask]:
    from howgood.models.dialects import openai
    from howgood.models.transport import Transport

    settings: dict[str, Any] = {"needs_key": False, "concurrency": concurrency, "timeout": 60.0}
    transport = Transport("m", url, "HOWGOOD_API_KEY", openai.headers, openai.read_error, **settings)

    async def ask() -> str:
        return (await transport.ask(PATH, BODY, openai.decode, size=400)).value.text or ""

    yield ask
    await transport.close()


@asynccontextmanager
async def aiohttp_alone(url: str, concurrency: int) -> AsyncIterator[Ask]:
    """The least that can be done: no limits, no retries, nothing checked."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def ask() -> str:
            async with session.post(f"{url}/{PATH}", json=BODY) as response:
                return str((await response.json())["choices"][0]["message"]["content"])

        yield ask


@asynccontextmanager
async def openai_sdk(url: str, concurrency: int) -> AsyncIterator[Ask]:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none") as client:

        async def ask() -> str:
            reply = await client.chat.completions.create(**BODY)  # type: ignore[call-overload]
            return str(reply.choices[0].message.content)

        yield ask


CLIENTS = {"howgood": ours, "aiohttp": aiohttp_alone, "openai": openai_sdk}


async def measure(name: str, url: str, requests: int, concurrency: int) -> float:
    """Requests per CPU second of one client, after some that are not counted."""
    async with CLIENTS[name](url, concurrency) as ask:

        async def worker(many: int) -> None:
            for _ in range(many):
                assert await ask() == ANSWER

        await asyncio.gather(*(worker(5) for _ in range(concurrency)))
        begun = time.process_time()
        await asyncio.gather(*(worker(requests // concurrency) for _ in range(concurrency)))
        return requests // concurrency * concurrency / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    clients = [name for name in CLIENTS if name == "howgood" or importlib.util.find_spec(name)]
    rates: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(given.rounds):  # by turns, so that a busy machine is busy for all
        for name in clients:
            rates[name].append(asyncio.run(measure(name, url, given.requests, given.concurrency)))
    server.terminate()
    own = statistics.median(rates["howgood"])
    print(f"{'client':<10} {'requests per CPU second':>24} {'ratio':>7}")
    for name, found in rates.items():
        print(f"{name:<10} {statistics.median(found):>24.0f} {own / statistics.median(found):>7.2f}")


if __name__ == "__main__":
    main()
