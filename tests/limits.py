"""A limit for what must not run away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_time() -> Iterator[None]:
    """Around what takes well under a second, where a careless pattern or a look at all pairs would take minutes or
    hours. The limit lies between the two, far from both: it says nothing of speed."""
    begun = time.thread_time()
    yield
    assert time.thread_time() - begun < 20
