"""What a run would take, counted from its plan: nothing is sent, and nothing is spent."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from howgood.core.types import NOT_JUDGED, Generate, Loglikelihood, Prediction, Request, Run, Usage
from howgood.models.base import Model
from howgood.models.inside import Tokenizes
from howgood.models.prices import cost_of, own_price, plain_name
from howgood.outputs.base import Around
from howgood.outputs.judge import Judged
from howgood.runs.forecast import CHARACTERS, Range, prompt_size, reservoir, size
from howgood.runs.plan import Plan, prompt_of

COUNTED = 200
"""Prompts that are counted by the model's tokenizer; the others by their length."""


class Expected(Struct, frozen=True):
    """What a run of `trials` would take if each is one request: tokens to read (`input`), counted by the model's
    tokenizer (`tokenized`) or from characters; tokens to write, `most` of them at most, and as many as `runs` earlier
    runs say (`output`; None: there are none); and US dollars (None: not known), `cost` for the output expected,
    `least_cost` for reading alone and `most_cost` for the most that can be written. `single` is False where a trial
    takes several requests; a machine `by_hour` costs what its time does, which is not known here. Judges give so many
    `verdicts`, which cost `judging` dollars at most (None: not known)."""

    trials: int
    input: int
    tokenized: bool
    most: int
    output: Range | None
    runs: int
    cost: Range | None
    least_cost: float | None
    most_cost: float | None
    single: bool
    by_hour: bool
    verdicts: int = 0
    judging: float | None = 0.0


def expect(plan: Plan, model: Model, earlier: Sequence[Run]) -> Expected:
    """What a plan would take on the model it was made for. Of the `earlier` runs those count that asked the same
    benchmark in the same way; if some did so of the same model, they alone."""
    tokens, tokenized = _tokens_read(plan, model)
    times, trials = plan.options.epochs * plan.rules.call.get("attempts", 1), plan.total
    asked = (plan.request(instance) for _, instance in plan.instances())
    most = times * sum(request.max_tokens for request in asked if isinstance(request, Generate))
    said = _written_before(plan, model, earlier) if most else [0.0]
    output = Range(sum(said) / len(said) * trials, min(said) * trials, max(said) * trials) if said else None

    own = own_price(plain_name(model))
    by_hour = own is not None and own.per_hour is not None

    def dollars(written: float) -> float | None:
        """For so many tokens in all: `trials` times what the mean trial costs, since prices can have steps."""
        if by_hour:
            return None
        each = cost_of(model, Usage(input=round(times * tokens / trials), output=round(written / trials)))
        return None if each is None else each * trials

    verdicts, judging = _judging(plan)
    costs = [dollars(written) for written in (output.value, output.low, output.high)] if output else []
    known = [cost for cost in costs if cost is not None]
    return Expected(
        trials=trials,
        input=round(times * tokens),
        tokenized=tokenized,
        most=most,
        output=output,
        runs=len(said) if most else 0,
        cost=Range(*known) if len(known) == 3 else None,
        least_cost=dollars(0),
        most_cost=dollars(most),
        single="methods" not in plan.rules.call,
        by_hour=by_hour,
        verdicts=verdicts,
        judging=judging,
    )


def _judging(plan: Plan) -> tuple[int, float | None]:
    """How many verdicts judges give, and what they cost at most: every answer, and every verdict, as long as it may
    be. Counted on a sample."""
    outputs = plan.benchmark.outputs
    while isinstance(outputs, Around):
        outputs = outputs.inner
    if not isinstance(outputs, Judged) or not outputs.judges:
        return 0, 0.0
    sample = reservoir((instance for _, instance in plan.instances()), COUNTED, random.Random(plan.options.seed))
    asked, cost = 0, 0.0
    for instance in sample:
        request = plan.request(instance)
        length = round(CHARACTERS * request.max_tokens) if isinstance(request, Generate) else 0
        questions = outputs.questions(instance, Prediction(text="x" * length))
        asked += len(questions) * len(outputs.judges)
        for judge in outputs.judges:
            for question in questions:
                read = round(prompt_size(question.prompt) / CHARACTERS)
                each = cost_of(judge, Usage(input=read, output=1 if outputs.by_logprobs else outputs.max_tokens))
                if each is None:
                    return round(asked / len(sample) * plan.total), None
                cost += each
    return round(asked / len(sample) * plan.total), cost / len(sample) * plan.total


def _tokens_read(plan: Plan, model: Model) -> tuple[float, bool]:
    """The tokens of all prompts, and whether the model's tokenizer was there to say how many characters one has. A
    server is given the prompt again with each continuation that it scores."""
    characters = 0

    def measured() -> Iterator[Request]:
        nonlocal characters
        for _, instance in plan.instances():
            request = plan.request(instance)
            characters += size(request)
            if isinstance(request, Loglikelihood) and model.paid:
                characters += (len(request.continuations) - 1) * prompt_size(request.prompt)
            yield request

    sample = reservoir(measured(), COUNTED, random.Random(plan.options.seed))
    if not isinstance(model, Tokenizes):
        return characters / CHARACTERS, False
    prompts = [prompt_of(request) for request in sample]
    counted = sum(len(model.prompt_tokens(prompt)) for prompt in prompts)
    return characters * counted / max(1, sum(prompt_size(prompt) for prompt in prompts)), True


def _written_before(plan: Plan, model: Model, earlier: Sequence[Run]) -> list[float]:
    """Tokens written for a trial, on average over each earlier run of the same benchmark asked in the same way."""

    def way(call: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in call.items() if key != "prompts"}

    same = [
        r for r in earlier if r.rules.benchmark == plan.rules.benchmark and way(r.rules.call) == way(plan.rules.call)
    ]
    same = [run for run in same if run.system.name == model.name] or same
    answered = ((run, sum(n for name, n in run.outcomes.items() if name not in NOT_JUDGED)) for run in same)
    return [run.usage.output / n for run, n in answered if n]
