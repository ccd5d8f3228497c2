"""What a run over HTTP reaches: howgood beside inspect-ai's OpenAI provider, on one local server.

Run: python benchmarks_perf/calls.py [--connections 200 1000] [--seconds 20] [--peer-calls 1000] [--rounds 3].
The server (a raw asyncio protocol in a process of its own) answers every chat request after 200 ms, so that c
connections can have 5 c calls a second at most. Each client runs the same questions through its whole path: plan,
request, transport, limiter, judging, log; all must find the same share right. Calls a second are the server's count,
from the first request to the last answer; `whole` is over the whole run, with its planning, its table of trials and its
estimates. `--cached` adds howgood with its cache on (nothing in it at first). Last, the server refuses (429) what goes
beyond 50 requests at once, which nobody tells the client: printed is how many were in flight on average after the first
seconds, and the share refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from beside import child, installed, medians, tell

LATENCY, HIDDEN, SETTLE = 0.2, 50, 5.0
ANSWER = "The answer is 42."
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def response(status: str, body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


CHAT = response(
    "200 OK",
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 6, "total_tokens": 36},
    },
)
BUSY = response("429 Too Many Requests", {"error": {"message": "slow down", "code": "rate_limit_exceeded"}})


class Serving(asyncio.Protocol):
    """Answers a connection's requests, and counts over all of them; a GET tells the counts."""

    hidden, now, most, done, refused = 0, 0, 0, 0, 0
    begun = last = area = 0.0

    @classmethod
    def count(cls, change: int) -> None:
        time_is = asyncio.get_running_loop().time()
        cls.begun = cls.begun or time_is
        if time_is - cls.begun > SETTLE:
            cls.area += cls.now * (time_is - max(cls.last, cls.begun + SETTLE))
        cls.now, cls.last = cls.now + change, time_is
        cls.most = max(cls.most, cls.now)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.got = transport, b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            told = LENGTH.search(self.got, 0, end)
            whole = end + 4 + (int(told[1]) if told else 0)
            if len(self.got) < whole:
                return
            asked, self.got = self.got[:4], self.got[whole:]
            cls = Serving
            if asked == b"GET ":
                flight = cls.area / max(1e-9, cls.last - cls.begun - SETTLE)
                counts = {"most": cls.most, "done": cls.done, "refused": cls.refused, "flight": flight}
                counts["seconds"] = cls.last - cls.begun
                self.transport.write(response("200 OK", counts))
            elif cls.hidden and cls.now >= cls.hidden:
                cls.refused += 1
                self.transport.write(BUSY)
            else:
                cls.count(1)
                asyncio.get_running_loop().call_later(LATENCY, self.answer)

    def answer(self) -> None:
        Serving.count(-1)
        Serving.done += 1
        if not self.transport.is_closing():
            self.transport.write(CHAT)


async def serve(hidden: int) -> None:
    Serving.hidden = hidden
    server = await asyncio.get_running_loop().create_server(Serving, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def questions(folder: Path, n: int) -> Path:
    """A file of n questions, to every third of which the server's answer is right."""
    path = folder / "sums.jsonl"
    rows = ({"question": f"What is {i} + {i}?", "answer": "42" if i % 3 == 0 else "no"} for i in range(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def howgood(path: Path, url: str, connections: int, cache: bool) -> tuple[int, int]:
    import howgood as hg

    os.environ["HOWGOOD_CACHE"] = str(path.parent / "cache.sqlite")
    run = hg.run(
        str(path),
        f"{url}#m,concurrency={connections}",
        folder=path.parent / "runs",
        cache=cache,
        ask="{question}",
        answer="answer",
        check="contains",
    )
    return run.outcomes["right"], sum(run.outcomes.values())


def inspect(path: Path, url: str, connections: int, cache: bool) -> tuple[int, int]:
    from inspect_ai import Task, eval
    from inspect_ai.dataset import FieldSpec, json_dataset
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    model = get_model("openai/m", base_url=url, api_key="none", responses_api=False)
    task = Task(json_dataset(str(path), FieldSpec(input="question", target="answer")), generate(), scorer=includes())
    log = eval(
        task,
        model=model,
        max_connections=connections,
        max_samples=connections,
        display="none",
        log_dir=str(path.parent / "runs"),
    )[0]
    assert log.results is not None
    total = log.results.completed_samples
    return round(log.results.scores[0].metrics["accuracy"].value * total), total


CLIENTS = {"howgood": howgood, "inspect": inspect}


def part(name: str, n: int, connections: int, cache: bool, hidden: int) -> None:
    """One client in this process, with a server of its own."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(hidden)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = questions(Path(folder), n)
            __import__({"howgood": "howgood.api", "inspect": "inspect_ai.scorer"}[name])
            wall, cpu = time.perf_counter(), time.process_time()
            right, total = CLIENTS[name](path, url, connections, cache)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with urllib.request.urlopen(url) as told:
            counts = json.loads(told.read())
    finally:
        server.kill()
    rate = total / counts["seconds"]
    tell(share=right / total, n=total, rate=rate, whole=total / wall, cpu=cpu / total * 1e3, **counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="*", default=[200, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a run takes at best")
    parser.add_argument("--peer-calls", type=int, default=1000, help="calls of the peer, which are too few to tire of")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cached", action="store_true")
    parser.add_argument("--serve", type=int)
    parser.add_argument("--part", nargs=5)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(serve(given.serve))
    if given.part:
        name, *numbers = given.part
        n, connections, cache, hidden = map(int, numbers)
        part(name, n, connections, bool(cache), hidden)
    names = installed([*CLIENTS])
    print(
        f"{'client':<16} {'connections':>11} {'calls':>7} {'calls/s':>8} {'of ideal':>9} "
        f"{'whole':>8} {'CPU ms':>7} {'MB':>5}"
    )
    for connections in given.connections:
        ideal = connections / LATENCY
        ours = int(min(ideal, 2500) * given.seconds) // 3 * 3
        kinds = [(name, ours if name == "howgood" else given.peer_calls // 3 * 3, 0) for name in names]
        kinds += [("howgood", ours, 1)] * given.cached
        rounds: list[list[dict[str, Any]]] = [[] for _ in kinds]
        for _ in range(given.rounds):
            for (name, n, cache), found in zip(kinds, rounds, strict=True):
                found.append(child(__file__, "--part", name, n, connections, cache, 0))
        shares = {one["share"] for found in rounds for one in found}
        if len(shares) != 1:
            sys.exit(f"the clients do not agree on the share that is right: {shares}")
        for (name, n, cache), found in zip(kinds, rounds, strict=True):
            m = medians(found)
            print(
                f"{name + ', cache' * cache:<16} {connections:>11,} {n:>7,} {m['rate']:>8.0f} "
                f"{m['rate'] / ideal:>9.1%} {m['whole']:>8.0f} {m['cpu']:>7.3f} {m['mb']:>5.0f}"
            )
    m = medians([child(__file__, "--part", "howgood", 6000, 1000, 0, HIDDEN) for _ in range(given.rounds)])
    print(
        f"hidden limit of {HIDDEN}: {m['flight']:.1f} in flight ({m['flight'] / HIDDEN:.0%}), "
        f"{m['rate']:.0f} calls/s of {HIDDEN / LATENCY:.0f}, {m['refused'] / (m['refused'] + m['done']):.2%} refused"
    )


if __name__ == "__main__":
    main()
