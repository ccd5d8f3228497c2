"""Budgets of the gateway's keys, and its log: what is counted, and what holds whatever clients do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from scripted import Scripted, Slow, says

from howgood.core.errors import HowgoodError, ModelError, RequestError
from howgood.core.types import Generate, Message, Prediction, Usage
from howgood.models.base import Echo, Model
from howgood.models.gateway import Gateway, Key, read_keys, read_log
from howgood.models.gateway.bounds import most_usage
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.reference import Constant, NgramSource, Uniform

SECRET = "a-secret-key-0123456789"
HELLO = (Message("user", "Hello"),)


class Priced(Scripted):
    """Costs a dollar per thousand tokens."""

    paid = True

    def price(self, usage: Usage) -> float:
        return (usage.input + usage.output) / 1000


def body(model: Model, **fields: Any) -> dict[str, Any]:
    hello = [{"role": "user", "content": "Hello"}]
    return {"model": model.name, "messages": hello, "max_tokens": 100} | fields


async def post(gateway: Gateway, content: dict[str, Any], path: str = "/v1/chat/completions", key: str = SECRET) -> int:
    """The status of one call, read to its end."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.post(gateway.url + path, json=content) as reply,
    ):
        await reply.read()
        return reply.status


def most(model: Model, max_tokens: int = 100) -> int:
    bound = most_usage(model, [Generate(HELLO, max_tokens=max_tokens)])
    return bound.input + bound.output


async def test_calls_at_once_never_spend_more_than_there_is(tmp_path: Path) -> None:
    """Each of 50 calls may take more than it does take; the budget is for some of them."""

    class Busy(Scripted):
        now = held = 0

        async def generate(self, request: Generate) -> Prediction:
            self.now += 1
            self.held = max(self.held, self.now)
            await asyncio.sleep(0.002)
            self.now -= 1
            return await super().generate(request)

    model = Busy(says("ten tokens", usage=Usage(30, 10)))
    budget = 5 * most(model)
    log = tmp_path / "calls.jsonl"
    async with Gateway(model, keys={"agent": Key(SECRET, tokens=budget)}, log=log) as gateway:
        statuses = await asyncio.gather(*(post(gateway, body(model)) for _ in range(50)))
        spent = gateway.usage("agent")
    assert set(statuses) == {200, 429}
    assert statuses.count(200) == len(model.asked) == spent.calls
    assert spent.tokens == 40 * spent.calls <= budget
    assert spent.tokens + most(model) > budget, "no call was refused that fitted"
    assert 1 < model.held <= 5
    calls = list(read_log(log))
    assert len(calls) == 50
    assert sorted(c.status for c in calls) == sorted(statuses)
    assert sum(c.usage.input + c.usage.output for c in calls) == spent.tokens


async def test_dollars_are_counted_and_kept_to() -> None:
    model = Priced(lambda request: Prediction(text="x", stop_reason="stop", usage=Usage(30, 10), cost=0.04))
    dollars = 3 * most(model) / 1000
    async with Gateway(model, keys={"agent": Key(SECRET, dollars=dollars)}) as gateway:
        statuses = await asyncio.gather(*(post(gateway, body(model)) for _ in range(50)))
        spent = gateway.usage("agent")
    assert spent.dollars == pytest.approx(0.04 * statuses.count(200))
    assert spent.dollars <= dollars < spent.dollars + most(model) / 1000


async def test_a_cost_that_nobody_told_is_the_most_it_can_be() -> None:
    model = Priced(lambda request: Prediction(text="x", stop_reason="stop", usage=Usage(30, 10), cost=None))
    async with Gateway(model, keys={"agent": Key(SECRET, dollars=10.0)}) as gateway:
        assert await post(gateway, body(model)) == 200
        assert gateway.usage("agent").dollars == pytest.approx(most(model) / 1000)


async def test_tokens_that_nobody_told_are_the_most_they_can_be() -> None:
    """A server without usage must not make a budget of tokens endless."""
    model = Scripted(says("Hi.", usage=Usage()))
    async with Gateway(model, keys={"agent": Key(SECRET, tokens=2 * most(model))}) as gateway:
        assert [await post(gateway, body(model)) for _ in range(3)] == [200, 200, 429]
        assert gateway.usage("agent").tokens == 2 * most(model)


