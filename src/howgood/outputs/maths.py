"""Answers in mathematics: 1/2, 0.5 and \\frac{1}{2} are one."""

from __future__ import annotations

import atexit
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

import msgspec

from howgood.core.errors import MissingExtra
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded

Compare = Literal["math-verify", "text"]
BOX = re.compile(r"\\boxed\s*")
SAID = re.compile(r"(?i)answer(?:[*_]*\s+is\b|[*_]*\s*:)[ \t:*_]*([^\n]*)")
INLINE = re.compile(r"\$++([^$\n]+)\$|\\\((.{1,1000}?)\\\)")
BASE = re.compile(r"_\{?(\d+)\}?$")
LONGEST = 1_000
"""Characters of an answer that are compared; what is longer is none."""
TAIL, BOXES = 20_000, 50
"""Characters at the end of a text that are searched for a formula, and boxes that are opened."""
START, LIMIT = 60.0, 15.0
"""Seconds until the comparing process must be there, and for one comparison."""
# What changes how an answer looks, not what it is.
LOOKS = re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\[!,;:]|\\ |~|\\\$|\$|\\%|%|\^\{?\\circ\}?|\\displaystyle|\s")
WORDS = re.compile(r"\\(?:text|mbox|mathrm|textbf|mathbf)\s*\{([^{}]*)\}")
SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)")


@dataclass(frozen=True)
class Maths(Outputs):
    """Whether the final answer of a worked solution equals the target's (its last \\boxed{...}, or all of it).

    `exact_match` compares texts in a form without what only changes their looks (`plain`). With `compare="math-verify"`
    the headline `math_verify` is also 1 where that library (https://github.com/huggingface/Math-Verify) finds the two
    to be equal as mathematics. It runs in a process of its own, ended where an answer takes it too long. Raises
    `MissingExtra` without it.
    """

    ending: ClassVar[str | None] = "End with your final answer within \\boxed{}."

    compare: Compare = "math-verify"

    def __post_init__(self) -> None:
        from importlib.util import find_spec

        if self.compare == "math-verify" and find_spec("math_verify") is None:
            raise MissingExtra("-P compare=math-verify (-P compare=text is the way without)", "maths")

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        text = prediction.text or ""
        # A text that was cut off has steps on the way, but no answer unless it is in a box.
        answer = boxed(bounded(text)) if prediction.stop_reason == "length" else final_answer(text)
        target = boxed(instance.targets[0]) or instance.targets[0]
        same = answer is not None and plain(answer) == plain(target)
        values, why = {"exact_match": float(same)}, None
        if self.compare == "math-verify":
            equal = same or (answer is not None and equal_maths(target, answer))
            if equal is None:
                why = f"math-verify did not end in {LIMIT:g} seconds; the texts differ"
            values = {"math_verify": float(bool(equal)), **values}
        return score_text(values, answer, prediction, why)

    def describe(self) -> dict[str, Any]:
        from importlib.metadata import version

        rules: dict[str, Any] = {"kind": "maths", "compare": self.compare, "version": 1}
        return rules | {"math_verify": version("math-verify")} if self.compare == "math-verify" else rules


def final_answer(text: str) -> str | None:
    """The last \\boxed{...}; else what follows the last "answer is" or "Answer:" on its line, the formula in it where
    there is one; else the last formula between dollar signs."""
    text = bounded(text)
    box = boxed(text)
    if box is not None:
        return box
    said = [line for line in SAID.findall(text) if line.strip(" .*_$")]
    where = said[-1] if said else text[-TAIL:]
    formulas = INLINE.findall(where)
    if formulas:
        return _short(formulas[-1][0] or formulas[-1][1])
    # A sentence may go on after the answer: "5. I hope it is correct."
    return _short(re.split(r"\.(?:\s|$)", said[-1])[0].strip(" *_")) if said else None


def boxed(text: str) -> str | None:
    """What is in the last whole \\boxed{...}, braces counted; \\boxed 5 holds one token."""
    for box in reversed(list(BOX.finditer(text))[-BOXES:]):
        rest = text[box.end() : box.end() + LONGEST + 2]
        if not rest.startswith("{"):
            bare = re.match(r"[^\s$.,{}]+", rest)
            if bare and box[0] != "\\boxed":
                return bare[0]
            continue
        depth = 0
        for place, character in enumerate(rest):
            escaped = place > 0 and rest[place - 1] == "\\"
            depth += (character == "{" and not escaped) - (character == "}" and not escaped)
            if depth == 0:
                return _short(rest[1:place])
    return None


def plain(answer: str) -> str:
    """An answer without what only changes its looks: sizes of brackets, spaces, units in words, degree, dollar and
    percent signs, thousands separators, `x =` before it and a full stop behind."""
    text = SHORT_FRACTION.sub(r"\\frac{\1}{\2}", answer.strip())
    text = re.sub(r"\\[dt]frac", r"\\frac", text)
    text = LOOKS.sub("", WORDS.sub(_unit, text))
    text = re.sub(r"(?<=\d)(?:\{,\}|,)(?=\d{3}(?!\d))", "", text) if "(" not in text else text
    text = re.sub(r"^[A-Za-z]=", "", text).rstrip(".")
    return re.sub(r"^(-?)\.(?=\d)", r"\g<1>0.", text)


def _unit(words: re.Match[str]) -> str:
    # Behind a number words are its unit; elsewhere they are a part of the answer.
    return "" if re.search(r"[\d)]\}?[\s\\,;!~]*$", words.string[: words.start()]) else words[1]


def _short(answer: str) -> str | None:
    return answer.strip() if 0 < len(answer.strip()) <= LONGEST else None


def equal_maths(target: str, answer: str) -> bool | None:
    """Whether two answers are equal by math-verify; None where it did not say in time. It leaves out the base of a
    number (42_8), which is compared here where both give one."""
    bases = [BASE.search(plain(text)) for text in (target, answer)]
    if bases[0] and bases[1] and bases[0][1] != bases[1][1]:
        return False
    return comparer().equal(target, answer)


class Comparer:
    """A process that compares answers by math-verify, started when it is first asked and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def equal(self, gold: str, answer: str) -> bool | None:
        """Whether two answers are equal as mathematics; None where that could not be found out in time."""
        with self._lock:
            process = self._started()
            assert process.stdin is not None
            try:
                process.stdin.write(msgspec.json.encode([gold, answer]) + b"\n")
                process.stdin.flush()
            except OSError:  # it has just ended
                self.close()
                return None
            reply = self._line(process, LIMIT)
            return None if reply is None else reply == b"true\n"

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = [sys.executable, "-m", "howgood.outputs.maths_process"]
            pipe, none = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=none)
            if self._line(self._process, START) is None:
                raise MissingExtra("comparing answers as mathematics (math-verify did not start)", "maths")
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """The next line that the process writes; None where it ended, or was ended for writing none in time."""
        assert process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self.close()
            return None
        return line


@cache
def comparer() -> Comparer:
    """The one process of this Python."""
    return Comparer()
