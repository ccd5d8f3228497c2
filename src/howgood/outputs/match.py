"""Written answers against known targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from howgood.core.errors import UnknownName
from howgood.core.types import Instance, Prediction, Score
from howgood.outputs.base import Outputs, score_text
from howgood.outputs.extract import bounded, folded, marked_number, normalize, number, squad, target_number, words

How = Literal["exact", "normalized", "contains", "starts", "ends"]


@dataclass(frozen=True)
class Match(Outputs):
    """Whether the answer is one of the targets: `exact` (but for space around it), `normalized` (in the normal form of
    `extract.normalize`: case, articles and punctuation do not count, signs and decimal points do), `contains` (a target
    occurs in the answer as whole words, in normal form), `starts` (the answer begins so) or `ends` (it ends so)."""

    how: How = "exact"

    def __post_init__(self) -> None:
        ways = get_args(How)
        if self.how not in ways:
            raise UnknownName("way to match", str(self.how), ways, f"The ways are {', '.join(ways)}.")

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        answer = bounded(prediction.text or "").strip()
        hit = any(self._fits(answer, target) for target in instance.targets)
        return score_text({f"{self.how}_match": float(hit)}, answer or None, prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "match", "how": self.how, "version": 1}

    def _fits(self, answer: str, target: str) -> bool:
        if self.how == "exact":
            return answer == target.strip()
        form, wanted = form_for(target, normalize)
        given = form(answer)
        if self.how == "normalized":
            return given == wanted
        if self.how == "starts":
            return f"{given} ".startswith(f"{wanted} ")
        if self.how == "ends":
            return f" {given}".endswith(f" {wanted}")
        return f" {wanted} " in f" {given} "


@dataclass(frozen=True)
class F1(Outputs):
    """Overlap of words with the nearest target: F1 over the words of SQuAD's normal form, and exact match in that form
    (arXiv:1606.05250)."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        answer = bounded(prediction.text or "").strip()
        forms = [form_for(target, squad) for target in instance.targets]
        pairs = [(form(answer), wanted) for form, wanted in forms]
        f1 = max((word_f1(given, wanted) for given, wanted in pairs), default=0.0)
        equal = any(given == wanted for given, wanted in pairs)
        return score_text({"f1": f1, "exact_match": float(equal)}, answer or None, prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "f1", "version": 1}


@dataclass(frozen=True)
class Numeric(Outputs):
    """Whether the final number of the answer equals the target's, exactly as values.

    `exact_match` reads the number flexibly (marked by ####, boxed, or the last one); `strict_match` only after ####.
    A target must be a number or mark one (`extract.target_number`); nothing equals one that does not.
    """

    ending: ClassVar[str | None] = "End with a line '#### N', where N is the answer, a number."

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        text = prediction.text or ""
        wanted = [target_number(t) for t in instance.targets]
        strict = marked_number(text)
        # The last number of a text that was cut off is a step on the way, not an answer.
        read = strict if prediction.stop_reason == "length" else number(text)
        values = {
            "exact_match": float(read is not None and read in wanted),
            "strict_match": float(strict is not None and strict in wanted),
        }
        return score_text(values, None if read is None else str(read), prediction)

    def describe(self) -> dict[str, Any]:
        return {"kind": "numeric", "version": 1}


def form_for(target: str, normal: Callable[[str], str]) -> tuple[Callable[[str], str], str]:
    """The form to compare texts with a target in, and the target in it: the normal one or, where that leaves nothing of
    the target (as of "A", "the" or "!!!"), the first that leaves something: with its articles, else word for word as it
    is written."""
    for form in (normal, words):
        if wanted := form(target):
            return form, wanted
    return folded, folded(target)


def word_f1(given: str, wanted: str) -> float:
    """F1 of two texts as bags of words; 1 when both are empty."""
    a, b = given.split(), wanted.split()
    if not a or not b:
        return float(a == b)
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b))
