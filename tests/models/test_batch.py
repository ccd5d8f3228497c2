"""Batch APIs: what is handed in, what comes back, and what survives a crash at every step, against a real server."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batchserver import BatchServer, serve_batches
from howgood import Benchmark, run_async
from howgood.calls.generation import Generation
from howgood.core.errors import HowgoodError, RequestError, Unsupported
from howgood.core.types import Generate, Instance, Loglikelihood, Message, Prediction, Usage
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Mean
from howgood.models import batch, pending, prices
from howgood.models.base import TRIAL
from howgood.models.batch import Batched, batched
from howgood.models.cache import Cached, cached
from howgood.models.http import HTTPModel
from howgood.models.registry import load_model
from howgood.models.responses import Responses, responses
from howgood.outputs.match import Match

DIALECTS = ("openai", "anthropic")


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no long waits."""
    monkeypatch.setenv("HOWGOOD_CACHE", str(tmp_path / "responses.sqlite"))
    for name, seconds in (("QUIET", 0.05), ("FIRST_LOOK", 0.02), ("SETTLED", 0.1)):
        monkeypatch.setattr(batch, name, seconds)


@pytest.fixture
async def server() -> AsyncIterator[BatchServer]:
    async with serve_batches() as server:
        yield server


def load(server: BatchServer, dialect: str, model: str = "gpt-4o") -> Cached:
    found = batched(load_model(f"{server.url}#{model},dialect={dialect}"))
    assert isinstance(found, Cached)
    return found


def restarted() -> None:
    """Forget what the process knows, as its death does: the file stays."""
    from howgood.models import responses as module

    module._opened.clear()


def asked(question: str, **settings: int) -> Generate:
    return Generate((Message("system", "be short"), Message("user", question)), **settings)


async def ask(model: Cached, *questions: str) -> list[Prediction | BaseException]:
    work = [asyncio.create_task(model.generate(asked(question))) for question in questions]
    return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 20)


def texts(found: list[Prediction | BaseException]) -> list[str | None]:
    return [p.text if isinstance(p, Prediction) else f"{type(p).__name__}" for p in found]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_asked_at_once_is_one_batch(server: BatchServer, dialect: str) -> None:
    model = load(server, dialect)
    found = await ask(model, *(f"question {n}" for n in range(30)))
    assert texts(found) == [f"question {n}"[::-1] for n in range(30)]
    assert len(server.batches) == 1
    assert set(server.asked.values()) == {1}
    first = found[0]
    assert isinstance(first, Prediction)
    assert (first.usage, first.latency, first.stop_reason) == (Usage(input=1000, output=100), 90.0, "stop")
    assert not first.replayed
    assert pending.pending(responses()) == []
    assert [p.replayed for p in await ask(model, "question 3") if isinstance(p, Prediction)] == [True]
    await model.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_body_is_that_of_a_single_request(server: BatchServer, dialect: str) -> None:
    model = load(server, dialect)
    await ask(model, "one")
    ((custom, body),) = server.batches[0].requests
    inner = model.model.model  # type: ignore[attr-defined]
    assert isinstance(inner, HTTPModel)
    assert body == inner.encode(asked("one"))[1]
    assert bytes.fromhex(custom) == model.keys(asked("one")).digest
    await model.close()


async def test_it_costs_half(server: BatchServer) -> None:
    model = load_model("openai/gpt-4o")
    assert isinstance(model, HTTPModel)
    full = model.price(Usage(input=1000, output=100))
    assert full is not None
    model.transport.url, model.transport.needs_key = server.url, False
    subject = batched(model)
    assert subject.price(Usage(input=1000, output=100)) == full / 2
    found = await subject.send(asked("what is it"))
    assert found.cost == pytest.approx(full / 2)
    filtered = await subject.send(asked("FILTERED"))
    assert (filtered.stop_reason, filtered.cost) == ("filter", 0.0)
    await subject.close()


