"""What is known about servers and models by their names: addresses, keys, money, and what may be sent."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from howgood.calls.base import Settings
from howgood.core.errors import MissingExtra, ModelError, RequestError, UnknownName, Unsupported
from howgood.core.types import Generate, Message
from howgood.models.http import HTTPModel
from howgood.models.registry import load_model
from howgood.models.servers import SERVERS, Server, server_at, server_named, takes_of
from howgood.runs.plan import Options, make_plan


def http(name: str) -> HTTPModel:
    model = load_model(name)
    assert isinstance(model, HTTPModel)
    return model


@pytest.mark.parametrize(
    ("name", "url", "dialect", "key"),
    [
        ("openai/gpt-5-mini", "https://api.openai.com/v1", "openai", "OPENAI_API_KEY"),
        ("openai/gpt-5-mini,api=responses", "https://api.openai.com/v1", "responses", "OPENAI_API_KEY"),
        ("openai/gpt-5-mini,api=chat", "https://api.openai.com/v1", "openai", "OPENAI_API_KEY"),
        ("anthropic/claude-opus-5-5", "https://api.anthropic.com/v1", "anthropic", "ANTHROPIC_API_KEY"),
        (
            "google/gemini-3.8-flash",
            "https://generativelanguage.googleapis.com/v1beta",
            "google",
            "GEMINI_API_KEY",
        ),
        ("http://h/v1#m", "http://h/v1", "openai", "HOWGOOD_API_KEY"),
        ("http://h/v1#m,dialect=anthropic", "http://h/v1", "anthropic", "HOWGOOD_API_KEY"),
        ("http://h/v1#m,dialect=google", "http://h/v1", "google", "HOWGOOD_API_KEY"),
        ("http://h/v1#m,dialect=responses", "http://h/v1", "responses", "HOWGOOD_API_KEY"),
    ],
)
def test_names(name: str, url: str, dialect: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    model = http(name)
    assert (model.server.url, model.dialect, model.server.key) == (url, dialect, key)
    assert model.transport.url == url
    assert model.describe().get("dialect", "openai") == dialect


def test_bad_choices() -> None:
    for name, words in (
        ("anthropic/claude-opus-5-5,api=chat", "a choice between OpenAI's endpoints"),
        ("http://h/v1#m,dialect=google,api=responses", "a choice between OpenAI's endpoints"),
        ("http://h/v1#m,dialect=anthropic,completion=true", "takes messages alone"),
        ("http://h/v1#m,dialect=anthropic,chat=false", "takes messages alone"),
    ):
        with pytest.raises(ModelError, match=words):
            load_model(name)
    with pytest.raises(UnknownName, match="anthropic"):
        load_model("antropic/claude-opus-5-5")


class TestAzure:
    @pytest.mark.parametrize("typed", ["https://mine.openai.azure.com/", "https://mine.openai.azure.com/openai/v1/"])
    def test_its_own_form(self, typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", typed)
        model = http("azure/my-gpt")
        assert model.server.url == "https://mine.openai.azure.com/openai/v1"
        assert model.server.headers("k") == {"api-key": "k"}
        assert model.server.headers("") == {}
        assert (model.server.key, model.server.needs_key, model.paid) == ("AZURE_OPENAI_API_KEY", True, True)
        assert model.encode(Generate((Message("user", "?"),)))[1]["model"] == "my-gpt"
        assert model.takes.length == "max_completion_tokens"

    def test_where_is_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
        with pytest.raises(ModelError, match="set AZURE_OPENAI_ENDPOINT"):
            load_model("azure/my-gpt")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://k:hunter2secret@mine.openai.azure.com")
        with pytest.raises(ModelError) as caught:
            load_model("azure/my-gpt")
        assert "hunter2secret" not in str(caught.value)


def test_googles_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "x")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    assert server_named("google").key == "GOOGLE_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    assert server_named("google").key == "GEMINI_API_KEY"


@pytest.mark.parametrize(
    ("url", "paid"),
    [
        ("http://localhost:8000/v1", False),
        ("http://127.0.0.1:1/v1", False),
        ("http://[::1]:1/v1", False),
        ("http://10.1.2.3/v1", False),
        ("http://192.168.0.9/v1", False),
        ("http://169.254.1.1/v1", False),
        ("http://gpu-7:8000/v1", False),
        ("http://box.local/v1", False),
        ("http://gpu.corp.internal/v1", False),
        ("https://api.example.com/v1", True),
        ("https://localhost.example.com/v1", True),
        ("http://8.8.8.8/v1", True),
        ("http://[2001:4860:4860::8888]/v1", True),
    ],
)
def test_whether_it_costs_money(url: str, paid: bool) -> None:
    assert server_at(url).paid is paid
    assert HTTPModel("m", server_at(url), "m").paid is paid


def test_services_cost_money_and_local_servers_do_not() -> None:
    assert {name for name, server in SERVERS.items() if server.paid} == {"openai", "anthropic", "google", "openrouter"}
    assert Server("http://127.0.0.1:1/v1", provider="openai").paid


@pytest.mark.parametrize(
    ("name", "sampling", "stops", "thinking"),
    [
        ("openai/gpt-4o", True, True, None),
        ("openai/gpt-5-chat-latest", True, True, None),
        ("openai/gpt-5.4-mini", False, False, "effort"),
        ("openai/gpt-6-astra", False, False, "effort"),
        ("openai/gpt-10", False, False, "effort"),
        ("openai/o4-mini", False, False, "effort"),
        ("openrouter/openai/gpt-5", False, False, "openrouter"),
        ("openrouter/anthropic/claude-sonnet-4.5", True, True, "openrouter"),
        ("openrouter/anthropic/claude-opus-4.7", False, True, "openrouter"),
        ("openrouter/deepseek/deepseek-r1-0528", True, False, "openrouter"),
        ("anthropic/claude-3-5-sonnet-20241022", True, True, None),
        ("anthropic/claude-3-7-sonnet-latest", True, True, "budget"),
        ("anthropic/claude-sonnet-4-20250514", True, True, "budget"),
        ("anthropic/claude-opus-4-5-20251101", True, True, "budget"),
        ("anthropic/claude-sonnet-4-6", True, True, "either"),
        ("anthropic/claude-opus-4-7", False, False, "adaptive"),
        ("anthropic/claude-haiku-5-5", False, False, "adaptive"),
        ("anthropic/claude-fable-5", False, False, "adaptive"),
        ("anthropic/claude-mythos-preview", False, False, "adaptive"),
        ("anthropic/claude-instant-1", True, True, None),
        ("google/gemini-2.0-flash", True, True, None),
        ("google/gemini-2.5-flash-lite", True, False, "budget"),
        ("google/gemini-3.8-flash", True, False, "level"),
        ("google/gemini-4-argon", True, False, "level"),
        ("google/gemma-3-27b-it", True, True, None),
        ("ollama/llama3.2", True, True, "effort"),
        ("ollama/qwen3:8b", True, False, "effort"),
        ("vllm/Qwen/Qwen3-8B", True, False, "vllm"),
        ("vllm/Qwen/Qwen3-4B-Instruct-2507", True, True, "vllm"),
        ("vllm/openai/gpt-oss-20b", True, False, "vllm"),
        ("vllm/deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", True, False, "vllm"),
        ("http://h/v1#o3-look-alike", True, True, None),
        ("http://h/v1#m,dialect=anthropic", True, True, None),
        ("http://h/v1#m,effort=true", True, True, "effort"),
        ("http://h/v1#m,effort=true,dialect=anthropic", True, True, "adaptive"),
        ("http://h/v1#m,thinks=true,sampling=false", False, False, None),
        ("vllm/Qwen/Qwen3-8B,thinks=false,effort=false", True, True, None),
    ],
)
def test_what_a_model_takes(name: str, sampling: bool, stops: bool, thinking: Any) -> None:
    model = http(name)
    assert (model.takes.sampling, model.takes.stops, model.takes.thinking) == (sampling, stops, thinking)
    assert model.capabilities.effort is (thinking is not None)
    told = model.describe()
    assert ("sampling" in told, "stops" in told) == (not sampling, not stops)


@pytest.mark.parametrize(
    ("name", "can"),
    [
        ("openai/gpt-4o", {"chat", "images", "tools", "schema", "logprobs"}),
        ("openai/gpt-5", {"chat", "images", "tools", "schema", "effort"}),
        ("anthropic/claude-opus-5-5", {"chat", "images", "tools", "schema", "effort"}),
        ("google/gemini-3.8-flash", {"chat", "images", "tools", "schema", "effort"}),
        ("google/gemini-3.8-flash,logprobs=true", {"chat", "images", "tools", "schema", "effort", "logprobs"}),
        ("ollama/x", {"chat", "tools", "schema", "effort", "logprobs"}),
        (
            "vllm/x",
            {"chat", "tools", "schema", "effort", "logprobs", "completion", "loglikelihood", "loglikelihood_rolling"},
        ),
        ("vllm/x,chat=false", {"logprobs", "completion", "loglikelihood", "loglikelihood_rolling"}),
        ("http://h/v1#m", {"chat", "tools", "schema", "logprobs"}),
        ("http://h/v1#m,dialect=anthropic,images=true", {"chat", "tools", "schema", "images"}),
    ],
)
def test_capabilities(name: str, can: set[str]) -> None:
    known = http(name).capabilities
    assert {field for field in known.__struct_fields__ if getattr(known, field)} == can | {"generate", "samples"}


def test_what_is_not_sent_is_said() -> None:
    assert "seed" in http("anthropic/claude-opus-5-5").describe()
    told = http("openai/gpt-4o,api=responses").describe()
    assert {"seed", "stops"} <= set(told)
    assert {"seed", "stops", "sampling"}.isdisjoint(http("openai/gpt-4o").describe())


def test_what_it_takes_is_told_by_the_dialect_too() -> None:
    server = server_at("http://127.0.0.1:1/v1")
    assert takes_of(server, "claude-opus-5").sampling
    behind = HTTPModel("m", server, "claude-opus-5", dialect="anthropic")
    assert not behind.takes.sampling


def test_azures_name_of_an_old_model_is_no_reasoning_model() -> None:
    azure = replace(SERVERS["openai"], provider="azure")
    assert takes_of(azure, "gpt-35-turbo").sampling
    assert not takes_of(azure, "gpt-5-mini").sampling


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("http://h/v1#claude-sonnet-4-5,dialect=anthropic", Settings(thinking=500), "at least 1024 tokens"),
        ("http://h/v1#claude-sonnet-4-5,dialect=anthropic", Settings(effort="high"), "told how hard to think"),
        ("http://h/v1#m,effort=true", Settings(thinking=2000), "no thinking budget"),
        ("http://h/v1#m,effort=true,completion=true", Settings(effort="high", chat=False), "told how hard to think"),
    ],
)
def test_what_no_request_can_ask_for_is_told_before_the_run(name: str, settings: Settings, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        make_plan("quickstart-word-problems", http(name), {}, Options(settings=settings))


class TestLiteLLM:
    def test_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import importlib.util

        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "litellm" else find(name))
        with pytest.raises(MissingExtra, match=r"pip install 'howgood\[litellm\]'"):
            load_model("litellm/bedrock/x")

    async def test_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Against a server of our own, through litellm's own client."""
        pytest.importorskip("litellm", reason="needs the extra `litellm`")
        from exchanges import PLAIN
        from openai_server import chat, serve

        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
        async with serve(chat("42", reasoning_content="six sevens")) as server:
            monkeypatch.setenv("OPENAI_API_BASE", server.url)
            model = load_model("litellm/openai/gpt-4o")
            got = await model.generate(PLAIN)
            with pytest.raises(Unsupported):
                await model.generate(Generate("raw"))
        assert (got.text, got.stop_reason, got.usage.input) == ("42", "stop", 10)
        assert server.seen[0].body["messages"] == [{"role": "user", "content": "6 x 7?"}]
        assert model.paid

    async def test_its_errors_hold_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("litellm", reason="needs the extra `litellm`")
        from exchanges import PLAIN
        from openai_server import leak, serve

        monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
        async with serve(leak(401)) as server:
            monkeypatch.setenv("OPENAI_API_BASE", server.url)
            with pytest.raises(RequestError, match="is wrong") as caught:
                await load_model("litellm/openai/gpt-4o").generate(PLAIN)
        assert caught.value.fatal
        assert "sk-planted-0123456789" not in str(caught.value)
