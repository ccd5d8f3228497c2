"""What a failed request means: whether another try may mend it, when, and whether every other request fails too."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Literal

from howgood.core.errors import RequestError
from howgood.models.dialects import ErrorReply

PUSH_BACK = {429, 503, 529}
"""Statuses that ask for fewer requests (529: Anthropic is overloaded)."""
TRANSIENT = {408, 409, 425, 429}
"""Statuses that another try may mend; so may those from 500 on, except 501 (the server does not do this at all)."""
FATAL = {401, 402, 403, 404, 405, 501}
"""Statuses that every other request would get too: a wrong key, no credit, no such model or address."""
STATUSES = {
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "UNAUTHENTICATED": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "NOT_FOUND": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "overloaded_error": 529,
}
"""The statuses of errors that are told in a stream, or under status 200, by their names at Anthropic, Google and OpenAI
(https://docs.claude.com/en/api/errors, https://cloud.google.com/apis/design/errors,
https://platform.openai.com/docs/guides/error-codes). All others stand for a fault of the server."""

Kind = Literal["fault", "timeout", "push-back"]


class FilteredPrompt(RequestError):
    """A request whose prompt a content filter refused."""


class Uncertain(RequestError):
    """A request that met a fault and is not sent again: it may have been carried out."""


class Transient(Exception):
    """A failure that another try may mend. `after` is how long the server asked to wait (seconds), `fatal` whether
    every other request fails the same way if it lasts."""

    def __init__(self, message: str, kind: Kind = "fault", after: float | None = None, fatal: bool = False) -> None:
        super().__init__(message)
        self.kind, self.after, self.fatal = kind, after, fatal


def refusal(status: int, headers: Mapping[str, str], error: ErrorReply, message: str) -> RequestError | Transient:
    """What an error `status` means; `message` is what to say."""
    if error.filtered:
        return FilteredPrompt(message)
    # The former is OpenAI's 429 for an account without money, which no wait mends.
    if error.code == "insufficient_quota" or error.fatal:
        return RequestError(message, fatal=True)
    mendable = status in TRANSIENT or (status >= 500 and status not in FATAL)
    if mendable and headers.get("x-should-retry") != "false":  # OpenAI's and Anthropic's word to their own clients
        return Transient(message, "push-back" if status in PUSH_BACK else "fault", retry_after(headers))
    return RequestError(message, fatal=status in FATAL or status < 400)


def told_status(error: ErrorReply) -> int:
    """The status of an error that came under status 200."""
    if isinstance(error.code, int):
        return error.code if 400 <= error.code < 600 else 500
    return STATUSES.get(error.code or "", 500)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header `retry-after-ms` (OpenAI, Azure) or `Retry-After`, which gives seconds or a date
    (RFC 9110, section 10.2.3)."""
    for name, unit in (("retry-after-ms", 1e-3), ("Retry-After", 1.0)):
        value = headers.get(name, "").strip()
        if value.replace(".", "", 1).isdecimal():
            return float(value) * unit
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
