"""From a name to a model: `smollm2`, `hf/ORG/NAME,dtype=float16`, `http://host:port/v1#NAME`, `reference/uniform`.

What stands before the first slash says what kind of model it is, what stands after it which one, and options follow
after commas. Installed packages add kinds by entry points of the group `howgood.models`: the point's name is the kind,
its object takes (name, source, *, options...) and returns a `Model`; the keyword-only parameters are the options.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from howgood.core.errors import ModelError, UnknownName
from howgood.core.options import parse_options
from howgood.models.base import Model

ENTRY_POINTS = "howgood.models"


class Kind(Struct, frozen=True):
    """A kind of model: the `form` of its names and a line of `help`; `target` is what makes one, imported when it is
    asked for ("module:name"), and `source` turns the rest of a name into its arguments."""

    form: str
    help: str
    target: str
    source: Callable[[str], dict[str, Any]] = lambda rest: {}

    def load(self) -> Callable[..., Model]:
        module, _, name = self.target.partition(":")
        target: Callable[..., Model] = getattr(importlib.import_module(module), name)
        return target


def load_model(name: str) -> Model:
    """The model of this name, which calls itself by its canonical one. Weights are not loaded, and no server is called,
    before its first request.

    Raises `UnknownName` (with the nearest names) for a name or an option that does not exist, `HowgoodError` for a bad
    value, and what the model's own class raises.
    """
    name = canonical_model(name)
    plain, *options = name.split(",")
    kind, rest = _find(plain)
    given = kind.source(rest)
    target = kind.load()
    return target(name, **given, **parse_options("model", plain, target, options, taken=given))


def canonical_model(name: str) -> str:
    """The name with the local path in it made absolute, so that it means the same model from any folder. A path that a
    name cannot hold, since there is a comma in it, stays as it is."""
    plain, *options = name.split(",")
    prefix, _, rest = plain.partition("/")
    if prefix in ("hf", "gguf", "replay") and _is_local(rest):
        plain = f"{prefix}/{_absolute(rest)}"
    elif plain == "reference/fitted":
        options = [f"file={_absolute(o[5:])}" if o.startswith("file=") and o[5:] else o for o in options]
    absolute = ",".join((plain, *options))
    return absolute if absolute.count(",") == name.count(",") else name


def known_models() -> list[tuple[str, str]]:
    """The forms a model's name can have, each with one line of help."""
    return [(kind.form, kind.help) for kind in (*NAMED.values(), *KINDS.values(), *_plugins().values())]


def _find(name: str) -> tuple[Kind, str]:
    """What kind of model a name without options asks for, and the rest of the name."""
    if name in NAMED:
        return NAMED[name], ""
    if name.startswith(("http://", "https://")):
        return KINDS["http"], name
    prefix, _, rest = name.partition("/")
    kind = KINDS.get(prefix) or _plugins().get(prefix)
    if kind is None:
        raise _unknown(name)
    if not rest:
        raise ModelError(f"'{name}' names no model: the form is {kind.form}")
    return kind, rest


def _unknown(name: str) -> UnknownName:
    """The name may lack its kind (gpt-5 is openai/gpt-5, gpt2 is hf/gpt2) or have it wrong (opnai/gpt-5)."""
    prefix, _, rest = name.partition("/")
    kinds = [kind for kind in (*KINDS, *_plugins()) if kind != "http"]
    references = [known for known in NAMED if known.startswith("reference/")]
    forms = "`howgood list --models` shows the forms a name can have."
    if prefix == "reference":
        return UnknownName("model", name, references, f"There are {', '.join(references)}.")
    if re.match(r"(gpt-|chatgpt-|o\d)[^/]*$", name):
        return UnknownName("model", name, (), f"Did you mean openai/{name}? {forms}")
    slip = get_close_matches(prefix.lower(), (*kinds, "reference"), n=1, cutoff=0.75) if rest else []
    if rest and name.count("/") == 1 and not slip:
        return UnknownName("model", name, (), f"Did you mean hf/{name}? {forms}")
    known = {*NAMED, *(f"{kind}/{rest if slip else name}" for kind in slip or kinds)}
    return UnknownName("model", name, sorted(known), forms)


def _is_local(path: str) -> bool:
    """Whether a file or folder is meant, and no name on the Hub."""
    place = os.path.expanduser(path)
    return path.startswith((".", "/", "~")) or os.path.isdir(place) or ("." in path and os.path.isfile(place))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


@cache
def _plugins() -> dict[str, Kind]:
    from importlib.metadata import entry_points  # 20 ms, and only a name that is not ours asks for it

    return {
        point.name: Kind(f"{point.name}/NAME", f"from {point.module}", point.value, _as("source"))
        for point in entry_points(group=ENTRY_POINTS)
        if point.name not in KINDS
    }


