"""The response cache: what is the same request, what is kept, and what happens when the file fails."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import howgood.models.responses as module
from howgood.core.errors import HowgoodError, RequestError
from howgood.core.types import (
    Generate,
    Image,
    Likelihood,
    Loglikelihood,
    Message,
    Prediction,
    Request,
    Rolling,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from howgood.models.base import TRIAL, Capabilities, Model
from howgood.models.cache import Cached, Missing, OnlyCached, cached, key_of, request_of, unpaced
from howgood.models.nearest import nearest
from howgood.models.registry import load_model
from howgood.models.responses import Responses, cache_path, pack, responses, unpack


@pytest.fixture
def answers(tmp_path: Path) -> Responses:
    return Responses(tmp_path / "responses.sqlite")


class Counting(Model):
    """Answers with how often it was asked; fails, or waits, as it is told."""

    name = "test/counting,concurrency=4"
    capabilities = Capabilities(True, True, True, chat=True, completion=True)
    concurrency = 7
    paid = True

    def __init__(self, **told: Any) -> None:
        self.asked = 0
        self.told = {"revision": "a"} | told
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed = False

    def describe(self) -> dict[str, Any]:
        return self.told

    async def generate(self, request: Generate) -> Prediction:
        self.asked += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        usage = Usage(input=5, output=1)
        return Prediction(text=str(self.asked), usage=usage, cost=0.25, latency=1.5, stop_reason="stop")

    async def loglikelihood(self, request: Loglikelihood) -> Prediction:
        self.asked += 1
        return Prediction(likelihoods=(Likelihood(-math.inf, 2, False, (-1.0, -math.inf)),))

    async def loglikelihood_rolling(self, request: Rolling) -> Prediction:
        self.asked += 1
        return Prediction(error="no tokens")

    async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
        self.asked += 1
        yield "a"
        yield "b"
        yield Prediction(text="ab", first_token=0.1)

    async def close(self) -> None:
        self.closed = True


ASKED = Generate("one plus one", temperature=0.5, seed=1)


def digest(request: Request, model: str = "m", epoch: int = 0, instance: str = "i", **told: Any) -> bytes:
    return key_of(model, told, request, instance, epoch).digest


async def test_an_answer_comes_back_as_it_was(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    first = await subject.send(ASKED)
    second = await subject.generate(ASKED)
    assert model.asked == 1
    assert not first.replayed
    assert second == msgspec.structs.replace(first, replayed=True)
    assert (second.cost, second.latency, second.usage) == (0.25, 1.5, Usage(input=5, output=1))


async def test_an_answer_is_there_for_the_next_process(answers: Responses) -> None:
    await Cached(Counting(), answers).send(ASKED)
    model = Counting()
    found = await Cached(model, Responses(answers.path)).send(ASKED)
    assert (model.asked, found.text, found.replayed) == (0, "1", True)


async def test_an_infinite_log_likelihood_is_kept(answers: Responses) -> None:
    subject = Cached(Counting(), answers)
    request = Loglikelihood("a", ("b",))
    assert (await subject.send(request)).likelihoods == (await subject.loglikelihood(request)).likelihoods
    assert (await subject.send(request)).likelihoods[0].logprob == -math.inf


async def test_a_failure_is_not_kept(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    model.error = RequestError("no")
    with pytest.raises(RequestError, match="no"):
        await subject.send(ASKED)
    model.error = None
    assert (await subject.send(ASKED)).text == "2"
    for _ in range(2):
        assert (await subject.loglikelihood_rolling(Rolling("t"))).error == "no tokens"
    assert model.asked == 4


async def test_the_same_request_at_once_is_one_call(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    model.gate.clear()
    calls = [asyncio.create_task(subject.send(ASKED)) for _ in range(5)]
    await asyncio.sleep(0.05)
    calls[0].cancel()  # the others still wait for the call that it began
    model.gate.set()
    found = await asyncio.gather(*calls[1:])
    assert model.asked == 1
    assert {p.text for p in found} == {"1"}
    assert all(p.replayed for p in found)


async def test_a_call_that_nobody_waits_for_ends(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    model.gate.clear()
    calls = [asyncio.create_task(subject.send(ASKED)) for _ in range(2)]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    model.gate.set()
    assert (await subject.send(ASKED)).text == "2"  # the claim was given back
    assert model.asked == 2


async def test_a_claim_given_to_nobody_is_given_back(answers: Responses) -> None:
    subject = Cached(Counting(), answers)
    call = asyncio.create_task(subject.send(ASKED))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the claim is asked for and not yet granted
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (await asyncio.wait_for(subject.send(ASKED), 5)).text is not None


async def test_two_files_open_at_once_ask_once(answers: Responses) -> None:
    model, other = Counting(), Counting()
    model.gate.clear()
    first = asyncio.create_task(Cached(model, answers).send(ASKED))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(Cached(other, Responses(answers.path)).send(ASKED))
    await asyncio.sleep(0.1)
    model.gate.set()
    assert not (await first).replayed
    assert (await second).replayed
    assert (model.asked, other.asked) == (1, 0)


async def test_a_dead_owner_s_claim_runs_out(answers: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", 0.4)
    dead = Responses(answers.path)
    dead.submit(lambda db: db.execute("INSERT INTO owners VALUES ('dead', ?)", (module.time.time() + 0.4,))).result()
    model = Counting()
    key = Cached(model, answers).keys(ASKED)
    dead.submit(lambda db: db.execute("INSERT INTO claims VALUES (?, 'dead')", (key.digest,))).result()
    begun = module.time.time()
    assert (await Cached(model, answers).send(ASKED)).text == "1"
    assert module.time.time() - begun > 0.3


async def test_a_claim_that_was_given_back_in_vain_is_not_waited_for(
    answers: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(db: sqlite3.Connection, digest: bytes) -> None:
        answers._claims.discard(digest)
        raise sqlite3.OperationalError("database or disk is full")

    model = Counting()
    model.error = RequestError("no")
    with monkeypatch.context() as patch:
        patch.setattr(answers, "_release", full)
        with pytest.raises(RequestError, match="no"):
            await Cached(model, answers).send(ASKED)
        await answers.done(lambda db: None)
    answers.flush()
    model.error = None
    found = await asyncio.wait_for(Cached(model, answers).send(ASKED), 10)
    assert (found.text, found.replayed) == ("2", False)


async def test_a_lease_is_renewed_while_a_call_lasts(answers: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", 0.3)
    other = Responses(answers.path)
    assert await answers.claim(b"k") == "mine"
    for _ in range(4):
        await asyncio.sleep(0.2)
        assert await other.claim(b"k") == "busy"
    answers.release(b"k")
    answers.flush()
    assert await other.claim(b"k") == "mine"


async def test_a_stream_is_kept_and_replayed(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    first = [piece async for piece in subject.stream(ASKED)]
    second = [piece async for piece in subject.stream(ASKED)]
    assert first == ["a", "b", Prediction(text="ab", first_token=0.1)]
    assert second == ["ab", Prediction(text="ab", first_token=0.1, replayed=True)]
    assert model.asked == 1


async def test_it_is_the_model_it_wraps(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    assert (subject.name, subject.capabilities, subject.concurrency) == (model.name, model.capabilities, 7)
    assert subject.describe() == model.describe()
    assert subject.render((Message("user", "x"),)) == "[user]\nx"
    await subject.close()
    assert model.closed


def test_what_is_behind_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_CACHE", str(tmp_path / "c.sqlite"))
    free, paid = load_model("reference/uniform"), Counting()
    assert cached(free) is free
    assert not (tmp_path / "c.sqlite").exists()
    assert cached(paid, False) is paid
    wrapped = cached(paid)
    assert isinstance(wrapped, Cached)
    assert cached(wrapped, True) is wrapped
    assert isinstance(cached(free, True), Cached)
    assert responses() is responses()


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HOWGOOD_CACHE", raising=False)
    assert cache_path() == tmp_path / "howgood" / "responses.sqlite"


# What is the same request

TEXTS = st.text(max_size=12)
PARTS = st.one_of(st.builds(Text, TEXTS), st.builds(Image, st.binary(max_size=4), st.sampled_from(["image/png", "a"])))
CALLS = st.lists(st.builds(ToolCall, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple)
MESSAGES = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.one_of(TEXTS, st.lists(PARTS, max_size=2).map(tuple)),
    CALLS,
    st.none() | TEXTS,
)
PROMPTS = st.one_of(TEXTS, st.lists(MESSAGES, max_size=3).map(tuple))
OBJECTS = st.dictionaries(TEXTS, st.integers(0, 2) | TEXTS, max_size=2)
REQUESTS = st.one_of(
    st.builds(
        Generate,
        PROMPTS,
        max_tokens=st.integers(1, 3),
        temperature=st.sampled_from([0.0, 0.5, 1.0]),
        top_p=st.none() | st.just(0.5),
        stop=st.lists(TEXTS, max_size=2).map(tuple),
        seed=st.none() | st.integers(0, 2),
        tools=st.lists(st.builds(Tool, TEXTS, TEXTS, OBJECTS), max_size=2).map(tuple),
        schema=st.none() | OBJECTS,
        effort=st.none() | st.just("low"),
        thinking=st.none() | st.integers(0, 1),
        logprobs=st.none() | st.integers(0, 1),
    ),
    st.builds(Loglikelihood, PROMPTS, st.lists(TEXTS, max_size=3).map(tuple)),
    st.builds(Rolling, TEXTS, st.none() | st.integers(1, 2), st.integers(1, 2)),
)


def meant(request: Request) -> Any:
    """A request as the model is asked it: a greedy one has no seed; schemas are what they are in their order."""
    if not isinstance(request, Generate):
        return request
    schemas = [list(request.schema.items()) if request.schema is not None else None]
    schemas += [list(tool.parameters.items()) for tool in request.tools]
    return msgspec.structs.replace(request, seed=request.seed if request.temperature else None), schemas


@given(REQUESTS, REQUESTS)
def test_keys_differ_where_requests_do(a: Request, b: Request) -> None:
    assert (digest(a) == digest(b)) == (meant(a) == meant(b))


@given(REQUESTS)
def test_equal_requests_have_one_key(request: Request) -> None:
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Request)
    assert digest(again) == digest(request)


@given(REQUESTS)
def test_every_part_of_what_is_asked_is_in_the_key(request: Request) -> None:
    told = {"revision": "a", "dtype": "f32"}
    one = digest(request, **told)
    assert digest(request, dtype="f32", revision="a") == one  # whatever the order
    assert digest(request, instance="j", **told) == one
    others = [
        digest(request, model="n", **told),
        digest(request, epoch=1, **told),
        digest(request, revision="b", dtype="f32"),
        digest(request, revision="a"),
    ]
    assert len({one, *others}) == 5


@given(REQUESTS)
def test_a_request_can_be_read_from_its_key(request: Request) -> None:
    found = request_of(key_of("m", {}, request, "i", 0).fields)
    assert digest(found) == digest(request) or "Image" in repr(request)
    assert type(found) is type(request)


def test_numbers_that_are_equal_are_one() -> None:
    assert digest(Generate("a", temperature=0)) == digest(Generate("a", temperature=-0.0, seed=3))
    assert digest(Generate("a", temperature=1)) == digest(Generate("a", temperature=1.0))
    assert digest(Generate("a", temperature=1, seed=1)) != digest(Generate("a", temperature=1, seed=2))


def test_defaults_stand_in_the_key() -> None:
    """So that a version with another default does not take one request for the other."""
    fields = msgspec.json.decode(key_of("m", {}, Generate("a"), "i", 0).fields)
    assert fields["request"] == {"type": "generate", "prompt": "a", "max_tokens": 1024, "temperature": 0.0}


def test_a_key_holds_no_image() -> None:
    image = Image(b"x" * 1_000_000)
    key = key_of("m", {}, Generate((Message("user", (image,)),)), "i", 0)
    assert len(key.fields) < 400


def test_the_pace_is_no_part_of_a_model() -> None:
    assert unpaced("openai/x,concurrency=8,prefix=a,timeout=3") == "openai/x,prefix=a"
    assert digest(ASKED, model="openai/x,concurrency=8") == digest(ASKED, model="openai/x")


async def test_libraries_are_no_part_of_a_model(answers: Responses) -> None:
    await Cached(Counting(torch="1"), answers).send(ASKED)
    assert (await Cached(Counting(torch="2"), answers).send(ASKED)).replayed
    assert not (await Cached(Counting(revision="b"), answers).send(ASKED)).replayed


async def test_each_epoch_is_asked(answers: Responses) -> None:
    subject = Cached(Counting(), answers)
    found = []
    for epoch in (0, 1, 1):
        TRIAL.set(("i", epoch))
        found.append((await subject.send(ASKED)).text)
    assert found == ["1", "2", "2"]


# What happens when the file fails


@pytest.mark.parametrize("damage", ["garbage", "cut", "other"])
async def test_a_damaged_answer_is_asked_anew(answers: Responses, damage: str) -> None:
    subject = Cached(Counting(), answers)
    await subject.send(ASKED)
    (stored,) = answers.read("SELECT answer FROM answers")[0]
    bad = {"garbage": b"garbage", "cut": stored[:-3], "other": pack(b"\xc1")}[damage]
    answers.submit(lambda db: db.execute("UPDATE answers SET answer = ?", (bad,))).result()
    assert [(await subject.send(ASKED)).text for _ in range(2)] == ["2", "2"]


def test_what_is_stored_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = pack(b"0" * 100_000)
    assert len(bomb) < 1_000
    assert unpack(bomb) == b"0" * 100_000
    monkeypatch.setattr(module, "LARGEST", 99_999)
    with pytest.raises(ValueError, match="larger than anything"):
        unpack(bomb)
    with pytest.raises(ValueError, match="more than"):
        pack(b"0" * 100_000)


async def test_an_answer_too_large_to_keep_is_returned(answers: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Cached(Counting(), answers)
    monkeypatch.setattr(module, "LARGEST", 60)
    with pytest.warns(RuntimeWarning, match="more than the 60 that can be kept"):
        assert (await subject.send(ASKED)).text == "1"
    assert (await subject.send(ASKED)).text == "2"


def test_a_file_that_is_no_cache_stops_before_anything_is_paid(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"this is no database" * 1_000)
    with pytest.raises(HowgoodError, match=r"cannot use the cache .*c\.sqlite.* damaged: move it away"):
        Responses(path)


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    Responses(path).submit(lambda db: db.execute("PRAGMA user_version = 9")).result()
    with pytest.raises(HowgoodError, match="newer howgood"):
        Responses(path)


def test_a_place_that_cannot_be_written_stops_before_anything_is_paid(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HowgoodError, match=r"cannot use the cache .*HOWGOOD_CACHE"):
        Responses(tmp_path / "file" / "c.sqlite")


async def test_a_file_damaged_under_way_loses_no_answer(answers: Responses) -> None:
    model = Counting()
    subject = Cached(model, answers)
    answers.submit(lambda db: db.execute("DROP TABLE answers")).result()
    with pytest.warns(RuntimeWarning, match=r"the cache .* failed \(no such table: answers\)") as told:
        assert [(await subject.send(ASKED)).text for _ in range(2)] == ["1", "2"]
    assert len(told) == 1


async def test_a_file_that_another_process_holds_loses_no_answer(
    answers: Responses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    subject = Cached(Counting(), Responses(answers.path))
    other = sqlite3.connect(answers.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asked = [Generate(f"{n}", seed=n) for n in range(50)]
    with pytest.warns(RuntimeWarning, match="database is locked"):
        found = await asyncio.wait_for(asyncio.gather(*map(subject.send, asked)), 10)
    assert len(found) == 50
    other.execute("ROLLBACK")
    await subject.send(Generate("later"))
    assert (await subject.send(Generate("later"))).replayed


FULL = """
import asyncio, resource, signal, sys, warnings
from howgood.core.types import Generate
from howgood.models.cache import cached
from howgood.models.registry import load_model

