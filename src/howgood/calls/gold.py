"""Conditional perplexity: the likelihood of the gold answer, after the prompt by which a benchmark asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from howgood.calls.base import Call, Settings, SingleRequest, need_likelihoods
from howgood.calls.choices import Choices
from howgood.calls.generation import Generation
from howgood.calls.likelihood import WholeText
from howgood.calls.methods.base import Method, own_call
from howgood.core.errors import Unsupported
from howgood.core.types import Generate, Instance, Likelihood, Loglikelihood, Prediction, Request
from howgood.inputs.fewshot import Shots
from howgood.models.base import Capabilities, Model

PROMPTS = ("retrieval",)
"""The methods that change the prompt alone, so that what they do can be measured without writing."""
KEPT = ("format", "shots", "method", "methods")
"""The inner call's rules that also hold for a likelihood; the others are about how text is written."""


@dataclass(frozen=True)
class GoldAnswer(SingleRequest):
    """The likelihood of an instance's gold answer in place of its answer by the `inner` call, after the same prompt:
    the first target as a worked example would show it, or the first right choice. A choice question is asked without
    its choices listed (cloze) unless the user chose the letters; where a choice fills a gap, the answer is the words
    after it. The prompt is raw text, as published, unless the user asks for a chat or the model knows nothing else. The
    prediction's text is the answer that was scored.
    """

    inner: Call

    @property
    def shots(self) -> Shots | None:
        return self.inner.shots

    def bind(self, can: Capabilities, settings: Settings) -> GoldAnswer:
        words = "the model gives no log-likelihoods, which bits per byte of the gold answer need"
        need_likelihoods(can.loglikelihood, can, words)
        if settings.effort is not None or settings.thinking is not None:
            raise Unsupported(
                "the gold answer's likelihood is measured, without thinking; leave out --effort, --thinking"
            )
        call, chat = _asked(self.inner), settings.chat
        if chat is None and isinstance(own_call(call), Generation):
            chat = not can.completion
        # The model need not write, only its prompt is taken.
        could = msgspec.structs.replace(can, generate=True, schema=True)
        return replace(self, inner=call.bind(could, msgspec.structs.replace(settings, chat=chat)))

    def describe(self) -> dict[str, Any]:
        inner = self.inner.describe()
        return {"kind": "gold-answer", "of": inner["kind"]} | {name: inner[name] for name in KEPT if name in inner}

    def request(self, instance: Instance, shots: tuple[Instance, ...], seed: int) -> Loglikelihood:
        request = self.inner.request(instance, shots, seed)
        if isinstance(request, Loglikelihood):
            answers, choices = request.continuations, len(instance.choices)
            if choices and len(answers) == 2 * choices and isinstance(request.prompt, str):
                # Partial evaluation: the choices, then each with what follows it, which is what is compared.
                choice, whole = answers[instance.gold[0]], answers[choices + instance.gold[0]]
                return Loglikelihood(request.prompt + choice, (whole.removeprefix(choice),))
            return Loglikelihood(request.prompt, (answers[instance.gold[0] if len(answers) > 1 else 0],))
        own = own_call(self.inner)
        if not isinstance(request, Generate) or not isinstance(own, Generation):
            raise Unsupported("this benchmark asks for no answer whose likelihood could be measured; leave out --score")
        if not instance.targets:
            raise Unsupported(f"instance {instance.id} has no gold answer, whose likelihood --score bpb measures")
        return Loglikelihood(request.prompt, (("" if own.chat else own.space) + own.answer(instance),))

    async def __call__(self, request: Request, model: Model) -> Prediction:
        assert isinstance(request, Loglikelihood)
        return msgspec.structs.replace(await model.send(request), text=request.continuations[0])

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        gold = (*instance.targets, *(instance.choices[place] for place in instance.gold))[0]
        return Prediction(text=gold, likelihoods=(Likelihood(0.0 if right else -50.0, 1),))


def _asked(call: Call) -> Call:
    """The call with a choice question as cloze. Raises `Unsupported` for what has no gold answer to score, and for
    what writes in a way that a likelihood does not have."""
    if isinstance(call, Method):
        if call.name not in PROMPTS:
            raise Unsupported(
                f"the likelihood of the gold answer is measured, nothing is written; leave out {call.name}"
            )
        return replace(call, inner=_asked(call.inner))
    if isinstance(call, WholeText):
        raise Unsupported("whole texts have no gold answer; their bits per byte are told without --score bpb")
    if isinstance(call, Choices) and call.method == "auto":
        return replace(call, method="cloze-likelihood")
    if isinstance(call, Choices) and call.method == "letter-generation":
        raise Unsupported("a written letter is no gold answer; leave out --score or -P method=letter-generation")
    return call
