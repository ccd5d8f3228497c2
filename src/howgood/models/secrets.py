"""API keys: where they come from, and how they are kept out of everything that is shown or written."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import cache
from urllib.parse import quote

SERVICE = "howgood"
"""The keyring's service that keys are stored under: `keyring set howgood OPENAI_API_KEY`."""
LONGEST_LOOK = 10.0
"""Seconds that the keyring has to answer."""
SHORTEST = 8
"""Shorter keys are placeholders such as EMPTY, whose removal would only garble the words around them."""
HIDDEN = "***"

_handed_out: dict[str, bytes] = {}


def secret(name: str) -> str:
    """The key called `name`: from the environment, else from the keyring (where the package `keyring` is installed and
    holds one); empty where there is none."""
    key = os.environ.get(name, "").strip() or _from_keyring(name)
    if len(key) >= SHORTEST:
        for form in (key, quote(key, safe="")):
            _handed_out[form] = form.encode("utf-8", errors="replace")
    return key


def scrub(text: str) -> str:
    """The text without any key that was ever handed out, also as it stands in a URL."""
    for key in _handed_out:
        if key in text:
            text = text.replace(key, HIDDEN)
    return text


def scrub_bytes(content: bytes) -> bytes:
    """`scrub` of text in UTF-8."""
    for key in _handed_out.values():
        if key in content:
            content = content.replace(key, HIDDEN.encode())
    return content


@cache
def _from_keyring(name: str) -> str:
    """What the keyring holds. It is asked by a process of its own, without a terminal and for a limited time: some of
    its backends prompt, hang, or fail in ways of their own, and each of these means that there is no key."""
    if importlib.util.find_spec("keyring") is None:
        return ""
    command = [sys.executable, "-P", "-m", "keyring", "get", SERVICE, name]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_LOOK, start_new_session=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace").strip() if done.returncode == 0 else ""
