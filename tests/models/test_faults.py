"""Whole runs against a server that goes wrong: every trial ends finished or failed with its reason, no error becomes a
wrong answer, and the server gets exactly as many requests as the policy says."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

import howgood as hg
from faults import in_turn, serve
from howgood.calls.generation import Generation
from howgood.core.types import Instance
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models import transport
from howgood.models.http import HTTPModel
from howgood.models.servers import server_at
from howgood.outputs.match import Match
from howgood.runs import execute
from howgood.runs.store import SavedRun

PUSH_BACKS = ("429", "429 after", "429 after ms", "429 date", "503", "529")
FAULTS = ("500", "408", "409", "502", "cut", "half", "garbage", "html", "no choices", "echo 500")
PERMANENT = ("400", "413", "422", "context", "echo 400")
"""What fails the one request at once, and no other."""
WAYS = [
    ("chat", False),
    ("chat", True),
    ("text", False),
    ("text", True),
    ("responses", False),
    ("responses", True),
    ("anthropic", False),
    ("anthropic", True),
    ("google", False),
    ("google", True),
]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(execute, "PATIENCE", 10_000)  # a run that fails too often is given up, which is another matter
    for name in ("HOWGOOD_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def model_at(root: str, dialect: str = "chat", streamed: bool = False, **options: Any) -> HTTPModel:
    own: dict[str, Any] = {
        "chat": {},
        "text": {"chat": False},
        "responses": {"dialect": "responses"},
        "anthropic": {"dialect": "anthropic"},
        "google": {"dialect": "google"},
    }[dialect]
    url = f"{root}/v1beta" if dialect == "google" else f"{root}/v1"
    return HTTPModel(f"{url}#m", server_at(url), "m", stream=streamed, **own, **options)


async def run(model: HTTPModel, words: Iterable[str]) -> SavedRun:
    """A benchmark that asks the model to say each word."""
    instances = [Instance(word, f"say {word}", targets=(word,)) for word in words]
    benchmark = hg.Benchmark(Inputs.of(instances), Generation(), Match("exact"), Mean())
    try:
        return await hg.run_async(benchmark, model)
    finally:
        await model.close()


def policy(replies: Iterable[str]) -> tuple[int, bool]:
    """How often a question is asked that meets these replies and then a good one, and whether it is answered."""
    met: Counter[bool] = Counter()
    for tried, reply in enumerate(replies, 1):
        if reply in PERMANENT:
            return tried, False
        patient = reply in PUSH_BACKS
        met[patient] += 1
        if met[patient] == (9 if patient else 5):
            return tried, False
    return met.total() + 1, True


def judged(saved: SavedRun, script: dict[str, list[str]], requests: Counter[str]) -> None:
    """Compare a run, and what its server saw, with the policy."""
    expected = {word: policy(replies) for word, replies in script.items()}
    rows = {row["id"]: row for row in saved.trials.iter_rows(named=True)}
    assert {word: row["outcome"] for word, row in rows.items()} == {
        word: "right" if answered else "failed" for word, (_, answered) in expected.items()
    }
    assert dict(requests) == {word: asked for word, (asked, _) in expected.items()}
    for word, row in rows.items():
        assert (row["error"] is None) is expected[word][1]
        assert row["error"] is None or row["error"].startswith("http://127.0.0.1")
    assert saved.status == ("finished" if all(answered for _, answered in expected.values()) else "incomplete")


@pytest.mark.parametrize(("dialect", "streamed"), WAYS)
async def test_every_fault_once_and_for_ever(dialect: str, streamed: bool) -> None:
    script: dict[str, list[str]] = {"plain": []}
    for place, name in enumerate((*PUSH_BACKS, *FAULTS)):
        script |= {f"once{place}": [name], f"ever{place}": [name] * 10}
    script |= {f"never{place}": [name] for place, name in enumerate(PERMANENT)}
    async with serve(in_turn(**script)) as server:
        saved = await run(model_at(server.root, dialect, streamed), script)
    judged(saved, script, server.requests)


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_mix(seed: int) -> None:
    chance = random.Random(seed)
    dialect, streamed = chance.choice(WAYS)
    kinds = (*PUSH_BACKS, *FAULTS) * 4 + PERMANENT
    script = {f"w{i}": chance.choices(kinds, k=chance.choice((0, 0, 1, 2, 3, 5, 9, 12))) for i in range(60)}
    async with serve(in_turn(**script)) as server:
        saved = await run(model_at(server.root, dialect, streamed), script)
    judged(saved, script, server.requests)
    retries = {word: asked - 1 for word, (asked, answered) in ((w, policy(r)) for w, r in script.items()) if answered}
    assert sum(retries.values()) > 20


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_hang_and_a_slow_drip(streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TRIES", 2)
    async with serve(in_turn(a=["hang"], b=["drip"], c="hang", d="drip")) as server:
        saved = await run(model_at(server.root, streamed=streamed, timeout=1.0), "abcd")
    assert saved.trials["outcome"].to_list() == ["right", "right", "failed", "failed"]
    assert server.requests == dict.fromkeys("abcd", 2)
    assert "gave no reply within 1 s (tried 2 times)" in saved.trials["error"][3]


@pytest.mark.parametrize(("dialect", "streamed"), WAYS)
async def test_an_answer_without_usage_is_an_answer_of_unknown_cost(dialect: str, streamed: bool) -> None:
    async with serve(in_turn(a="usage-less")) as server:
        saved = await run(model_at(server.root, dialect, streamed), "a")
    assert saved.trials["outcome"].to_list() == ["right"]
    assert saved.cost is None
    assert server.requests == {"a": 1}


@pytest.mark.parametrize(("dialect", "streamed"), [("chat", False), ("responses", True), ("anthropic", True)])
async def test_a_filtered_prompt_is_an_outcome_of_its_own(dialect: str, streamed: bool) -> None:
    async with serve(in_turn(a="filter")) as server:
        saved = await run(model_at(server.root, dialect, streamed), "ab")
    assert saved.trials["outcome"].to_list() == ["filtered", "right"]
    assert server.requests == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("401", "check the key in HOWGOOD_API_KEY"),
        ("403", "answered 403"),
        ("404", "answered 404"),
        ("redirect", "redirects (not followed"),
    ],
)
@pytest.mark.parametrize("dialect", ["chat", "anthropic", "google"])
async def test_what_every_request_would_get_ends_the_run(dialect: str, reply: str, reason: str) -> None:
    async with serve(in_turn(c=reply)) as server:
        saved = await run(model_at(server.root, dialect, concurrency=1), "abcdef")
    assert (saved.status, saved.outcomes) == ("failed", {"right": 2})
    assert reason in (saved.message or "")
    assert server.requests == {"a": 1, "b": 1, "c": 1}


async def test_an_account_without_money_ends_the_run() -> None:
    async with serve(in_turn(c="quota")) as server:
        saved = await run(model_at(server.root, concurrency=1), "abcdef")
    assert (saved.status, saved.outcomes) == ("failed", {"right": 2})
    assert "exceeded your current quota" in (saved.message or "")
    assert server.requests == {"a": 1, "b": 1, "c": 1}


async def test_a_certificate_that_nobody_trusts_ends_the_run() -> None:
    async with serve(in_turn(), tls=True) as server:
        saved = await run(model_at(server.root), "abc")
    assert saved.status == "failed"
    assert "no valid certificate" in (saved.message or "")
    assert len(saved.trials) == 0
    assert server.requests == {}