async def main():
    model = cached(load_model("reference/constant,text=" + "x" * 50), True)
    await model.send(Generate("first"))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = [await model.send(Generate(f"{i} " * 2_000, temperature=1.0, seed=i)) for i in range(200)]
    assert all(p.text == "x" * 50 for p in found)
    print(len(told), told[0].message)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits a process as POSIX does")
def test_a_full_disk_loses_no_answer_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.sqlite"
    monkeypatch.setenv("HOWGOOD_CACHE", str(path))
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"1 the cache {path} failed (")
    assert "may be paid for again" in done.stdout
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*) FROM answers").fetchone()[0] >= 1


def test_what_was_submitted_is_written_before_the_process_ends(tmp_path: Path) -> None:
    code = """
    import sys
    from howgood.models.responses import responses
    answers = responses()
    for i in range(2_000):
        answers.submit(lambda db, i=i: db.execute("INSERT INTO owners VALUES (?, 0)", (str(i),)))
    """
    path = tmp_path / "c.sqlite"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env={"HOWGOOD_CACHE": str(path)}, check=True)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM owners").fetchone() == (2_000,)


# What differs


async def near_to(answers: Responses, request: Request, **told: Any) -> Any:
    return nearest(answers, key_of("m", told, request, "i", 0))


async def test_the_nearest_says_what_differs(answers: Responses) -> None:
    stored = Generate((Message("system", "be short"), Message("user", "a\nb\nc\nd")), temperature=0.5, seed=1)
    await answers.put(key_of("m", {"revision": "x"}, stored, "i", 0), Prediction(text="t"))
    await answers.put(key_of("m", {"revision": "x"}, Generate("far off"), "i", 0), Prediction(text="t"))

    warmer = await near_to(answers, msgspec.structs.replace(stored, temperature=1), revision="x")
    assert warmer.fields == [("request.temperature", 1.0, 0.5)]
    assert warmer.prompt == []

    other = (Message("system", "be short"), Message("user", "a\nB\nc\nd"))
    edited = await near_to(answers, msgspec.structs.replace(stored, prompt=other), revision="y")
    assert edited.fields == [("identity.revision", "y", "x")]
    assert [line for line in edited.prompt if line[0] in "+-" and line[:3] not in ("+++", "---")] == ["-b", "+B"]

    assert await near_to(answers, Generate("words that nothing shares at all")) is None


async def test_only_cached_walks_a_trial_s_requests(answers: Responses) -> None:
    subject = Cached(Counting(), answers)
    await subject.send(ASKED)
    looking = OnlyCached(subject)
    assert (await looking.send(ASKED)).replayed
    with pytest.raises(Missing) as missed:
        await looking.generate(Generate("two"))
    assert missed.value.key is not None
    assert len(looking.found) == 1


async def test_prune_and_held(answers: Responses) -> None:
    for name, cost in (("m", 1.0), ("m", 2.0), ("n", None)):
        key = key_of(name, {}, Generate(f"{cost}"), "i", 0)
        await answers.put(key, Prediction(text="t", cost=cost))
    assert [(h.model, h.answers, h.cost) for h in answers.held()] == [("m", 2, 3.0), ("n", 1, None)]
    assert answers.prune(before=0.0) == 0
    assert answers.prune(model="n") == 1
    assert answers.prune() == 2
    assert answers.held() == []