async def test_a_stream_that_breaks_off_is_charged_the_most() -> None:
    class Breaking(Scripted):
        async def stream(self, request: Generate) -> AsyncIterator[str | Prediction]:
            yield "first "
            raise RequestError("the server went away")

    model = Breaking(says(""))
    async with Gateway(model, keys={"agent": Key(SECRET, tokens=most(model))}) as gateway:
        assert [await post(gateway, body(model, stream=True)) for _ in range(2)] == [200, 429]
        assert gateway.usage("agent").tokens == most(model)


async def test_dollars_need_a_price() -> None:
    class Unpriced(Scripted):
        paid = True

    with pytest.raises(ModelError, match="price of scripted is not known"):
        Gateway(Unpriced(says("x")), keys={"agent": Key(SECRET, dollars=1.0)})


async def test_seconds_run_from_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Constant()
    async with Gateway(model, keys={"agent": Key(SECRET, seconds=60)}) as gateway:
        assert gateway.usage("agent").seconds is None
        assert await post(gateway, body(model)) == 200
        gateway._accounts["agent"].first -= 59  # type: ignore[operator]
        assert await post(gateway, body(model)) == 200
        gateway._accounts["agent"].first -= 2  # type: ignore[operator]
        assert await post(gateway, body(model)) == 429
        assert gateway.usage("agent").seconds == pytest.approx(61, abs=5)


async def test_one_keys_budget_is_no_others() -> None:
    model = Constant()
    keys = {"poor": Key("poor-secret-key", tokens=1), "rich": Key("rich-secret-key")}
    async with Gateway(model, keys=keys) as gateway:
        assert await post(gateway, body(model), key="poor-secret-key") == 429
        assert await post(gateway, body(model), key="rich-secret-key") == 200
        assert (gateway.usage("poor").calls, gateway.usage("rich").calls) == (0, 1)


async def test_what_failed_costs_nothing_and_frees_what_it_held() -> None:
    model = Scripted(lambda request: RequestError("no"))
    async with Gateway(model, keys={"agent": Key(SECRET, tokens=most(model))}) as gateway:
        for stream in (False, True, False):
            assert await post(gateway, body(model, stream=stream)) == 400
        assert gateway.usage("agent").tokens == 0
        model.answer = says("fine")
        assert await post(gateway, body(model)) == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_its_call_and_pays_for_it(stream: bool, tmp_path: Path) -> None:
    model = Slow()
    log = tmp_path / "calls.jsonl"
    async with Gateway(model, keys={"agent": Key(SECRET, tokens=most(model))}, log=log) as gateway:
        call = asyncio.ensure_future(post(gateway, body(model, stream=stream)))
        await model.begun.wait()
        call.cancel()
        await asyncio.wait_for(model.cancelled.wait(), 10)
        while not log.read_bytes():
            await asyncio.sleep(0.01)
        assert gateway.usage("agent").tokens == most(model)
        assert await post(gateway, body(model)) == 429
    first, second = read_log(log)
    assert (first.status, first.predictions, first.requests) == (499, (), (Generate(HELLO, 100, 1.0),))
    assert second.status == 429


CLIENT = """
import sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=sys.argv[2])
for _ in client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "x"}], stream=True):
    print("got", flush=True)
"""


async def test_a_killed_client_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="needs the extra `dev`")
    model, log = Slow(), tmp_path / "calls.jsonl"
    async with Gateway(model, keys={"agent": Key(SECRET)}, log=log) as gateway:
        command = [sys.executable, "-c", CLIENT, gateway.url, SECRET]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"got\n"
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.wait_for(model.cancelled.wait(), 10)
        await process.wait()
        assert await post(gateway, {"model": "nobody", "prompt": "x"}, "/v1/completions") == 404
    assert [c.status for c in read_log(log)] == [499, 404]


