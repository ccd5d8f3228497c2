"""A benchmark's inputs, looked at: what its instances are, and how hard they were for the systems that were asked."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from howgood.core.errors import DataError, HowgoodError, Unsupported
from howgood.core.types import Instance
from howgood.inputs.coverage import Inspected, inspect
from howgood.inputs.words import whole
from howgood.interpret import statistics
from howgood.interpret.difficulty import Difficulty, difficulty
from howgood.interpret.tail import Tail, bins, tail, together
from howgood.interpret.utility import rules_score
from howgood.models.base import Model
from howgood.models.inside import Tokenizes
from howgood.outputs.verify.language import language
from howgood.runs import evaluate
from howgood.runs.benchmark import Benchmark
from howgood.runs.check import ABLE, Imagined
from howgood.runs.plan import Options, Plan, make_plan
from howgood.runs.store import SavedRun

SEVERAL = 2
"""Systems from which on difficulty is told."""
SHOWN = 200
"""Characters of a question that are kept for showing."""


class Coverage(Struct, frozen=True):
    """What was found of a benchmark's inputs (`found`), of `instances` looked at; the questions of some by id (`texts`,
    for whoever shows them); and, from `runs`, the difficulty of each (of two systems or more) and the tail."""

    benchmark: str
    title: str
    source: str
    instances: int
    sampled: bool
    found: Inspected
    texts: dict[str, str]
    runs: list[str]
    difficulty: Difficulty | None
    tail: Tail | None


def look(
    name: str | Benchmark,
    parameters: dict[str, Any],
    options: Options,
    runs: Sequence[SavedRun] = (),
    model: Model | None = None,
) -> Coverage:
    """Look at a benchmark's instances and at what `runs` of it say of them; nothing is asked. `model` counts tokens.
    Raises `HowgoodError`s for a benchmark that cannot be read, runs of another one, and a model without a tokenizer."""
    tokens = _counter(model)
    plan = _plan(name, parameters, options)
    instances = [instance for _, instance in plan.originals()]
    pool: list[Instance] = []
    if plan.pool is not None and not plan.pool.evaluated:
        pool = list(plan.benchmark.inputs.instances(plan.pool.shots.split))
    detect = language if importlib.util.find_spec("langdetect") else None
    found = inspect(instances, pool, detect, tokens, options.seed)
    hard, where = _results(plan, runs, found, instances)
    return Coverage(
        plan.card.name,
        plan.card.title,
        str(plan.rules.data["source"]),
        len(instances),
        plan.chosen is not None,
        found,
        _shown(instances, pool, found, hard),
        [run.system.label for run in runs],
        hard,
        where,
    )


def _plan(name: str | Benchmark, parameters: dict[str, Any], options: Options) -> Plan:
    """The plan of a benchmark for a model that can do whatever it takes."""
    failed: Unsupported | None = None
    for way, capabilities in ABLE.items():
        try:
            return make_plan(name, Imagined(way, capabilities), parameters, options, seated=False)
        except Unsupported as error:
            failed = error
    assert failed is not None
    raise failed


def _counter(model: Model | None) -> Callable[[str], int] | None:
    if model is None:
        return None
    if not isinstance(model, Tokenizes):
        raise Unsupported(f"{model.name} shows no tokenizer, so its tokens cannot be counted; leave out --model")
    return lambda text: len(model.tokenize(text))


def _results(
    plan: Plan, runs: Sequence[SavedRun], found: Inspected, instances: Sequence[Instance]
) -> tuple[Difficulty | None, Tail | None]:
    if not runs:
        return None, None
    for run in runs:
        if run.rules.benchmark != plan.rules.benchmark:
            raise HowgoodError(f"{run.id} is of {run.rules.benchmark}, not of {plan.rules.benchmark}; give its runs")
        if run.rules.data.get("digest") != plan.rules.data.get("digest"):
            raise DataError(
                f"{run.id} asked other data (digest {run.rules.data.get('digest')}) than is here "
                f"({plan.rules.data.get('digest')}); give the same --data and -P as the run had"
            )
    tables = [evaluate.scores(run, variants=False) for run in runs]
    score = rules_score(runs[0].rules) or next(iter(tables[0].scores))
    whole_table = together(tables, score)
    if not statistics.is_share(whole_table.score(score)):
        raise Unsupported(f"{score} is not between 0 and 1, so it does not say which questions are hard; leave out RUN")
    hard = difficulty([run.system.label for run in runs], tables, score) if len(runs) >= SEVERAL else None
    topics = found.topics.topics
    names = [f"{n + 1}. {', '.join(topic.words[:3])}" for n, topic in enumerate(topics)]
    shared = set(whole_table.ids)
    lengths = {i.id: float(len(whole(i))) for i in instances if i.id in shared}
    factors = {
        "stratum": {i.id: i.stratum for i in instances if i.stratum is not None},
        "topic": {id: names[topic] for id, topic in zip(found.ids, found.topics.of, strict=True)},
        "length": bins(lengths, "characters"),
        "language": found.languages.of,
        "kind": dict(zip(found.ids, found.kinds.of, strict=True)),
    }
    return hard, tail(whole_table, score, factors)


def _shown(
    instances: Sequence[Instance], pool: Sequence[Instance], found: Inspected, hard: Difficulty | None
) -> dict[str, str]:
    """The questions of the instances that the findings name."""
    ids = [id for topic in found.topics.topics for id in topic.examples]
    ids += [id for pair in (found.duplicates.shown + found.duplicates.pairs)[:50] for id in (pair.a, pair.b)]
    if hard is not None:
        ids += hard.against[:20] + [question.id for question in (*hard.questions[:20], *hard.questions[-20:])]
    by_id = {instance.id: instance for instance in (*pool, *instances)}
    return {id: whole(by_id[id])[:SHOWN] for id in dict.fromkeys(ids) if id in by_id}