def _as(argument: str) -> Callable[[str], dict[str, Any]]:
    return lambda rest: {argument: rest}


def _smollm2(_: str) -> dict[str, Any]:
    from howgood.models.embedded import smollm2_path

    return _gguf(str(smollm2_path()))


def _gguf(path: str) -> dict[str, Any]:
    return {"source": str(Path(path).parent), "gguf_file": Path(path).name}


def _served(server: str) -> Callable[[str], dict[str, Any]]:
    def source(model: str) -> dict[str, Any]:
        from howgood.models.servers import server_named

        return {"server": server_named(server), "model": model}

    return source


def _at_url(url: str) -> dict[str, Any]:
    from howgood.models.servers import server_at

    address, _, model = url.partition("#")
    server = server_at(address)
    if not model:
        raise ModelError("the URL of a model ends in its name after #, as in http://localhost:8000/v1#NAME")
    return {"server": server, "model": model}


HUGGINGFACE = "howgood.models.huggingface:HuggingFaceModel"
GGUF = "howgood.models.gguf:GGUFModel"
HTTP = "howgood.models.http:HTTPModel"
REFERENCE = "howgood.models.reference"

NAMED = {
    "smollm2": Kind("smollm2", "SmolLM2-135M-Instruct, which comes with howgood: writes and scores", GGUF, _smollm2),
    "reference/uniform": Kind(
        "reference/uniform", "every byte equally likely: writes and scores", f"{REFERENCE}:Uniform"
    ),
    "reference/ngram": Kind(
        "reference/ngram",
        "an n-gram source of known entropy: writes and scores its own alphabet",
        f"{REFERENCE}:NgramSource",
    ),
    "reference/fitted": Kind(
        "reference/fitted,file=PATH", "an n-gram model of a file: writes and scores", f"{REFERENCE}:FittedNgram"
    ),
    "reference/constant": Kind("reference/constant,text=A", "writes the same answer always", f"{REFERENCE}:Constant"),
    "reference/echo": Kind("reference/echo", "writes the question back", f"{REFERENCE}:Echo"),
    "reference/random": Kind("reference/random", "guesses among choices: only scores them", f"{REFERENCE}:Random"),
}
"""Models with a name of their own. Help says whether they write text, score given text, or both."""

KINDS = {
    "hf": Kind(
        "hf/ORG/NAME",
        "a model of the Hugging Face Hub (hf/./FOLDER for a folder): writes and scores",
        HUGGINGFACE,
        _as("source"),
    ),
    "gguf": Kind("gguf/PATH", "a GGUF file: writes (extra `llamacpp`) and scores (extra `local`)", GGUF, _gguf),
    "openai": Kind("openai/NAME", "OpenAI (key in OPENAI_API_KEY): writes", HTTP, _served("openai")),
    "anthropic": Kind(
        "anthropic/NAME", "Anthropic's Claude (key in ANTHROPIC_API_KEY): writes", HTTP, _served("anthropic")
    ),
    "google": Kind("google/NAME", "Google's Gemini (key in GEMINI_API_KEY): writes", HTTP, _served("google")),
    "azure": Kind(
        "azure/DEPLOYMENT",
        "a deployment at AZURE_OPENAI_ENDPOINT (key in AZURE_OPENAI_API_KEY): writes",
        HTTP,
        _served("azure"),
    ),
    "openrouter": Kind(
        "openrouter/NAME", "OpenRouter (key in OPENROUTER_API_KEY): writes", HTTP, _served("openrouter")
    ),
    "vllm": Kind("vllm/NAME", "a vLLM server on this machine, port 8000: writes and scores", HTTP, _served("vllm")),
    "ollama": Kind("ollama/NAME", "an Ollama server on this machine, port 11434: writes", HTTP, _served("ollama")),
    "http": Kind(
        "http://HOST:PORT/v1#NAME",
        "any OpenAI-compatible server (key in HOWGOOD_API_KEY), or ,dialect=anthropic and others: writes; scores with "
        ",logprobs=true",
        HTTP,
        _at_url,
    ),
    "litellm": Kind(
        "litellm/PROVIDER/NAME",
        "what the package litellm reaches (its own keys; extra `litellm`): writes",
        "howgood.models.litellm:LiteLLMModel",
        _as("source"),
    ),
    "replay": Kind(
        "replay/FILE", "answers or log-likelihoods recorded in a file", "howgood.models.replay:ReplayModel", _as("path")
    ),
}
"""Kinds of models, by what stands before the first slash of a name."""
