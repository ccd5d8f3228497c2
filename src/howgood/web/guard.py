"""What holds for every request: where it may come from, how large it may be, and what a page may load."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from howgood.core.errors import ModelError
from howgood.core.listening import check_port, is_own
from howgood.web.visitors import Visitor, Visitors

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LARGEST_BODY = 64 * 1024
SLOWEST_BODY = 10.0
"""Seconds in which a request's body has to be there."""
SHORTEST_TOKEN = 16
T = TypeVar("T")


class Refused(Exception):
    """A request that gets no answer but this."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Enter(Struct):
    """What a visitor gives to come in."""

    token: Annotated[str, Meta(max_length=500)]


def check_serving(host: str, port: int, token: str | None, could: str) -> None:
    """Raises `ModelError` for a port that there is not, and where strangers could do what `could` says."""
    check_port(port)
    if token is None and not is_own(host):
        raise ModelError(
            f"without a token anyone who reaches {host} could {could}: give --token VARIABLE, or use 127.0.0.1"
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise ModelError(f"the token must have at least {SHORTEST_TOKEN} characters")


def admitted(request: Request, visitors: Visitors, cookie: str, place: str) -> Visitor:
    """The visitor whose `cookie` this is, a new one where a page is asked for the first time. Raises `Refused`."""
    if visitors.open:
        check_host(request)
    visitor = visitors.read(request.cookies.get(cookie))
    if request.method in ("GET", "HEAD"):
        return visitor or visitors.new()
    visitor = check_write(request, visitor)
    if request.url.path != "/enter" and not visitors.admits(visitor):
        raise Refused(401, f"Give the {place}'s token first.")
    return visitor


def remember(response: Response, request: Request, cookie: str, visitor: Visitor, days: int) -> None:
    """Have the browser keep a visitor's cookie for so many days."""
    response.set_cookie(
        cookie,
        visitor.cookie,
        max_age=days * 24 * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def check_host(request: Request) -> None:
    """Raises `Refused` for a name that was made to mean this machine (DNS rebinding): a server without a token answers
    to its own names only."""
    host = re.sub(r":\d*$", "", request.headers.get("host", "")).strip("[]")
    if not is_own(host):
        raise Refused(403, "Without a token this answers to localhost only.")


def check_write(request: Request, visitor: Visitor | None) -> Visitor:
    """The visitor who may write: from a page of the same origin that was made for them. Raises `Refused`."""
    origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if request.headers.get("origin") != origin or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Refused(403, "This comes from another page.")
    given = request.headers.get("x-csrf", "")
    if visitor is None or not secrets.compare_digest(given.encode(), visitor.csrf.encode()):
        raise Refused(403, "The page is out of date. Load it again.")
    return visitor


async def body(request: Request, kind: type[T], too_long: str = "That is too long.", largest: int = LARGEST_BODY) -> T:
    """The request's body, of a bounded size and in a bounded time; `too_long` is said of a field that is longer than it
    may be. Raises `Refused`."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "The body must be application/json.")
    content = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for chunk in request.stream():
                content += chunk
                if len(content) > largest:
                    raise Refused(413, "That is too long.")
        return msgspec.json.decode(bytes(content), type=kind)
    except TimeoutError:
        raise Refused(408, "That took too long to send.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        long = "max_length" in str(error) or "length <=" in str(error)
        raise Refused(400, too_long if long else "That cannot be read.") from None


def headers(nonce: str, forms: str = "'none'") -> dict[str, str]:
    """A page loads nothing but what carries its nonce, and what is drawn into it; `forms` says where its forms lead."""
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        f"img-src data:; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
