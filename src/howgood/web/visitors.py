"""Who visits: a signed cookie without a name in it, and what must come with every write."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets

from msgspec import Struct

LONGEST_COOKIE = 200


class Visitor(Struct, frozen=True):
    """`id` tells visitors apart and says nothing else of them; `entered`, whether the server's token was given; `csrf`,
    what has to come with this visitor's writes; `cookie`, what the browser keeps."""

    id: str
    entered: bool
    csrf: str
    cookie: str


class Visitors:
    """Signs cookies by `secret` and by the server's `token`: with another token all must enter anew."""

    def __init__(self, secret: bytes, token: str | None) -> None:
        self._secret, self._token = secret, token
        self._key = hmac.digest(secret, f"visitors {token or ''}".encode(), "sha256")

    @property
    def open(self) -> bool:
        """Whether they come in without a token."""
        return self._token is None

    @property
    def tag(self) -> str:
        """Tells these visitors from those of another server, in the name of a cookie: browsers keep one jar for all
        ports of a host."""
        return hmac.new(self._key, b"tag", "sha256").hexdigest()[:8]

    def new(self, entered: bool = False) -> Visitor:
        return self._visitor(secrets.token_urlsafe(16), entered)

    def entered(self, visitor: Visitor) -> Visitor:
        """The same visitor, who gave the token."""
        return self._visitor(visitor.cookie.split(".")[0], True)

    def read(self, cookie: str | None) -> Visitor | None:
        """The visitor of a cookie; None for one that was not made here."""
        if not cookie or len(cookie) > LONGEST_COOKIE or cookie.count(".") != 2:
            return None
        nonce, entered, _ = cookie.split(".")
        visitor = self._visitor(nonce, entered == "1")
        return visitor if hmac.compare_digest(visitor.cookie.encode(), cookie.encode(errors="replace")) else None

    def admits(self, visitor: Visitor) -> bool:
        return self.open or visitor.entered

    def knows(self, token: str) -> bool:
        """Whether this is the server's token; how long that takes says nothing of it."""
        given, real = (hashlib.sha256(x.encode(errors="replace")).digest() for x in (token, self._token or ""))
        return self._token is not None and hmac.compare_digest(given, real)

    def address(self, host: str) -> str:
        """A digest of where a request came from: of an IPv6 address the network, since one household has all of it."""
        try:
            where = ipaddress.ip_address(host)
        except ValueError:
            return self._digest("address", host)[:16]
        if where.version == 6 and not where.is_loopback:
            return self._digest("address", str(ipaddress.ip_network((where, 64), strict=False)))[:16]
        return self._digest("address", str(where))[:16]

    def _visitor(self, nonce: str, entered: bool) -> Visitor:
        body = f"{nonce}.{int(entered)}"
        mac = hmac.new(self._key, f"cookie {body}".encode(errors="replace"), "sha256").hexdigest()
        csrf = hmac.new(self._key, f"csrf {nonce}".encode(errors="replace"), "sha256").hexdigest()
        return Visitor(self._digest("voter", nonce)[:16], entered, csrf, f"{body}.{mac}")

    def _digest(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind} {text}".encode(errors="replace"), "sha256").hexdigest()
