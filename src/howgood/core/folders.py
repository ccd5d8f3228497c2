"""Where howgood keeps things of the user's."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """Where howgood keeps what it can make or fetch again: $XDG_CACHE_HOME/howgood or ~/.cache/howgood."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "howgood"
