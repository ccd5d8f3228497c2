"""What the gateway does with hostile and broken clients, with neighbours, and at its end."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from scripted import Scripted, Slow, says

from howgood.core.errors import ModelError
from howgood.models.gateway import Gateway, Key, read_log
from howgood.models.gateway import server as gateway_server

SECRET = "a-secret-key-0123456789"
GOOD = {"model": "scripted", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}


async def send(
    gateway: Gateway, content: bytes, path: str = "/v1/chat/completions", **headers: str
) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.url + path, data=content, headers=headers) as got,
    ):
        return got.status, json.loads(await got.read())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/messages"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"null",
        b"[]",
        b"{",
        b'{"model": "scripted", "messages": 1, "prompt": 1, "max_tokens": 1}',
        b'{"model": "scripted", "max_tokens": 1, "prompt": "\\ud800", "messages": "\\ud800"}',
        b'{"model": "scripted", "tools": ' + b"[" * 100_000,
        b'{"model": "scripted", "messages": ' + b'{"a":' * 100_000,
        b'{"model": "scripted", "max_tokens": 1e999, "prompt": "x", "messages": []}',
        b'{"model": "scripted", "max_tokens": ' + b"9" * 400 + b', "prompt": "x", "messages": []}',
        json.dumps({**GOOD, "messages": GOOD["messages"] * 10_001, "prompt": ["x"] * 1025}).encode(),  # type: ignore[operator]
        json.dumps({**GOOD, "n": 129, "prompt": "x", "messages": []}).encode(),
        json.dumps({**GOOD, "prompt": [[1, 2, 3]], "messages": [[]]}).encode(),
    ],
)
async def test_what_has_another_form_is_refused_in_the_dialects_own(
    content: bytes, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = Scripted(says("yes"))
    async with Gateway(model) as gateway:
        status, told = await send(gateway, content, path)
    assert status == 400
    assert told["error"]["type"] == "invalid_request_error"
    assert told.get("type") == ("error" if path == "/v1/messages" else None)
    assert len(told["error"]["message"]) < 500
    assert model.asked == []
    assert not caplog.records


@pytest.mark.parametrize(("path", "kind"), [("/v1/messages", "request_too_large"), ("/v1/completions", None)])
async def test_a_request_can_be_too_large(path: str, kind: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_server, "LARGEST_REQUEST", 10_000)
    model = Scripted(says("yes"))
    async with Gateway(model) as gateway:
        status, told = await send(gateway, b"x" * 10_001, path)
        fine, _ = await send(gateway, json.dumps(GOOD).encode())
    assert status == 413
    assert fine == 200
    if kind:
        assert told["error"]["type"] == kind


async def test_other_addresses_and_forms_are_refused() -> None:
    async with Gateway(Scripted(says("yes"))) as gateway:
        status, told = await send(gateway, b"{}", "/v1/embeddings")
        assert (status, told["error"]["code"]) == (404, "unknown_url")
        status, told = await send(gateway, b"{}", "/v1/messages/batches")
        assert (status, told["error"]["type"]) == (404, "not_found_error")
        async with aiohttp.ClientSession() as session, session.get(gateway.url + "/v1/messages") as reply:
            assert reply.status == 404


async def knock(gateway: Gateway, content: bytes) -> bytes:
    """What comes back for bytes on the wire."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(content)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_what_is_no_proper_request_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    model = Scripted(says("yes"))
    head = b"POST /v1/messages HTTP/1.1\r\nContent-Type: application/json\r\n"
    async with Gateway(model) as gateway:
        for encoding in ("gzip", "deflate", "br", "no-such"):
            status, _ = await send(gateway, gzip.compress(b" " * 10_000_000), Content_Encoding=encoding)
            assert status == 400
        for content in (
            b"\x16\x03\x01 TLS?",
            head + b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{",
            head + b"Host: localhost\r\nContent-Length: 100\r\n\r\n{",
            head + b"Host: [bad\r\nContent-Length: 2\r\n\r\n{}",
            head + b"Host: \r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        ):
            assert b" 200 " not in await knock(gateway, content)
        assert (await send(gateway, json.dumps(GOOD).encode()))[0] == 200
    assert len(model.asked) == 1
    assert not caplog.records


async def test_a_web_page_cannot_use_an_open_gateway() -> None:
    """It can send no JSON to another site unasked, nor pass for this machine by a name of its own."""
    model = Scripted(says("yes"))
    content = json.dumps(GOOD).encode()
    async with Gateway(model) as gateway:
        for headers, status in (
            ({"Content_Type": "text/plain"}, 400),
            ({"Content_Type": "application/x-www-form-urlencoded"}, 400),
            ({"Host": f"evil.example:{gateway.port}"}, 401),
            ({"Host": "127.0.0.1.evil.example"}, 401),
            ({"Host": f"localhost:{gateway.port}"}, 200),
            ({"Host": f"[::1]:{gateway.port}"}, 200),
        ):
            found, _ = await send(gateway, content, **headers)
            assert found == status
    assert len(model.asked) == 2


def test_others_need_a_key() -> None:
    model = Scripted(says("yes"))
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ModelError, match="without keys anyone who reaches"):
            Gateway(model, host=host)
    Gateway(model, host="0.0.0.0", keys={"a": Key(SECRET)})


@pytest.mark.parametrize(
    "headers", [{}, {"x_api_key": ""}, {"Authorization": "Bearer "}, {"Authorization": SECRET[:-1]}]
)
async def test_no_other_key_opens(headers: dict[str, str]) -> None:
    model = Scripted(says("yes"))
    async with Gateway(model, keys={"a": Key(SECRET)}) as gateway:
        status, told = await send(gateway, json.dumps(GOOD).encode(), **headers)
        assert status == 401
        assert SECRET[:-1] not in json.dumps(told)
        for right in ({"x_api_key": SECRET}, {"Authorization": f"Bearer {SECRET}"}):
            assert (await send(gateway, json.dumps(GOOD).encode(), **right))[0] == 200


async def test_an_error_of_the_gateway_is_told_to_its_owner_alone(caplog: pytest.LogCaptureFixture) -> None:
    model = Scripted(lambda request: ZeroDivisionError("in /home/owner"))
    with caplog.at_level(logging.ERROR, "howgood.gateway"):
        async with Gateway(model) as gateway:
            status, told = await send(gateway, json.dumps(GOOD).encode())
    assert status == 500
    assert "/home/owner" not in json.dumps(told)
    assert "/home/owner" in caplog.text


async def test_the_end_waits_for_calls_under_way(tmp_path: Path) -> None:
    model, log = Slow(), tmp_path / "calls.jsonl"
    gateway = Gateway(model, log=log)
    await gateway.start()
    call = asyncio.ensure_future(send(gateway, json.dumps(GOOD).encode()))
    await model.begun.wait()
    ending = asyncio.ensure_future(gateway.stop(patience=30))
    await asyncio.sleep(0.05)
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(gateway, json.dumps(GOOD).encode())
    assert not ending.done()
    model.go.set()
    status, told = await call
    await ending
    assert status == 200
    assert told["choices"][0]["message"]["content"] == "done at last"
    assert [c.status for c in read_log(log)] == [200]


async def test_the_end_does_not_wait_for_ever(tmp_path: Path) -> None:
    model, log = Slow(), tmp_path / "calls.jsonl"
    gateway = Gateway(model, log=log)
    await gateway.start()
    call = asyncio.ensure_future(send(gateway, json.dumps(GOOD).encode()))
    await model.begun.wait()
    await gateway.stop(patience=0.01)
    assert model.cancelled.is_set()
    with pytest.raises(aiohttp.ClientConnectionError):
        await call
    assert [c.status for c in read_log(log)] == [499]


async def test_where_it_cannot_listen_is_told_with_what_to_do() -> None:
    model = Scripted(says("yes"))
    async with Gateway(model) as gateway:
        with pytest.raises(ModelError) as busy:
            await Gateway(model, port=gateway.port).start()
    assert str(busy.value) == (
        f"cannot listen on 127.0.0.1:{gateway.port}: Address already in use; give another --port, or 0 for a free one"
    )
    with pytest.raises(ModelError) as away:
        await Gateway(model, host="192.0.2.1", port=1234, keys={"a": Key(SECRET)}).start()
    assert str(away.value) == (
        "cannot listen on 192.0.2.1:1234: Cannot assign requested address; give an address of this machine as --host"
    )
