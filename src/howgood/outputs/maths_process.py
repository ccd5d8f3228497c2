"""The process in which math-verify compares answers: a line of JSON [gold, answer] in, a line true or false out.

What a model wrote is parsed as LaTeX by a grammar and never run as code. Its numbers may still be too large for any
memory and its equations unsolvable, so memory is bounded here, and `outputs/maths.py` ends what takes too long.
"""

from __future__ import annotations

import contextlib
import sys

import msgspec

MEMORY = 4 * 2**30


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from math_verify import LatexExtractionConfig, parse, verify

    latex = [LatexExtractionConfig()]

    def parsed(answer: str) -> list[object]:
        return list(parse(f"\\boxed{{{answer}}}", extraction_config=latex))

    print("ready", flush=True)
    for line in sys.stdin.buffer:
        gold, answer = msgspec.json.decode(line, type=tuple[str, str])
        try:
            equal = bool(verify(parsed(gold), parsed(answer)))
        except Exception:  # what it cannot compare is not equal
            equal = False
        print("true" if equal else "false", flush=True)


if __name__ == "__main__":
    main()
