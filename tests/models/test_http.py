"""The HTTP path against a real server: what is sent, what is read, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback
from email.utils import formatdate
from typing import Any

import pytest
from openai_server import chat, cut, echo, error, json_reply, leak, raw, redirect, serve, slow, text

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.types import Generate, Image, Loglikelihood, Message, Prediction, Rolling, Text, Usage
from howgood.models import transport
from howgood.models.dialects.echo import Scores, first_scored
from howgood.models.http import HTTPModel
from howgood.models.reference import NgramSource
from howgood.models.servers import SERVERS, Server, server_at

KEY = "sk-planted-0123456789abcdef"
QUESTION = Generate((Message("user", "6 x 7?"),), max_tokens=32)
ZERO = {"prompt_tokens": 0, "completion_tokens": 0}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.01)
    for name in ("HOWGOOD_API_KEY", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def local(url: str, **options: Any) -> HTTPModel:
    return HTTPModel(f"{url}#m", server_at(url), "m", **options)


async def ask(model: HTTPModel, request: Generate = QUESTION) -> Prediction:
    try:
        return await model.generate(request)
    finally:
        await model.close()


async def failure(model: HTTPModel, request: Generate = QUESTION) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await ask(model, request)
    return caught.value


class TestReading:
    async def test_answer_usage_and_latency(self) -> None:
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 20},
        }
        async with serve(slow(0.05, chat("42", usage=usage))) as server:
            got = await ask(local(server.url))
        assert (got.text, got.stop_reason, got.reasoning) == ("42", "stop", None)
        assert got.usage == Usage(input=100, output=30, cached=64, reasoning=20)
        assert 0.05 <= got.latency < 5
        assert got.cost is None  # nobody knows what this server charges
        assert len(server.seen) == 1
        assert server.seen[0].body == {
            "model": "m",
            "messages": [{"role": "user", "content": "6 x 7?"}],
            "max_tokens": 32,
            "temperature": 0.0,
        }
        assert "Authorization" not in server.seen[0].headers

    @pytest.mark.parametrize("wrong", [10**19, 2**53 + 1, 10**400, -7, True, 1.5, "9", [1]])
    async def test_token_counts_that_cannot_be_are_unknown(self, wrong: Any) -> None:
        used = {"prompt_tokens": wrong, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": wrong}}
        async with serve(chat(usage=used), chat(usage=used | {"prompt_tokens": 2**53})) as server:
            assert (await ask(local(server.url))).usage == Usage(output=3)
            assert (await ask(local(server.url))).usage == Usage(input=2**53, output=3)

    @pytest.mark.parametrize("wrong", [-140, True, "free", 10**400, [1]])
    async def test_costs_that_cannot_be_are_unknown(self, wrong: Any) -> None:
        used = {"prompt_tokens": 1, "completion_tokens": 1, "cost": wrong}
        async with serve(chat(usage=used)) as server:
            assert (await ask(local(server.url))).cost is None

    @pytest.mark.parametrize(
        ("finish", "reason"),
        [("stop", "stop"), ("length", "length"), ("content_filter", "filter"), ("tool_calls", "tool"), ("odd", None)],
    )
    async def test_finish_reasons(self, finish: str, reason: str | None) -> None:
        async with serve(chat("x", finish)) as server:
            assert (await ask(local(server.url))).stop_reason == reason

    async def test_refusal(self) -> None:
        async with serve(chat(None, "stop", refusal="I cannot help.")) as server:
            got = await ask(local(server.url))
        assert (got.text, got.stop_reason) == ("I cannot help.", "refusal")

    @pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
    async def test_thinking_is_kept_apart(self, name: str) -> None:
        async with serve(chat("42", **{name: "six sevens"})) as server:
            got = await ask(local(server.url))
        assert (got.text, got.reasoning) == ("42", "six sevens")

    async def test_a_budget_that_ends_inside_the_thinking(self) -> None:
        async with serve(chat(None, "length", reasoning="so let me")) as server:
            got = await ask(local(server.url))
        assert (got.text, got.stop_reason, got.reasoning) == ("", "length", "so let me")

    async def test_raw_text_and_stop_strings(self) -> None:
        request = Generate("Q: 6 x 7?\nA:", max_tokens=8, stop=("\n", "a", "b", "c", "Q:"), temperature=0.5, seed=3)
        async with serve(text(" 42 Q: and more", "length")) as server:
            got = await ask(local(server.url, completion=True), request)
        assert (got.text, got.stop_reason) == (" 42 ", "stop")
        assert server.seen[0].path == "/v1/completions"
        assert server.seen[0].body == {
            "model": "m",
            "prompt": "Q: 6 x 7?\nA:",
            "max_tokens": 8,
            "temperature": 0.5,
            "stop": ["\n", "a", "b", "c"],
            "seed": 3,
        }

    async def test_images_go_as_data_urls(self) -> None:
        parts = (Text("What is it?"), Image(b"\x89PNG", "image/png"))
        async with serve(chat()) as server:
            await ask(local(server.url, images=True), Generate((Message("user", parts),)))
            with pytest.raises(Unsupported, match="images=true"):
                await ask(local(server.url), Generate((Message("user", parts),)))
        assert len(server.seen) == 1
        assert server.seen[0].body["messages"][0]["content"] == [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        ]

    async def test_raw_text_is_never_passed_off_as_a_chat(self) -> None:
        async with serve(chat()) as server:
            with pytest.raises(Unsupported, match="completion=true"):
                await ask(local(server.url), Generate("raw"))
            with pytest.raises(Unsupported, match="chat=false"):
                await ask(local(server.url, chat=False))
        assert server.seen == []


class TestOpenAI:
    """What is different for the hosted models, on a server of our own."""

    async def test_price_length_field_and_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 500}}
        async with serve(chat("B", usage=usage)) as server:
            model = HTTPModel("openai/gpt-4o", Server(server.url, "OPENAI_API_KEY", True, "openai"), "gpt-4o")
            got = await ask(model)
        # $2.50, $1.25 (cached) and $10 a million tokens: https://openai.com/api/pricing
        assert got.cost == pytest.approx(500 * 2.5e-6 + 500 * 1.25e-6 + 100 * 1e-5)
        assert server.seen[0].body["max_completion_tokens"] == 32
        assert "max_tokens" not in server.seen[0].body
        assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"

    async def test_reasoning_models_take_no_sampling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        async with serve(chat("42\nQ: next")) as server:
            model = HTTPModel("openai/gpt-5-mini", Server(server.url, "OPENAI_API_KEY", True, "openai"), "gpt-5-mini")
            got = await ask(model, Generate(QUESTION.prompt, max_tokens=9, stop=("\nQ:",)))
        assert set(server.seen[0].body) == {"model", "messages", "max_completion_tokens"}
        assert (got.text, got.stop_reason) == ("42", "stop")
        assert "sampling" in model.describe()

    @pytest.mark.parametrize(
        ("name", "sampling"),
        [("gpt-4o", True), ("gpt-5-chat-latest", True), ("gpt-5-mini", False), ("o3", False), ("omni", True)],
    )
    def test_which_models_those_are(self, name: str, sampling: bool) -> None:
        assert HTTPModel(f"openai/{name}", SERVERS["openai"], name).takes.sampling is sampling

    async def test_no_key_no_request(self) -> None:
        async with serve(chat()) as server:
            model = HTTPModel("openai/gpt-4o", Server(server.url, "OPENAI_API_KEY", True, "openai"), "gpt-4o")
            got = await failure(model)
        assert got.fatal
        assert "set OPENAI_API_KEY" in str(got)
        assert server.seen == []

    async def test_a_filtered_prompt_is_an_outcome(self) -> None:
        async with serve(error(400, "the policy", code="content_filter")) as server:
            got = await ask(local(server.url))
        assert got.stop_reason == "filter"
        assert len(server.seen) == 1

    @pytest.mark.parametrize(
        ("model", "provider", "cost"), [("gpt-4o", "openai", 0.0), ("x", "openai", None), ("x", "local", 0)]
    )
    async def test_a_filtered_prompt_costs_nothing_where_a_price_is_known(
        self, model: str, provider: str, cost: float | None
    ) -> None:
        async with serve(error(400, "the policy", code="content_filter")) as server:
            got = await ask(HTTPModel(f"openai/{model}", Server(server.url, provider=provider), model))
        assert (got.stop_reason, got.cost) == ("filter", cost)

    async def test_cost_that_the_server_tells(self) -> None:
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "cost": 0.00125}
        async with serve(chat(usage=usage), chat(usage=ZERO)) as server:
            assert (await ask(local(server.url))).cost == 0.00125
            assert (await ask(local(server.url))).cost is None


class TestRetries:
    async def test_429_waits_as_long_as_it_is_told(self) -> None:
        async with serve(error(429, "slow down", {"Retry-After": "0.3"}), chat()) as server:
            started = time.monotonic()
            got = await ask(local(server.url))
            waited = time.monotonic() - started
        assert got.text == "42"
        assert len(server.seen) == 2
        assert waited >= 0.3
        assert got.latency < waited - 0.25  # waiting is not the model's latency

    async def test_retry_after_as_a_date(self) -> None:
        when = int(time.time()) + 2
        async with serve(error(429, headers={"Retry-After": formatdate(when, usegmt=True)}), chat()) as server:
            await ask(local(server.url))
        assert time.time() >= when
        assert len(server.seen) == 2

    async def test_too_long_a_wait_is_not_waited(self) -> None:
        async with serve(error(429, "daily limit", {"Retry-After": "3600"})) as server:
            got = await failure(local(server.url))
        assert len(server.seen) == 1
        assert "3600 s" in str(got)
        assert not got.fatal

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
    async def test_passing_faults_pass(self, status: int) -> None:
        async with serve(error(status), error(status), chat()) as server:
            assert (await ask(local(server.url))).text == "42"
        assert len(server.seen) == 3

    async def test_lasting_faults_end(self) -> None:
        async with serve(error(500, "the engine is dead")) as server:
            got = await failure(local(server.url))
        assert len(server.seen) == transport.TRIES == 5
        assert "500" in str(got)
        assert "the engine is dead" in str(got)
        assert not got.fatal

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (raw("{oops"), "not JSON"),
            (raw("<html>Welcome</html>", "text/html"), "text/html"),
            (json_reply({"choices": []}), "list of choices is empty"),
            (json_reply({"choices": [{}]}), "no answer"),
            (json_reply({"choices": [{"message": {"content": {"a": 1}}}]}), "another form"),
            (json_reply([1, 2]), "another form"),
            (chat("half an ans", "error"), "broke generation off"),
            (json_reply({"error": {"message": "upstream is down", "code": 502}}), "upstream is down"),
            (cut, "broke the connection"),
        ],
    )
    async def test_no_answer_is_made_of_garbage(self, reply: Any, words: str) -> None:
        async with serve(reply) as server:
            got = await failure(local(server.url))
        assert len(server.seen) == 5
        assert words in str(got)
        assert not got.fatal

    @pytest.mark.parametrize("reply", [raw("{oops"), cut, json_reply({"choices": []})])
    async def test_garbage_once_is_tried_again(self, reply: Any) -> None:
        async with serve(reply, chat()) as server:
            assert (await ask(local(server.url))).text == "42"
        assert len(server.seen) == 2

    async def test_hang(self) -> None:
        async with serve(slow(40, chat())) as server:
            got = await failure(local(server.url, timeout=0.1))
        assert len(server.seen) == 5
        assert "within 0.1 s" in str(got)
        assert not got.fatal

    async def test_too_large_a_reply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "LONGEST_REPLY", 2**20)
        async with serve(raw(" " * 2**21)) as server:
            got = await failure(local(server.url))
        assert len(server.seen) == 1
        assert "1 MB" in str(got)


class TestPermanent:
    @pytest.mark.parametrize(
        ("status", "fatal"),
        [(400, False), (401, True), (402, True), (403, True), (404, True), (413, False), (422, False)],
    )
    async def test_at_once_in_the_servers_words(self, status: int, fatal: bool) -> None:
        async with serve(error(status, "these are its words")) as server:
            got = await failure(local(server.url))
        assert len(server.seen) == 1
        assert got.fatal is fatal
        assert f"answered {status}" in str(got)
        assert "these are its words" in str(got)

    async def test_context_length(self) -> None:
        words = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
        async with serve(error(400, words, code="context_length_exceeded")) as server:
            got = await failure(local(server.url))
        assert words in str(got)
        assert not got.fatal
        assert len(server.seen) == 1

    async def test_an_account_without_money(self) -> None:
        async with serve(error(429, "You exceeded your current quota", code="insufficient_quota")) as server:
            got = await failure(local(server.url))
        assert got.fatal
        assert len(server.seen) == 1

    @pytest.mark.parametrize("body", [{"detail": "fastapi's form"}, {"error": "ollama's form"}, {"message": "a form"}])
    async def test_other_forms_of_errors(self, body: dict[str, str]) -> None:
        async with serve(json_reply(body, 400)) as server:
            got = await failure(local(server.url))
        assert next(iter(body.values())) in str(got)

    async def test_words_are_bounded_and_one_line(self) -> None:
        async with serve(error(400, "long\nwords " * 10_000)) as server:
            got = await failure(local(server.url))
        assert len(str(got)) < 500
        assert "\n" not in str(got)

    async def test_words_hold_no_control_characters(self) -> None:
        async with serve(error(400, "\x1b[2J\x1b]0;owned\x07 \x9b31m \u202egnp.exe " + "words " * 10**5)) as server:
            got = await failure(local(server.url))
        assert str(got).isprintable()
        assert "words" in str(got)

    async def test_unreachable(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        got = await failure(local(f"http://127.0.0.1:{port}/v1"))
        assert got.fatal
        assert f"no server answers at http://127.0.0.1:{port}; is it running? (tried 5 times)" in str(got)

    async def test_no_tls_on_the_other_side(self) -> None:
        async with serve(chat()) as server:
            got = await failure(local(server.url.replace("http:", "https:")))
        assert got.fatal
        assert server.seen == []

    async def test_redirects_are_not_followed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOWGOOD_API_KEY", KEY)
        async with serve(chat()) as thief, serve(redirect(f"{thief.url}/chat/completions")) as server:
            got = await failure(local(server.url))
        assert got.fatal
        assert thief.url in str(got)
        assert len(server.seen) == 1
        assert thief.seen == []


class TestCheck:
    """Whether a model can be called is known before anything is sent."""

    async def test_a_server_that_is_there(self) -> None:
        async with serve(chat()) as server:
            await local(server.url).check()
            assert server.seen == []

    async def test_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve(chat()) as server:
            model = HTTPModel("openai/gpt-4o", Server(server.url, "OPENAI_API_KEY", needs_key=True), "gpt-4o")
            with pytest.raises(ModelError) as caught:
                await model.check()
            assert str(caught.value) == "openai/gpt-4o needs an API key: set OPENAI_API_KEY in the environment"
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            await model.check()

    async def test_no_server(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ModelError) as caught:
            await local(f"{place}/v1").check()
        assert str(caught.value) == f"{place}/v1#m: no server answers at {place}; is it running?"

    @pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70])
    async def test_no_host(self, host: str) -> None:
        with pytest.raises(ModelError, match=f"the name {host} leads to no host"):
            await local(f"http://{host}:8000/v1").check()

    async def test_a_server_that_takes_no_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "LONGEST_KNOCK", 0.2)
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for one in (first, second):
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            with pytest.raises(ModelError, match="no server answers"):
                await local(f"http://127.0.0.1:{full.getsockname()[1]}/v1").check()

    async def test_through_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with serve(chat()) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            await local("http://models.invalid/v1").check()
        monkeypatch.setenv("http_proxy", f"http://me:{KEY}@127.0.0.1:9")
        with pytest.raises(ModelError, match=r"the proxy 127\.0\.0\.1:9 does not answer") as caught:
            await local("http://models.invalid/v1").check()
        assert KEY not in str(caught.value)

    async def test_other_models_need_nothing(self) -> None:
        await NgramSource("source").check()


class TestSecrets:
    @pytest.mark.parametrize("reply", [leak(401), leak(400), leak(500), raw(KEY), redirect(f"http://x/{KEY}"), cut])
    async def test_the_key_shows_nowhere(
        self, reply: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("HOWGOOD_API_KEY", KEY)
        with caplog.at_level(logging.DEBUG):
            async with serve(reply) as server:
                model = local(server.url)
                with pytest.raises(RequestError) as caught:
                    await model.generate(QUESTION)
                held = repr(vars(model)) + repr(vars(model.transport)) + repr(model) + repr(model.describe())
                await model.close()
        assert server.seen[0].headers["Authorization"] == f"Bearer {KEY}"
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert KEY not in told
        assert KEY not in held
        assert KEY not in caplog.text

    @pytest.mark.parametrize("url", [f"http://user:{KEY}@h/v1", f"https://h/v1?key={KEY}", f"http://{KEY}@h/v1"])
    def test_urls_with_secrets(self, url: str) -> None:
        with pytest.raises(ModelError, match="HOWGOOD_API_KEY") as caught:
            server_at(url)
        assert KEY not in str(caught.value)

    @pytest.mark.parametrize("key", ["ключ-секрет", "two\nlines-of-key"])
    async def test_keys_that_are_none(self, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOWGOOD_API_KEY", key)
        async with serve(chat()) as server:
            got = await failure(local(server.url))
        assert got.fatal
        assert key not in str(got)
        assert server.seen == []

    @pytest.mark.parametrize("url", ["ftp://h/v1", "http://", "http://h:99999/v1", "localhost:8000/v1", "http://h:x/"])
    def test_urls_that_are_none(self, url: str) -> None:
        with pytest.raises(ModelError, match="has the form"):
            server_at(url)


class TestScoring:
    """A server that scores with a source whose probabilities are known must give the source's own numbers."""

    source = NgramSource("source", alphabet="ab c", order=3, seed=1)

    async def test_continuations(self) -> None:
        request = Loglikelihood("abcab", (" a", " bcca", "c"))
        truth = await self.source.loglikelihood(request)
        async with serve(echo(self.source)) as server:
            model = local(server.url, logprobs=True)
            got = await model.loglikelihood(request)
            await model.close()
        assert len(server.seen) == 3
        for mine, its in zip(got.likelihoods, truth.likelihoods, strict=True):
            assert mine.logprob == pytest.approx(its.logprob, abs=1e-12)
            assert (mine.tokens, mine.greedy) == (its.tokens, its.greedy)
        assert got.usage.input == sum(5 + len(c) for c in request.continuations)
        assert got.usage.output == 3

    async def test_greedy_is_told(self) -> None:
        written = await self.source.generate(Generate("ab", max_tokens=4))
        assert written.text is not None
        async with serve(echo(self.source)) as server:
            model = local(server.url, logprobs=True)
            got = await model.loglikelihood(Loglikelihood("ab", (written.text, written.text[:-1] + " ")))
            await model.close()
        assert got.likelihoods[0].greedy
        assert not got.likelihoods[1].greedy or written.text.endswith(" ")

    async def test_spaces_at_the_end_of_the_prompt_belong_to_the_next_token(self) -> None:
        def words(whole: str) -> list[str]:
            return [whole[:3], whole[3:]]

        async with serve(echo(self.source, split=words)) as server:
            model = local(server.url, logprobs=True)
            got = await model.loglikelihood(Loglikelihood("abc ", ("ba",)))
            await model.close()
        truth = await self.source.loglikelihood(Loglikelihood("abc", (" ba",)))
        assert got.likelihoods[0].logprob == pytest.approx(truth.likelihoods[0].logprob, abs=1e-12)
        assert got.likelihoods[0].tokens == 1

    @pytest.mark.parametrize("offsets", [True, False])
    async def test_a_token_over_the_boundary_is_an_error(self, offsets: bool) -> None:
        async with serve(echo(self.source, split=lambda t: [t[:2], t[2:5], t[5:]], offsets=offsets)) as server:
            model = local(server.url, logprobs=True)
            with pytest.raises(RequestError, match=r"'cab' reaches from the context") as caught:
                await model.loglikelihood(Loglikelihood("abc", ("ab", "ba")))
            await model.close()
        assert not caught.value.fatal
        assert 1 <= len(server.seen) <= 2

    async def test_rolling_after_a_bos_token(self) -> None:
        whole = "abcab ccab"
        truth = await self.source.loglikelihood_rolling(Rolling(whole))
        async with serve(echo(self.source, bos="<s>")) as server:
            model = local(server.url, logprobs=True)
            got = await model.loglikelihood_rolling(Rolling(whole, max_length=10))
            with pytest.raises(Unsupported, match="10 tokens where windows of 9"):
                await model.loglikelihood_rolling(Rolling(whole, max_length=9))
            await model.close()
        assert got.likelihoods[0].logprob == pytest.approx(truth.likelihoods[0].logprob, abs=1e-12)
        assert got.likelihoods[0].tokens == 10

    async def test_rolling_needs_something_before_the_first_token(self) -> None:
        async with serve(echo(self.source)) as server:
            model = local(server.url, logprobs=True)
            with pytest.raises(RequestError, match="prefix=") as caught:
                await model.loglikelihood_rolling(Rolling("abca"))
            await model.close()
            model = local(server.url, logprobs=True, prefix="c")
            got = await model.loglikelihood_rolling(Rolling("abca"))
            await model.close()
        assert caught.value.fatal
        truth = await self.source.loglikelihood(Loglikelihood("c", ("abca",)))
        assert got.likelihoods[0].logprob == pytest.approx(truth.likelihoods[0].logprob, abs=1e-12)
        assert server.seen[-1].body["prompt"] == "cabca"

    @pytest.mark.parametrize(
        "logprobs",
        [
            None,
            {"content": [{"token": "!", "logprob": -0.1}]},
            {"tokens": ["!"], "token_logprobs": [-0.1], "top_logprobs": [{"!": -0.1}]},
        ],
    )
    async def test_a_server_that_does_not_echo_is_found_out(self, logprobs: Any) -> None:
        """llama.cpp's server scores only what it generates, so every choice would have the same score."""
        body = {"choices": [{"text": "!", "logprobs": logprobs}], "usage": {"completion_tokens": 1}}
        async with serve(json_reply(body)) as server:
            model = local(server.url, logprobs=True)
            with pytest.raises(RequestError, match="no log-probabilities of the prompt") as caught:
                await model.loglikelihood(Loglikelihood("a", ("b", "c")))
            await model.close()
        assert caught.value.fatal
        assert 1 <= len(server.seen) <= 2

    async def test_continuations_go_at_once(self) -> None:
        request = Loglikelihood("abcab", (" a", "b", "c", "a"))
        async with serve(*[slow(pause, echo(self.source)) for pause in (0.4, 0.4, 0.6, 0.4)]) as server:
            model = local(server.url, logprobs=True)
            started = time.monotonic()
            got = await model.loglikelihood(request)
            took = time.monotonic() - started
            await model.close()
        assert server.most_at_once == 4
        assert 0.6 <= got.latency <= took
        assert got.usage == Usage(input=7 + 3 * 6, output=4)

    async def test_when_one_fails_the_others_are_let_go(self) -> None:
        async with serve(slow(0.05, error(400, "no")), slow(40, chat())) as server:
            model = local(server.url, logprobs=True)
            started = time.monotonic()
            with pytest.raises(RequestError, match="answered 400"):
                await model.loglikelihood(Loglikelihood("a", ("b", "c")))
            await asyncio.sleep(0.1)
            assert not [task for task in asyncio.all_tasks() if "HTTPModel._ask_scores" in repr(task)]
            await model.close()
        assert time.monotonic() - started < 20

    async def test_what_cannot_be_scored_is_said_before_anything_is_sent(self) -> None:
        async with serve(chat()) as server:
            plain, able = local(server.url), local(server.url, logprobs=True)
            assert not plain.capabilities.loglikelihood
            with pytest.raises(Unsupported):
                await plain.loglikelihood(Loglikelihood("a", ("b",)))
            with pytest.raises(Unsupported):
                await plain.loglikelihood_rolling(Rolling("a"))
            with pytest.raises(Unsupported, match="raw text only"):
                await able.loglikelihood(Loglikelihood((Message("user", "a"),), ("b",)))
        assert server.seen == []