async def test_the_log_tells_all_but_the_key(tmp_path: Path) -> None:
    """Not even where a client puts its key into a prompt, and the model repeats it."""
    model = Scripted(lambda request: Prediction(text=f"You said {SECRET}", usage=Usage(3, 4), cost=0.5))
    log = tmp_path / "deep" / "calls.jsonl"
    async with Gateway(model, keys={"agent": Key(SECRET)}, log=log) as gateway:
        before = time.time()
        assert await post(gateway, body(model, messages=[{"role": "user", "content": f"I am {SECRET}"}])) == 200
        bad: dict[str, Any] = {"model": "scripted"}
        assert await post(gateway, bad, "/v1/messages") == 400
    assert SECRET.encode() not in log.read_bytes()
    good, refused = read_log(log)
    assert (good.key, good.dialect, good.path, good.status) == ("agent", "openai", "/v1/chat/completions", 200)
    assert good.requests == (Generate((Message("user", "I am ***"),), 100, 1.0),)
    assert good.predictions[0].text == "You said ***"
    assert (good.usage, good.cost, good.error) == (Usage(3, 4), 0.5, None)
    assert 0 < good.latency < 60
    assert before - 1 <= datetime.fromisoformat(good.time).timestamp() <= time.time()
    assert (refused.key, refused.dialect, refused.status) == ("agent", "anthropic", 400)
    assert "max_tokens" in (refused.error or "")
    assert SECRET not in repr(Key(SECRET))


async def test_the_log_hides_a_key_that_json_writes_otherwise(tmp_path: Path) -> None:
    model, log, secret = Scripted(says("Hi.")), tmp_path / "calls.jsonl", 'qu"ote\\back'
    async with Gateway(model, keys={"agent": Key(secret)}, log=log) as gateway:
        told = body(model, messages=[{"role": "user", "content": f"my key is {secret}"}])
        assert await post(gateway, told, key=secret) == 200
    [call] = read_log(log)
    assert secret not in str(call)
    assert "my key is" in str(call)


async def test_an_echo_is_logged_and_counted(tmp_path: Path) -> None:
    model, log = NgramSource(), tmp_path / "calls.jsonl"
    async with Gateway(model, log=log) as gateway:
        asked = {"model": model.name, "prompt": "abcd", "echo": True, "logprobs": 1, "max_tokens": 0}
        assert await post(gateway, asked, "/v1/completions") == 200
        assert gateway.usage().tokens == 4
    [call] = read_log(log)
    assert call.key is None
    assert call.requests == (Echo("abcd", 1),)
    assert call.predictions == (await model.echo(Echo("abcd", 1)),)


@pytest.mark.parametrize("model", [Uniform(), Constant(text="word " * 100)], ids=lambda m: m.name)
async def test_no_call_takes_more_than_its_most(model: Model) -> None:
    for prompt in ("", "a" * 1000, "🙂" * 100, HELLO, (*HELLO * 20,)):
        request = Generate(prompt, max_tokens=50)
        used, bound = (await model.generate(request)).usage, most_usage(model, [request])
        assert used.input <= bound.input
        assert used.output <= bound.output


@pytest.mark.xdist_group("smollm2")
async def test_no_call_of_a_real_model_takes_more_than_its_most(smollm2: HuggingFaceModel) -> None:
    for prompt in ("a", "🙂 ñ 漢字", HELLO, (Message("user", ""),)):
        request = Generate(prompt, max_tokens=1)
        used, bound = (await smollm2.generate(request)).usage, most_usage(smollm2, [request])
        assert used.input <= bound.input
        assert used.output <= bound.output


def test_keys_are_read_from_a_file_that_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICE_KEY", SECRET)
    monkeypatch.delenv("BOB_KEY", raising=False)
    file = tmp_path / "keys.json"
    file.write_text('{"alice": {"key": "ALICE_KEY", "tokens": 1000, "dollars": 2.5, "seconds": 60}}')
    assert read_keys(file) == {"alice": Key(SECRET, 1000, 2.5, 60)}
    file.write_text('{"bob": {"key": "BOB_KEY"}}')
    with pytest.raises(HowgoodError, match=r"no key BOB_KEY \(for bob\) in the environment or the keyring"):
        read_keys(file)
    file.write_text('{"bob": {"key": "BOB_KEY", "token": 1}}')
    with pytest.raises(HowgoodError, match="token"):
        read_keys(file)
    with pytest.raises(HowgoodError, match="cannot read"):
        read_keys(tmp_path / "nothing.json")
    for wrong in ({"a": Key("short")}, {"a": Key(SECRET), "b": Key(SECRET)}):
        with pytest.raises(ModelError, match="no other's"):
            Gateway(Constant(), keys=wrong)
