"""The loop's turns: everything is told of, in order, little by little, and nothing that is gone."""

from __future__ import annotations

import asyncio
import selectors
import socket
import sys
from collections.abc import Iterator

import pytest

from howgood.core.loop import FLOCK, InTurn, drive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the loop is not one of sockets")
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3 * FLOCK)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


def test_one_at_a_time_and_each_in_its_turn(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with InTurn() as told:
        for near, far in pairs[: FLOCK - 1]:
            told.register(near, READ)
            far.send(b"x")
        seen = []
        for _ in range(FLOCK - 1):
            [(key, events)] = told.select(0)
            assert events == READ
            seen.append(key.fileobj)
            key.fileobj.recv(1)  # type: ignore[union-attr]
        assert sorted(map(id, seen)) == sorted(id(near) for near, _ in pairs[: FLOCK - 1])
        assert told.select(0) == []


def test_of_very_many_a_share(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with InTurn() as told:
        for near, far in pairs:
            told.register(near, READ)
            far.send(b"x")
        assert len(told.select(0)) == 4
        assert len(told.select(0)) == 3


def test_what_is_gone_or_no_longer_waited_for_is_not_told(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    (first, a), (second, b), (third, c) = pairs[:3]
    with InTurn() as told:
        for near, far in ((first, a), (second, b), (third, c)):
            told.register(near, READ)
            far.send(b"x")
        [(key, _)] = told.select(0)
        assert key.fileobj is first
        told.unregister(second)  # and another socket may get its number before it is told of
        told.modify(third, WRITE)
        first.recv(1)
        assert told.select(0) == []
        assert told.select(0) == []
        [(key, events)] = told.select(0)
        assert (key.fileobj, events) == (third, WRITE)


def test_a_timeout_passes() -> None:
    with InTurn() as told:
        assert told.select(0.01) == []


def test_many_connections_at_once() -> None:
    """200 clients of an echo server in the same loop: all get all of their own."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def client(port: int, number: int) -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        got = []
        for turn in range(5):
            writer.write(b"%d-%d\n" % (number, turn))
            got.append(await reader.readline())
        writer.close()
        return got

    async def main() -> list[list[bytes]]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await asyncio.gather(*(client(port, number) for number in range(200)))

    assert drive(main()) == [[b"%d-%d\n" % (number, turn) for turn in range(5)] for number in range(200)]
