"""A benchmark proves itself, with no model: its own right answers must score 1, spoiled ones 0."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from howgood.core.errors import Unsupported
from howgood.core.types import Instance, Prediction
from howgood.models.base import Capabilities, Model
from howgood.outputs.base import judge
from howgood.outputs.judge.base import Judged
from howgood.runs.plan import Options, Plan, make_plan

ABLE = {
    "a model that can do everything": Capabilities(
        True, True, True, completion=True, chat=True, images=True, tools=True, schema=True, logprobs=True, effort=True
    ),
    "a model that only chats": Capabilities(
        generate=True, chat=True, images=True, tools=True, schema=True, logprobs=True, effort=True
    ),
}


class Checked(Struct, frozen=True):
    """What was found for one way of calling: instances looked at, up to ten faults in words, and the first instance
    with what a right answer to it looks like (`written`; None where likelihoods decide)."""

    way: str
    rules: dict[str, Any]
    instances: int
    faults: list[str]
    example: Instance
    written: str | None
    gold: bool = True
    """Whether there are right answers to be judged; instructions that many answers follow have none."""


class Imagined(Model):
    """Stands for a model of given capabilities while prompts are built; it is never called."""

    def __init__(self, name: str, capabilities: Capabilities) -> None:
        self.name, self.capabilities = name, capabilities


def check(name: str, parameters: dict[str, Any], options: Options) -> list[Checked]:
    """Score the gold answers and spoiled ones of every instance, for each way the benchmark can be called, and build
    every prompt. A way that the benchmark does not support is left out."""
    out = []
    for way, capabilities in ABLE.items():
        try:
            plan = make_plan(name, Imagined(way, capabilities), parameters, options, seated=False)
        except Unsupported:
            continue
        out.append(_check(way, plan))
    if not out:
        raise Unsupported(f"{name} supports no way of calling a model")
    return out


def _check(way: str, plan: Plan) -> Checked:
    faults: list[str] = []
    count = 0
    for _, instance in plan.instances():
        count += 1
        plan.request(instance)
        for right in (True, False):
            imagined = _imagined(plan, instance, right)
            fault = imagined and _fault(plan, instance, imagined, right)
            if fault and len(faults) < 10:
                faults.append(fault)
    _, example = next(plan.instances())
    gold = _imagined(plan, example, True)
    return Checked(way, plan.rules.call, count, faults, example, gold.text if gold else None, gold is not None)


def _imagined(plan: Plan, instance: Instance, right: bool) -> Prediction | None:
    """A right or wrong answer; where judges decide, any will do. None for a right one to what has no gold answer."""
    if isinstance(plan.benchmark.outputs, Judged):
        return Prediction(text="An answer.", stop_reason="stop")
    try:
        return plan.benchmark.call.imagine(instance, right)
    except Unsupported:
        if not right or instance.targets or instance.gold:
            raise
        return None


def _misread(outputs: Judged, instance: Instance, prediction: Prediction, right: bool) -> str | None:
    """What is wrong where a judge finds an answer as good, or as bad, as can be, and its verdict is not read so."""
    asked = outputs.questions(instance, prediction)
    verdicts = [outputs.verdict("a judge", question, outputs.imagined(question, right)) for question in asked]
    score = outputs.score(instance, prediction, verdicts)
    worst, best = outputs.scale
    wanted = best if right else worst
    value = next(iter(score.values.values()), None)
    if value == wanted:
        return None
    return f"{instance.id}: a verdict of {wanted:g} is read as {value} ({score.outcome}; {score.explanation})"


def _fault(plan: Plan, instance: Instance, prediction: Prediction, right: bool) -> str | None:
    outputs = plan.benchmark.outputs
    if isinstance(outputs, Judged):
        return _misread(outputs, instance, prediction, right)
    score = judge(outputs, instance, prediction)
    value = next(iter(score.values.values()))
    if score.outcome == "scored" and not right:  # a surprise in nats, not an accuracy: any doubt will do
        good = value > 0
    else:
        good = value == (0 if score.outcome == "scored" else float(right))
    if good:
        return None
    kind = "gold" if right else "spoiled"
    return f"{instance.id}: the {kind} answer scores {value:g} ({score.outcome}; read: {score.answer!r})"
