"""The arena's server, asked as a browser asks it, and as it should not be."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from howgood.arena.database import Database
from howgood.arena.limits import Limits
from howgood.arena.server import LONGEST_PROMPT, Arena
from howgood.core.errors import ModelError, RequestError
from howgood.core.types import Generate, Prediction
from howgood.models.base import Capabilities, Model
from howgood.models.registry import load_model
from howgood.web.guard import LARGEST_BODY

EASY = Limits(visitor=1000, address=10_000, hour=100_000, at_once=1000, all_at_once=1000, read=0.0)
Events = list[dict[str, Any]]


class Visitor:
    """One browser: its cookies, and the value that its page gave it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""

    async def __aenter__(self) -> Self:
        await self.load()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def load(self, path: str = "/") -> str:
        async with self._session.get(self.url + path) as reply:
            page = await reply.text()
            self.status, self.headers = reply.status, reply.headers
        if found := re.search(r'name="csrf" content="(\w+)"', page):
            self.csrf = found[1]
        return page

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, str]:
        sent = {"Origin": self.url, "X-CSRF": self.csrf, "Content-Type": "application/json", **headers}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self._session.post(
            self.url + path, data=data, headers={k: v for k, v in sent.items() if v}
        ) as reply:
            return reply.status, await reply.text()

    async def ask(self, prompt: str, battle: str | None = None) -> Events:
        status, text = await self.post("/ask", {"prompt": prompt, "battle": battle})
        assert status == 200, text
        return [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: ")]

    async def vote(self, battle: str, winner: str) -> dict[str, Any]:
        status, text = await self.post("/vote", {"battle": battle, "winner": winner})
        assert status == 200, text
        return json.loads(text)  # type: ignore[no-any-return]


class Scripted(Model):
    """Says what it is told to, in pieces, or fails."""

    capabilities = Capabilities(generate=True, chat=True)

    def __init__(self, name: str, pieces: list[str], error: Exception | None = None, pause: float = 0.0) -> None:
        self.name, self.pieces, self.error, self.pause = name, pieces, error, pause
        self.asked: list[Any] = []
        self.ended = asyncio.Event()

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        self.asked.append(request.prompt)
        try:
            for piece in self.pieces:
                await asyncio.sleep(self.pause)
                yield piece
            if self.error:
                raise self.error
            yield Prediction(text="".join(self.pieces))
        finally:
            self.ended.set()


@pytest.fixture
def database(tmp_path: Path) -> AsyncIterator[Database]:
    with Database(str(tmp_path / "arena.sqlite")) as made:
        yield made


ECHO, CONSTANT = "reference/echo", "reference/constant,text=Always this."


def reference() -> list[Model]:
    return [load_model(ECHO), load_model(CONSTANT)]


def answers(events: Events) -> dict[str, str]:
    return {event["side"]: event["text"] for event in events if event["type"] == "ended"}


async def test_a_battle_of_two_turns_is_blind_until_the_vote(database: Database) -> None:
    async with Arena(reference(), database, limits=EASY) as arena, Visitor(arena.url) as visitor:
        events = await visitor.ask("What is a lake?")
        battle = events[0]["battle"]
        said = answers(events)
        assert sorted(said.values()) == ["Always this.", "What is a lake?"]
        pieces = {
            side: "".join(e["text"] for e in events if e["type"] == "piece" and e["side"] == side) for side in "ab"
        }
        assert pieces == said
        assert events[-1] == {"type": "end", "fine": True, "more": True}
        again = await visitor.ask("And a pond?", battle)
        assert sorted(answers(again).values()) == ["Always this.", "And a pond?"]
        assert "reference" not in json.dumps(events + again)
        echo = next(side for side, text in said.items() if text.endswith("?"))
        told = await visitor.vote(battle, echo)
        assert told == {
            f"model_{echo}": ECHO,
            f"model_{'b' if echo == 'a' else 'a'}": CONSTANT,
            "left_out": "",
        }
        status, text = await visitor.post("/vote", {"battle": battle, "winner": "a"})
        assert (status, json.loads(text)) == (409, {"error": "You have voted on this battle already."})
        page = await visitor.load("/board")
        assert visitor.status == 200
        assert "<b>reference/echo</b>" in page
        assert "1 vote;" in page
    votes = database.votes()
    assert (votes["winner"], votes[f"model_{echo}"]) == ([f"model_{echo}"], [ECHO])
    [turns] = database.texts(votes["battle"])
    assert [turn.prompt for turn in turns] == ["What is a lake?", "And a pond?"]


async def test_each_side_sees_its_own_conversation(database: Database) -> None:
    models = [Scripted("one", ["first", " words"]), Scripted("two", ["<think>secret</think>", "other"])]
    async with Arena(models, database, limits=EASY) as arena, Visitor(arena.url) as visitor:
        events = await visitor.ask("Q1")
        assert sorted(answers(events).values()) == ["first words", "other"]
        assert "secret" not in json.dumps(events)
        await visitor.ask("Q2", events[0]["battle"])
    for model, own in zip(models, ("first words", "other"), strict=True):
        assert [(m.role, m.content) for m in model.asked[1]] == [
            ("user", "Q1"),
            ("assistant", own),
            ("user", "Q2"),
        ]


async def test_a_hundred_voters_at_once_lose_no_vote(url: str) -> None:
    async def take_part(url: str, place: int) -> tuple[str, str]:
        async with Visitor(url) as visitor:
            events = await visitor.ask(f"Question {place}?")
            said = answers(events)
            winner = ["a", "b", "tie", "bothbad"][place % 4]
            told = await visitor.vote(events[0]["battle"], winner)
            assert said["a" if told["model_a"] == ECHO else "b"] == f"Question {place}?"
            return events[0]["battle"], winner if len(winner) > 1 else told[f"model_{winner}"]

    with Database(url) as database:
        async with Arena(reference(), database, limits=EASY) as arena:
            thanked = dict(await asyncio.gather(*(take_part(arena.url, place) for place in range(100))))
        votes, left_out = database.votes(), database.left_out()
    kept = {
        battle: {"model_a": a, "model_b": b}.get(winner, winner)
        for battle, a, b, winner in zip(*(votes[x] for x in ("battle", "model_a", "model_b", "winner")), strict=True)
    }
    assert len(thanked) == 100
    assert kept == thanked
    assert len(set(votes["voter"])) == 100
    assert left_out == {}


async def test_two_servers_share_a_database(url: str) -> None:
    with Database(url) as one, Database(url) as other:
        async with (
            Arena(reference(), one, limits=EASY) as first,
            Arena(reference(), other, limits=EASY) as second,
            Visitor(first.url) as visitor,
        ):
            events = await visitor.ask("\0 What?")
            visitor.url = second.url
            again = await visitor.ask("And?", events[0]["battle"])
            assert sorted(answers(again).values()) == ["Always this.", "And?"]
            statuses = []
            for server in (first, second):
                visitor.url = server.url
                statuses.append((await visitor.post("/vote", {"battle": events[0]["battle"], "winner": "tie"}))[0])
            assert statuses == [200, 409]
            assert "1 vote;" in await visitor.load("/board")
        votes = other.votes()
        assert votes["winner"] == ["tie"]
        assert {votes["model_a"][0], votes["model_b"][0]} == {ECHO, CONSTANT}


async def test_two_arenas_on_one_host_do_not_take_each_others_visitors(tmp_path: Path) -> None:
    with Database(str(tmp_path / "a.sqlite")) as a, Database(str(tmp_path / "b.sqlite")) as b:
        async with (
            Arena(reference(), a, limits=EASY) as first,
            Arena(reference(), b, limits=EASY) as second,
            Visitor(first.url) as visitor,
        ):
            csrf, visitor.url = visitor.csrf, second.url
            await visitor.load()  # in another tab
            assert (await visitor.ask("Q"))[-1]["fine"] is True
            visitor.url, visitor.csrf = first.url, csrf
            battle = (await visitor.ask("Q"))[0]["battle"]
            await visitor.vote(battle, "a")
        assert len(a.votes()["winner"]) == 1


async def test_an_answer_that_names_its_maker_voids_the_vote(database: Database) -> None:
    models = [Scripted("x/one", ["I am Chat", "GPT."]), Scripted("y/two", ["I'd rather not say."])]
    async with Arena(models, database, limits=EASY) as arena, Visitor(arena.url) as visitor:
        events = await visitor.ask("Who are you?")
        told = await visitor.vote(events[0]["battle"], "a")
        assert told["left_out"] == "It does not count: an answer says who wrote it, so the vote was not blind."
        page = await visitor.load("/board")
        assert "There are no votes yet." in page
        assert "1: an answer says who wrote it" in page


@pytest.mark.parametrize("error", [RequestError("openai: no such key sk-1"), ValueError("<b>")])
async def test_a_system_that_fails_gets_no_vote(database: Database, error: Exception) -> None:
    models = [Scripted("one", ["part"], error), Scripted("two", ["whole"])]
    async with Arena(models, database, limits=EASY) as arena, Visitor(arena.url) as visitor:
        events = await visitor.ask("Q")
        assert sorted(e["type"] for e in events if e["type"] != "piece") == ["battle", "end", "ended", "failed"]
        assert events[-1]["fine"] is False
        assert "sk-1" not in json.dumps(events)
        status, text = await visitor.post("/vote", {"battle": events[0]["battle"], "winner": "a"})
        assert (status, "nothing to vote on" in text) == (409, True)
    assert database.left_out() == {"a system failed": 1}


async def test_who_goes_away_stops_both_systems(database: Database) -> None:
    models = [Scripted(name, ["a"] * 1000, pause=0.02) for name in ("one", "two")]
    async with Arena(models, database, limits=Limits(at_once=1)) as arena, Visitor(arena.url) as visitor:
        headers = {"Origin": arena.url, "X-CSRF": visitor.csrf}
        reply = await visitor._session.post(arena.url + "/ask", json={"prompt": "Q"}, headers=headers)
        await reply.content.readuntil(b"piece")
        status, text = await visitor.post("/ask", {"prompt": "Q"})
        assert (status, "still being written" in text) == (429, True)
        reply.close()
        await asyncio.wait_for(asyncio.gather(*(model.ended.wait() for model in models)), 10)
        for model in models:
            model.pieces = ["short"]
        await asyncio.sleep(0.1)
        events = await visitor.ask("Q")  # its place is free again
        assert events[-1]["fine"] is True
    assert database.left_out() == {"no vote": 2}


async def test_what_is_not_taken(database: Database) -> None:
    async with Arena(reference(), database, limits=EASY) as arena, Visitor(arena.url) as one, Visitor(arena.url) as two:
        battle = (await one.ask("Q"))[0]["battle"]
        good = {"battle": battle, "winner": "a"}
        for path in ("/vote", "/ask"):
            assert (await one.post(path, good, Origin="http://evil.example"))[0] == 403
            assert (await one.post(path, good, Origin=""))[0] == 403
            assert (await one.post(path, good, **{"X-CSRF": two.csrf}))[0] == 403
            assert (await one.post(path, good, **{"X-CSRF": ""}))[0] == 403
            assert (await one.post(path, good, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
            assert (await one.post(path, good, Host="evil.example"))[0] == 403
            assert (await one.post(path, good, **{"Content-Type": "text/plain"}))[0] == 415
            assert (await one.post(path, b"{" + b" " * LARGEST_BODY))[0] == 413
            for unreadable in (b"\xff{", b'{"prompt": "half of a pair \\ud83d", "battle": null}', b"[" * 60_000):
                assert (await one.post(path, unreadable))[0] == 400
        status, text = await two.post("/vote", good)
        assert (status, "no such battle of yours" in text) == (409, True)
        status, text = await two.post("/ask", {"prompt": "Q", "battle": battle})
        assert (status, "no such battle of yours" in text) == (409, True)
        for body in ({"battle": battle, "winner": "c"}, {"battle": "../../etc/passwd", "winner": "a"}, [], 1):
            assert (await one.post("/vote", body))[0] == 400
        assert (await one.post("/ask", {"prompt": "  \n"})) == (400, '{"error":"Write a question first."}')
        status, text = await one.post("/ask", {"prompt": "x" * (LONGEST_PROMPT + 1)})
        assert (status, text) == (400, '{"error":"A question has at most 8,000 characters."}')
        assert (await one.post("/ask", {"prompt": "buy", "website": "http://spam"}))[0] == 503
        for path in ("/static/../../etc/passwd", "/..%2f..%2fetc/passwd", "/arena.js", "/ask"):
            await one.load(path)
            assert one.status in (404, 405)
        assert json.loads((await one.post("/vote", {**good, "website": "x"}))[1])["left_out"] == ""
    assert database.left_out() == {"given by a bot": 1}


async def test_pages_are_closed_to_all_scripts_but_their_own(database: Database) -> None:
    models = [Scripted("</script><img src=x onerror=alert(1)>", ["x"]), Scripted("two\u202e", ["y"])]
    async with Arena(models, database, limits=EASY) as arena, Visitor(arena.url) as visitor:
        events = await visitor.ask("Q")
        told = await visitor.vote(events[0]["battle"], "a")
        assert any("⟨U+202E⟩" in name for name in told.values())
        for path in ("/", "/board", "/board?style=1", "/board?style=%3Cscript%3E"):
            page = await visitor.load(path)
            policy = visitor.headers["Content-Security-Policy"]
            nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
            assert nonce
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert len(re.findall(r"<script\b", page)) == len(
                re.findall(rf'<script type="\w+" nonce="{nonce[1]}"', page)
            )
            assert "<img" not in page
            assert not re.search(r"\son\w+=|\sstyle=|javascript:", page.replace("src=x onerror=alert(1)", ""))
            assert visitor.headers["X-Content-Type-Options"] == "nosniff"
            assert visitor.headers["Cache-Control"] == "no-store"
        assert "&lt;/script&gt;&lt;img src=x" in page
        assert "\u202e" not in page
        cookie = visitor.headers["Set-Cookie"]
        assert "; HttpOnly;" in cookie
        assert "; SameSite=strict" in cookie


async def test_a_token_is_asked_for(database: Database) -> None:
    token = "open-sesame-0123456789"
    limits = Limits(tries=3)
    async with Arena(reference(), database, token=token, limits=limits) as arena, Visitor(arena.url) as visitor:
        assert "This arena asks for a token" in await visitor.load("/")
        assert "This arena asks for a token" in await visitor.load("/board")
        assert (await visitor.post("/ask", {"prompt": "Q"}))[0] == 401
        assert (await visitor.post("/enter", {"token": token}, Origin="http://evil.example"))[0] == 403
        assert (await visitor.post("/enter", {"token": token[:-1]}))[0] == 401
        assert (await visitor.post("/enter", {"token": token}))[0] == 200
        assert "Which answer is better?" in await visitor.load("/")
        assert (await visitor.ask("Q"))[-1]["fine"] is True
        assert (await visitor.post("/enter", {"token": "x"}))[0] == 401
        assert (await visitor.post("/enter", {"token": token}))[0] == 429
    async with Arena(reference(), database, token=token + "new") as arena:
        visitor = Visitor(arena.url)
        async with visitor:
            assert "This arena asks for a token" in await visitor.load("/")


async def test_behind_a_proxy_with_tls(database: Database) -> None:
    async with Arena(reference(), database, token="t" * 16, limits=Limits(address=1)) as arena:
        origin, url = "https://arena.example", arena.url
        for person, expected in (("203.0.113.1", 200), ("203.0.113.1", 429), ("203.0.113.2", 200)):
            proxied = {"Host": "arena.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": person}
            async with aiohttp.ClientSession(headers=proxied, cookie_jar=aiohttp.DummyCookieJar()) as session:
                async with session.get(url) as reply:
                    cookie = reply.headers["Set-Cookie"]
                    found = re.search(r'name="csrf" content="(\w+)"', await reply.text())
                assert found
                assert "; Secure" in cookie
                write = {"X-CSRF": found[1], "Origin": origin}
                for path, body in (("/enter", {"token": "t" * 16}), ("/ask", {"prompt": "Q"})):
                    sent = {**write, "Cookie": cookie.split(";")[0]}
                    async with session.post(url + path, json=body, headers=sent) as reply:
                        status = reply.status
                        cookie = reply.headers.get("Set-Cookie", cookie)
                        await reply.read()
                assert status == expected


async def test_limits_of_a_visitor_and_of_an_address(database: Database) -> None:
    limits = Limits(visitor=2, address=3, read=30)
    async with (
        Arena(reference(), database, limits=limits) as arena,
        Visitor(arena.url) as one,
        Visitor(arena.url) as two,
    ):
        battle = (await one.ask("1"))[0]["battle"]
        await one.ask("2")
        status, text = await one.post("/ask", {"prompt": "3"})
        assert (status, re.search(r"Try again in \d\d seconds", text) is not None) == (429, True)
        await two.ask("1")
        assert (await two.post("/ask", {"prompt": "2"}))[0] == 429
        status, text = await one.post("/vote", {"battle": battle, "winner": "a"})
        assert (status, json.loads(text)["error"]) == (409, "That was quick. Read both answers, then vote.")


async def test_what_cannot_be_served(database: Database) -> None:
    with pytest.raises(ModelError, match="two systems or more"):
        Arena(reference()[:1], database)
    with pytest.raises(ModelError, match="reference/echo is named twice"):
        Arena([load_model(ECHO), load_model(ECHO)], database)
    with pytest.raises(ModelError, match="only scores given text"):
        Arena([load_model(ECHO), load_model("reference/random")], database)
    with pytest.raises(ModelError, match=r"without a token anyone who reaches 0\.0\.0\.0"):
        Arena(reference(), database, host="0.0.0.0")
    with pytest.raises(ModelError, match="at least 16 characters"):
        Arena(reference(), database, host="0.0.0.0", token="short")
    async with Arena(reference(), database) as arena:
        with pytest.raises(ModelError, match=f"cannot listen on {arena.url[7:]}: Address already in use"):
            await Arena(reference(), database, port=int(arena.url.rpartition(":")[2])).start()
