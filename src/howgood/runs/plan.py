"""From a benchmark's name and a model to the trials that will be run and the rules they are run under.

Everything that can be wrong about the data, the parameters or what the model can do is found here, before a model is
called.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from howgood.calls.base import Settings
from howgood.calls.gold import GoldAnswer
from howgood.calls.methods.registry import apply, load
from howgood.core.errors import DataError, HowgoodError, UnknownName, Unsupported
from howgood.core.registry import Card, canonical, find, parse_parameters
from howgood.core.text import digest
from howgood.core.types import Generate, Instance, Message, Prompt, Request, Rolling, Rules
from howgood.inputs.base import Inputs
from howgood.inputs.fewshot import Pool, Shots
from howgood.inputs.local import GIVEN
from howgood.inputs.perturb import variants
from howgood.inputs.perturb.variants import Variants
from howgood.inputs.sampling import sample
from howgood.interpret.bits import BitsPerByte
from howgood.interpret.items import ItemFile
from howgood.interpret.items import read as read_items
from howgood.interpret.robustness import perturbable
from howgood.models.base import Model
from howgood.outputs.likelihood import GoldBits
from howgood.runs.benchmark import Benchmark
from howgood.runs.budget import parse_budget

UNNAMED = "unnamed"
"""The name of a benchmark made in Python, which cannot be found again by name."""
PROBES = 8
"""Instances whose rendered prompts stand for the prompt format in the rules."""


class Options(Struct, frozen=True, omit_defaults=True):
    """How much of a benchmark is run and how: `limit` instances (None: all) picked by `sample` with `seed`, `epochs`
    repeats of each, the call's `settings`, the folder of local `data`, the `methods` put around the model, the `score`
    taken in place of the benchmark's own ("bpb": bits per byte of the gold answers), and how each instance is asked in
    other ways too: `perturb` (see `inputs/perturb/variants.py`). `items` is a file of items whose picked ones are run
    (see `interpret/items.py`). `judges` are the models that judge (none: the
    benchmark's own) where any is asked.

    What does not change the number: the `budget` (see `runs/budget.py`), whether answers go through the `cache` (None:
    those that cost money do), and whether they are asked for in a `batch`."""

    limit: int | None = None
    sample: Literal["random", "stratified"] = "random"
    epochs: int = 1
    seed: int = 0
    settings: Settings = Settings()
    data: str | None = None
    methods: tuple[str, ...] = ()
    budget: str | None = None
    cache: bool | None = None
    batch: bool = False
    score: Literal["bpb"] | None = None
    perturb: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    items: str | None = None

    def check(self) -> None:
        if self.budget is not None:
            parse_budget(self.budget)
        if self.batch and self.budget is not None:
            raise HowgoodError(
                "a batch is handed in as a whole, so no --budget can hold it; `howgood estimate` says what it will cost"
            )
        if self.data is not None and not Path(self.data).is_dir():
            raise DataError(f"--data {self.data}: there is no such folder")
        if self.limit is not None and self.limit < 1:
            raise HowgoodError(f"--limit must be at least 1, not {self.limit}; leave it out to run everything")
        if self.items is not None and self.limit is not None:
            raise HowgoodError("--items says which instances are run, so leave out --limit")
        if self.score not in (None, "bpb"):
            raise UnknownName("score", str(self.score), ["bpb"], "There is bpb: bits per byte of the gold answers.")
        if self.epochs < 1:
            raise HowgoodError(f"--epochs must be at least 1, not {self.epochs}")
        shots, tokens, temperature = self.settings.shots, self.settings.max_tokens, self.settings.temperature
        if shots is not None and shots < 0:
            raise HowgoodError(f"--shots must be 0 or more, not {shots}")
        if tokens is not None and tokens < 1:
            raise HowgoodError(f"--max-tokens must be at least 1, not {tokens}")
        if temperature is not None and not 0 <= temperature <= 2:
            raise HowgoodError(f"--temperature must be between 0 and 2, not {temperature}")
        if self.settings.thinking is not None and self.settings.thinking < 0:
            raise HowgoodError(f"--thinking is a number of tokens, 0 or more, not {self.settings.thinking}")


@dataclass(frozen=True)
class Plan:
    """What will be run: a bound benchmark, the chosen instances, and the rules. `name` is what finds the benchmark
    again."""

    name: str
    card: Card
    parameters: dict[str, Any]
    options: Options
    benchmark: Benchmark
    rules: Rules
    chosen: frozenset[str] | None
    total: int
    pool: Pool | None
    variants: Variants | None = None

    def instances(self) -> Iterator[tuple[int, Instance]]:
        """The chosen instances with their place in the benchmark, read again from the source, each followed by its
        variants, which have places of their own."""
        for index, instance in self.originals():
            if self.variants is None:
                yield index, instance
            else:
                for number, made in self.variants.made(instance):
                    yield index * self.variants.most + number, made

    def originals(self) -> Iterator[tuple[int, Instance]]:
        """The chosen instances as the benchmark has them, with their place in it."""
        for index, instance in enumerate(self.benchmark.inputs.instances()):
            if self.chosen is None or instance.id in self.chosen:
                yield index, instance

    def shots(self, instance: Instance) -> tuple[Instance, ...]:
        """The worked examples shown with an instance: a pure function of benchmark, instance id and seed. A variant is
        shown those of its original."""
        if self.pool is None:
            return ()
        shots = self.pool.draw(variants.original(instance), self.options.seed)
        return self.variants.shots(shots, instance) if self.variants else shots

    def seed(self, instance: Instance, epoch: int) -> int:
        """The sampling seed of a trial."""
        text = f"{self.options.seed}/{self.card.name}/{instance.id}/{epoch}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def request(self, instance: Instance, epoch: int = 0) -> Request:
        """What will be sent for an instance."""
        return self.benchmark.call.request(instance, self.shots(instance), self.seed(instance, epoch))


def make_plan(
    name: str | Benchmark, model: Model, parameters: dict[str, Any], options: Options, *, seated: bool = True
) -> Plan:
    """The plan of a benchmark, by name or made in Python, for a model; `seated` False leaves judges out. Raises
    `HowgoodError`s of every kind where anything is wrong that can be known before a model is called."""
    options.check()
    options = msgspec.structs.replace(
        options,
        methods=tuple(load(method).text for method in options.methods),
        perturb=tuple(variants.load(text)[0] for text in options.perturb),
    )
    if isinstance(name, Benchmark):
        if parameters:
            raise HowgoodError(f"a benchmark made in Python takes no parameters, and was given {', '.join(parameters)}")
        made = Card(UNNAMED, "a benchmark made in Python", "capability", "")
        return _bound(UNNAMED, made, name, {}, model, options, seated)
    name = canonical(name)
    entry, implied = find(name)
    checked = parse_parameters(entry, implied | parameters)
    card = entry.card
    if implied:  # the card is about the file or the repository that the name stands for
        subject = Path(next(iter(implied.values()))).name
        card = msgspec.structs.replace(card, name=subject.partition(".")[0], title=f"{card.title}: {subject}")
    token = GIVEN.set(Path(options.data) if options.data else None)
    try:
        built = entry.build(**checked)
    finally:
        GIVEN.reset(token)
    if not isinstance(built, Benchmark):
        raise HowgoodError(f"the function of {name} returned {type(built).__name__}, not a Benchmark")
    try:
        return _bound(name, card, built, checked, model, options, seated)
    except Unsupported as error:
        raise Unsupported(f"{model.name} on {name}: {error}") from error


def _bound(
    name: str,
    card: Card,
    benchmark: Benchmark,
    parameters: dict[str, Any],
    model: Model,
    options: Options,
    seated: bool,
) -> Plan:
    inputs = benchmark.inputs.at(Path(options.data)) if options.data else benchmark.inputs
    call, outputs = apply(options.methods, benchmark.call, benchmark.outputs)
    interpret = benchmark.interpret
    if options.score == "bpb":
        call, outputs, interpret = GoldAnswer(call), GoldBits(), BitsPerByte.instead_of(interpret)
        card = msgspec.structs.replace(card, random=None, human=None, human_source="")  # theirs are of another number
    call = call.bind(model.capabilities, options.settings)
    outputs = outputs.bind(call.describe())
    if seated:
        outputs = outputs.seat(options.judges, options.cache)
    benchmark = replace(benchmark, inputs=inputs, call=call, outputs=outputs, interpret=interpret)
    perturbed = Variants.of(options.perturb, options.seed, call.describe(), inputs.wordings)
    if perturbed:
        perturbable(interpret.describe())

    survey = Survey()
    probes = heapq.nsmallest(PROBES, survey.read(inputs.instances()), key=lambda i: i.id)
    if not survey.strata:
        raise DataError(f"{inputs.provenance()['source']} has no instances")
    chosen = None
    if options.limit is not None and options.limit < len(survey.strata):
        chosen = frozenset(sample(survey.strata.items(), options.limit, options.seed, options.sample))
    items = read_items(options.items) if options.items else None
    if items is not None:
        chosen = items.chosen(card.name, survey.digest, list(survey.strata))
    pool, pool_rules = _pool(card.name, inputs, call.shots)
    total = (len(chosen) if chosen is not None else len(survey.strata)) * options.epochs
    rules = Rules(
        benchmark=card.name,
        version=card.version,
        data=inputs.provenance() | {"split": inputs.split, "instances": len(survey.strata), "digest": survey.digest},
        sample=_sample_rules(options, chosen, survey.strata, items),
        call=call.describe() | pool_rules,
        outputs=outputs.describe(),
        interpret=interpret.describe(),
    )
    plan = Plan(name, card, parameters, options, benchmark, rules, chosen, total, pool, perturbed)
    if perturbed:
        total = perturbed.count(instance for _, instance in plan.originals()) * options.epochs
        rules = msgspec.structs.replace(rules, sample=rules.sample | {"perturb": perturbed.describe()})
        plan = replace(plan, total=total, rules=rules)
    requests = [_without_seed(plan.request(probe)) for probe in probes]
    _check_settings(model, requests[0])
    return replace(plan, rules=msgspec.structs.replace(rules, call=rules.call | {"prompts": digest(requests)}))


def _check_settings(model: Model, request: Request) -> None:
    """Raises `Unsupported` for what every request asks of a model that cannot do it, whatever the instance."""
    if isinstance(request, Generate):
        plain = "" if isinstance(request.prompt, str) else (Message("user", ""),)
        model.check_request(msgspec.structs.replace(request, prompt=plain))


def _without_seed(request: Request) -> Request:
    return msgspec.structs.replace(request, seed=None) if isinstance(request, Generate) else request


class Survey:
    """One pass over all instances: checks each, and keeps their ids, strata and a digest of their content."""

    def __init__(self) -> None:
        self.strata: dict[str, str | None] = {}
        self._hash = hashlib.sha256()
        self._encode = msgspec.json.Encoder(order="sorted").encode

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:12]

    def read(self, instances: Iterable[Instance]) -> Iterator[Instance]:
        for index, instance in enumerate(instances):
            if instance.id in self.strata:
                first = list(self.strata).index(instance.id)
                raise DataError(
                    f"two instances have the id '{instance.id}' (instances {first + 1} and {index + 1}); "
                    "ids must be unique, since trials are resumed and paired by them"
                )
            if isinstance(instance.targets, str) or isinstance(instance.choices, str) or isinstance(instance.gold, int):
                raise DataError(f"instance {instance.id}: targets, choices and gold are tuples: targets=(answer,)")
            if instance.choices and not instance.gold:
                raise DataError(f"instance {instance.id} has choices but none is said to be right: gold=(index,)")
            if instance.choices and not all(0 <= g < len(instance.choices) for g in instance.gold):
                raise DataError(
                    f"instance {instance.id} names choice {instance.gold} as right, but has "
                    f"{len(instance.choices)} choices"
                )
            self.strata[instance.id] = instance.stratum
            self._hash.update(self._encode(instance))
            yield instance


def prompt_of(request: Request) -> Prompt:
    """The prompt of a request of any kind; a whole text is its own prompt."""
    return request.text if isinstance(request, Rolling) else request.prompt


def _sample_rules(
    options: Options, chosen: frozenset[str] | None, strata: dict[str, str | None], items: ItemFile | None
) -> dict[str, Any]:
    rules: dict[str, Any] = {"n": len(chosen) if chosen is not None else "all", "epochs": options.epochs}
    if items is not None:
        rules |= {"how": "items", "seed": items.seed, "items": items.fingerprint}
    elif chosen is not None:
        rules |= {"how": options.sample, "seed": options.seed}
        if options.sample == "stratified":  # each stratum counts by its share in the whole benchmark
            rules["strata"] = dict(sorted(Counter(stratum or "" for stratum in strata.values()).items()))
    return rules


def _pool(benchmark: str, inputs: Inputs, shots: Shots | None) -> tuple[Pool | None, dict[str, Any]]:
    if shots is None or shots.n == 0:
        return None, {}
    # Worked examples come from the source that gives the questions, so that one data set is used.
    evaluated = not inputs.source(inputs.split).has(shots.split)
    split = inputs.split if evaluated else shots.split
    told = split
    if evaluated:
        told = f"{split} (the evaluated split, since this copy has no {shots.split}; the instance itself is left out)"
    return Pool(list(inputs.instances(split)), shots, benchmark, evaluated), {"shots_from": told}
