"""howgood prompt: exactly what would be sent, before anything is spent."""

from __future__ import annotations

from typing import Annotated

import typer

from howgood.cli.options import (
    Answer,
    Ask,
    Chat,
    Check,
    Choices,
    Data,
    MaxTokens,
    Methods,
    Parameters,
    Perturb,
    ReasoningEffort,
    Seed,
    Shots,
    Temperature,
    Thinking,
    console,
    own_file_parameters,
)
from howgood.core.errors import UnknownName


def prompt(
    benchmark: Annotated[str, typer.Argument(help="A benchmark.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model the prompt is for; default: smollm2.")
    ] = "smollm2",
    instance: Annotated[
        str | None, typer.Option("--id", "--instance", "-i", help="The instance, by its id; default: the first one.")
    ] = None,
    shots: Shots = None,
    seed: Seed = 0,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    chat: Chat = None,
    effort: ReasoningEffort = None,
    thinking: Thinking = None,
    method: Methods = None,
    perturb: Perturb = None,
    param: Parameters = None,
    data: Data = None,
    ask: Ask = None,
    answer: Answer = None,
    check: Check = None,
    choices: Choices = None,
) -> None:
    """Show the exact prompt for one instance: as the model would be given it, and the rules it stands under."""
    import msgspec

    from howgood.calls.base import Settings
    from howgood.core.text import visible
    from howgood.core.types import Loglikelihood
    from howgood.models.registry import load_model
    from howgood.report.instances import right_answers
    from howgood.runs.plan import Options, make_plan, prompt_of

    subject = load_model(model)
    settings = Settings(
        chat=chat, temperature=temperature, max_tokens=max_tokens, shots=shots, effort=effort, thinking=thinking
    )
    given = own_file_parameters(param, ask, answer, check, choices)
    options = Options(
        seed=seed, settings=settings, data=data, methods=tuple(method or ()), perturb=tuple(perturb or ())
    )
    plan = make_plan(benchmark, subject, given, options)
    item = next((i for _, i in plan.instances() if instance is None or i.id == instance), None)
    if item is None:
        ids = [i.id for _, i in plan.instances()]
        raise UnknownName("instance", instance or "", ids, f"Ids here are such as {', '.join(ids[:3])}.")
    request = plan.request(item)
    screen = console()

    def tell(text: str, style: str = "") -> None:
        screen.print(visible(text), style=style, markup=False, soft_wrap=True, emoji=False)

    tell(subject.render(prompt_of(request)))
    tell("")
    if isinstance(request, Loglikelihood):
        tell(f"scored:   {'  '.join(map(repr, request.continuations))}", "dim")
    tell(f"target:   {' | '.join(right_answers(item))}", "dim")
    tell(f"instance: {item.id}", "dim")
    tell(f"call:     {msgspec.json.encode(plan.rules.call).decode()}", "dim")
