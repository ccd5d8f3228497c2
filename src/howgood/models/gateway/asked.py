"""What a client asks of the gateway, whatever its dialect, and how it is refused."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from howgood.core.types import Generate, Image, Prediction
from howgood.models.base import Capabilities, Echo

T = TypeVar("T")

Reason = Literal["request", "key", "model", "path", "size", "budget", "failure"]


class Refusal(Exception):
    """Why a call is not answered, in words for the client; each dialect has its own form for each `reason`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def status(self) -> int:
        return STATUS[self.reason]


STATUS: dict[Reason, int] = {
    "request": 400,
    "key": 401,
    "model": 404,
    "path": 404,
    "size": 413,
    "budget": 429,
    "failure": 500,
}


class Asked(Struct, frozen=True):
    """A call as it was understood: the `model` it names and the requests to that model, in an order that the endpoint
    that read it knows. With `stream` the answers are sent piece by piece; `usage` says whether the tokens are told at
    the end of a stream; `echoed` holds the prompts that are to stand before their answers."""

    model: str
    requests: tuple[Generate | Echo, ...]
    stream: bool = False
    usage: bool = True
    echoed: tuple[str, ...] = ()


class Events(Protocol):
    """What is written, piece by piece, to a client that asked for a stream."""

    def start(self) -> bytes: ...

    def text(self, index: int, piece: str) -> bytes: ...

    def finish(self, index: int, prediction: Prediction, told: bool) -> bytes:
        """The rest of an answer; `told`: its text was written already."""

    def end(self, predictions: list[Prediction]) -> bytes: ...

    def error(self, refusal: Refusal) -> bytes: ...


class Endpoint(Protocol):
    """One address of the gateway: how what is sent to it is read and answered."""

    dialect: str
    prefix: str

    def read(self, body: bytes) -> Asked:
        """The call in a body. Raises `Refusal`."""

    def reply(self, asked: Asked, predictions: list[Prediction], id: str) -> dict[str, Any]: ...

    def events(self, asked: Asked, id: str) -> Events: ...

    def error(self, refusal: Refusal) -> dict[str, Any]: ...


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """A body in its form. Raises `Refusal` with the field that is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refusal("request", f"the request has another form: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("request", f"the request is not JSON: {error}") from None
    except RecursionError:
        raise Refusal("request", "the request is nested too deeply") from None


def read_image(media_type: str, data: str) -> Image:
    """An image from its base64 text. Raises `Refusal`."""
    if not media_type.startswith("image/"):
        raise Refusal("request", f"an image has a media type such as image/png, not {media_type[:40]!r}")
    try:
        return Image(base64.b64decode(data, validate=True), media_type)
    except (binascii.Error, ValueError):
        raise Refusal("request", "an image's data are not base64") from None


def check_fits(request: Generate | Echo, can: Capabilities, name: str) -> None:
    """Raise `Refusal` for a request that the model cannot do: none is answered as if less had been asked."""
    if isinstance(request, Echo):
        return  # the model itself says so
    messages = () if isinstance(request.prompt, str) else request.prompt
    parts = [part for m in messages if not isinstance(m.content, str) for part in m.content]
    told = request.effort is not None or request.thinking is not None
    needs = (
        (True, can.generate, "write text"),
        (bool(messages), can.chat, "take messages: use /v1/completions"),
        (not messages, can.completion, "continue raw text: use /v1/chat/completions or /v1/messages"),
        (any(isinstance(part, Image) for part in parts), can.images, "take images"),
        (bool(request.tools) or any(m.tool_calls or m.role == "tool" for m in messages), can.tools, "call tools"),
        (request.schema is not None, can.schema, "hold its answer to a JSON Schema"),
        (request.logprobs is not None, can.logprobs, "give log-probabilities of what it writes"),
        (told, can.effort, "be told how long to think"),
    )
    for asked, able, what in needs:
        if asked and not able:
            raise Refusal("request", f"{name} cannot {what}")
