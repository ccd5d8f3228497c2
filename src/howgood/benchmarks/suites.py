"""Suites: named lists of benchmarks with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, structs

from howgood.interpret import core_score

if TYPE_CHECKING:
    from howgood.core.types import Estimate
    from howgood.runs.plan import Options


class Part(Struct, frozen=True):
    """A benchmark in a suite, with its parameters; `limit` is how many instances are run (None: all), `max_tokens` how
    long an answer may be (None: what the benchmark says)."""

    benchmark: str
    parameters: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None
    max_tokens: int | None = None

    def options(self, given: Options) -> Options:
        """What the user set, and what this part sets where the user set nothing."""
        limit = self.limit if given.limit is None else given.limit
        max_tokens = self.max_tokens if given.settings.max_tokens is None else given.settings.max_tokens
        return structs.replace(given, limit=limit, settings=structs.replace(given.settings, max_tokens=max_tokens))


class Suite(Struct, frozen=True):
    """Benchmarks that are run together. `aggregate` makes the suite's own numbers out of one system's headlines by
    benchmark name, and raises `DataError` where they do not add up to one (None: the suite has none)."""

    title: str
    parts: tuple[Part, ...]
    aggregate: Callable[[Mapping[str, Estimate]], list[Estimate]] | None = None


SUITES: dict[str, Suite] = {
    "quickstart": Suite(
        "A first look at any model in a few minutes: seven kinds of evaluation that need no network",
        (
            Part("quickstart-questions"),
            Part("quickstart-endings"),
            Part("quickstart-passages"),
            Part("quickstart-last-words"),
            Part("quickstart-word-problems"),
            Part("quickstart-instructions"),
            # The smallest puzzles: a prompt of about 500 tokens, and at most 50 for the answer's grid.
            Part("arc-agi-1", {"max_cells": 25}, limit=5, max_tokens=256),
        ),
    ),
    "knowledge": Suite(
        "What a model knows: exams from school to beyond what most experts know, and what people get wrong",
        (
            Part("mmlu"),
            Part("mmlu-pro"),
            Part("gpqa"),
            Part("hle"),
            Part("arc-easy"),
            Part("arc-challenge"),
            Part("openbookqa"),
            Part("boolq"),
            Part("truthfulqa-mc1"),
        ),
    ),
    "perplexity": Suite(
        "Language modelling: how probable a model finds text that it is given",
        (
            Part("wikitext-2"),
            Part("wikitext-103"),
            Part("penn-treebank"),
            Part("one-billion-word"),
            Part("lambada"),
            Part("hellaswag"),
        ),
    ),
    "reasoning": Suite(
        "How a model thinks: puzzles that no knowledge solves, mathematics, and what everyone knows of everyday things",
        (
            Part("arc-agi-1"),
            Part("arc-agi-2"),
            Part("gsm8k"),
            Part("math"),
            Part("commonsense-qa"),
            Part("piqa"),
            Part("social-iqa"),
            Part("winogrande"),
        ),
    ),
    "core": Suite(
        "CORE of DataComp-LM: 22 tasks for base models, and the mean of their centred accuracies",
        tuple(Part(task.benchmark) for task in core_score.TASKS),
        core_score.core_estimates,
    ),
}
"""All suites by name."""
