"""Who may ask the studio, what it answers to nonsense, and what its pages may load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from studio_visitor import Visitor, make_run

from howgood.core.errors import ModelError
from howgood.runs import labels
from howgood.runs.store import SavedRun
from howgood.studio.server import Studio

TOKEN = "a-token-of-some-length"


async def test_pages_load_nothing_but_what_carries_their_nonce(visitor: Visitor) -> None:
    page = await visitor.get("/")
    policy = visitor.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)';", policy)
    assert nonce is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    loaded = re.findall(r"<(?:script|link rel=\"stylesheet\")[^>]*>", page)
    assert len(loaded) >= 3
    assert all(f'nonce="{nonce[1]}"' in tag for tag in loaded)
    assert not re.search(r"\son[a-z]+=|\sstyle=|https?://", page)
    again = await visitor.get("/")
    assert nonce[1] not in again


async def test_style_and_scripts_are_served_by_name_alone(visitor: Visitor) -> None:
    page = await visitor.get("/")
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        await visitor.get(address)
        assert "immutable" in visitor.headers["Cache-Control"]
    for name in ("..%2f..%2fserver.py", "base.html.j2", "%2e%2e/page.py", "nothing.js"):
        await visitor.get(f"/static/{name}", status=404)


async def test_no_path_from_an_address_reaches_the_disk(visitor: Visitor, runs: Path) -> None:
    (runs.parent / "secret").mkdir()
    (runs.parent / "secret" / "run.json").write_text("{}")
    for name in ("..%2fsecret", "%252e%252e", "secret", "%00"):
        text = await visitor.get(f"/runs/{name}", status=404)
        assert "secret" not in text.replace(name, "")


async def test_another_host_name_is_refused(visitor: Visitor) -> None:
    assert "localhost only" in await visitor.get("/", status=403, Host="runs.example")


async def test_a_write_needs_the_page_it_comes_from(visitor: Visitor, runs: Path) -> None:
    run = make_run(runs, limit=3)
    path = f"/runs/{run.id}/tags"
    assert await visitor.post(path, {"tags": ["kept"]}) == {"tags": ["kept"]}
    await visitor.post(path, {"tags": ["other"]}, status=403, Origin="http://elsewhere.example")
    await visitor.post(path, {"tags": ["other"]}, status=403, **{"X-CSRF": "0" * 64})
    await visitor.post(path, {"tags": ["other"]}, status=403, **{"Sec-Fetch-Site": "cross-site"})
    await visitor.post(path, {"tags": "x" * 100_000}, status=413)
    await visitor.post(path, {"tags": 3}, status=400)
    assert "kept" in await visitor.get("/")


async def test_a_query_that_makes_no_sense_is_told(visitor: Visitor) -> None:
    told = await visitor.get("/?start=many", status=400)
    assert "cannot be shown" in told
    await visitor.get("/?start=-1", status=400)


async def test_a_file_that_cannot_be_read_is_told(
    visitor: Visitor, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(run: SavedRun) -> list[labels.Label]:
        raise PermissionError(13, "Permission denied", str(run.path / labels.FILE))

    run = make_run(runs, model="reference/echo", limit=2)
    monkeypatch.setattr(labels, "read", read)
    page = await visitor.get(f"/runs/{run.id}/labels", status=409)
    assert "What this page needs cannot be read now" in page
    assert "labels.jsonl: Permission denied" in page


async def test_what_nobody_thought_of_is_told(
    visitor: Visitor, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs, limit=2)
    monkeypatch.setattr(labels, "read", lambda run: 1 // 0)
    page = await visitor.get(f"/runs/{run.id}/labels?q=hidden", status=500)
    assert "This page could not be made" in page
    assert "script-src" in visitor.headers["Content-Security-Policy"]
    said = capsys.readouterr().err
    assert said.startswith(f"howgood: a page could not be made: GET /runs/{run.id}/labels: ZeroDivisionError: ")
    assert "hidden" not in said
    await visitor.get(f"/runs/{run.id}/trials/{'9' * 5_000}.0", status=500)  # more digits than Python reads


async def test_two_studios_on_one_host_do_not_put_each_other_out(runs: Path) -> None:
    run = make_run(runs, limit=2)
    async with Studio([runs]) as first, Studio([runs]) as second, Visitor(first) as visitor:
        page = await visitor.get("/")
        visitor.studio = second
        await visitor.get("/")
        csrf = page.split('<meta name="csrf" content="')[1].split('"')[0]
        written = {"Origin": first.url, "X-CSRF": csrf}
        address = f"{first.url}/runs/{run.id}/tags"
        async with visitor._session.post(address, json={"tags": ["kept"]}, headers=written) as response:
            assert await response.json() == {"tags": ["kept"]}


async def test_strangers_need_a_token(runs: Path) -> None:
    make_run(runs, limit=3)
    async with Studio([runs], token=TOKEN) as studio, Visitor(studio) as visitor:
        closed = await visitor.get("/", status=401)
        assert "asks for a token" in closed
        assert "quickstart" not in closed
        await visitor.get("/", status=401, Host="runs.example")  # a name of its own is fine with a token


def test_a_studio_for_others_needs_a_token(runs: Path) -> None:
    with pytest.raises(ModelError, match=r"without a token anyone who reaches 0\.0\.0\.0 could read the runs"):
        Studio([runs], host="0.0.0.0")
    with pytest.raises(ModelError, match="at least 16 characters"):
        Studio([runs], token="short")