def scores(tokens: list[str], offsets: list[int] | None = None, first: float | None = None) -> Scores:
    logprobs = [first, *[-1.0] * (len(tokens) - 1)]
    return Scores(tokens, logprobs, [None] * len(tokens), offsets or [])


class TestBoundary:
    @pytest.mark.parametrize(
        ("tokens", "offsets", "text", "start", "first"),
        [
            (["The", " cat", " sat"], [], "The cat sat", 7, 2),
            (["<s>", "The", " cat", " sat"], [0, 3, 6, 10], "The cat sat", 7, 3),
            (["", "The", " cat"], [], "The cat", 0, 1),  # a BOS token without text is not scored
            (["\ufffd", "\ufffd", "\ufffd", " ok"], [], "火 ok", 1, 3),  # a broken character before the boundary
            (["ok", " \ufffd", "\ufffd", "!"], [], "ok 火!", 2, 1),  # and one after it
            (["a", "", "", "火"], [], "a火", 1, 1),  # pieces without text belong to the character they begin
            (["火", "\ufffd", "\ufffd"], [0, 1, 1], "火山", 1, 1),
            (["\ufffd", "\ufffd", " ", "\ufffd", "\ufffd"], [0, 0, 1, 2, 2], "火 山", 2, 3),
        ],
    )
    def test_found(self, tokens: list[str], offsets: list[int], text: str, start: int, first: int) -> None:
        assert first_scored(scores(tokens, offsets), text, start) == first

    @pytest.mark.parametrize(
        ("tokens", "offsets", "text", "start", "words"),
        [
            (["The c", "at"], [], "The cat", 3, "'The c' reaches"),
            (["The c", "at", "\ufffd"], [], "The cat火", 3, "'The c' reaches"),
            (["\ufffd", "\ufffd", " c", "at"], [], "火 cat", 2, "' c' reaches"),
            (["\ufffd", " c", "a", "\ufffd"], [0, 1, 3, 4], "火 ca火", 2, "' c' reaches"),
            (["\ufffd", "\ufffd", " ", "\ufffd", "\ufffd"], [], "火 山", 2, "do not join"),  # nothing to go by
            (["\ufffd", "\ufffd", " ", "\ufffd", "\ufffd"], [0, 1, 2, 3, 4], "火 山", 2, "do not join"),  # wrong
            (["other", "text"], [0, 5], "The cat", 3, "do not join"),
            (["\ufffd", "\ufffd"], [5, 6], "火山", 1, "do not join"),  # nothing stands before the boundary
        ],
    )
    def test_never_guessed(self, tokens: list[str], offsets: list[int], text: str, start: int, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            first_scored(scores(tokens, offsets), text, start)


class TestConnections:
    async def test_concurrency_is_kept(self) -> None:
        async with serve(slow(0.02, chat())) as server:
            model = local(server.url, concurrency=3)
            await asyncio.gather(*(model.generate(QUESTION) for _ in range(12)))
            await model.close()
        assert len(server.seen) == 12
        assert server.most_at_once == 3

    def test_one_model_in_two_event_loops(self) -> None:
        model: list[HTTPModel] = []

        async def once(url: str | None = None) -> str | None:
            async with serve(chat("again")) as server:
                model[:] = model or [local(server.url)]
                model[0].transport.url = server.url
                return (await model[0].generate(QUESTION)).text

        assert asyncio.run(once()) == "again"
        assert asyncio.run(once()) == "again"

    async def test_a_closed_model_can_be_used_again(self) -> None:
        async with serve(chat()) as server:
            model = local(server.url)
            assert (await ask(model)).text == (await ask(model)).text == "42"

    async def test_no_proxy_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with serve(chat()) as server:
            assert (await ask(local(server.url))).text == "42"
            monkeypatch.setenv("no_proxy", "elsewhere")
            assert "127.0.0.1:9" in str(await failure(local(server.url)))
        assert len(server.seen) == 1


def test_bad_options() -> None:
    for options in ({"concurrency": 0}, {"timeout": 0.0}, {"timeout": float("nan")}):
        with pytest.raises(ModelError, match="concurrency"):
            local("http://127.0.0.1:1/v1", **options)
