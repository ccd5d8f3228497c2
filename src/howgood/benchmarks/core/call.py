"""How llm-foundry asks: worked examples and a question as one text, and the likelihoods of what may follow.

Its three kinds of task are those of DataComp-LM's CORE (https://github.com/mosaicml/llm-foundry/tree/main/scripts/eval):
multiple choice, schema, and language modelling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

import msgspec

from howgood.calls.base import Settings, SingleRequest, need_likelihoods
from howgood.calls.choices import text_of
from howgood.calls.likelihood import plainly
from howgood.core.types import Instance, Likelihood, Loglikelihood, Prediction, Score
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities
from howgood.outputs.base import Outputs

Kind = Literal["choice", "schema", "text"]


@dataclass(frozen=True)
class InContext(SingleRequest):
    """A question after worked examples: "question, delimiter, answer" for each, one below the other.

    Kinds: `choice` scores every choice after the question; `text` the one target; `schema` the one target after each
    choice, which is the beginning of a sentence ("partial evaluation", Trinh & Le, https://arxiv.org/abs/1806.02847).
    """

    kind: Kind
    delimiter: str = " "
    shots: Shots | None = None

    def bind(self, can: Capabilities, settings: Settings) -> InContext:
        need_likelihoods(can.loglikelihood, can, "the model gives no log-likelihoods, which CORE compares")
        plainly(self, msgspec.structs.replace(settings, shots=None))
        shots = self.shots if settings.shots is None else replace(self.shots or Shots(0), n=settings.shots)
        return replace(self, shots=shots)

    def describe(self) -> dict[str, Any]:
        shown = self.shots.describe() if self.shots else {"n": 0}
        return {"kind": f"in-context {self.kind}", "format": "completion", "shots": shown}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Loglikelihood:
        worked = "".join(f"{self._question(shot)}{self.delimiter}{self._answer(shot)}\n" for shot in shots)
        # The space before an answer belongs to its first token.
        asked = self.delimiter.rstrip()
        space = self.delimiter[len(asked) :]
        if self.kind == "schema":
            return self._schema(worked, instance)
        answers = instance.choices if self.kind == "choice" else instance.targets[:1]
        return Loglikelihood(f"{worked}{text_of(instance)}{asked}", tuple(space + answer for answer in answers))

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        if self.kind == "text":
            return Prediction(likelihoods=(Likelihood(-0.001 if right else -50.0, 1, greedy=right),))
        picked = [(place in instance.gold) == right for place in range(len(instance.choices))]
        answers = tuple(Likelihood(-0.001 if own else -50.0, 1) for own in picked)
        begun = tuple(Likelihood(0.0, 0) for _ in picked) if self.kind == "schema" else ()
        return Prediction(likelihoods=begun + answers)

    def _schema(self, worked: str, instance: Instance) -> Loglikelihood:
        """The contexts differ, and a request has one prompt. It is what they share; scored are their other ends, alone
        and with the target, so that the difference is the target's likelihood after each context."""
        alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*instance.choices, strict=False))
        shared = "".join(letters[0] for letters in alike)
        cut = max(shared.rfind(" "), 0)  # the space belongs to the token after it
        ends = tuple(context[cut:] for context in instance.choices)
        whole = tuple(f"{end}{self.delimiter}{instance.targets[0]}" for end in ends)
        return Loglikelihood(worked + shared[:cut], ends + whole)

    def _question(self, shot: Instance) -> str:
        return shot.choices[shot.gold[0]] if self.kind == "schema" else text_of(shot)

    def _answer(self, shot: Instance) -> str:
        return shot.choices[shot.gold[0]] if self.kind == "choice" else shot.targets[0]


@dataclass(frozen=True)
class LikeliestPerToken(Outputs):
    """`acc`: whether the right choice has the highest log-likelihood per token, as llm-foundry compares choices; ties
    go to the first. Of a schema's likelihoods the first half are the contexts alone."""

    def __call__(self, instance: Instance, prediction: Prediction) -> Score:
        found, count = prediction.likelihoods, len(instance.choices)
        after = found[-count:]
        before = found[:count] if len(found) > count else (Likelihood(0.0, 0),) * count
        each = [(b.logprob - a.logprob) / max(1, b.tokens - a.tokens) for a, b in zip(before, after, strict=True)]
        picked = each.index(max(each))
        right = picked in instance.gold
        return Score({"acc": float(right)}, "right" if right else "wrong", instance.choices[picked])

    def describe(self) -> dict[str, Any]:
        return {"kind": "choice-per-token", "version": 1}
