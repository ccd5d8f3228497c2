"""Names of models: every form leads to its class, options have types, and a slip gets a suggestion."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from howgood.core.errors import HowgoodError, ModelError, UnknownName
from howgood.models import registry
from howgood.models.base import Model
from howgood.models.http import HTTPModel
from howgood.models.reference import Constant, Echo, FittedNgram, NgramSource, Random, Uniform
from howgood.models.registry import NAMED, canonical_model, known_models, load_model


def http(name: str) -> HTTPModel:
    model = load_model(name)
    assert isinstance(model, HTTPModel)
    assert model.name == name
    return model


@pytest.mark.parametrize(
    ("name", "url", "model"),
    [
        ("openai/gpt-4o", "https://api.openai.com/v1", "gpt-4o"),
        ("openrouter/anthropic/claude-sonnet-4", "https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4"),
        ("vllm/meta-llama/Llama-3.1-8B", "http://localhost:8000/v1", "meta-llama/Llama-3.1-8B"),
        ("ollama/llama3.2:1b", "http://localhost:11434/v1", "llama3.2:1b"),
        ("http://127.0.0.1:8080/v1#org/name", "http://127.0.0.1:8080/v1", "org/name"),
        ("https://[::1]:8080/v1/#m", "https://[::1]:8080/v1", "m"),
    ],
)
def test_servers(name: str, url: str, model: str) -> None:
    made = http(name)
    assert (made.server.url, made.model) == (url, model)
    assert made.describe()["server"] == url


@pytest.mark.parametrize(
    ("name", "chat", "completion", "scores", "images"),
    [
        ("openai/gpt-4o", True, False, False, True),
        ("ollama/x", True, False, False, False),
        ("vllm/x", True, True, True, False),
        ("vllm/x,chat=false", False, True, True, False),
        ("vllm/x,logprobs=false", True, True, False, False),
        ("http://h/v1#x", True, False, False, False),
        ("http://h/v1#x,logprobs=true,images=true", True, True, True, True),
        ("http://h/v1#x,chat=false", False, True, False, False),
    ],
)
def test_what_a_server_can_do_is_known_before_it_is_called(
    name: str, chat: bool, completion: bool, scores: bool, images: bool
) -> None:
    can = http(name).capabilities
    assert can.generate
    assert (can.chat, can.completion, can.loglikelihood, can.images) == (chat, completion, scores, images)
    assert can.loglikelihood_rolling == scores


def test_options_have_types() -> None:
    model = http("vllm/x,concurrency=4,timeout=2.5,prefix=<|endoftext|>,length_field=max_completion_tokens")
    assert (model.concurrency, model.prefix, model.takes.length) == (4, "<|endoftext|>", "max_completion_tokens")
    uniform = load_model("reference/uniform,vocabulary=1000,seed=3")
    assert isinstance(uniform, Uniform)
    assert (uniform.vocabulary, uniform.seed) == (1000, 3)


def test_reference_models(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("text")
    for name, kind in (
        ("reference/uniform", Uniform),
        ("reference/ngram,order=3,alphabet=xyz", NgramSource),
        (f"reference/fitted,file={tmp_path / 't.txt'}", FittedNgram),
        ("reference/constant,text=a = b", Constant),
        ("reference/echo", Echo),
        ("reference/random,seed=4", Random),
    ):
        model = load_model(name)
        assert type(model) is kind
        assert model.name == name
    constant = load_model("reference/constant,text=a = b")
    assert isinstance(constant, Constant)
    assert constant.text == "a = b"


def test_replay(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"qid": 1, "output": "x"}\n')
    assert load_model(f"replay/{path},id=qid").describe()["by"] == "qid"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf/org/name,revision=abc,dtype=float16", ("org/name", None, "abc")),
        ("hf//some/folder", ("/some/folder", None, None)),
        ("gguf/org/repository/model.gguf", ("org/repository", "model.gguf", None)),
        ("gguf/model.gguf", (".", "model.gguf", None)),
    ],
)
def test_local_models(name: str, expected: tuple[Any, ...]) -> None:
    from howgood.models.huggingface import HuggingFaceModel

    model = load_model(name)
    assert isinstance(model, HuggingFaceModel)
    assert model.name == name
    assert model._source == expected


def test_paths_mean_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    (tmp_path / "a.jsonl").write_text('{"id": 1, "output": "x"}\n')
    (tmp_path / "text").write_text("text")
    monkeypatch.chdir(tmp_path / "sub")
    (tmp_path / "sub" / "checkpoint").mkdir()
    names = {
        "hf/./checkpoint,dtype=float16": f"hf/{tmp_path}/sub/checkpoint,dtype=float16",
        "hf/checkpoint": f"hf/{tmp_path}/sub/checkpoint",
        "hf/../m.gguf": f"hf/{tmp_path}/m.gguf",
        "gguf/../m.gguf": f"gguf/{tmp_path}/m.gguf",
        "replay/../a.jsonl,text=output": f"replay/{tmp_path}/a.jsonl,text=output",
        "reference/fitted,order=2,file=../text": f"reference/fitted,order=2,file={tmp_path}/text",
    }
    made = {name: load_model(name).name for name in names}
    assert made == names
    monkeypatch.chdir("/")
    assert {name: load_model(name).name for name in names.values()} == {name: name for name in names.values()}


@pytest.mark.parametrize(
    "name",
    [
        "hf/org/name,revision=a",
        "gguf/org/repo/f.gguf",
        "http://h/v1#./m",
        "openai/gpt-4o",
        "smollm2",
        "reference/echo",
        "hf/",
    ],
)
def test_other_names_are_canonical(name: str) -> None:
    assert canonical_model(name) == name


def test_a_path_that_no_name_can_hold_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a,b").mkdir()
    monkeypatch.chdir(tmp_path / "a,b")
    assert canonical_model("hf/./checkpoint,dtype=float16") == "hf/./checkpoint,dtype=float16"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("gpt-4", "openai/gpt-4"),
        ("o3", "openai/o3"),
        ("o1-mini", "openai/o1-mini"),
        ("chatgpt-4o-latest", "openai/chatgpt-4o-latest"),
        ("Qwen/Qwen3-0.6B", "hf/Qwen/Qwen3-0.6B"),
        ("meta-llama/Llama-3.1-8B", "hf/meta-llama/Llama-3.1-8B"),
        ("openai-community/gpt2", "hf/openai-community/gpt2"),
        ("OpenAI/gpt-4", "openai/gpt-4"),
        ("refrence/uniform", "reference/uniform"),
        ("gpt2", "hf/gpt2"),
        ("llama3", "hf/llama3"),
        ("a/b/c", "hf/a/b/c"),
    ],
)
def test_what_a_slip_most_likely_meant(name: str, first: str) -> None:
    with pytest.raises(UnknownName) as caught:
        load_model(name)
    assert re.search(r"Did you mean ([^ ?]+)", str(caught.value))[1] == first  # type: ignore[index]


def test_an_unknown_reference_names_the_references() -> None:
    with pytest.raises(UnknownName) as caught:
        load_model("reference/nope")
    said = str(caught.value)
    assert all(name in said for name in NAMED if name.startswith("reference/"))
    assert "vllm" not in said


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("reference/")])
def test_help_says_what_a_model_can_do(name: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("text")
    can = load_model(name + (f",file={tmp_path / 't'}" if name.endswith("fitted") else "")).capabilities
    words = NAMED[name].help
    assert can.generate is ("writes" in words)
    assert can.loglikelihood is ("scores" in words)
    assert NAMED["reference/random"].help.endswith("only scores them")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smolm2", "Did you mean smollm2"),
        ("gpt2", "Did you mean hf/gpt2"),
        ("org/name-7b", "hf/org/name-7b"),
        ("opnai/gpt-5", "Did you mean openai/gpt-5"),
        ("reference/unifrm", "Did you mean reference/uniform"),
        ("", "howgood list --models"),
        ("reference/", "there is no model"),
    ],
)
def test_unknown_names(name: str, words: str) -> None:
    with pytest.raises(UnknownName, match="there is no model") as caught:
        load_model(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("vllm/x,concurency=3", UnknownName, "Did you mean concurrency"),
        ("vllm/x,server=y", UnknownName, "no model option 'server'"),
        ("gguf/m.gguf,gguf_file=other", UnknownName, "no model option 'gguf_file'"),
        ("reference/echo,seed=1", UnknownName, "reference/echo takes none"),
        ("vllm/x,concurrency=many", HowgoodError, "concurrency takes int, not 'many'"),
        ("vllm/x,chat=maybe", HowgoodError, "chat takes bool"),
        ("vllm/x,length_field=x", HowgoodError, "auto | max_tokens | max_completion_tokens"),
        ("vllm/x,chat", HowgoodError, "chat needs a value"),
        ("reference/fitted", HowgoodError, "reference/fitted,file=VALUE"),
        ("hf/", ModelError, "hf/ORG/NAME"),
        ("openai", ModelError, "openai/NAME"),
        ("http://h:8000/v1", ModelError, "after #"),
        ("http:///v1#m", ModelError, "has the form"),
    ],
)
def test_bad_names_and_options(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        load_model(name)
    assert words in str(caught.value)


def test_no_secret_gets_into_a_name() -> None:
    for url in ("http://me:hunter2secret@h/v1#m", "http://h/v1?key=hunter2secret#m", "http://me:hunter2secret@h/v1"):
        with pytest.raises(ModelError) as caught:
            load_model(url)
        assert "hunter2secret" not in str(caught.value)


def test_known_models_are_listed_once_with_help() -> None:
    forms = [form for form, _ in known_models()]
    assert len(set(forms)) == len(forms)
    assert {"smollm2", "hf/ORG/NAME", "openai/NAME", "replay/FILE", "reference/uniform"} <= set(forms)
    assert all(words for _, words in known_models())


def own(name: str, source: str, *, loud: bool = False) -> Model:
    return Constant(name, text=source.upper() if loud else source)


def test_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("own", f"{__name__}:own", registry.ENTRY_POINTS)
    hf = importlib.metadata.EntryPoint("hf", "elsewhere:own", registry.ENTRY_POINTS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point, hf])
    registry._plugins.cache_clear()
    try:
        model = load_model("own/thing,loud=true")
        assert isinstance(model, Constant)
        assert (model.name, model.text) == ("own/thing,loud=true", "THING")
        assert ("own/NAME", f"from {__name__}") in known_models()
        with pytest.raises(UnknownName, match="Did you mean loud"):
            load_model("own/thing,lood=true")
        assert registry.KINDS["hf"].target != "elsewhere:own"
        assert [form for form, _ in known_models() if form.startswith("hf/")] == ["hf/ORG/NAME"]
    finally:
        registry._plugins.cache_clear()


def test_naming_a_model_imports_nothing_heavy() -> None:
    code = (
        "import sys; from howgood.models.registry import load_model, known_models; known_models(); "
        "[load_model(n) for n in ('openai/gpt-4o', 'vllm/x', 'reference/uniform', 'hf/org/name')]; "
        "print(*{'torch', 'transformers', 'aiohttp', 'numpy', 'polars', 'genai_prices', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
