"""Servers of models: where each is, what it speaks and costs, and what is known about its models by their names.

Nothing here is asked of a server: what a model can do is known before the run begins, and options of its name say
where this is wrong.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from howgood.core.errors import ModelError
from howgood.models import prices
from howgood.models.dialects import Dialect, LengthField, Takes, ThinkingForm, anthropic, google, openai, responses

DialectName = Literal["openai", "responses", "anthropic", "google"]
Scoring = Literal["echo", "prompt_logprobs"]

DIALECTS: dict[DialectName, Dialect] = {
    "openai": openai,
    "responses": responses,
    "anthropic": anthropic,
    "google": google,
}


class Server(Struct, frozen=True):
    """Where a server is and what is known about it: its base `url`, the name of its API `key` (asked for before
    anything is sent if `needs_key`) and the `key_header` that carries it (None: the dialect's own), the `provider`
    whose prices apply (None: unknown), and its `dialect`.

    Then what it can do: continue raw text; score given text, and how, of several texts in one request (`lists`); take
    images; call `tools` and hold an answer to a `schema`; give `logprobs` of what it generates; and how its models are
    told how long to think (`thinking`).
    """

    url: str
    key: str = "HOWGOOD_API_KEY"
    needs_key: bool = False
    provider: str | None = None
    dialect: DialectName = "openai"
    key_header: str | None = None
    completion: bool = False
    scoring: Scoring | None = None
    lists: bool = False
    images: bool = False
    tools: bool = True
    schema: bool = True
    logprobs: bool = True
    thinking: ThinkingForm | None = None

    @property
    def paid(self) -> bool:
        """Whether its answers cost money, as far as can be known: not on this machine or in a private network."""
        return self.provider != prices.LOCAL if self.provider else not _is_private(urlsplit(self.url).hostname or "")

    def headers(self, secret: str) -> dict[str, str]:
        """The headers of every request, with the key where there is one."""
        if self.key_header is None:
            return DIALECTS[self.dialect].headers(secret)
        return DIALECTS[self.dialect].headers("") | ({self.key_header: secret} if secret else {})


SERVERS = {
    "openai": Server(
        "https://api.openai.com/v1", "OPENAI_API_KEY", needs_key=True, provider="openai", images=True, thinking="effort"
    ),
    "anthropic": Server(
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        needs_key=True,
        provider="anthropic",
        dialect="anthropic",
        images=True,
        logprobs=False,
    ),
    "google": Server(
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        needs_key=True,
        provider="google",
        dialect="google",
        images=True,
        logprobs=False,
    ),
    "openrouter": Server(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        needs_key=True,
        provider="openrouter",
        images=True,
        thinking="openrouter",
    ),
    "vllm": Server(
        "http://localhost:8000/v1",
        provider=prices.LOCAL,
        completion=True,
        scoring="prompt_logprobs",
        lists=True,
        thinking="vllm",
    ),
    "ollama": Server("http://localhost:11434/v1", provider=prices.LOCAL, thinking="effort"),
}


def server_named(name: str) -> Server:
    """The server of a kind of model. Raises `ModelError` where the environment does not say where it is."""
    if name == "azure":
        return _azure()
    server = SERVERS[name]
    if name == "google" and not os.environ.get("GEMINI_API_KEY") and os.environ.get("GOOGLE_API_KEY"):
        return replace(server, key="GOOGLE_API_KEY")  # Google's own clients read either
    return server


def server_at(url: str) -> Server:
    """The server at a base URL typed by the user. Its prices are unknown: it may be a gateway to a paid one.

    Raises `ModelError` for a URL that is none, or that holds what may be a secret (it would end up in files).
    """
    parts = urlsplit(url)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ModelError("a model's URL has the form http://HOST:PORT/v1#MODEL or https://HOST/v1#MODEL")
    if parts.username or parts.password or parts.query:
        raise ModelError("a model's URL may hold no user, password or query; put the key into HOWGOOD_API_KEY")
    return Server(url.rstrip("/"))


def takes_of(server: Server, model: str) -> Takes:
    """What a model on a server takes in a request, as its name tells. Names of deployments and local models may say
    nothing; then it is taken for one that does not think."""
    bare = model.rsplit("/", 1)[-1].lower()
    if server.dialect == "anthropic":
        return _claude(bare)
    if server.dialect == "google":
        return _gemini(bare)
    hosted = server.provider in ("openai", "azure", "openrouter")
    openais = hosted and re.match(r"o\d|gpt-([5-9]|[12]\d)(?!.*chat)", bare) is not None
    # OpenRouter drops what Anthropic's newer models do not take, so it is not sent, and describe() says so.
    sampling = not openais and not (hosted and "claude" in bare and not _claude(bare).sampling)
    thinks = openais or THINKERS.search(bare) is not None
    thinking = server.thinking if openais or server.provider != "openai" else None
    length: LengthField = "max_completion_tokens" if server.provider in ("openai", "azure") else "max_tokens"
    return Takes(sampling, not thinks, length, thinking)


THINKERS = re.compile(
    r"deepseek-r\d|\br1\b|qwq|think|reason|magistral|gpt-oss|minimax-m\d|kimi-k[2-9].*think|glm-(4\.[5-9]|[5-9])"
    r"|qwen3(?!.*(instruct|coder))"
)
"""Open models that think before they answer, by their names on the Hugging Face Hub and at Ollama."""


def _claude(name: str) -> Takes:
    """Claude up to 4.6 is told a budget, from 4.6 on a level, and from 4.7 on takes no temperature or top_p
    (https://platform.claude.com/docs/en/about-claude/models/migration-guide). Other models behind this dialect take
    what all of them did."""
    if not name.startswith("claude"):
        return Takes()
    found = re.match(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?(?!\d)", name)
    version = (int(found[1]), int(found[2] or 0)) if found else None
    if re.match(r"claude-(v\d|instant)", name):
        version = (1, 0)
    if version is None or version >= (4, 7):
        return Takes(sampling=False, stops=False, thinking="adaptive")
    if version == (4, 6):
        return Takes(thinking="either")
    return Takes(thinking="budget" if version >= (3, 7) else None)


def _gemini(name: str) -> Takes:
    """Gemini 2.5 thinks within a budget, later ones at a level (https://ai.google.dev/gemini-api/docs/thinking)."""
    found = re.search(r"gemini-(\d+)(?:\.(\d+))?", name)
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    if version < (2, 5):
        return Takes()
    return Takes(stops=False, thinking="level" if version >= (3, 0) else "budget")


def _azure() -> Server:
    """The user's own resource, at its endpoint of form v1, where the model is the name of the deployment
    (https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle)."""
    endpoint = os.environ.get("AZURE_OPENAI_ENDPOINT", "").strip().rstrip("/")
    if not endpoint:
        raise ModelError(
            "azure/DEPLOYMENT needs your resource: set AZURE_OPENAI_ENDPOINT, as in https://NAME.openai.azure.com"
        )
    server = server_at(endpoint if endpoint.endswith("/v1") else f"{endpoint}/openai/v1")
    return replace(
        SERVERS["openai"], url=server.url, key="AZURE_OPENAI_API_KEY", provider="azure", key_header="api-key"
    )


def _is_private(host: str) -> bool:
    """Whether a host is this machine or one of a private network, by its address or the kind of its name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
    return address.is_loopback or address.is_private or address.is_link_local
