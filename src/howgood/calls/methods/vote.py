"""Self-consistency: several samples, and the answer that most of them give. Wang et al., arXiv:2203.11171"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import msgspec

from howgood.calls.base import Call, Settings
from howgood.calls.generation import together
from howgood.calls.methods.base import Method, sampled, single
from howgood.core.errors import HowgoodError, Unsupported
from howgood.core.types import Instance, Prediction, Request
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import Outputs
from howgood.outputs.samples import Majority

TEMPERATURE = 0.7
"""At which samples are drawn where the user says nothing: the paper's for GPT-3 and PaLM-540B."""


def sampling(call: Call, can: Capabilities, settings: Settings, n: int, method: str) -> Call:
    """The call bound to sample `n` answers, each one written text. Raises `HowgoodError` for a temperature at which
    they would all be the same."""
    if n < 1:
        raise HowgoodError(f"{method},n={n}: it takes at least one sample")
    if n > 1 and not can.samples:
        raise Unsupported(f"the model has one answer to each question, of which {method} would take {n}")
    if settings.temperature is None:
        settings = msgspec.structs.replace(settings, temperature=TEMPERATURE)
    elif settings.temperature == 0 and n > 1:
        raise HowgoodError(
            f"{method} samples {n} answers, which are all the same at temperature 0; raise --temperature"
        )
    return single(call, method).bind(can, settings)


@dataclass(frozen=True)
class Vote(Method):
    """`n` samples of the answer. Which most of them give is for the outputs around (`Majority`) to say."""

    name: ClassVar[str] = "vote"
    n: int = field(default=8, kw_only=True)

    @classmethod
    def around(cls, call: Call, outputs: Outputs, *, n: int = 8) -> tuple[Call, Outputs]:
        return cls(call, n=n), Majority(outputs)

    def bind(self, can: Capabilities, settings: Settings) -> Vote:
        return replace(self, inner=sampling(self.inner, can, settings, self.n, self.name))

    def told(self) -> dict[str, Any]:
        return {"n": self.n}

    async def __call__(self, request: Request, model: Model) -> Prediction:
        samples, error = await sampled(self.inner, request, model, self.n, self.name)
        latency = max(sample.latency for sample in samples)  # they were asked for at once
        return msgspec.structs.replace(together(samples), latency=latency, error=error)

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        one = super().imagine(instance, right)
        return msgspec.structs.replace(one, attempts=(one.text or "",) * self.n)
