"""From `--perturb` to variants: which are made of an instance, what they are called, and the rules they stand under."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from howgood.core.errors import DataError, HowgoodError, UnknownName, Unsupported
from howgood.core.options import absolute, parse_options
from howgood.core.types import Instance
from howgood.inputs.perturb.base import Perturbation, Shown
from howgood.inputs.perturb.order import ChoiceOrder, ShotOrder
from howgood.inputs.perturb.spelling import Case, Typos, Whitespace
from howgood.inputs.perturb.wording import Paraphrase, Wording

PERTURBATIONS: dict[str, tuple[type[Perturbation], str]] = {
    "case": (Case, "small letters; n=2: capitals too, n=3: a capital in front of every word"),
    "typos": (Typos, "slips to a neighbouring key in rate=0.2 of the longer words"),
    "whitespace": (Whitespace, "two or three spaces for one, at rate=0.2 of the places"),
    "choice-order": (ChoiceOrder, "the choices in another order, the right one with them"),
    "shot-order": (ShotOrder, "the worked examples in another order"),
    "wording": (Wording, "the benchmark's wordings of its prompt, or file=FILE of yours with {input} in each"),
    "paraphrase": (Paraphrase, 'each question in other words: file=FILE of lines {"id": ..., "input": ...}'),
}
"""Every perturbation, with one line of help."""
VERSION = 1
"""Part of the rules: raised when a perturbation makes other variants than before."""


def load(text: str) -> tuple[str, Perturbation]:
    """The perturbation of this name and options (after commas, as in `typos,n=3,rate=0.1`), and that text as it means
    the same from any folder. Raises `UnknownName` with the nearest names, `HowgoodError` for a bad value."""
    name, *given = text.split(",")
    if name not in PERTURBATIONS:
        raise UnknownName("perturbation", name, PERTURBATIONS, f"There are {', '.join(PERTURBATIONS)}.")
    kind = PERTURBATIONS[name][0]
    hints = typing.get_type_hints(kind.__init__)
    written = [absolute(option, hints) for option in given]
    return ",".join((name, *written)), kind(**parse_options("perturbation", name, kind, written))


@dataclass(frozen=True)
class Variants:
    """The variants of every instance: some of each perturbation, as pure functions of the instance and the seed."""

    perturbations: tuple[Perturbation, ...]
    seed: int

    @classmethod
    def of(cls, texts: Iterable[str], seed: int, call: dict[str, Any], wordings: tuple[str, ...]) -> Variants | None:
        """The variants that these texts ask for; None without any. Raises `Unsupported` where one makes no sense for a
        benchmark with the rules `call` and these wordings, `HowgoodError` for one that is named twice."""
        made = [load(text)[1] for text in texts]
        for place, one in enumerate(made):
            if any(one.name == other.name for other in made[:place]):
                raise HowgoodError(f"--perturb {one.name} is given twice; ask for more variants of it with n=")
            one.check(call, wordings)
        return cls(tuple(made), seed) if made else None

    @property
    def most(self) -> int:
        """How many variants an instance can have, the original counted."""
        return 1 + sum(perturbation.n for perturbation in self.perturbations)

    def describe(self) -> dict[str, Any]:
        """The rules' part: what is done to the instances, in order."""
        named = {perturbation.name: perturbation.describe() for perturbation in self.perturbations}
        return {"seed": self.seed, "version": VERSION, **named}

    def made(self, instance: Instance) -> Iterator[tuple[int, Instance]]:
        """The instance as it is (numbered 0), then its variants with their numbers. Where a perturbation finds nothing
        to change there is none. All are of one cluster: their own, where the instance has none."""
        cluster = instance.cluster or own_cluster(instance.id)
        yield 0, msgspec.structs.replace(instance, cluster=cluster)
        number = 0
        for perturbation in self.perturbations:
            for n in range(1, perturbation.n + 1):
                number += 1
                changed = perturbation.instance(instance, n, self.seed)
                if changed is not None:
                    variant = f"{perturbation.name}.{n}"
                    id = f"{instance.id}~{variant}"
                    yield number, msgspec.structs.replace(changed, id=id, variant=variant, cluster=cluster)

    def shots(self, shots: Shown, instance: Instance) -> Shown:
        """The worked examples shown with one of the instances `made`, out of those shown with the original."""
        if instance.variant is None:
            return shots
        name, _, number = instance.variant.rpartition(".")
        perturbation = next(one for one in self.perturbations if one.name == name)
        return perturbation.shots(shots, original_id(instance), int(number), self.seed)

    def count(self, instances: Iterable[Instance]) -> int:
        """How many there are of these instances in all. Raises `Unsupported` for a perturbation that changes none, and
        `DataError` where an id is taken."""
        total, ids, counts = 0, set[str](), dict.fromkeys((p.name for p in self.perturbations), 0)
        for instance in instances:
            ids.add(instance.id)
            for _, made in self.made(instance):
                total += 1
                if made.variant is not None:
                    counts[made.variant.rpartition(".")[0]] += 1
                    ids.add(made.id)
        for name, count in counts.items():
            if count == 0:
                raise Unsupported(
                    f"--perturb {name} changes none of the instances: {NOTHING.get(name, NOTHING_FREE)}; leave it out"
                )
        if len(ids) < total:
            raise DataError("an instance has the id of another's variant (ID~case.1); give it an id without ~")
        return total


NOTHING_FREE = "no question has words that can be changed without touching what its answer hangs on"
NOTHING = {
    "choice-order": "they have no choices, or choices that name each other",
    "paraphrase": "none has a paraphrase under its id",
}


def own_cluster(id: str) -> str:
    """The cluster of an instance and its variants that has no other."""
    return f"~{id}"


def original_id(instance: Instance) -> str:
    """The id of the instance that a variant was made of; an original's own."""
    return instance.id.removesuffix(f"~{instance.variant}") if instance.variant else instance.id


def original(instance: Instance) -> Instance:
    """An instance under the id and in the cluster that it had before variants were made of it."""
    id = original_id(instance)
    cluster = None if instance.cluster == own_cluster(id) else instance.cluster
    return msgspec.structs.replace(instance, id=id, cluster=cluster)
