"""Which language a text is in, by langdetect, as IFEval asks it; the same text always gets the same answer."""

from __future__ import annotations

from functools import cache
from typing import Any

LONGEST = 100_000
"""Characters given to langdetect, which looks at the first 10,000 that are no address."""
SEED = 0


def language(text: str) -> str | None:
    """The ISO 639-1 code of the text's language ("zh-cn" and "zh-tw" for Chinese); None where there is nothing to tell
    it by, such as digits alone.

    langdetect draws at random which letters it looks at. Here each text has a generator of its own with a fixed seed,
    so that no answer depends on what was asked before it. On short or mixed texts another seed may say another
    language.
    """
    from langdetect.lang_detect_exception import LangDetectException

    detector = _factory().create()
    detector.seed = SEED
    detector.append(text[:LONGEST])
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@cache
def _factory() -> Any:
    from langdetect import detector_factory

    detector_factory.init_factory()
    return detector_factory._factory
