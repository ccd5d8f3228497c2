"""Where a server listens: which ports and hosts there are, and what is said where it cannot."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from howgood.core.errors import ModelError


def is_own(host: str) -> bool:
    """Whether a host name is this machine's own, seen from itself alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(port: int) -> None:
    """Raises `ModelError` for a port that there is not."""
    if not 0 <= port <= 65535:
        raise ModelError(f"there is no port {port}: give a --port between 1 and 65535, or 0 for a free one")


def cannot_listen(host: str, port: int, error: OSError) -> ModelError:
    """A failure to listen as an error for people."""
    number = error.errno or 0
    # asyncio repeats the address in its own words. Without a number it found no address that is this machine's; numbers
    # below 0 are of a name that was looked up.
    why = os.strerror(number) if number > 0 else error.strerror or os.strerror(errno.EADDRNOTAVAIL)
    remedy = ""
    if number in (errno.EADDRINUSE, errno.EACCES):
        remedy = "; give another --port, or 0 for a free one"
    elif number in (0, errno.EADDRNOTAVAIL) or isinstance(error, socket.gaierror):
        remedy = "; give an address of this machine as --host"
    return ModelError(f"cannot listen on {host}:{port}: {why}{remedy}")