async def test_it_costs_half_by_the_user_s_own_price_too(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.json").write_text('{"openai/gpt-4o": {"input": 1, "output": 10}}')
    monkeypatch.setenv(prices.VARIABLE, str(tmp_path / "prices.json"))
    model = load_model("openai/gpt-4o")
    assert isinstance(model, HTTPModel)
    model.transport.url, model.transport.needs_key = server.url, False
    items = [Instance(str(i), f"question {i}", targets=("x",)) for i in range(3)]
    benchmark = Benchmark(Inputs.of(items), Generation(), Match(), Mean())
    run = await run_async(benchmark, model, batch=True)
    assert run.usage == Usage(input=3000, output=300)
    assert run.cost == run.spent == pytest.approx((3000 * 1e-6 + 300 * 10e-6) / 2)
    await model.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_each_item_has_its_own_fate(server: BatchServer, dialect: str) -> None:
    model = load(server, dialect)
    questions = ["fine", "ERROR400", "ERROR500", "ERROR500-ONCE", "EXPIRED-ONCE", "CANCELLED", "MISSING", "GARBAGE"]
    found = dict(zip(questions, await ask(model, *questions), strict=True))
    good = {question for question, p in found.items() if isinstance(p, Prediction)}
    assert good == {"fine", "ERROR500-ONCE", "EXPIRED-ONCE"}
    errors = {question: p for question, p in found.items() if isinstance(p, RequestError)}
    assert errors.keys() | good == found.keys()
    assert not any(error.fatal for error in errors.values())
    assert "words of the server (ERROR400)" in str(errors["ERROR400"])
    assert "cancelled" in str(errors["CANCELLED"])
    assert "no result for this request" in str(errors["MISSING"])
    assert "another form" in str(errors["GARBAGE"])
    twice = {"ERROR500", "ERROR500-ONCE", "EXPIRED-ONCE"}
    assert {question: n for question, n in server.asked.items() if n > 1} == dict.fromkeys(twice, 2)
    # What failed is not kept: asked for again, it is handed in again.
    assert texts(await ask(model, "fine", "ERROR400")) == ["enif", "RequestError"]
    assert (server.asked["fine"], server.asked["ERROR400"]) == (1, 2)
    await model.close()


@pytest.mark.parametrize("status", ["expired", "cancelled"])
async def test_what_was_answered_before_the_end_counts(server: BatchServer, status: str) -> None:
    server.status = status
    model = load(server, "openai")
    found = await ask(model, "early", "EXPIRED-ONCE" if status == "expired" else "CANCELLED")
    assert texts(found) == ["ylrae", "ECNO-DERIPXE" if status == "expired" else "RequestError"]
    await model.close()


async def test_a_batch_that_fails_as_a_whole_stops_the_run(server: BatchServer) -> None:
    server.failure = "Enqueued token limit reached"
    model = load(server, "openai")
    found = await ask(model, "a", "b")
    for error in found:
        assert isinstance(error, RequestError)
        assert error.fatal
        assert "Enqueued token limit reached" in str(error)
    server.failure = None
    assert texts(await ask(model, "a", "b")) == ["a", "b"]
    await model.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_batch_that_is_refused_fails_with_the_server_s_words(server: BatchServer, dialect: str) -> None:
    server.refusal = "no such model"
    model = load(server, dialect)
    (error,) = await ask(model, "a")
    assert isinstance(error, RequestError)
    assert "no such model" in str(error)
    assert pending.pending(responses()) == []
    await model.close()


async def test_a_batch_that_is_gone_is_said_to_be(server: BatchServer) -> None:
    model = load(server, "openai")
    server.holds = True
    asking = asyncio.create_task(ask(model, "a"))
    while not server.batches:
        await asyncio.sleep(0.01)
    server.batches.clear()
    (error,) = await asking
    assert isinstance(error, RequestError)
    assert error.fatal
    assert "404" in str(error)
    assert "batch_0" in str(error)
    await model.close()


async def test_a_server_out_of_reach_for_a_while_is_waited_for(server: BatchServer) -> None:
    server.cut_looking = 12
    model = load(server, "openai")
    assert texts(await ask(model, "abc")) == ["cba"]
    assert (server.cut_looking, server.asked["abc"]) == (0, 1)
    await model.close()


async def test_full_batches_are_several(server: BatchServer) -> None:
    model = load(server, "openai")
    inner = model.model
    assert isinstance(inner, Batched)
    inner._service.most = 4
    assert len(set(texts(await ask(model, *(f"q{n}" for n in range(10)))))) == 10
    assert sorted(len(b.requests) for b in server.batches) == [2, 4, 4]
    inner._service.most, inner._service.largest = 100, 900
    await ask(model, *(f"r{n}" for n in range(10)))
    assert all(len(b.requests) < 10 for b in server.batches[3:])
    assert max(len(server.files[b.file]) for b in server.batches[3:]) <= 900
    assert set(server.asked.values()) == {1}
    await model.close()


async def test_results_that_could_not_be_fetched_again_are_not_asked_for(
    server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_RESULTS", 3 * 10_000)
    model = load(server, "openai")
    work = [model.generate(asked(f"q{n}", max_tokens=1_000)) for n in range(6)]
    await asyncio.gather(*work)
    assert [len(b.requests) for b in server.batches] == [2, 2, 2]
    await model.close()


async def test_endpoints_do_not_share_a_batch(server: BatchServer) -> None:
    subject = batched(load_model(f"{server.url}#m,completion=true"))
    found = await asyncio.gather(subject.send(asked("ab")), subject.send(Generate("cd")), subject.send(asked("ef")))
    assert [p.text for p in found] == ["ba", "dc", "fe"]
    assert {b.endpoint: len(b.requests) for b in server.batches} == {"/v1/chat/completions": 2, "/v1/completions": 1}
    await subject.close()


# Who can be asked in batches


def test_what_has_no_batch_api_is_refused() -> None:
    for name in ("reference/uniform", "ollama/x", "google/gemini-2.5-pro"):
        with pytest.raises(Unsupported, match="has no batch API"):
            batched(load_model(name))
    with pytest.raises(HowgoodError, match="leave out --no-cache"):
        batched(load_model("openai/gpt-4o"), cache=False)


async def test_it_only_generates(server: BatchServer) -> None:
    subject = batched(load_model(f"{server.url}#m,logprobs=true"))
    assert subject.capabilities.generate
    assert not subject.capabilities.loglikelihood
    assert subject.concurrency == 50_000
    with pytest.raises(Unsupported, match="leave out --batch"):
        await subject.send(Loglikelihood("a", ("b",)))
    with pytest.raises(Unsupported, match="no raw text"):
        await batched(load_model(f"{server.url}#m")).send(Generate("raw"))
    assert server.seen == []


async def test_an_answer_is_the_same_request_s_with_or_without_batches(server: BatchServer) -> None:
    await ask(load(server, "openai"), "abc")
    plain = cached(load_model(f"{server.url}#gpt-4o,dialect=openai"), True)
    assert (await plain.send(asked("abc"))).replayed


# What survives


async def going(model: Cached, server: BatchServer, *questions: str, batches: int = 1) -> asyncio.Task[object]:
    """Ask, and return once the server has so many batches and their ids are written down."""
    task: asyncio.Task[object] = asyncio.create_task(ask(model, *questions))
    while len(server.batches) < batches or not all(b.remote for b in pending.pending(responses())):
        await asyncio.sleep(0.01)
    return task


async def abandon(model: Cached, task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await model.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_restart_attaches_to_the_batch(server: BatchServer, dialect: str) -> None:
    server.holds = True
    model = load(server, dialect)
    await abandon(model, await going(model, server, "a", "bc", "def"))
    (held,) = pending.pending(responses())
    assert (held.size, held.remote) == (3, server.batches[0].id)
    restarted()
    server.holds = False
    again = load(server, dialect)
    assert texts(await ask(again, "bc", "new")) == ["cb", "wen"]  # one that is there, and one that is not
    assert len(server.batches) == 2
    assert pending.pending(responses()) == []
    # The answers that nobody asked for this time are kept too.
    found = await ask(again, "a", "def")
    assert [p.replayed for p in found if isinstance(p, Prediction)] == [True, True]
    assert set(server.asked.values()) == {1}
    await again.close()


async def test_an_item_that_expired_before_and_after_a_restart_fails(server: BatchServer) -> None:
    server.holds = True
    model = load(server, "anthropic")
    await abandon(model, await going(model, server, "EXPIRED"))
    restarted()
    server.holds = False
    again = load(server, "anthropic")
    assert texts(await ask(again, "EXPIRED")) == ["_Unanswered"]
    assert server.asked["EXPIRED"] == 2
    await again.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_connection_that_breaks_while_a_batch_is_made(server: BatchServer, dialect: str) -> None:
    server.cut_making = 1
    model = load(server, dialect)
    assert texts(await ask(model, "a", "bc")) == ["a", "cb"]
    assert len(server.batches) == 1
    assert set(server.asked.values()) == {1}
    await model.close()


async def died(answers: Responses, model: Cached, called: bool, *questions: str) -> None:
    """Leave the record that a process leaves which dies before it has the id of a batch."""
    items = [pending.Item(model.keys(asked(question)), 0) for question in questions]
    left = pending.Pending("0" * 32, "m", len(items), time.time() - 6, "dead")
    await pending.write_down(answers, left, items)
    if called:
        answers.submit(lambda db: db.execute("UPDATE batches SET called = strftime('%s') - 5")).result()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("called", [False, True])
async def test_a_death_before_the_batch_was_made(server: BatchServer, dialect: str, called: bool) -> None:
    model = load(server, dialect)
    await died(responses(), model, called, "a", "bc")
    assert texts(await ask(model, "a", "bc")) == ["a", "cb"]
    assert set(server.asked.values()) == {1}
    assert pending.pending(responses()) == []
    assert any(seen.startswith("GET") and seen.endswith("batches") for seen in server.seen) == called
    await model.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_death_after_the_batch_was_made(server: BatchServer, dialect: str) -> None:
    model = load(server, dialect)
    await died(responses(), model, True, "a", "bc")
    for number in range(120):  # others of the account, so that the list has pages
        server._make([(f"x{number}", {"model": "m", "messages": [{"content": f"x{number}"}]})], f"other{number}")
    service = model.model._service  # type: ignore[attr-defined]
    lines = [service.line(model.keys(asked(q)).digest.hex(), *model.model.model.encode(asked(q))) for q in ("a", "bc")]  # type: ignore[attr-defined]
    path = model.model.model.encode(asked("a"))[0]  # type: ignore[attr-defined]
    await service.create("0" * 32, path, await service.prepare("0" * 32, lines), lines)
    for number in range(120, 240):
        server._make([(f"x{number}", {"model": "m", "messages": [{"content": f"x{number}"}]})], f"other{number}")
    assert texts(await ask(model, "a", "bc")) == ["a", "cb"]
    assert (server.asked["a"], server.asked["bc"]) == (1, 1)
    await model.close()


async def test_another_s_batch_of_the_same_size_is_not_taken(server: BatchServer) -> None:
    model = load(server, "anthropic")
    await died(responses(), model, True, "a", "bc")
    body = {"model": "m", "messages": [{"content": "x"}]}
    server._make([("y", body), ("z", body)], "msgbatch_other")
    assert texts(await ask(model, "a", "bc")) == ["a", "cb"]
    assert (server.asked["a"], server.asked["bc"]) == (1, 1)
    await model.close()


CHILD = """
import asyncio, sys
from howgood.core.types import Generate, Message
from howgood.models import batch, responses
from howgood.models.registry import load_model

batch.QUIET, batch.FIRST_LOOK, batch.SETTLED, responses.LEASE = 0.05, 0.02, 0.2, 1.0

async def main(name, count):
    model = batch.batched(load_model(name))
    asked = [Generate((Message("user", f"number {n}"),)) for n in range(int(count))]
    found = await asyncio.gather(*map(model.generate, asked))
    assert [p.text for p in found] == [f"number {n}"[::-1] for n in range(int(count))]
    await model.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_killed_at_any_step_nothing_is_handed_in_twice(server: BatchServer, dialect: str) -> None:
    server.holds = True
    name = f"{server.url}#m,dialect={dialect}"

    async def child() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, name, "20", env=os.environ)

    making = "POST /v1/batches" if dialect == "openai" else "POST /v1/messages/batches"
    for step in (making, "GET"):  # while the batch is made, and while it is looked at
        process = await child()
        seen = len(server.seen)
        while not any(s.startswith(step) for s in server.seen[seen:]):
            assert process.returncode is None
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
    server.holds = False
    two = [await child(), await child()]
    assert [await process.wait() for process in two] == [0, 0]
    assert set(server.asked.values()) == {1}
    assert pending.pending(Responses(responses().path)) == []
    TRIAL.set(("i", 0))
    found = await load(server, dialect, "m").send(Generate((Message("user", "number 7"),)))
    assert found.replayed


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_official_client_reads_the_same_server(server: BatchServer, dialect: str) -> None:
    """So that what these tests are made against is what the providers document."""
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "abc"}]}
    if dialect == "anthropic":
        client = pytest.importorskip("anthropic").AsyncAnthropic(api_key="k", base_url=server.url.removesuffix("/v1"))
        made = await client.messages.batches.create(requests=[{"custom_id": "c", "params": body}])
        assert (await client.messages.batches.retrieve(made.id)).processing_status == "ended"
        assert [b.id async for b in client.messages.batches.list()] == [made.id]
        return
    import json

    client = pytest.importorskip("openai").AsyncOpenAI(api_key="k", base_url=server.url)
    line = {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": body}
    file = await client.files.create(file=("x.jsonl", json.dumps(line).encode()), purpose="batch")
    made = await client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    ended = await client.batches.retrieve(made.id)
    assert (ended.status, ended.metadata) == ("completed", {"a": "b"})
    assert [b.id async for b in client.batches.list()] == [made.id]
    content = await client.files.content(ended.output_file_id)
    assert json.loads(content.text)["response"]["body"]["choices"][0]["message"]["content"] == "cba"
