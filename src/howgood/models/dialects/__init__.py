"""Wire dialects: how a request is written and a reply is read, as pure functions that touch no network.

Each module of this folder that speaks to a generating endpoint (`openai`, `responses`, `anthropic`, `google`) is a
`Dialect`; `echo` and `prompt_logprobs` read the log-probabilities of a given text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Image, Prediction, Prompt

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)

ESCAPE = re.compile(
    r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(ud[89a-f][0-9a-f]{2})|.)", re.DOTALL | re.IGNORECASE | re.ASCII
)
"""Escapes of JSON, of which the group is half a character: a surrogate without its other half."""

MOST = 2**53
"""The most tokens, or dollars, that a reply can claim: whole numbers up to here are exact in every format."""

LengthField = Literal["max_tokens", "max_completion_tokens"]
ThinkingForm = Literal["effort", "openrouter", "vllm", "adaptive", "either", "budget", "level"]
"""How a model is told how long to think: by level alone (`effort`), by OpenRouter's or vLLM's own fields, for Claude by
level (`adaptive`), by budget (`budget`) or by `either`, for Gemini by `budget` or `level`."""


class Takes(Struct, frozen=True):
    """What a model takes in a request, as far as models of one dialect differ: `sampling` (temperature and top_p),
    `stops` (stop strings that do not fire inside its thinking), its name for the token limit, and how it is told how
    long to think (None: it is not). What it does not take is left out of the request."""

    sampling: bool = True
    stops: bool = True
    length: LengthField = "max_tokens"
    thinking: ThinkingForm | None = None


class MalformedReply(ValueError):
    """A reply that does not have the form it should have, so that nothing can be read from it."""


class ErrorReply(Exception):
    """An error that a server reports, in its own words. `code` is what it calls the error, or the HTTP status that
    stands for it; `filtered` says that a content filter refused the prompt, `fatal` that every other request would get
    the same, though the status does not tell (a wrong key under status 400)."""

    def __init__(
        self, message: str, code: str | int | None = None, filtered: bool = False, fatal: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.filtered = filtered
        self.fatal = fatal


class Reader(Protocol[Result]):
    """Makes an answer of a streamed reply, event by event."""

    def feed(self, event: str, data: str) -> str:
        """The new text of the answer in an event, often empty. Raises `MalformedReply` or `ErrorReply`."""

    def result(self) -> Result:
        """The whole answer. Raises `MalformedReply` if the stream ended before the answer did, or `ErrorReply`."""


class Dialect(Protocol):
    """What each dialect's module can do."""

    def Stream(self) -> Reader[Prediction]:
        """A reader of one streamed reply."""

    def headers(self, secret: str) -> dict[str, str]:
        """The headers of every request; without a secret, those that are needed all the same."""

    def encode(self, model: str, request: Generate, takes: Takes) -> tuple[str, dict[str, Any]]:
        """The path below the server's base URL, and the body. Raises `Unsupported` for what the model cannot do."""

    def streamed(self, path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The same request, asking for the answer piece by piece."""

    def decode(self, body: bytes) -> Prediction:
        """The prediction in a reply; its cost only where the server tells it. Raises `MalformedReply`, or `ErrorReply`
        for an error that came in a reply's clothes."""

    def read_error(self, body: bytes) -> ErrorReply:
        """What an error's body says; raw text where it has no known form."""


def parse(decode: Callable[[bytes | str], T], body: bytes | str) -> T:
    """What a JSON decoder makes of a reply. Half a character, which servers leave where they cut an answer inside an
    emoji, is read as U+FFFD. Raises `MalformedReply` for anything else."""
    try:
        try:
            return decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            text = body if isinstance(body, str) else body.decode()
            return decode(ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], text))
    except msgspec.ValidationError as error:
        raise MalformedReply(f"the reply has another form ({error})") from None
    except (msgspec.DecodeError, UnicodeError):
        start = body[:80]
        shown = start if isinstance(start, str) else start.decode("utf-8", errors="replace")
        raise MalformedReply(f"the reply is not JSON: {shown!r}") from None
    except RecursionError:
        raise MalformedReply("the reply is nested too deeply") from None


def plain(body: bytes) -> Any:
    """A body as plain JSON values; as text where it is no JSON."""
    try:
        return parse(msgspec.json.decode, body)
    except MalformedReply:
        return body.decode("utf-8", errors="replace")


def count(value: Any) -> int | None:
    """A number of tokens as a server tells it. None for what is none: a server's numbers are not to be trusted."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def dollars(value: Any) -> float | None:
    """A cost as a server tells it. None for what is none."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST
    return float(value) if known else None


def as_json(value: Any) -> str:
    """Arguments of a tool call as the JSON text they stand for; text stays as the model wrote it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def as_object(arguments: str) -> dict[str, Any]:
    """The arguments of a tool call, for dialects that want an object: what is none comes under `invalid`."""
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"invalid": arguments}


def is_json(text: str) -> bool:
    """Whether a text is one JSON value."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def has_images(prompt: Prompt) -> bool:
    """Whether any message of a prompt holds an image."""
    return not isinstance(prompt, str) and any(
        isinstance(part, Image) for m in prompt if not isinstance(m.content, str) for part in m.content
    )


def no_thinking(model: str, request: Generate, *, effort: bool = True, budget: bool = True) -> None:
    """Raises `Unsupported` if the request says how long to think, by effort or by budget, to a model that cannot be
    told so."""
    if effort and request.effort is not None:
        raise Unsupported(f"{model} cannot be told how hard to think (effort {request.effort})")
    if budget and request.thinking is not None:
        raise Unsupported(f"{model} takes no thinking budget in tokens")
