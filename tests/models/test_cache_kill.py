"""Several processes on one cache, killed at any moment: the file stays whole, and no answered call is made again."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from counting_server import serve_counting

REQUESTS = 400
IN_FLIGHT = 8
KILLS = 6

WORK = f"""
import asyncio, random, sys
from howgood.core.types import Generate, Message
from howgood.models import responses
from howgood.models.cache import cached
from howgood.models.registry import load_model

responses.LEASE = 1.0

async def main(url, order):
    model = cached(load_model(f"{{url}}/v1#rule"), True)
    numbers = list(range({REQUESTS}))
    random.Random(int(order)).shuffle(numbers)
    left = iter(numbers)

    async def work():
        for number in left:
            found = await model.send(Generate((Message("user", f"number {{number}}"),), temperature=1.0, seed=number))
            assert found.text == str(number % 3)
            print(number, flush=True)

    await asyncio.gather(*(work() for _ in range({IN_FLIGHT})))
    await model.close()

asyncio.run(main(*sys.argv[1:]))
"""


def start(url: str, order: int, cache: Path, told: Path) -> subprocess.Popen[bytes]:
    """A process that asks for everything; the numbers that it was answered go into a file of its own in `told`."""
    command = [sys.executable, "-c", WORK, url, str(order)]
    told.mkdir(exist_ok=True)
    with (told / str(order)).open("wb") as out:
        return subprocess.Popen(command, env=os.environ | {"HOWGOOD_CACHE": str(cache)}, stdout=out)


def numbers(told: Path) -> set[int]:
    """The numbers that were answered, as far as a killed process came to say it: its last line may be torn."""
    lines = (line for file in told.iterdir() for line in file.read_text().splitlines(keepends=True))
    return {int(line) for line in lines if line.endswith("\n")}


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_two_processes_of_which_one_is_killed_repeat_no_answered_call(tmp_path: Path) -> None:
    cache, told, chance = tmp_path / "c.sqlite", tmp_path / "told", random.Random(3)
    with serve_counting() as server:
        steady = start(server.url, 1, cache, tmp_path / "steady")
        known: dict[int, int] = {}
        for kill in range(KILLS):
            wild = start(server.url, 2 + kill, cache, told)
            before = len(numbers(told))
            while len(numbers(told)) < before + chance.randint(1, 30) and wild.poll() is None:
                time.sleep(0.002)
            assert wild.poll() is None, "it was done before it could be killed"
            wild.kill()
            wild.wait()
            known |= {number: server.asked[number] for number in numbers(told) - known.keys()}
        assert start(server.url, 99, cache, told).wait() == 0
        assert steady.wait() == 0
        assert numbers(told) == numbers(tmp_path / "steady") == set(range(REQUESTS))
        assert len(known) >= KILLS
        assert {number: server.asked[number] for number in known} == known, "an answered call was made again"
        # A call is made twice only if a kill came between its request and its answer.
        assert server.asked.total() <= REQUESTS + KILLS * IN_FLIGHT
        final = server.asked.copy()
        assert start(server.url, 100, cache, told).wait() == 0
        assert server.asked == final
    db = sqlite3.connect(cache)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*) FROM answers").fetchone() == (REQUESTS,)
    assert db.execute("SELECT count(*) FROM claims").fetchone() == (0,)
