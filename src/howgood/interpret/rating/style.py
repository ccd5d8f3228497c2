"""Features of style: how much longer an answer is, and how much more it is set out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from howgood.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from howgood.interpret.statistics import Floats

FEATURES = ("length", "headers", "lists", "bold")
CODE = re.compile(r"^```.*?(?:^```|\Z)", re.MULTILINE | re.DOTALL)
HEADER = re.compile(r"^ {0,3}#{1,6}\s+\S", re.MULTILINE)
ITEM = re.compile(r"^\s{0,12}(?:[-*+]|\d{1,9}[.)])\s+\S", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]{1,2000}\*\*|__[^_\n]{1,2000}__")


def counts(text: str) -> tuple[int, int, int, int]:
    """Characters, headers, list items and passages in bold of an answer in markdown; code blocks have only length."""
    prose = CODE.sub("", text)
    return len(text), len(HEADER.findall(prose)), len(ITEM.findall(prose)), len(BOLD.findall(prose))


def difference(first: ArrayLike, second: ArrayLike, name: str) -> Floats:
    """How much more of a feature the first answer has, between -1 and 1: (a - b)/(a + b) of lengths and
    (a - b)/(a + b + 1) of counts (FastChat's style control). Two answers without any do not differ. Raises `DataError`
    for counts below zero."""
    import numpy as np

    a, b = np.asarray(first, float), np.asarray(second, float)
    if not (np.isfinite(a).all() and np.isfinite(b).all() and a.min(initial=0) >= 0 and b.min(initial=0) >= 0):
        raise DataError(f"'{name}' is a count of something in an answer, and some are below zero or no numbers")
    whole = a + b + (name != "length")
    return np.asarray(np.divide(a - b, whole, out=np.zeros(len(a)), where=whole > 0), np.float64)


def scaled(features: Floats) -> tuple[Floats, Floats]:
    """Features (N, K) in units of their root mean square, and those (K,). The mean is not taken off: which answer is
    called the first must change nothing but the sign. A feature that never differs stays zero."""
    import numpy as np

    size = np.sqrt(np.mean(features**2, axis=0))
    return np.divide(features, size, out=np.zeros_like(features), where=size > 0), size
